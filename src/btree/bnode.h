/*
 * Nodes and paths of a btree that is being changed; private to src/btree.
 *
 * A node is a block, or the root inside an inode, which has a header of its own and no siblings.
 * The way down is kept as a path: at each level a node, and an index in it.
 */
#ifndef MENDFS_BTREE_BNODE_H
#define MENDFS_BTREE_BNODE_H

#include "btree/modify.h"

struct bnode {
	struct txn_buf *buf;
	u64 ptr;     /* NULL64: inside an inode */
	u32 at;	     /* of the header in the buffer */
	u32 entries; /* of the first record or key in the buffer */
	u32 ptrs;    /* of the first pointer */
	u32 level;
	u32 max, stride; /* entries; bytes of one record, or of one key or key pair */
};

struct path {
	u32 levels;
	struct {
		struct bnode node;
		u32 index;
	} at[BTREE_LEVELS_MAX];
};

int bnode_read(struct btree *t, u64 ptr, u32 level, struct bnode *out);
int bnode_new(struct btree *t, u64 ptr, u32 level, struct bnode *out);
/* The root, wherever it is. */
int bnode_root(struct btree *t, struct bnode *out);

u32 bnode_count(const struct bnode *n);
void bnode_set_count(struct btree *t, struct bnode *n, u32 count);
u8 *bnode_entry(const struct bnode *n, u32 index);
u64 bnode_ptr(const struct btree *t, const struct bnode *n, u32 index);
void bnode_set_ptr(const struct btree *t, const struct bnode *n, u32 index, u64 ptr);
/* NULL64: none. */
u64 bnode_sibling(const struct btree *t, const struct bnode *n, bool right);
void bnode_set_sibling(const struct btree *t, struct bnode *n, bool right, u64 ptr);
/* The low key, and in overlapping trees behind it the high key, as a parent has them. */
void bnode_keys(const struct btree *t, const struct bnode *n, u8 *keys);
void bnode_load_key(const struct btree *t, const struct bnode *n, u32 index, struct btree_key *key);

/* Room for, or without, one entry at index. */
void bnode_put(struct btree *t, struct bnode *n, u32 index, const u8 *entry, u64 ptr);
void bnode_take(struct btree *t, struct bnode *n, u32 index);
/* `count` entries from the end of left to the start of right, or the other way. */
void bnode_shift_right(struct btree *t, struct bnode *left, struct bnode *right, u32 count);
void bnode_shift_left(struct btree *t, struct bnode *left, struct bnode *right, u32 count);

/* To the leaf where a record of this key is or belongs; at[0].index is behind all that are not
 * above it. */
int path_find(struct btree *t, const struct btree_key *key, struct path *p);
/* at[0].index is moved to the next or last record; -ENOENT when there is none. */
int path_forward(struct btree *t, struct path *p);
int path_back(struct btree *t, struct path *p);

#endif
