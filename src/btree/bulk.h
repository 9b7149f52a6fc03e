/*
 * Building a btree from sorted records, aside: nobody points to it until its root is made known.
 *
 * First the shape, from the number of records alone, so that the caller can find the blocks; then
 * the blocks, level by level from the leaves, each written once.  Blocks are changes of the
 * caller's transactions, which may be several, since nothing is lost when only some have happened:
 * the blocks are free space until the root is switched.
 *
 * Memory: 24 to 56 bytes for each block of the level below.
 */
#ifndef MENDFS_BTREE_BULK_H
#define MENDFS_BTREE_BULK_H

#include "btree/modify.h"

/* Of the room in a block, when space is not short: what comes next must not split every block. */
#define BULK_LOOSE_PERCENT 75
#define BULK_FULL_PERCENT 100

struct bulk_shape {
	u32 levels;
	u64 blocks[BTREE_LEVELS_MAX]; /* of each level, the leaves first */
	u64 total;
};

/* percent: how full blocks are, as far as the minimum allows. No records: an empty root. */
void bulk_shape(const struct btree_schema *schema, u32 block_size, u64 records, u32 percent,
		struct bulk_shape *out);

/* The same for a tree whose root is in an inode, in `size` bytes of a fork: the highest level is
 * the root's, and no block. */
void bulk_shape_inode(const struct btree_schema *schema, u32 block_size, u64 records, u32 size,
		      u32 percent, struct bulk_shape *out);

struct bulk {
	struct btree *tree; /* type, g, ag, owner and txn; root and levels are set */
	struct env *env;
	const struct bulk_shape *shape;
	u64 records;
	/* The next record in order; exactly as many as were said. */
	int (*record)(void *arg, void *record);
	/* The next of the shape's blocks. */
	int (*block)(void *arg, u64 *ptr);
	/* Called now and then between two blocks: may commit tree->txn and put a new one there.
	 * NULL: all in one transaction. */
	int (*pause)(void *arg, struct btree *tree);
	void *arg;
};
int bulk_build(struct bulk *bulk);
/* Of a shape for an inode: the root goes into the fork's bytes. */
int bulk_build_inode(struct bulk *bulk, u8 *fork, u32 size);

#endif
