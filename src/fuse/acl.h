/*
 * POSIX ACLs: XFS keeps one as a root attribute, programs see a system.posix_acl_* attribute.
 * Pure functions.
 */
#ifndef MENDFS_FUSE_ACL_H
#define MENDFS_FUSE_ACL_H

#include "format/acl.h"

/* What programs call the attributes that hold ACLs. */
#define ACL_ACCESS_XATTR "system.posix_acl_access"
#define ACL_DEFAULT_XATTR "system.posix_acl_default"

/*
 * Converts `size` stored bytes; returns the length of the result, which is never longer than them.
 * -EUCLEAN, with a trail, when they are no ACL; -ERANGE when `room` is too small.
 */
s64 acl_to_xattr(const void *stored, size_t size, void *xattr, size_t room);

/* The other way; -EINVAL when it is no ACL. */
s64 acl_from_xattr(const void *xattr, size_t size, void *stored, size_t room);
/* Does a stored ACL say no more than a mode? */
bool acl_is_mode(const void *stored, size_t size);
/* The permissions that a stored access ACL stands for. */
int acl_mode(const void *stored, size_t size);

#endif
