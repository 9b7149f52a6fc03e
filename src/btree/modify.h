/*
 * Changing btrees inside a transaction: schema x store.
 *
 * The schema (struct btree_schema of the type) says how records and keys look, the store where the
 * root is and where blocks come from and go to.  Records are found by key, so callers keep no
 * cursors that a change could make stale.  Every function reads the tree as the transaction sees
 * it.
 *
 * A change that fails half-way leaves the tree of the transaction half changed: the transaction is
 * then to be rolled back.  -EUCLEAN when a block met is damaged or the tree has no place for a
 * record.  -ENOENT, without a trail, when there is no such record.
 *
 * Fill: but for the root, no block has fewer entries than half of what fits.  A full block gives
 * half of its neighbour's room to it, before it is split; one that falls below is filled up from a
 * neighbour, or joined with it.  Neighbours are those below the same parent: there is always one,
 * since a node that is not the root has two entries at least.
 */
#ifndef MENDFS_BTREE_MODIFY_H
#define MENDFS_BTREE_MODIFY_H

#include "format/btree.h"
#include "log/txn.h"

struct btree;

struct btree_store {
	/* root or levels of the tree have changed. NULL for a root inside an inode. */
	int (*root_set)(struct btree *t);
	/* A block that nobody uses, to be the tree's; near: another one of it, or NULL64. */
	int (*alloc)(struct btree *t, u64 near, u64 *ptr);
	int (*release)(struct btree *t, u64 ptr);
};

/* No record and no pair of keys is larger. */
#define BTREE_ENTRY_MAX 48

struct btree {
	struct txn *txn;
	const struct geometry *g;
	const struct meta_type *type; /* has the schema */
	const struct btree_store *store;
	void *arg;  /* the store's */
	u32 ag;	    /* short format: where pointers point; NO_AG else */
	u64 owner;  /* what the blocks' owner field says */
	u64 offset; /* of a block map: RMAP_OFFSET_*, as its blocks are in the reverse map */
	u64 root;   /* pointer to the root block; not used for a root inside an inode */
	u32 levels;
	/* A root inside an inode: its bytes, struct bmdr first. NULL: none. The root's level is
	 * levels - 1, and always above 0. */
	struct txn_buf *root_buf;
	u32 root_at, root_size;
};

/* The last record whose key is not above `key`; the first whose key is not below. */
int btree_find_le(struct btree *t, const struct btree_key *key, void *record);
int btree_find_ge(struct btree *t, const struct btree_key *key, void *record);
/* -EUCLEAN when there is a record of this key. */
int btree_insert(struct btree *t, const void *record);
int btree_delete(struct btree *t, const struct btree_key *key);
/* Replaces the record of this key; the new key must keep its place among the neighbours. */
int btree_replace(struct btree *t, const struct btree_key *key, const void *record);
/* Overlapping trees: calls fn for each record whose range of keys touches [low, high], in order,
 * until it returns nonzero, and returns that. fn must not change the tree. */
int btree_query(struct btree *t, const struct btree_key *low, const struct btree_key *high,
		int (*fn)(void *arg, const void *record), void *arg);
/* Makes an empty root block at ptr. */
int btree_root_new(struct btree *t, u64 ptr);
/* A root inside an inode, whose bytes are zero: these records in a leaf at ptr, and the root points
 * to that. */
int btree_inline_root_new(struct btree *t, u64 ptr, const void *records, u32 count);
/* The other way: the records of the only leaf, which is released. -EUCLEAN when there are more
 * leaves, or more than `room` records. The root's bytes mean nothing then. */
int btree_inline_root_end(struct btree *t, void *records, u32 room, u32 *count);

#endif
