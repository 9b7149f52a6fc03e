/*
 * Inodes as the rest of the filesystem reads them.
 *
 * inode_get() reads the cluster through the cache, runs the inode's own rules, and fills a struct
 * inode whose fork pointers look into the buffer that it holds; inode_put() lets go.
 * -ENOENT: free, or not in an allocated chunk.  -EUCLEAN / -EBADMSG: damaged, with a trail.
 */
#ifndef MENDFS_FS_INODE_H
#define MENDFS_FS_INODE_H

#include "format/btree.h"
#include "format/inode.h"
#include "fs/vol.h"

int inode_get(struct vol *vol, struct inum ino, struct inode *out);
/* What the inobt says of it: is it in use? -ENOENT: it has no such inode. */
int inode_listed(struct vol *vol, struct inum ino, bool *used);
void inode_put(struct vol *vol, struct inode *inode);

/* The inobt's record that the number falls into, whether there is an inode or a hole; -ENOENT,
 * without a trail: there is none. */
int inode_chunk(struct vol *vol, u32 ag, u32 agino, struct inobt_rec *out);

/* The buffer that holds an inode: the blocks [*bno, *bno + *blocks) of its AG. The number must be
 * that of a place in the AG. */
void inode_cluster(const struct geometry *g, u32 ag, u32 agino, u32 *bno, u32 *blocks);

#endif
