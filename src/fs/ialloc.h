/*
 * Inodes that come and go, inside a transaction.
 *
 * Chunks of 64 are allocated when an AG has no free inode left, aligned as the superblock says, in
 * part (sparse) where there is no room for a whole one; chunks of which nothing is in use are given
 * back.  inobt, finobt, the counts of AGI and superblock and the reverse map go along.
 */
#ifndef MENDFS_FS_IALLOC_H
#define MENDFS_FS_IALLOC_H

#include "fs/ag.h"
#include "fs/inode.h"

/* A free inode, near `near`, or in an AG of its own choice for a directory. It comes out empty: the
 * mode is set, the data fork has no content (directories and symlinks: local, of size 0), link
 * count, owner and times are 0. -ENOSPC. */
int inode_alloc(struct vol *vol, struct txn *txn, struct inum near, u16 mode, struct inum *out,
		struct txn_buf **buf);
/* The inode has no blocks any more, and is on no list. */
int inode_free(struct vol *vol, struct txn *txn, struct inum ino);

/* The list of the AG for inodes without a name. */
int iunlink_add(struct vol *vol, struct txn *txn, struct inum ino);
/* The same for one that a list may have led on from, which is no more. */
int iunlink_renew(struct vol *vol, struct txn *txn, struct inum ino);
int iunlink_remove(struct vol *vol, struct txn *txn, struct inum ino);
/* The first inode on one of the lists, from AG *number on; -ENOENT, without a trail: there is none.
 */
int iunlink_first(struct vol *vol, u32 *number, struct inum *out);

#endif
