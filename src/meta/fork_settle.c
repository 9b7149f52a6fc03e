/*
 * Whose blocks are; see fork_settle.h.
 *
 * 1. An extent of a directory lies in the part of the file that its blocks are for.
 * 2. Where the inode counts fewer or more blocks than it maps, and there is one extent that would
 *    be right with another length, it gets that.
 * 3. Blocks that somebody else has, too: metadata of the filesystem wins against every file. Blocks
 *    of directories, attributes and links name their owner, who keeps them. Of two files the one
 *    whose inode counts what it maps; else the first. Files that may share keep both.
 * 4. An extent that was lost or never made sense is found again among the blocks that nobody has
 *    and that are not free: by the owner that they name, or, of a file, when they are all there is
 *    and just as many.
 */
#include "meta/fork_settle.h"

#include "base/trail.h"
#include "format/dir.h"
#include "format/quota.h"
#include "format/symlink.h"
#include "meta/space_claims.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LEAKS_MAX 65536 /* blocks that are looked at */
#define MOVED_MAX 64	/* extents of a directory that are in a wrong part of it */

static const struct geometry *geo(const struct settling *s)
{
	return &s->w->view->geo;
}

static u64 others(const struct settling *s, u64 start, u64 count, s64 *owner)
{
	return claims_of_others(s->w->m->facts->claims, s->inode->ino.v, start, count, owner);
}

/* ---- what a block says of itself ---- */

static const enum meta_id tells[] = {META_DIRBLOCK,   META_DIRDATA, META_DIRLEAF,  META_DIRLEAFN,
				     META_DIRNODE,    META_DIRFREE, META_ATTRLEAF, META_ATTRNODE,
				     META_ATTRREMOTE, META_SYMLINK, META_BMBT};

static u64 get_be64(const u8 *bytes, u32 offset)
{
	struct be64 v;

	memcpy(&v, bytes + offset, sizeof(v));
	return be64_get(v);
}

static bool has_magic(const struct meta_type *type, const u8 *block)
{
	u32 offset = type->magic_offset, width = type->magic_width;
	u32 magic = 0;

	for (u32 i = 0; i < width; i++)
		magic = magic << 8 | block[offset + i];
	return magic == type->magic;
}

/* The type of a block that says that it lies here, and its owner; NULL: it says no such thing. */
static const struct meta_type *named_owner(const struct settling *s, u64 fsblock, u64 *owner)
{
	struct vol *vol = s->w->view;
	const struct geometry *g = geo(s);
	const struct meta_type *found = NULL;
	struct daddr at;
	struct buf *buf;

	if (!fsblock_valid(g, fsblock_of(fsblock), 1))
		return NULL;
	at = fsblock_daddr(g, fsblock_of(fsblock));
	if (cache_get_raw(vol->cache, at, g->block_size, &buf)) {
		trail_clear();
		return NULL;
	}
	for (u32 i = 0; i < ARRAY_COUNT(tells) && !found; i++) {
		const struct meta_type *type = vol_type(vol, tells[i]);

		if (has_magic(type, buf->data) &&
		    get_be64(buf->data, type->blkno_offset) == at.v / 512 &&
		    !memcmp(buf->data + type->uuid_offset, g->meta_uuid.b, sizeof(g->meta_uuid.b)))
			found = type;
	}
	if (found)
		*owner = get_be64(buf->data, found->owner_offset);
	cache_put(vol->cache, buf);
	return found;
}

static bool is_metadata(const struct settling *s)
{
	return s->which == FORK_ATTR || !S_ISREG(s->inode->mode);
}

static bool may_share(const struct settling *s)
{
	return !is_metadata(s) && geometry_has(geo(s), FEATURE_REFLINK) &&
	       !inode_internal(geo(s), s->inode->ino);
}

/* Is it known to share? One that does, and has lost the flag, gets it again. */
static bool shares(const struct settling *s)
{
	return may_share(s) && s->inode->flags2 & INODE_FLAG2_REFLINK;
}

/* Do the blocks from here on say that they are this inode's? */
static bool names_me(const struct settling *s, u64 fsblock)
{
	u64 owner;

	return named_owner(s, fsblock, &owner) && owner == s->inode->ino.v;
}

/* ---- the parts of a directory ---- */

static int by_offset(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

static void sort_map(struct mapped *m)
{
	if (m->count)
		qsort(m->extent, m->count, sizeof(*m->extent), by_offset);
}

/* Is there room for it at `off`, besides itself? The map is in order. */
static bool room_at(const struct mapped *m, const struct extent *self, u64 off, u64 count)
{
	u32 low = 0, high = m->count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (m->extent[middle].off + m->extent[middle].count > off)
			high = middle;
		else
			low = middle + 1;
	}
	if (low < m->count && &m->extent[low] == self)
		low++;
	return low == m->count || m->extent[low].off >= off + count;
}

