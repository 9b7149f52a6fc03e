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

static u32 get_le(const u8 *from, u32 width)
{
	u32 v = 0;

	while (width--)
		v = v << 8 | from[width];
	return v;
}

s64 acl_from_xattr(const void *xattr, size_t size, void *stored, size_t room)
{
	const u8 *from = xattr;
	size_t count = size < XATTR_HEAD ? 0 : (size - XATTR_HEAD) / XATTR_ENTRY;
	struct be32 head = be32_make((u32)count);
	struct acl_entry *entry = (struct acl_entry *)((u8 *)stored + sizeof(head));

	if (size < XATTR_HEAD || (size - XATTR_HEAD) % XATTR_ENTRY ||
	    get_le(from, 4) != XATTR_VERSION)
		return fail(-EINVAL, "ACL: %zu bytes are none", size);
	if (room < sizeof(head) + count * sizeof(*entry))
		return fail(-E2BIG, "ACL: %zu entries", count);
	memcpy(stored, &head, sizeof(head));
	from += XATTR_HEAD;
	for (size_t i = 0; i < count; i++, from += XATTR_ENTRY) {
		u32 tag = get_le(from, 2), perm = get_le(from + 2, 2);

		if (!acl_tag_known(tag) || perm & ~ACL_PERM_ALL)
			return fail(-EINVAL, "ACL: tag %#x, permissions %#x", tag, perm);
		entry[i] = (struct acl_entry){.tag = be32_make(tag),
					      .id = be32_make(get_le(from + 4, 4)),
					      .perm = be16_make((u16)perm)};
	}
	return (s64)(sizeof(head) + count * sizeof(*entry));
}

bool acl_is_mode(const void *stored, size_t size)
{
	const struct acl_entry *entry =
	    (const struct acl_entry *)((const u8 *)stored + sizeof(struct be32));

	for (size_t n = (size - sizeof(struct be32)) / sizeof(*entry); n--; entry++)
		if (!(be32_get(entry->tag) & ACL_ALWAYS))
			return false;
	return true;
}

int acl_mode(const void *stored, size_t size)
{
	const struct acl_entry *entry =
	    (const struct acl_entry *)((const u8 *)stored + sizeof(struct be32));
	u32 user = 0, group = 0, other = 0;
	bool mask = false;

	for (size_t n = (size - sizeof(struct be32)) / sizeof(*entry); n--; entry++) {
		u32 perm = be16_get(entry->perm);

		switch (be32_get(entry->tag)) {
		case ACL_USER_OBJ:
			user = perm;
			break;
		case ACL_GROUP_OBJ:
			group = mask ? group : perm;
			break;
		case ACL_MASK:
			group = perm;
			mask = true;
			break;
		case ACL_OTHER:
			other = perm;
			break;
		}
	}
	return (int)(user << 6 | group << 3 | other);
}
