/*
 * One AG inside a transaction: its free space header, its free list, and its trees.
 */
#ifndef MENDFS_FS_AG_H
#define MENDFS_FS_AG_H

#include "btree/modify.h"
#include "format/ag.h"
#include "fs/vol.h"

struct ag {
	struct vol *vol;
	struct txn *txn;
	u32 number;
	struct txn_buf *agf_buf, *agfl_buf;
	struct txn_buf *agi_buf; /* NULL before ag_open_inodes() */
};

/* -EUCLEAN for an AG that there is not, or whose headers are damaged. */
int ag_open(struct vol *vol, struct txn *txn, u32 number, struct ag *out);
static inline struct agf *ag_agf(const struct ag *ag)
{
	return (struct agf *)ag->agf_buf->data;
}
/* The inode header, too: for META_INOBT, META_FINOBT, inodes and unlinked lists. */
int ag_open_inodes(struct ag *ag);
static inline struct agi *ag_agi(const struct ag *ag)
{
	return (struct agi *)ag->agi_buf->data;
}
/* Adds to a counter of the AGF; -EUCLEAN when that would go below zero or beyond the AG. */
int ag_count(struct ag *ag, struct be32 *counter, s64 amount);
/* META_BNOBT, META_CNTBT, META_RMAPBT, META_REFCOUNTBT, META_INOBT or META_FINOBT, to be found and
 * changed. `ag` must stay as long as the tree is used. */
int ag_tree(struct ag *ag, enum meta_id id, struct btree *out);

/* The free list: blocks for bnobt, cntbt and rmapbt. -ENOSPC when it is empty. */
int ag_list_take(struct ag *ag, u32 *bno);
int ag_list_put(struct ag *ag, u32 bno);

/* The superblock; struct sb. */
int ag_super(struct vol *vol, struct txn *txn, struct txn_buf **out);
/* Adds to the superblock's count of free blocks. */
int ag_count_free(struct vol *vol, struct txn *txn, s64 blocks);
/* Adds to those of inodes, and of free ones, here and in the AGI. */
int ag_count_inodes(struct ag *ag, s64 inodes, s64 unused);

#endif
