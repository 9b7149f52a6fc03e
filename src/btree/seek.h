/*
 * Finding a record in a btree of blocks, for reading.
 *
 * The tree is given by its root, which may be a block or the bytes inside an inode; blocks come
 * verified through the cache. Stateless: a position holds one leaf.  -EUCLEAN when a block on the
 * way is damaged, or is not one level below its parent.
 */
#ifndef MENDFS_BTREE_SEEK_H
#define MENDFS_BTREE_SEEK_H

#include "cache/cache.h"
#include "format/btree.h"

struct btree_tree {
	struct cache *cache;
	const struct geometry *g;
	const struct meta_type *type; /* of the blocks; has the schema */
	u32 ag;			      /* short format: where pointers point */
	u64 owner;		      /* what the blocks' owner field says */
	u64 root;		      /* pointer to the root block */
	u32 levels;		      /* of the root block and below; a leaf alone is 1 */
};

/* A leaf and an index in it. Zeroed: nowhere. */
struct btree_at {
	struct buf *buf;
	u32 index;
};

/* The last record whose key is not above `key`, or the first record if all are. -ENOENT in an empty
 * tree. */
int btree_seek(const struct btree_tree *tree, const struct btree_key *key, struct btree_at *at);
/* The next record: 0, or -ENOENT at the end. */
int btree_step(const struct btree_tree *tree, struct btree_at *at);
struct btree_block btree_at_block(const struct btree_tree *tree, const struct btree_at *at);
void btree_leave(const struct btree_tree *tree, struct btree_at *at);

#endif
