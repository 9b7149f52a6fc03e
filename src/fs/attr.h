/*
 * Extended attributes of every form, for reading: short, leaf, node, remote values, parent
 * pointers.
 */
#ifndef MENDFS_FS_ATTR_H
#define MENDFS_FS_ATTR_H

#include "format/attr.h"
#include "fs/inode.h"

struct attr {
	u8 flags;	  /* ATTR_ROOT, ATTR_SECURE, ATTR_PARENT namespaces; 0: user */
	const char *name; /* not terminated */
	u32 name_length;
	const void *value; /* NULL for a remote value in attr_each() */
	u32 value_length;
};

/* Exact namespace and name. Copies up to `size` bytes, returns the length of the value, or
 * -ENODATA, -ERANGE when it does not fit (size 0: only asks the length). */
s64 attr_get(struct vol *vol, const struct inode *inode, u8 flags, const char *name, u32 length,
	     void *value, size_t size);
int attr_each(struct vol *vol, const struct inode *inode,
	      int (*fn)(void *arg, const struct attr *attr), void *arg);

#endif
