/* The hash btree of directories and attributes, for reading; see da.h. */
#include "fs/da.h"

#include "base/trail.h"
#include "format/attr.h"
#include "format/dir.h"
#include "fs/fork.h"

#include <errno.h>
#include <inttypes.h>

struct collect {
	struct vol *vol;
	struct da_place place;
	u32 per_block;
	u64 from, to;
	int (*fn)(void *arg, const struct da_place *place);
	void *arg;
};

/* Adds `count` blocks at fsblock `start` to the place, joined to the piece before where they
 * touch. */
static int place_add(struct vol *vol, struct da_place *place, u64 start, u64 count)
{
	const struct geometry *g = &vol->geo;
	struct cache_range *last = place->count ? &place->range[place->count - 1] : NULL;
	struct daddr at;

	if (!fsblock_valid(g, fsblock_of(start), count))
		return fail(-EUCLEAN, "block %" PRIu64 ": mapped outside the filesystem", start);
	at = fsblock_daddr(g, fsblock_of(start));
	place->blocks += (u32)count;
	if (last && last->at.v + last->size == at.v)
		last->size += (u32)count << g->block_log;
	else
		place->range[place->count++] = (struct cache_range){at, (u32)count << g->block_log};
	return 0;
}

static int flush(struct collect *c)
{
	int err = 0;

	if (c->place.count)
		err = c->fn(c->arg, &c->place);
	c->place.count = 0;
	c->place.blocks = 0;
	return err;
}

static int collect_extent(void *arg, const struct extent *e)
{
	struct collect *c = arg;
	u64 off = e->off, start = e->start, count = e->count;
	int err;

	if (off >= c->to)
		return 1;
	if (off < c->from) {
		u64 skip = min_u64(c->from - off, count);

		off += skip;
		start += skip;
		count -= skip;
	}
	while (count && off < c->to) {
		u64 block = off - off % c->per_block;
		u64 take = min_u64(count, c->per_block - off % c->per_block);

		if (c->place.count && c->place.off != block) {
			err = flush(c);
			if (err)
				return err;
		}
		c->place.off = block;
		err = place_add(c->vol, &c->place, start, take);
		if (!err && c->place.blocks >= c->per_block)
			err = flush(c);
		if (err)
			return err;
		off += take;
		start += take;
		count -= take;
	}
	return 0;
}

int da_place_each(struct vol *vol, const struct inode *inode, enum fork_id which, u64 from, u64 to,
		  int (*fn)(void *arg, const struct da_place *place), void *arg)
{
	struct collect c = {.vol = vol,
			    .per_block = da_block_count(&vol->geo, which),
			    .from = from,
			    .to = to,
			    .fn = fn,
			    .arg = arg};
	int err = fork_each(vol, inode, which, fileoff_of(from), collect_extent, &c);

	if (err && err != 1)
		return err;
	return flush(&c);
}

int da_place_at(struct vol *vol, const struct inode *inode, enum fork_id which, u64 off,
		struct da_place *place)
{
	u32 want = da_block_count(&vol->geo, which);
	u64 at = off, end = off + want;

	place->off = off;
	place->blocks = place->count = 0;
	while (at < end) {
		struct extent e;
		u64 take;
		int err = fork_lookup(vol, inode, which, fileoff_of(at), &e);

		if (err)
			return err;
		if (e.off > at || !e.count || e.count <= at - e.off)
			return fail(-EUCLEAN, "block map: no extent holds offset %" PRIu64, at);
		take = min_u64(e.count - (at - e.off), end - at);
		if (e.start != NULL64)
			err = place_add(vol, place, e.start + (at - e.off), take);
		if (err)
			return err;
		at += take;
	}
	return 0;
}

struct where da_where(const struct geometry *g, const struct inode *inode,
		      const struct meta_type *type, const struct da_place *place)
{
	return (struct where){.type = type ? type->name : NULL,
			      .ag = inum_ag(g, inode->ino),
			      .ino = inode->ino.v,
			      .daddr = place->count ? place->range[0].at.v : NO_DADDR,
			      .owner = inode->ino.v,
			      .offset = place->off};
}

static int read_place(struct vol *vol, const struct inode *inode, enum fork_id which,
		      const struct meta_type *type, const struct da_place *place, struct buf **out)
{
	struct where where = da_where(&vol->geo, inode, type, place);

	*out = NULL;
	if (place->blocks < da_block_count(&vol->geo, which))
		return fail(-EUCLEAN, "block %" PRIu64 " of the fork: not mapped as a whole",
			    place->off);
	return cache_get_ranges(vol->cache, type, &where, place->range, place->count, out);
}

