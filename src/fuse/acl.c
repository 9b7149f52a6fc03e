/*
 * POSIX ACLs, from the form on the disk to the one of Linux's attributes; see acl.h.
 *
 * Stored, big-endian: a count, then that many entries of tag, id, permissions and padding.  Linux,
 * little-endian: a version, then entries of tag, permissions and id, which is -1 where the tag
 * names nobody.  The tags have the same numbers.
 */
#include "fuse/acl.h"

#include "base/trail.h"

#include <errno.h>

#define XATTR_HEAD 4
#define XATTR_ENTRY 8
#define XATTR_VERSION 2
#define ID_NOBODY 0xffffffffu

static void put_le16(u8 *to, u32 v)
{
	to[0] = (u8)v;
	to[1] = (u8)(v >> 8);
}

static void put_le32(u8 *to, u32 v)
{
	put_le16(to, v);
	put_le16(to + 2, v >> 16);
}

static int entry_convert(const struct acl_entry *entry, u8 *to)
{
	u32 tag = be32_get(entry->tag), perm = be16_get(entry->perm);
	bool names = tag == ACL_USER || tag == ACL_GROUP;

	if (!acl_tag_known(tag))
		return fail(-EUCLEAN, "ACL: no such tag as %#x", tag);
	if (perm & ~ACL_PERM_ALL)
		return fail(-EUCLEAN, "ACL: no such permissions as %#x", perm);
	put_le16(to, tag);
	put_le16(to + 2, perm);
	put_le32(to + 4, names ? be32_get(entry->id) : ID_NOBODY);
	return 0;
}

s64 acl_to_xattr(const void *stored, size_t size, void *xattr, size_t room)
{
	const struct acl_entry *entry;
	struct be32 head;
	u8 *to = xattr;
	size_t count;

	if (size < sizeof(head) || (size - sizeof(head)) % sizeof(*entry))
		return fail(-EUCLEAN, "ACL: %zu bytes are not a whole number of entries", size);
	memcpy(&head, stored, sizeof(head));
	count = (size - sizeof(head)) / sizeof(*entry);
	if (be32_get(head) != count)
		return fail(-EUCLEAN, "ACL: has %zu entries, says %u", count, be32_get(head));
	if (room < XATTR_HEAD + count * XATTR_ENTRY)
		return -ERANGE;
	entry = (const struct acl_entry *)((const u8 *)stored + sizeof(head));
	put_le32(to, XATTR_VERSION);
	to += XATTR_HEAD;
	for (size_t i = 0; i < count; i++, to += XATTR_ENTRY) {
		int err = entry_convert(&entry[i], to);

		if (err)
			return err;
	}
	return (s64)(to - (u8 *)xattr);
}
