/*
 * Changing attributes inside a transaction.
 *
 * A fork that has leaves is changed where the attribute is (fs/attr_tree.c).  Where the form
 * changes, all attributes are read and the fork is built anew in the smallest form that holds them
 * (fs/attr_build.h); the fork itself is made with the first attribute and given up with the last.
 * -ENOSPC when there is no space, or no room for the fork in the inode beside its data.
 */
#ifndef MENDFS_FS_ATTR_MODIFY_H
#define MENDFS_FS_ATTR_MODIFY_H

#include "fs/attr.h"

enum attr_how {
	ATTR_HOW_ANY,
	ATTR_HOW_CREATE, /* -EEXIST when it is there */
	ATTR_HOW_REPLACE /* -ENODATA when it is not */
};

int attr_set(struct vol *vol, struct txn *txn, struct inum ino, const struct attr *attr,
	     enum attr_how how);
/* By name space and name; -ENODATA. */
int attr_remove(struct vol *vol, struct txn *txn, struct inum ino, const struct attr *attr);
/* Of an inode that is taken apart: all of them, and the fork. */
int attr_drop_all(struct vol *vol, struct txn *txn, struct inum ino);
/* Adds or takes away the parent pointer that says that `dir`, of this generation, has `child` under
 * this name. */
int parent_change(struct vol *vol, struct txn *txn, struct inum child, struct inum dir, u32 gen,
		  const char *name, u32 length, bool add);

#endif
