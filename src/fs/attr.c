/*
 * Extended attributes, for reading; see attr.h.
 *
 * Incomplete attributes (a kernel was cut off while it wrote one) are not shown.
 */
#include "fs/attr.h"

#include "base/trail.h"
#include "fs/da.h"
#include "fs/fork.h"
#include "fs/health.h"

#include <errno.h>
#include <inttypes.h>

static int in_attrs(const struct inode *inode, int err)
{
	return health_blame(fail_in(err, "attributes of inode %" PRIu64, inode->ino.v), SCRUB_XATTR,
			    NO_AG, inode->ino.v);
}

struct wanted {
	u8 flags;
	const char *name;
	u32 length;
	u32 hash;
	void *value;
	size_t size;
};

static bool is_wanted(const struct attr_slot *slot, const struct wanted *w)
{
	return !(slot->flags & ATTR_INCOMPLETE) && attr_namespace(slot->flags) == w->flags &&
	       slot->name_length == w->length && !memcmp(slot->name, w->name, w->length);
}

static s64 give_value(const struct attr_slot *slot, const struct wanted *w)
{
	if (!w->size)
		return slot->value_length;
	if (slot->value_length > w->size)
		return -ERANGE;
	memcpy(w->value, slot->value, slot->value_length);
	return slot->value_length;
}

/* One block of a remote value: `length` bytes of it from `offset`, to `to`. */
static int read_remote_block(struct vol *vol, const struct inode *inode, u64 off, u32 offset,
			     u32 length, u8 *to)
{
	const struct attr_remote *header;
	struct buf *buf;
	int err = da_read(vol, inode, FORK_ATTR, META_ATTRREMOTE, off, &buf);

	if (err == -ENOENT)
		return fail(-EUCLEAN, "remote value: block %" PRIu64 " is not mapped", off);
	if (err)
		return err;
	header = (const struct attr_remote *)buf->data;
	if (be32_get(header->offset) != offset || be32_get(header->bytes) != length)
		err = fail(-EUCLEAN,
			   "remote value: block %" PRIu64 " has %u bytes from %u, not %u from %u",
			   off, be32_get(header->bytes), be32_get(header->offset), length, offset);
	else
		memcpy(to, header + 1, length);
	cache_put(vol->cache, buf);
	return err;
}

static s64 give_remote(struct vol *vol, const struct inode *inode, const struct attr_slot *slot,
		       const struct wanted *w)
{
	u32 room = attr_remote_room(&vol->geo), length = slot->value_length;

	if (length > ATTR_VALUE_MAX)
		return fail(-EUCLEAN, "remote value: %u bytes are too many", length);
	if (!w->size)
		return length;
	if (length > w->size)
		return -ERANGE;
	for (u32 at = 0, i = 0; at < length; at += room, i++) {
		u32 take = (u32)min_u64(room, length - at);
		int err = read_remote_block(vol, inode, (u64)slot->value_block + i, at, take,
					    (u8 *)w->value + at);

		if (err)
			return err;
	}
	return length;
}

static int open_short(const struct inode *inode, struct attr_short_cursor *c)
{
	const struct fork *fork = &inode->fork[FORK_ATTR];

	if (attr_short_open(c, fork->data, fork->size))
		return 0;
	return fail(-EUCLEAN, "short form: it does not fit in %u bytes", fork->size);
}

static int short_end(const struct attr_short_cursor *c)
{
	if (c->index < c->count)
		return fail(-EUCLEAN, "short form: entry %u does not fit", c->index);
	return 0;
}

static s64 get_short(const struct inode *inode, const struct wanted *w)
{
	struct attr_short_cursor c;
	struct attr_slot slot;
	int err = open_short(inode, &c);

	if (err)
		return err;
	while (attr_short_next(&c, &slot))
		if (is_wanted(&slot, w))
			return give_value(&slot, w);
	err = short_end(&c);
	return err ? err : -ENODATA;
}

