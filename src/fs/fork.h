/*
 * Where the blocks of a file are: the data and attribute fork maps, extents and btree format alike.
 *
 * Read-only and stateless: each call starts at the inode.  Works for any offset, also far beyond
 * the size.  -EUCLEAN when the map is damaged on the way there.
 */
#ifndef MENDFS_FS_FORK_H
#define MENDFS_FS_FORK_H

#include "fs/inode.h"

/* The extent that holds `off`, or the hole: then extent.start is NULL64 and [off, off+count) is
 * empty up to the next extent or the end of the address space. */
int fork_lookup(struct vol *vol, const struct inode *inode, enum fork_id which, struct fileoff off,
		struct extent *out);
/* Calls fn for each extent from the one that holds or follows `from`; stops when it returns
 * nonzero, and returns that. */
int fork_each(struct vol *vol, const struct inode *inode, enum fork_id which, struct fileoff from,
	      int (*fn)(void *arg, const struct extent *extent), void *arg);

#endif
