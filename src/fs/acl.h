/*
 * POSIX ACLs where the namespace changes: what a new file takes from the default ACL of its
 * directory, and what chmod() does to an access ACL.
 */
#ifndef MENDFS_FS_ACL_H
#define MENDFS_FS_ACL_H

#include "format/acl.h"
#include "fs/vol.h"

struct acl {
	struct env *env;
	u8 *bytes; /* as stored: a count and entries; NULL: there is none */
	u32 size;
};

/* The ACL of this name, to be dropped; -EUCLEAN when it is none. */
int acl_load(struct vol *vol, struct txn *txn, struct inum ino, const char *name, struct acl *out);
void acl_drop(struct acl *acl);

/* Narrows the ACL and the permissions of the mode to what both allow. True: the ACL says more than
 * a mode could. */
bool acl_narrow(struct acl *acl, u16 *mode);
/* Gives the ACL the permissions of a mode. */
void acl_set_mode(struct acl *acl, u16 mode);

/* To a new inode, what its directory's default ACL has become in acl_narrow(), and for a directory
 * the default itself. */
int acl_give(struct vol *vol, struct txn *txn, struct inum ino, const char *name,
	     const struct acl *acl);
/* The access ACL of an inode follows its new mode. */
int acl_follow_mode(struct vol *vol, struct txn *txn, struct inum ino, u16 mode);

#endif