/* Where what such a block is for begins, and ends. */
static void part_of(const struct geometry *g, const struct meta_type *type, u64 *from, u64 *to)
{
	*from = 0;
	*to = g->dir_leaf_off;
	if (type->id == META_DIRFREE) {
		*from = g->dir_free_off;
		*to = 1ull << 32;
	} else if (type->id != META_DIRBLOCK && type->id != META_DIRDATA) {
		*from = g->dir_leaf_off;
		*to = g->dir_free_off;
	}
}

/* The first room of a part for it, besides itself; `to`: there is none. */
static u64 first_room(const struct mapped *m, const struct extent *self, u64 from, u64 to)
{
	u64 at = from;

	for (u32 i = 0; i < m->count; i++) {
		const struct extent *e = &m->extent[i];

		if (e != self && e->off < at + self->count && at < e->off + e->count)
			at = e->off + e->count;
	}
	return min_u64(at, to);
}

static void settle_parts(struct settling *s)
{
	struct mapped *m = s->map;
	u32 moved = 0;

	for (u32 i = 0; i < m->count && moved < MOVED_MAX; i++) {
		struct extent e = m->extent[i];
		u64 owner, from, to, at;
		const struct meta_type *type = named_owner(s, e.start, &owner);

		if (!type || owner != s->inode->ino.v || type->id == META_BMBT)
			continue;
		part_of(geo(s), type, &from, &to);
		if (e.off >= from && e.off < to && (type->id != META_DIRBLOCK || !e.off))
			continue;
		at = first_room(m, &m->extent[i], from, to);
		if (at >= to)
			continue;
		m->extent[i].off = at;
		sort_map(m);
		/* another one is here now; one that is where it belongs comes by unharmed */
		if (at > e.off)
			i--;
		moved++;
		s->changed = true;
	}
}

/* ---- lengths ---- */

/* Would it be right with this length, as far as others can tell? */
static bool length_fits(const struct settling *s, const struct extent *e, u64 count)
{
	s64 owner;
	u64 own = min_u64(count, e->count), named;

	if (!count || count > EXTENT_COUNT_MAX ||
	    !fsblock_valid(geo(s), fsblock_of(e->start), count) ||
	    !room_at(s->map, e, e->off, count))
		return false;
	/* a length is too much when somebody speaks against it who shares with nobody */
	if (count < e->count &&
	    (!others(s, e->start + count, e->count - count, &owner) ||
	     (owner >= 0 && shares(s) && !named_owner(s, e->start + count, &named))))
		return false;
	/* nobody shares what has been lost */
	return (may_share(s) || !others(s, e->start, own, &owner)) &&
	       (count == own || !others(s, e->start + own, count - own, &owner));
}

static int settle_lengths(struct settling *s)
{
	struct mapped *m = s->map;
	u64 counted = s->inode->nblocks, have = m->blocks + s->rest;
	const struct extent *found = NULL;
	struct extent e;
	u32 ways = 0, at = 0;

	if (counted == have || counted < s->rest)
		return 0;
	for (u32 i = 0; i < m->count; i++)
		if (length_fits(s, &m->extent[i], m->extent[i].count + counted - have)) {
			found = &m->extent[at = i];
			ways++;
		}
	for (u32 i = 0; i < s->broken->count && counted > have; i++) {
		struct extent *b = &s->broken->extent[i];

		b->count = 0;
		if (length_fits(s, b, counted - have)) {
			found = b;
			ways++;
		}
		b->count = counted - have;
	}
	if (ways != 1)
		return 0;
	s->changed = true;
	e = *found;
	if (!m->count || found != &m->extent[at]) {
		s->broken->count = 0;
		return mapped_add(s->w->view->env, geo(s), m, &e);
	}
	e.count += counted - have;
	m->extent[at] = e;
	m->blocks += counted - have;
	return 0;
}

/* ---- who keeps what two claim ---- */

/* Does it have quota records of another type than this inode's? */
static bool of_other_quota(const struct settling *s, u64 fsblock)
{
	u32 type = quota_type_of(geo(s), s->inode->ino.v);
	struct dquot record;

	if (!type || device_read(s->w->view->data, fsblock_daddr(geo(s), fsblock_of(fsblock)),
				 &record, sizeof(record)))
		return false;
	return be16_get(record.magic) != DQUOT_MAGIC || (record.type & DQUOT_TYPES) != type;
}

/* Is a block of this map, which `owner` claims as well, the other's? An inode that counts what it
 * maps is not asked before those that do not have been mended. */
static bool is_theirs(const struct settling *s, u64 fsblock, s64 owner)
{
	bool odd = s->inode->nblocks != s->map->blocks + s->rest;
	u64 named;

	/* it would say so */
	if (is_metadata(s))
		return true;
	if (of_other_quota(s, fsblock))
		return true;
	if (owner == CLAIM_FREE)
		return odd;
	if (owner >= 0 && named_owner(s, fsblock, &named))
		return named != s->inode->ino.v;
	if (odd || (s->w->r->daring && owner < 0))
		return owner < 0 || !shares(s);
	return s->w->r->daring && !may_share(s) && (u64)owner < s->inode->ino.v;
}

