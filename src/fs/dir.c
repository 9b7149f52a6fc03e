/*
 * Directories, for reading; see dir.h.
 *
 * A cookie is a position in the data space in units of 8 bytes, as directory addresses are; the
 * short form keeps for each entry the position that it would have there, so a cookie survives the
 * conversion between the forms.
 */
#include "fs/dir.h"

#include "base/trail.h"
#include "fs/da.h"
#include "fs/health.h"

#include <errno.h>
#include <inttypes.h>

static int in_dir(const struct inode *dir, int err)
{
	return health_blame(fail_in(err, "directory %" PRIu64, dir->ino.v), SCRUB_DIR, NO_AG,
			    dir->ino.v);
}

static bool is_local(const struct inode *dir)
{
	return dir->fork[FORK_DATA].format == FORMAT_LOCAL;
}

static int open_short(const struct geometry *g, const struct inode *dir, struct dir_short_cursor *c,
		      u64 *parent)
{
	const struct fork *fork = &dir->fork[FORK_DATA];
	u32 size = (u32)min_u64(dir->size, fork->size);

	if (!dir_short_open(c, g, fork->data, size, parent))
		return fail(-EUCLEAN, "short form: the header does not fit in %u bytes", size);
	return 0;
}

static bool name_is(const struct dir_slot *slot, const char *name, u32 length)
{
	return slot->length == length && !memcmp(slot->name, name, length);
}

static int lookup_short(struct vol *vol, const struct inode *dir, const char *name, u32 length,
			struct inum *ino, u8 *type)
{
	struct dir_short_cursor c;
	struct dir_slot slot;
	u64 parent;
	int err = open_short(&vol->geo, dir, &c, &parent);

	if (err)
		return err;
	*type = DIR_FT_DIR;
	if (dir_name_is_dots((const u8 *)name, length)) {
		*ino = length == 1 ? dir->ino : inum_of(parent);
		return 0;
	}
	while (dir_short_next(&c, &slot)) {
		if (!name_is(&slot, name, length))
			continue;
		*ino = inum_of(slot.ino);
		*type = slot.type;
		return 0;
	}
	if (c.index < c.count)
		return fail(-EUCLEAN, "short form: entry %u does not fit", c.index);
	return -ENOENT;
}

/* The entry at `offset` of a data block, if it has that name. -ENOENT: another. */
static int match_entry(const struct geometry *g, const struct buf *buf, u32 offset,
		       const char *name, u32 length, struct inum *ino, u8 *type)
{
	struct dir_slot slot;

	if (!dir_data_slot(g, buf->data, dir_data_end(buf->data, buf->size), offset, &slot) ||
	    slot.free)
		return fail(-EUCLEAN, "hash index: no entry at offset %u of its data block",
			    offset);
	if (!name_is(&slot, name, length))
		return -ENOENT;
	*ino = inum_of(slot.ino);
	*type = slot.type;
	return 0;
}

static int match_address(struct vol *vol, const struct inode *dir, u32 address, const char *name,
			 u32 length, struct inum *ino, u8 *type)
{
	const struct geometry *g = &vol->geo;
	u64 off = dir_address_block(g, address) * g->dir_fsblocks;
	struct buf *buf;
	int err = da_read(vol, dir, FORK_DATA, META_DIRDATA, off, &buf);

	if (err == -ENOENT)
		return fail(-EUCLEAN, "hash index: address %u is in a hole", address);
	if (err)
		return err;
	err = match_entry(g, buf, dir_address_offset(g, address), name, length, ino, type);
	cache_put(vol->cache, buf);
	return err;
}

static int lookup_block(struct vol *vol, const struct inode *dir, const struct buf *buf, u32 hash,
			const char *name, u32 length, struct inum *ino, u8 *type)
{
	struct dir_index index;

	dir_index_open(buf->data, buf->size, &index);
	for (u32 i = dir_index_find(&index, hash);
	     i < index.count && be32_get(index.entries[i].hashval) == hash; i++) {
		u64 offset = (u64)be32_get(index.entries[i].address) * DIR_ALIGN;
		int err;

		if (!offset)
			continue;
		if (offset >= buf->size)
			return fail(-EUCLEAN, "hash index: offset %" PRIu64 " is outside the block",
				    offset);
		err = match_entry(&vol->geo, buf, (u32)offset, name, length, ino, type);
		if (err != -ENOENT)
			return err;
	}
	(void)dir;
	return -ENOENT;
}

/* -EAGAIN: the hash may go on in the next leaf. */
static int lookup_leaf(struct vol *vol, const struct inode *dir, const struct buf *buf, u32 hash,
		       const char *name, u32 length, struct inum *ino, u8 *type)
{
	struct dir_index index;
	u32 i;

	if (!dir_index_open(buf->data, buf->size, &index))
		return fail(-EUCLEAN, "hash index: no leaf");
	for (i = dir_index_find(&index, hash);
	     i < index.count && be32_get(index.entries[i].hashval) == hash; i++) {
		u32 address = be32_get(index.entries[i].address);
		int err;

		if (!address)
			continue;
		err = match_address(vol, dir, address, name, length, ino, type);
		if (err != -ENOENT)
			return err;
	}
	return i == index.count ? -EAGAIN : -ENOENT;
}

static int lookup_tree(struct vol *vol, const struct inode *dir, const char *name, u32 length,
		       struct inum *ino, u8 *type)
{
	u32 hash = da_hash(name, length);
	struct da_path path;
	int err = da_descend(vol, dir, FORK_DATA, vol->geo.dir_leaf_off, hash, &path);

