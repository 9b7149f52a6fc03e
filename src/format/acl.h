/*
 * POSIX ACLs as XFS keeps them, in root attributes: a big-endian count, then that many entries.
 */
#ifndef MENDFS_FORMAT_ACL_H
#define MENDFS_FORMAT_ACL_H

#include "base/types.h"

#define ACL_ACCESS_NAME "SGI_ACL_FILE"
#define ACL_DEFAULT_NAME "SGI_ACL_DEFAULT"

struct acl_entry {
	struct be32 tag, id; /* id: of ACL_USER and ACL_GROUP */
	struct be16 perm, pad;
};
_Static_assert(sizeof(struct acl_entry) == 12, "stored ACL entry");

/* In the order in which the entries stand. */
enum acl_tag {
	ACL_USER_OBJ = 0x01,
	ACL_USER = 0x02,
	ACL_GROUP_OBJ = 0x04,
	ACL_GROUP = 0x08,
	ACL_MASK = 0x10,
	ACL_OTHER = 0x20,
};
#define ACL_ALWAYS (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER)
#define ACL_PERM_ALL 7u

static inline bool acl_tag_known(u32 tag)
{
	return tag && tag <= ACL_OTHER && !(tag & (tag - 1));
}

#endif