/* -EAGAIN: the hash may go on in the next leaf. */
static s64 get_in_leaf(struct vol *vol, const struct inode *inode, const struct buf *buf,
		       const struct wanted *w)
{
	u32 count = attr_leaf_count(buf->data, buf->size);

	for (u32 i = attr_leaf_find(buf->data, buf->size, w->hash); i < count; i++) {
		struct attr_slot slot;
		bool fits = attr_leaf_slot(buf->data, buf->size, i, &slot);

		if (slot.hash != w->hash)
			return -ENODATA;
		if (!fits)
			return fail(-EUCLEAN, "leaf: entry %u does not fit", i);
		if (!is_wanted(&slot, w))
			continue;
		if (attr_is_local(&slot))
			return give_value(&slot, w);
		return give_remote(vol, inode, &slot, w);
	}
	return -EAGAIN;
}

static s64 get_tree(struct vol *vol, const struct inode *inode, const struct wanted *w)
{
	struct da_path path;
	int err = da_descend(vol, inode, FORK_ATTR, 0, w->hash, &path);

	while (!err) {
		s64 got = get_in_leaf(vol, inode, path.buf, w);

		if (got != -EAGAIN) {
			cache_put(vol->cache, path.buf);
			return got;
		}
		err = da_forward(vol, inode, FORK_ATTR, &path);
	}
	return err == -ENOENT ? -ENODATA : err;
}

static bool has_attrs(const struct inode *inode)
{
	return inode->forkoff &&
	       (inode->fork[FORK_ATTR].format == FORMAT_LOCAL || inode->fork[FORK_ATTR].extents);
}

s64 attr_get(struct vol *vol, const struct inode *inode, u8 flags, const char *name, u32 length,
	     void *value, size_t size)
{
	const struct wanted w = {flags, name, length, da_hash(name, length), value, size};
	s64 got;

	if (!has_attrs(inode) || !length || length > ATTR_NAME_MAX)
		return -ENODATA;
	if (inode->fork[FORK_ATTR].format == FORMAT_LOCAL)
		got = get_short(inode, &w);
	else
		got = get_tree(vol, inode, &w);
	if (got >= 0 || got == -ENODATA || got == -ERANGE)
		return got;
	return in_attrs(inode, (int)got);
}

struct listing {
	int (*fn)(void *arg, const struct attr *attr);
	void *arg;
};

static int give(const struct listing *l, const struct attr_slot *slot)
{
	const struct attr attr = {attr_namespace(slot->flags), (const char *)slot->name,
				  slot->name_length, slot->value, slot->value_length};

	if (slot->flags & ATTR_INCOMPLETE)
		return 0;
	return l->fn(l->arg, &attr);
}

static int each_short(const struct inode *inode, const struct listing *l, int *stopped)
{
	struct attr_short_cursor c;
	struct attr_slot slot;
	int err = open_short(inode, &c);

	if (err)
		return err;
	while (!*stopped && attr_short_next(&c, &slot))
		*stopped = give(l, &slot);
	return *stopped ? 0 : short_end(&c);
}

static int each_in_leaf(const struct buf *buf, const struct listing *l, int *stopped)
{
	u32 count = attr_leaf_count(buf->data, buf->size);

	for (u32 i = 0; i < count && !*stopped; i++) {
		struct attr_slot slot;

		if (!attr_leaf_slot(buf->data, buf->size, i, &slot))
			return fail(-EUCLEAN, "leaf: entry %u does not fit", i);
		*stopped = give(l, &slot);
	}
	return 0;
}

static int each_tree(struct vol *vol, const struct inode *inode, const struct listing *l,
		     int *stopped)
{
	struct da_path path;
	int err = da_descend(vol, inode, FORK_ATTR, 0, 0, &path);

	while (!err) {
		err = each_in_leaf(path.buf, l, stopped);
		if (err || *stopped) {
			cache_put(vol->cache, path.buf);
			return err;
		}
		err = da_forward(vol, inode, FORK_ATTR, &path);
	}
	return err == -ENOENT ? 0 : err;
}

int attr_each(struct vol *vol, const struct inode *inode,
	      int (*fn)(void *arg, const struct attr *attr), void *arg)
{
	const struct listing l = {fn, arg};
	int stopped = 0, err;

	if (!has_attrs(inode))
		return 0;
	if (inode->fork[FORK_ATTR].format == FORMAT_LOCAL)
		err = each_short(inode, &l, &stopped);
	else
		err = each_tree(vol, inode, &l, &stopped);
	return err ? in_attrs(inode, err) : stopped;
}
