/*
 * The walk down a hash tree for the sweep, of directories and of attributes.
 *
 * Reads every block once, as what its parent says that it is, and proves what no block alone can:
 * levels go down by one, brothers name each other in the order of the tree, a child's last hash is
 * its parent's, hashes ascend from leaf to leaf, and no more blocks are reached than are mapped (so
 * a ring ends). What cannot be read is skipped, and the rest of the tree is walked.
 */
#ifndef MENDFS_META_DA_WALK_H
#define MENDFS_META_DA_WALK_H

#include "fs/da.h"
#include "ledger/sweep.h"

/* What the walk knows of the block before, on one level. */
struct da_brother {
	bool lost; /* the one before could not be read: nothing to compare with */
	bool any;
	u64 off;
	u32 forw;
};

struct da_walk {
	struct sweep *sweep;
	const struct inode *inode;
	enum fork_id which;
	u64 root;
	u64 limit;  /* blocks that may be reached at most */
	bool again; /* not the first walk: nothing is raised or counted a second time */
	const struct meta_type *node, *leaf;
	int (*visit)(void *arg, const struct where *where, const struct buf *leaf);
	void *arg;
	/* The first and last hash of a leaf; false when it has none. */
	bool (*hashes)(const void *leaf, u32 len, u32 *first, u32 *last);
	/* results */
	u64 reached;
	u128 sum;	 /* of da_walk_hash() of each block reached */
	bool incomplete; /* some of it could not be walked */
	/* private */
	bool any_leaf;
	u32 last_hash;
	struct da_brother brother[DA_LEVELS_MAX + 1];
};

int da_walk(struct da_walk *walk);
/* What stands for one block of a fork in a sum of blocks. */
u128 da_walk_hash(const struct sweep *sweep, u64 off);
/* The magic at `off`, unverified; 0 when the device fails there or it is not mapped. */
int da_walk_magic(struct sweep *sweep, const struct inode *inode, enum fork_id which, u64 off,
		  u16 *magic);

#endif