/* What of one extent is kept goes to `kept`. Of a directory's, attributes' or link's all or
 * nothing. */
static int keep(struct settling *s, const struct extent *e, struct mapped *kept, bool *whole)
{
	struct env *env = s->w->view->env;
	s64 owner = 0;
	int err = 0;

	*whole = true;
	if (!others(s, e->start, e->count, &owner))
		return mapped_add(env, geo(s), kept, e);
	if (is_metadata(s) && names_me(s, e->start))
		return mapped_add(env, geo(s), kept, e);
	for (u64 i = 0; i < e->count && !err; i++) {
		const struct extent one = {e->off + i, e->start + i, 1, e->unwritten};

		if (others(s, one.start, 1, &owner) && is_theirs(s, one.start, owner)) {
			*whole = false;
			if (is_metadata(s))
				return 0;
		} else if (!is_metadata(s)) {
			err = mapped_add(env, geo(s), kept, &one);
		}
	}
	return err || !is_metadata(s) ? err : mapped_add(env, geo(s), kept, e);
}

/* ---- what was lost ---- */

struct looking {
	const struct settling *s;
	u64 count; /* blocks that are wanted */
	u64 start; /* found */
	u32 ways;
	u64 looked, runs;
	bool exact; /* there is one run, of just this length */
};

static bool mapped_already(const struct mapped *m, u64 fsblock)
{
	for (u32 i = 0; i < m->count; i++)
		if (fsblock >= m->extent[i].start &&
		    fsblock < m->extent[i].start + m->extent[i].count)
			return true;
	return false;
}

static int look_at_leak(void *arg, u64 fsblock, u64 count)
{
	struct looking *l = arg;

	l->exact = !l->runs++ && count == l->count;
	if (l->exact && !is_metadata(l->s)) {
		l->start = fsblock;
		return 0;
	}
	for (u64 i = 0; is_metadata(l->s) && i + l->count <= count; i++) {
		if (l->looked++ == LEAKS_MAX)
			return 1;
		if (!mapped_already(l->s->map, fsblock + i) && names_me(l->s, fsblock + i)) {
			l->start = fsblock + i;
			l->ways++;
			i += l->count - 1;
		}
	}
	return 0;
}

static int find_again(struct settling *s, const struct extent *lost)
{
	struct looking l = {.s = s, .count = lost->count};
	struct extent e = *lost;

	if (!lost->count || !room_at(s->map, NULL, lost->off, lost->count) ||
	    s->map->blocks + s->rest + lost->count > s->inode->nblocks)
		return 0;
	/* what it claims now may be next to what it should, and overlap */
	if (claims_each_leak(s->w->m->facts->claims, is_metadata(s) ? s->inode->ino.v : NO_INO,
			     look_at_leak, &l))
		return 0;
	if (is_metadata(s) ? l.ways != 1 : !l.exact)
		return 0;
	e.start = l.start;
	s->changed = true;
	return mapped_add(s->w->view->env, geo(s), s->map, &e);
}

static int settle_owners(struct settling *s, struct broken *lost)
{
	struct env *env = s->w->view->env;
	struct mapped kept = {.map_blocks = s->map->map_blocks};
	bool any = false;
	int err = 0;

	for (u32 i = 0; i < s->map->count && !err; i++) {
		const struct extent *e = &s->map->extent[i];
		bool whole, sought;

		err = keep(s, e, &kept, &whole);
		any |= !whole;
		sought =
		    is_metadata(s) || (!e->unwritten && kept.blocks + e->count <= s->map->blocks);
		if (!whole && sought && lost->count < BROKEN_MAX)
			lost->extent[lost->count++] = *e;
	}
	if (err || !any) {
		env_free(env, kept.extent);
		return err;
	}
	s->changed = true;
	env_free(env, s->map->extent);
	*s->map = kept;
	return 0;
}

bool fork_is_shared(const struct settling *s)
{
	s64 owner;
	u64 named;

	for (u32 i = 0; s->w->m->facts->claims && may_share(s) && i < s->map->count; i++) {
		const struct extent *e = &s->map->extent[i];

		if (others(s, e->start, e->count, &owner) && owner >= 0 &&
		    !named_owner(s, e->start, &named))
			return true;
	}
	return false;
}

int fork_settle(struct settling *s)
{
	struct broken lost;
	int err;

	if (!s->w->m->facts->claims || s->w->m->facts->rmaps)
		return 0;
	if (S_ISDIR(s->inode->mode) && s->which == FORK_DATA)
		settle_parts(s);
	err = settle_lengths(s);
	sort_map(s->map);
	lost = *s->broken;
	if (!err)
		err = settle_owners(s, &lost);
	for (u32 i = 0; i < lost.count && !err; i++) {
		err = find_again(s, &lost.extent[i]);
		sort_map(s->map);
	}
	return err;
}
