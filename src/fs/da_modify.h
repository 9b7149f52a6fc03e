/*
 * Changing the hash btree of a directory or of an attribute fork, inside a transaction: its blocks,
 * and its nodes.  What is in the leaves is their owners' (dir_tree.c, attr_tree.c), but for the
 * count and the hashes, which lie alike in all.
 *
 * The root stays at its offset: what is in it moves to a block of its own when it is full, and back
 * when it has one child left.  Nodes say the greatest hash below each child.  Blocks may lie
 * anywhere in the part of the fork that is theirs; no more room there is -ENOSPC.
 */
#ifndef MENDFS_FS_DA_MODIFY_H
#define MENDFS_FS_DA_MODIFY_H

#include "fs/da.h"
#include "fs/fork_modify.h"

/* A fork that is being changed. */
struct da_op {
	struct vol *vol, view;
	struct txn *txn;
	const struct geometry *g;
	struct inum ino;
	struct txn_buf *buf; /* the inode */
	struct dinode *d;
	struct fork_edit fork;
	enum fork_id which;
	u32 blocks, size; /* of a block of it: in filesystem blocks, and bytes */
	u64 root, end;	  /* offsets: of the root, and behind what the tree may have */
	enum meta_id node, leaf;
};

int da_op_open(struct da_op *op, struct vol *vol, struct txn *txn, struct inum ino,
	       enum fork_id which);
/* The inode as it is now. */
static inline void da_parse(const struct da_op *op, struct inode *out)
{
	inode_parse(op->g, op->ino, op->buf->data, out);
}
/* The block at `off` of the fork, to be changed; -ENOENT without a trail in a hole. */
int da_block_get(struct da_op *op, enum meta_id id, u64 off, struct txn_buf **out);
/* A new one, with its header: magic, place and owner. */
int da_block_new(struct da_op *op, enum meta_id id, u64 off, struct txn_buf **out);
/* It becomes a block of another type, where it is. */
void da_block_retype(struct da_op *op, struct txn_buf *buf, enum meta_id id);
/* Gives it back, or all blocks of [off, end). */
int da_block_free(struct da_op *op, u64 off, struct txn_buf *buf);
int da_blocks_free(struct da_op *op, u64 off, u64 end);
/* So many blocks of the tree's part of the fork that are a hole. */
int da_place_new(struct da_op *op, u32 count, u64 *off);

/* The way down to a leaf. */
struct da_step {
	u64 off;
	u32 index; /* of the child that is gone down to */
};
struct da_way {
	struct da_step step[DA_LEVELS_MAX];
	u32 depth; /* nodes above the leaf */
	u64 leaf;
};
/* To the first leaf that may hold `hash`. */
int da_way_down(struct da_op *op, u32 hash, struct da_way *way);
/* To the leaf behind; -ENOENT without a trail at the end. */
int da_way_next(struct da_op *op, struct da_way *way);
/* The greatest hash of a leaf or node, which is not empty. */
u32 da_last_hash(const struct txn_buf *buf);
/* The greatest hash below a child has changed: the nodes above it, `depth` of the way, say so. */
int da_fix_up(struct da_op *op, const struct da_way *way, u32 depth, u32 hash);
/* Room for one more leaf behind that of the way, which becomes another block when it is the root.
 */
int da_leaf_room(struct da_op *op, struct da_way *way);
/* An empty block behind `left`, of its type. */
int da_block_behind(struct da_op *op, struct txn_buf *left, u64 left_off, u64 *off,
		    struct txn_buf **out);
/* The same, with the upper half of it: a node, or a leaf of a directory. */
int da_block_split(struct da_op *op, struct txn_buf *left, u64 left_off, u64 *right_off,
		   struct txn_buf **right);
/* After da_leaf_room(): enters `right`, at right_off, behind `left`, the leaf of the way; both are
 * filled. */
int da_leaf_enter(struct da_op *op, const struct da_way *way, const struct txn_buf *left,
		  const struct txn_buf *right, u64 right_off);
/* The leaf of the way goes, which is not the root; so does each node that is empty then. A root
 * with one child takes its content. Ways are void afterwards. */
int da_leaf_remove(struct da_op *op, const struct da_way *way, struct txn_buf *leaf);

#endif
