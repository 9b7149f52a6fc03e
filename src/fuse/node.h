/*
 * The inode cache: decoded inodes by number, so that a second question about an inode costs no
 * parsing.
 *
 * A fixed number of slots, in sets of a few; each slot holds a private copy of the inode's bytes,
 * so a cached inode pins no buffer.  An inode that is in use is not replaced; where a whole set is
 * in use, the inode lives in memory of its own until it is put.
 *
 * The kernel's lookup counts are not needed for this, since an inode can be read again at any time.
 */
#ifndef MENDFS_FUSE_NODE_H
#define MENDFS_FUSE_NODE_H

#include "fs/inode.h"

struct node_cache;

int node_cache_open(struct vol *vol, struct node_cache **out);
void node_cache_close(struct node_cache *cache);
/* As inode_get(); valid until node_put(). */
int node_get(struct node_cache *cache, struct inum ino, const struct inode **out);
void node_put(struct node_cache *cache, const struct inode *inode);

#endif
