/*
 * Changing directories inside a transaction, in every form, and from one form to the next as they
 * grow and shrink.
 *
 * Size, format and blocks of the inode go along; link counts, times and parent pointers are the
 * caller's.  Entries stay where they are in the data space, so that listings may go on.  A change
 * that fails leaves the transaction half changed: it is to be rolled back.
 *
 * Short form and block form are XFS's own; a directory that has outgrown one block gets an index in
 * blocks of its own, a tree from the start, with the free index beside it ("node" directories: what
 * others call leaf directories are read, and become such ones with their first change).
 */
#ifndef MENDFS_FS_DIR_MODIFY_H
#define MENDFS_FS_DIR_MODIFY_H

#include "fs/dir.h"

/* An inode that was just allocated becomes an empty directory. */
int dir_init(struct vol *vol, struct txn *txn, struct inum dir, struct inum parent);
/* -EEXIST, -ENOSPC. type: DIR_FT_*. */
int dir_add(struct vol *vol, struct txn *txn, struct inum dir, const char *bytes, u32 length,
	    struct inum ino, u8 type);
/* -ENOENT. Needs no space. */
int dir_remove(struct vol *vol, struct txn *txn, struct inum dir, const char *bytes, u32 length);
/* The name, which may be `..`, leads to another inode from now on; -ENOENT. */
int dir_replace(struct vol *vol, struct txn *txn, struct inum dir, const char *bytes, u32 length,
		struct inum ino, u8 type);
/* 1: nothing but `.` and `..` is in it; 0, or an error. */
int dir_is_empty(struct vol *vol, const struct inode *dir);

#endif