int da_read(struct vol *vol, const struct inode *inode, enum fork_id which, enum meta_id type,
	    u64 off, struct buf **out)
{
	struct da_place place;
	int err = da_place_at(vol, inode, which, off, &place);

	*out = NULL;
	if (err)
		return err;
	if (!place.blocks)
		return -ENOENT;
	return read_place(vol, inode, which, vol_type(vol, type), &place, out);
}

enum meta_id da_type_of_magic(enum fork_id which, u16 magic)
{
	switch (magic) {
	case DA_NODE_MAGIC:
		return which == FORK_DATA ? META_DIRNODE : META_ATTRNODE;
	case DIR_LEAF1_MAGIC:
		return which == FORK_DATA ? META_DIRLEAF : META_COUNT;
	case DIR_LEAFN_MAGIC:
		return which == FORK_DATA ? META_DIRLEAFN : META_COUNT;
	case ATTR_LEAF_MAGIC:
		return which == FORK_ATTR ? META_ATTRLEAF : META_COUNT;
	default:
		return META_COUNT;
	}
}

int da_read_any(struct vol *vol, const struct inode *inode, enum fork_id which, u64 off,
		struct buf **out)
{
	struct da_place place;
	enum meta_id type;
	u16 magic;
	int err = da_place_at(vol, inode, which, off, &place);

	*out = NULL;
	if (!err && !place.blocks)
		err =
		    fail(-EUCLEAN, "block %" PRIu64 " of the fork: a hole, not a tree block", off);
	if (!err)
		err = read_place(vol, inode, which, NULL, &place, out);
	if (err)
		return err;
	magic = da_magic((*out)->data);
	cache_put(vol->cache, *out);
	*out = NULL;
	type = da_type_of_magic(which, magic);
	if (type == META_COUNT)
		return fail(-EUCLEAN, "block %" PRIu64 " of the fork: magic is 0x%x", off, magic);
	return read_place(vol, inode, which, vol_type(vol, type), &place, out);
}

int da_descend(struct vol *vol, const struct inode *inode, enum fork_id which, u64 root, u32 hash,
	       struct da_path *path)
{
	const struct da_node_entry *entries;
	u32 above = DA_LEVELS_MAX + 1;
	u64 off = root;

	for (;;) {
		u32 count, level;
		int err = da_read_any(vol, inode, which, off, &path->buf);

		if (err)
			return err;
		path->off = path->first = off;
		if (da_magic(path->buf->data) != DA_NODE_MAGIC)
			break;
		level = be16_get(((const struct da_node *)path->buf->data)->level);
		count = da_node_count(path->buf->data, path->buf->size);
		if (!level || level >= above || !count) {
			cache_put(vol->cache, path->buf);
			path->buf = NULL;
			return fail(-EUCLEAN, "tree block %" PRIu64 ": level %u below level %u",
				    off, level, above);
		}
		above = level;
		entries = da_node_entries(path->buf->data);
		off = be32_get(entries[da_node_find(entries, count, hash)].before);
		cache_put(vol->cache, path->buf);
		path->buf = NULL;
	}
	return 0;
}

/* Each leaf must name the one before it, so a walk along them can only come back to its start. */
int da_forward(struct vol *vol, const struct inode *inode, enum fork_id which, struct da_path *path)
{
	u64 before = path->off, next;
	u16 magic = da_magic(path->buf->data);
	int err;

	next = be32_get(((const struct da_info *)path->buf->data)->forw);
	cache_put(vol->cache, path->buf);
	path->buf = NULL;
	if (!next)
		return -ENOENT;
	if (next == path->first)
		return fail(-EUCLEAN, "tree block %" PRIu64 ": its leaves form a ring", next);
	err = da_read_any(vol, inode, which, next, &path->buf);
	if (err)
		return err;
	path->off = next;
	if (da_magic(path->buf->data) == magic &&
	    be32_get(((const struct da_info *)path->buf->data)->back) == before)
		return 0;
	cache_put(vol->cache, path->buf);
	path->buf = NULL;
	return fail(-EUCLEAN, "tree block %" PRIu64 ": does not follow block %" PRIu64, next,
		    before);
}