	while (!err) {
		err = lookup_leaf(vol, dir, path.buf, hash, name, length, ino, type);
		if (err != -EAGAIN) {
			cache_put(vol->cache, path.buf);
			return err;
		}
		err = da_forward(vol, dir, FORK_DATA, &path);
	}
	return err;
}

static int read_block(struct vol *vol, const struct inode *dir, struct buf **buf)
{
	int err = da_read(vol, dir, FORK_DATA, META_DIRBLOCK, 0, buf);

	return err == -ENOENT ? fail(-EUCLEAN, "its first block is not mapped") : err;
}

/* A directory with nothing at the start of the leaf space has one block. */
static int is_block(struct vol *vol, const struct inode *dir, bool *block)
{
	struct da_place place;
	int err = da_place_at(vol, dir, FORK_DATA, vol->geo.dir_leaf_off, &place);

	*block = !err && !place.blocks;
	return err;
}

int dir_lookup(struct vol *vol, const struct inode *dir, const char *name, u32 length,
	       struct inum *ino, u8 *type)
{
	struct buf *buf;
	bool block;
	int err;

	if (!length || length > DIR_NAME_MAX)
		return length ? -ENAMETOOLONG : -ENOENT;
	if (is_local(dir)) {
		err = lookup_short(vol, dir, name, length, ino, type);
	} else {
		err = is_block(vol, dir, &block);
		if (!err && !block)
			err = lookup_tree(vol, dir, name, length, ino, type);
		else if (!err) {
			err = read_block(vol, dir, &buf);
			if (!err) {
				err = lookup_block(vol, dir, buf, da_hash(name, length), name,
						   length, ino, type);
				cache_put(vol->cache, buf);
			}
		}
	}
	return err && err != -ENOENT ? in_dir(dir, err) : err;
}

struct reading {
	struct vol *vol;
	const struct inode *dir;
	u64 cookie;
	int (*fn)(void *arg, const struct dir_entry *entry);
	void *arg;
	int stopped; /* what fn returned */
};

static bool give(struct reading *r, u64 position, u64 ino, const void *name, u32 length, u8 type)
{
	const struct dir_entry entry = {inum_of(ino), name, length, type, position + 1};

	if (position < r->cookie)
		return true;
	r->stopped = r->fn(r->arg, &entry);
	return !r->stopped;
}

static int each_short(struct reading *r)
{
	const struct geometry *g = &r->vol->geo;
	struct dir_short_cursor c;
	struct dir_slot slot;
	u64 parent;
	int err = open_short(g, r->dir, &c, &parent);

	if (err)
		return err;
	if (!give(r, DIR_DOT_OFFSET / DIR_ALIGN, r->dir->ino.v, ".", 1, DIR_FT_DIR) ||
	    !give(r, dir_dotdot_offset(g) / DIR_ALIGN, parent, "..", 2, DIR_FT_DIR))
		return 0;
	while (dir_short_next(&c, &slot))
		if (!give(r, slot.tag / DIR_ALIGN, slot.ino, slot.name, slot.length, slot.type))
			return 0;
	if (c.index < c.count)
		return fail(-EUCLEAN, "short form: entry %u does not fit", c.index);
	return 0;
}

/* 1: stopped. */
static int each_in_block(struct reading *r, const struct buf *buf, u64 first)
{
	u32 end = dir_data_end(buf->data, buf->size), at = sizeof(struct dir_data);
	struct dir_slot slot;

	for (; at < end; at += slot.size) {
		if (!dir_data_slot(&r->vol->geo, buf->data, end, at, &slot))
			return fail(-EUCLEAN, "data block: the entry at %u does not fit", at);
		if (!slot.free &&
		    !give(r, first + at / DIR_ALIGN, slot.ino, slot.name, slot.length, slot.type))
			return 1;
	}
	return 0;
}

static int each_place(void *arg, const struct da_place *place)
{
	struct reading *r = arg;
	struct buf *buf;
	int err = da_read(r->vol, r->dir, FORK_DATA, META_DIRDATA, place->off, &buf);

	if (err)
		return err;
	err = each_in_block(r, buf, (place->off << r->vol->geo.block_log) / DIR_ALIGN);
	cache_put(r->vol->cache, buf);
	return err;
}

static int each_blocks(struct reading *r)
{
	const struct geometry *g = &r->vol->geo;
	u64 start = r->cookie * DIR_ALIGN / g->dir_block_size * g->dir_fsblocks;
	struct buf *buf;
	bool block;
	int err;

	if (r->cookie >= DIR_SPACE_BYTES / DIR_ALIGN)
		return 0;
	err = is_block(r->vol, r->dir, &block);
	if (err)
		return err;
	if (!block)
		return da_place_each(r->vol, r->dir, FORK_DATA, start, g->dir_leaf_off, each_place,
				     r);
	err = read_block(r->vol, r->dir, &buf);
	if (err)
		return err;
	err = each_in_block(r, buf, 0);
	cache_put(r->vol->cache, buf);
	return err;
}

int dir_each(struct vol *vol, const struct inode *dir, u64 cookie,
	     int (*fn)(void *arg, const struct dir_entry *entry), void *arg)
{
	struct reading r = {vol, dir, cookie, fn, arg, 0};
	int err = is_local(dir) ? each_short(&r) : each_blocks(&r);

	if (err < 0)
		return in_dir(dir, err);
	return r.stopped;
}
