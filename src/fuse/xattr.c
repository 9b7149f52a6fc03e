/*
 * Extended attributes: XFS's three namespaces under the prefixes of Linux, and the two ACLs.
 *
 * Parent pointers are no attributes to programs.  The trusted namespace is listed only to the
 * superuser; that others cannot read it is the kernel's care.
 */
#include "fuse/request.h"

#include "base/trail.h"
#include "format/attr.h"
#include "fs/attr.h"
#include "fuse/acl.h"
#include "fuse/node.h"

#include <errno.h>

#define VALUE_MAX ATTR_VALUE_MAX
#define LIST_MAX 65536 /* bytes of names that the kernel takes */

static const struct prefix {
	const char *text;
	u8 flags;
} prefixes[] = {
    {"user.", 0},
    {"trusted.", ATTR_ROOT},
    {"security.", ATTR_SECURE},
};

struct wanted wanted_of(const char *name)
{
	if (!strcmp(name, ACL_ACCESS_XATTR))
		return (struct wanted){ACL_ACCESS_NAME, ATTR_ROOT, true};
	if (!strcmp(name, ACL_DEFAULT_XATTR))
		return (struct wanted){ACL_DEFAULT_NAME, ATTR_ROOT, true};
	for (u32 i = 0; i < ARRAY_COUNT(prefixes); i++) {
		size_t length = strlen(prefixes[i].text);

		if (!strncmp(name, prefixes[i].text, length) && name[length])
			return (struct wanted){name + length, prefixes[i].flags, false};
	}
	return (struct wanted){0};
}

/* The value of up to VALUE_MAX bytes at `to`, which has room for two of them. */
static s64 value_load(struct server *server, const struct inode *inode, const struct wanted *wanted,
		      u8 *to)
{
	u8 *stored = wanted->acl ? to + VALUE_MAX : to;
	s64 length = attr_get(server->vol, inode, wanted->flags, wanted->name,
			      (u32)strlen(wanted->name), stored, VALUE_MAX);

	if (length > 0 && wanted->acl)
		length = acl_to_xattr(stored, (size_t)length, to, VALUE_MAX);
	return length;
}

/* `size` 0 asks how long the answer is. */
static void value_reply(fuse_req_t req, const u8 *value, size_t length, size_t size)
{
	if (!size)
		fuse_reply_xattr(req, length);
	else if (length > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, (const char *)value, length);
}

void do_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	struct server *server = server_of(req);
	struct wanted wanted = wanted_of(name);
	const struct inode *inode;
	struct scratch *scratch;
	s64 length;

	if (!wanted.name) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	length = node_get(server->nodes, node_inum(server, node), &inode);
	if (length < 0) {
		reply_failure(req, length == -ENOENT ? -ESTALE : (int)length, "getxattr", node);
		return;
	}
	if (!inode->forkoff) {
		node_put(server->nodes, inode);
		fuse_reply_err(req, ENODATA);
		return;
	}
	scratch = scratch_take(server, 2 * VALUE_MAX);
	length = scratch ? value_load(server, inode, &wanted, scratch->bytes)
			 : fail(-ENOMEM, "out of memory");
	node_put(server->nodes, inode);
	if (length < 0)
		reply_failure(req, (int)length, "getxattr", node);
	else
		value_reply(req, scratch->bytes, (size_t)length, size);
	scratch_drop(server, scratch);
}

struct name_list {
	u8 *to;
	size_t used;
	bool superuser;
};

static int list_add(struct name_list *list, const char *prefix, const char *name, size_t length)
{
	size_t prefix_length = strlen(prefix);

	if (prefix_length + length + 1 > LIST_MAX - list->used)
		return -E2BIG;
	memcpy(list->to + list->used, prefix, prefix_length);
	memcpy(list->to + list->used + prefix_length, name, length);
	list->used += prefix_length + length;
	list->to[list->used++] = 0;
	return 0;
}

static bool attr_is(const struct attr *attr, const char *name)
{
	return attr->name_length == strlen(name) && !memcmp(attr->name, name, attr->name_length);
}

static int list_attr(void *arg, const struct attr *attr)
{
	struct name_list *list = arg;
	u8 space = attr->flags & ATTR_NAMESPACES;
	int err = 0;

	/* A NUL would be two names to the reader of the list. */
	if (memchr(attr->name, 0, attr->name_length))
		return 0;
	if (space == ATTR_ROOT && attr_is(attr, ACL_ACCESS_NAME))
		err = list_add(list, ACL_ACCESS_XATTR, "", 0);
	else if (space == ATTR_ROOT && attr_is(attr, ACL_DEFAULT_NAME))
		err = list_add(list, ACL_DEFAULT_XATTR, "", 0);
	if (space == ATTR_ROOT && !list->superuser)
		return err;
	for (u32 i = 0; i < ARRAY_COUNT(prefixes) && !err; i++)
		if (space == prefixes[i].flags)
			return list_add(list, prefixes[i].text, attr->name, attr->name_length);
	return err; /* a parent pointer */
}

void do_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
	struct server *server = server_of(req);
	struct scratch *scratch = scratch_take(server, LIST_MAX);
	struct name_list list = {.superuser = !fuse_req_ctx(req)->uid};
	const struct inode *inode;
	int err = scratch ? 0 : fail(-ENOMEM, "out of memory");

	if (!err)
		err = node_get(server->nodes, node_inum(server, node), &inode);
	if (!err) {
		list.to = scratch->bytes;
		if (inode->forkoff)
			err = attr_each(server->vol, inode, list_attr, &list);
		node_put(server->nodes, inode);
	}
	if (err < 0)
		reply_failure(req, err == -ENOENT ? -ESTALE : err, "listxattr", node);
	else
		value_reply(req, list.to, list.used, size);
	scratch_drop(server, scratch);
}
