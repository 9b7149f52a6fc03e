/* What the files that check one directory share: directory.c walks, dir_audit.c finds the facts. */
#ifndef MENDFS_META_DIR_WALK_H
#define MENDFS_META_DIR_WALK_H

#include "format/dir.h"
#include "fs/da.h"
#include "ledger/sweep.h"

#define DIR_BAD_MAX 64
#define DIR_RUN_MAX 4096

struct dir_twice; /* the search for names that are there twice */

/* One directory being checked. Sums are of book_hash(): left is what the names say, right what the
 * hash index and the free index say. */
struct dir_walk {
	struct sweep *sweep;
	const struct geometry *g;
	const struct inode *dir;
	struct verdict verdict; /* of the directory as a whole */
	bool block_form;	/* one block, index inside */
	bool leaf_form;		/* one leaf, best-free table inside */
	bool dot, dotdot;
	u64 parent, names, children, directories;
	u64 places; /* mapped blocks of any kind */
	u64 data_end, leaf_blocks;
	u128 name_sum, index_sum;
	u128 best_sum, free_sum;
	u128 leaf_mapped;
	/* Data blocks whose entries or best free space are not known. */
	u64 bad[DIR_BAD_MAX];
	u32 bad_count;
	bool map_bad, index_bad, free_bad;
	struct dir_twice *twice;
};

static inline u64 dir_data_block(const struct geometry *g, u64 off)
{
	return off / g->dir_fsblocks;
}
/* The facts that the directory's own sums are made of. */
static inline struct fact dir_index_fact(u32 hash, u32 address)
{
	return (struct fact){{hash, address, 0, 0}};
}
static inline struct fact dir_best_fact(u64 block, u32 best)
{
	return (struct fact){{block, best, 1, 0}};
}
bool dir_block_is_bad(const struct dir_walk *w, u64 block);

/* A block of the directory without verification and without findings; NULL when it cannot be read.
 * Put it with cache_put(). */
struct buf *dir_peek(const struct dir_walk *w, const struct da_place *place);
struct buf *dir_peek_at(const struct dir_walk *w, u64 off);
/* The entry at an address, and the buffer that holds it; false when there is none. */
bool dir_peek_entry(const struct dir_walk *w, u32 address, struct dir_slot *slot, struct buf **buf);

/* Names that are there twice: first each name, in the order of the directory, then, from begin to
 * end, each entry of the hash index. 0 or -ENOMEM. */
int dir_twice_open(struct dir_walk *w);
void dir_twice_name(struct dir_walk *w, const struct dir_slot *slot, u32 address);
void dir_twice_begin(struct dir_walk *w);
int dir_twice_index(struct dir_walk *w, u32 hash, u32 address);
void dir_twice_end(struct dir_walk *w);
/* The sums of names and index disagree. True: walk the index again, for what was passed over. */
bool dir_twice_again(struct dir_walk *w);
void dir_twice_close(struct dir_walk *w);

/* The sums disagree: find out where, and say so. */
int dir_audit_index(struct dir_walk *w);
int dir_audit_free(struct dir_walk *w);

#endif
