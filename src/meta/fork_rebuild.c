/*
 * Rebuilding the maps of one inode; see fork_rebuild.h.
 *
 * A fork that cannot be followed as a whole gives way to the reverse map, where there is one.  One
 * that can be, and says something else, is weighed: what the fork alone has speaks against it when
 * those blocks are free or somebody else's (of an inode that shares: when the reference counts do
 * not know it as one more), and what the reverse map alone has speaks for that when they are not
 * free.  Only where both questions have the same answer is the fork replaced.  The inode's count
 * of blocks knows better where only one of the two agrees with it.
 *
 * The blocks of an old map are left to the rebuild of their AG, which frees what nobody claims.
 */
#include "meta/fork_rebuild.h"

#include "base/trail.h"
#include "btree/bulk.h"
#include "format/ag.h"
#include "format/btree.h"
#include "format/verify.h"
#include "fs/ag.h"
#include "fs/refcount.h"
#include "fs/rmap.h"
#include "fs/space.h"
#include "meta/fork_settle.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- reading what is there ---- */

struct reading {
	struct vol *vol;
	const struct inode *inode;
	enum fork_id which;
	struct mapped *out;
	u64 records, after, end;
	/* of each level: the last block, and the right sibling that it named */
	u64 seen[BTREE_LEVELS_MAX], right[BTREE_LEVELS_MAX];
	u64 moved; /* records with an impossible offset */
	u64 *map;  /* blocks of the tree, where they are to be freed */
	u64 map_room;
	bool whole, realtime, freeing;
	struct broken broken;
	bool worn; /* what it maps is all there, but a block of it has to be made anew */
};

/* Where no block of the fork can be any more. */
static u64 offset_end(const struct reading *r)
{
	u32 block_log = r->vol->geo.block_log;

	if (r->which == FORK_ATTR || S_ISDIR(r->inode->mode))
		return 1ull << 32;
	return min_u64(FILEOFF_END, 1ull << (63 - block_log));
}

static int take_record(struct reading *r, const struct bmbt_rec *rec)
{
	const struct geometry *g = &r->vol->geo;
	struct extent e;
	bool good;

	extent_load(rec, &e);
	r->records++;
	/* directories, attributes and links begin at the beginning */
	if (r->records == 1 && e.off && (r->which == FORK_ATTR || !S_ISREG(r->inode->mode))) {
		e.off = 0;
		r->whole = false;
		r->moved++;
	}
	/* blocks that are somewhere in the file are most likely behind the others */
	if (e.off < r->after || e.off + e.count > r->end) {
		e.off = r->after;
		r->whole = false;
		r->moved++;
	}
	good = e.count && e.off + e.count <= r->end;
	if (r->realtime)
		good = good && e.start < g->rt_blocks && e.count <= g->rt_blocks - e.start;
	else
		good = good && fsblock_valid(g, fsblock_of(e.start), e.count) &&
		       fsblock_bno(g, fsblock_of(e.start)) >= geometry_ag_header_blocks(g);
	if (e.unwritten && (r->which == FORK_ATTR || !S_ISREG(r->inode->mode) ||
			    inode_internal(g, r->inode->ino))) {
		e.unwritten = false;
		r->whole = false;
	}
	if (!good) {
		r->whole = false;
		if (r->broken.count < BROKEN_MAX)
			r->broken.extent[r->broken.count++] = e;
		return 0;
	}
	r->after = e.off + e.count;
	return mapped_add(r->vol->env, g, r->out, &e);
}

/* Where a block begins, and which neighbours it has, as those who lead to it have it? */
static bool joins(struct reading *r, const struct btree_block *b, u64 ptr, u64 key)
{
	const struct btree_schema *schema = b->schema;
	struct btree_key first;
	bool good;

	if (b->level)
		schema->key_load(btree_key_at(b, 0, false), &first);
	else
		schema->record_key(btree_record(b, 0), &first);
	good = first.w[0] == key && btree_left(b) == r->seen[b->level] &&
	       (r->seen[b->level] == NULL64 || r->right[b->level] == ptr);
	r->seen[b->level] = ptr;
	r->right[b->level] = btree_right(b);
	return good;
}

static u64 child_key(const struct btree_block *b, u32 i)
{
	struct btree_key key;

	b->schema->key_load(btree_key_at(b, i, false), &key);
	return key.w[0];
}

static int note_block(struct reading *r, u64 ptr)
{
	if (r->freeing && r->out->map_blocks == r->map_room) {
		u64 room = r->map_room ? r->map_room * 2 : 64;
		u64 *map = env_grow(r->vol->env, r->map, r->map_room, room, sizeof(*map));

		if (!map)
			return fail(-ENOMEM, "a map of blocks: out of memory");
		r->map = map;
		r->map_room = room;
	}
	if (r->freeing)
		r->map[r->out->map_blocks] = ptr;
	r->out->map_blocks++;
	return 0;
}

/* Is it a block of this map, whatever else is wrong with it? */
static bool is_mine(const struct reading *r, const struct meta_type *type, const struct buf *buf)
{
	struct be64 owner, blkno;
	struct be32 magic;

	memcpy(&magic, buf->data, sizeof(magic));
	memcpy(&owner, buf->data + type->owner_offset, sizeof(owner));
	memcpy(&blkno, buf->data + type->blkno_offset, sizeof(blkno));
	return (be32_get(magic) == type->magic) + (be64_get(owner) == r->inode->ino.v) +
		   (be64_get(blkno) == buf->at.v / 512) +
		   !memcmp(buf->data + type->uuid_offset, r->vol->geo.meta_uuid.b,
			   sizeof(r->vol->geo.meta_uuid.b)) >=
	       3;
}

/* A block of which only the header is damaged tells what it maps all the same: who else knows would
 * be the reverse map, where there is one. False: nothing can be read. */
static bool get_block(struct reading *r, const struct meta_type *type, const struct where *where,
		      struct fsblock at, struct buf **buf)
{
	const struct geometry *g = &r->vol->geo;
	struct daddr daddr = fsblock_daddr(g, at);
	struct verdict quiet = {.where = *where};
	struct be64 lsn;

	if (cache_get_raw(r->vol->cache, daddr, g->block_size, buf)) {
		trail_clear();
		return false;
	}
	memcpy(&lsn, (*buf)->data + type->lsn_offset, sizeof(lsn));
	verify(&quiet, type, g, (*buf)->data, (*buf)->size);
	if (quiet.count || vol_lsn_ahead(r->vol, be64_get(lsn)))
		r->worn = true;
	if (!verdict_bad(&quiet) || is_mine(r, type, *buf))
		return true;
	cache_put(r->vol->cache, *buf);
	return false;
}

static int take_block(struct reading *r, u64 ptr, u32 level, u64 key)
{
	const struct geometry *g = &r->vol->geo;
	const struct meta_type *type = vol_type(r->vol, META_BMBT);
	struct where where = {.type = type->name, .ino = r->inode->ino.v, .owner = r->inode->ino.v};
	struct fsblock at = fsblock_of(ptr);
	struct btree_block b;
	struct buf *buf;
	int err = 0;

	if (!fsblock_valid(g, at, 1) || r->out->map_blocks > g->data_blocks) {
		r->whole = false;
		return 0;
	}
	where.ag = fsblock_ag(g, at);
	where.daddr = fsblock_daddr(g, at).v;
	if (!get_block(r, type, &where, at, &buf)) {
		r->whole = false;
		return 0;
	}
	b = btree_block_of(type->btree, buf->data, buf->size);
	if (b.level != level)
		r->whole = false;
	else
		err = note_block(r, ptr);
	if (b.level == level && b.count && !joins(r, &b, ptr, key))
		r->whole = false;
	for (u32 i = 0; b.level == level && i < b.count && !err; i++)
		err = level ? take_block(r, btree_ptr(&b, i), level - 1, child_key(&b, i))
			    : take_record(r, btree_record(&b, i));
	cache_put(r->vol->cache, buf);
	return err;
}

static int read_fork(struct reading *r)
{
	const struct fork *fork = &r->inode->fork[r->which];
	const struct bmbt_rec *rec = (const struct bmbt_rec *)fork->data;
	struct bmap_root root;
	int err = 0;

	r->whole = true;
	r->end = offset_end(r);
	for (u32 i = 0; i < BTREE_LEVELS_MAX; i++)
		r->seen[i] = r->right[i] = NULL64;
	if (fork->format == FORMAT_EXTENTS) {
		r->whole = fork->extents <= fork_capacity(fork);
		for (u64 i = 0; i < min_u64(fork->extents, fork_capacity(fork)) && !err; i++)
			err = take_record(r, &rec[i]);
		return err;
	}
	if (fork->format != FORMAT_BTREE)
		return 0;
	if (!bmap_root_of(fork, &root) || !root.level || root.level >= BTREE_LEVELS_MAX ||
	    root.count != root.numrecs) {
		r->whole = false;
		return 0;
	}
	for (u32 i = 0; i < root.count && !err; i++)
		err = take_block(r, be64_get(root.ptrs[i]), root.level - 1,
				 be64_get(root.keys[i].startoff));
	for (u32 i = 0; i < root.level; i++)
		r->whole = r->whole && (r->right[i] == NULL64);
	return err;
}

/* ---- whose word counts ---- */

static int by_start(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Blocks of a that b does not have: how many, and how many of those count() knows. */
static u64 only_in(struct fork_work *w, const struct mapped *a, const struct mapped *b,
		   u64 (*count)(struct fork_work *w, u64 start, u64 blocks), u64 *counted)
{
	struct env *env = w->view->env;
	struct extent *x = env_array(env, a->count + 1, sizeof(*x));
	struct extent *y = env_array(env, b->count + 1, sizeof(*y));
	u64 sum = 0;
	u32 j = 0;

	*counted = 0;
	if (x && y && a->count)
		memcpy(x, a->extent, a->count * sizeof(*x));
	if (x && y && b->count)
		memcpy(y, b->extent, b->count * sizeof(*y));
	if (x && y) {
		qsort(x, a->count, sizeof(*x), by_start);
		qsort(y, b->count, sizeof(*y), by_start);
	}
	for (u32 i = 0; x && y && i < a->count; i++) {
		u64 at = x[i].start, end = at + x[i].count;

		while (j < b->count && y[j].start + y[j].count <= at)
			j++;
		for (u32 k = j; at < end;) {
			u64 stop = k < b->count ? min_u64(end, max_u64(at, y[k].start)) : end;

			if (stop > at) {
				sum += stop - at;
				*counted += count(w, at, stop - at);
			}
			if (k == b->count)
				break;
			at = max_u64(at, y[k].start + y[k].count);
			k++;
		}
	}
	env_free(env, x);
	env_free(env, y);
	return sum;
}

static u64 count_free(struct fork_work *w, u64 start, u64 blocks)
{
	bool known;

	return facts_free_blocks(w->r->facts, start, blocks, &known);
}

static bool others(struct fork_work *w, u64 fsblock)
{
	u64 owner;

	return rmap_owner_at(w->view, w->txn, fsblock_of(fsblock), &owner) && owner != w->m->ino;
}

/* Do the reverse map and the reference counts agree on how many have this block, without this
 * inode, of which the reverse map does not know it? */
static bool spoken_for(struct fork_work *w, u64 fsblock)
{
	const struct geometry *g = &w->view->geo;
	struct fsblock at = fsblock_of(fsblock);
	u32 bno = fsblock_bno(g, at), owners = rmap_owners_at(w->view, w->txn, at);
	struct refcount_hint hint = {.buf = NULL};
	struct refcount_record r;
	int err = refcount_next(w->view, &hint, fsblock_ag(g, at), bno, &r);

	refcount_hint_drop(w->view, &hint);
	if (err)
		trail_clear();
	return !err && owners && owners == (r.blocks && r.start <= bno ? r.count : 1);
}

static bool taken(struct fork_work *w, u64 fsblock)
{
	u64 flags = be64_get(((const struct dinode *)w->m->raw)->flags2);

	return flags & INODE_FLAG2_REFLINK ? spoken_for(w, fsblock) : others(w, fsblock);
}

/* Free, or in the reverse map as another's; but who shares blocks has them beside others, and the
 * reference counts know beside how many. */
static u64 count_foreign(struct fork_work *w, u64 start, u64 blocks)
{
	u64 free = count_free(w, start, blocks);

	return free ? free : taken(w, start) || taken(w, start + blocks - 1) ? blocks : 0;
}

static u64 end_of(const struct mapped *m)
{
	return m->count ? m->extent[m->count - 1].off + m->extent[m->count - 1].count : 0;
}

/* The same blocks at other places of the file: which of the two ends where the file ends? */
static bool fits_better(const struct fork_work *w, const struct mapped *said,
			const struct mapped *seen)
{
	struct inode inode;
	u64 blocks;

	inode_parse(&w->view->geo, inum_of(w->m->ino), w->m->raw, &inode);
	blocks = div_up_u64(inode.size, w->view->geo.block_size);
	if (!S_ISREG(inode.mode))
		return end_of(seen) <= end_of(said);
	return end_of(said) != blocks && end_of(seen) == blocks;
}

/* Is it this, with what else the inode has, that its count of blocks comes to? */
static bool counted(const struct fork_work *w, const struct mapped *m, u64 rest)
{
	return be64_get(((const struct dinode *)w->m->raw)->nblocks) == m->blocks + rest;
}

static bool fork_is_wrong(struct fork_work *w, const struct mapped *said, const struct mapped *seen,
			  u64 rest)
{
	u64 foreign, unused, mine, gone;

	if (counted(w, said, rest) != counted(w, seen, rest))
		return counted(w, seen, rest);
	mine = only_in(w, said, seen, count_foreign, &foreign);
	gone = only_in(w, seen, said, count_free, &unused);
	if (!mine && !gone)
		return fits_better(w, said, seen);
	return (!mine || foreign) && (!gone || unused < gone);
}

static bool alike(const struct mapped *a, const struct mapped *b)
{
	if (a->count != b->count)
		return false;
	for (u32 i = 0; i < a->count; i++)
		if (a->extent[i].off != b->extent[i].off ||
		    a->extent[i].start != b->extent[i].start ||
		    a->extent[i].count != b->extent[i].count)
			return false;
	return true;
}

/* ---- writing ---- */

static void store(struct bmbt_rec *rec, const struct extent *e)
{
	rec->l0 =
	    be64_make((u64)e->unwritten << 63 | e->off << 9 | e->start >> (EXTENT_START_BITS - 9));
	rec->l1 = be64_make(e->start << EXTENT_COUNT_BITS | e->count);
}

static const char *count_name(const struct fork_work *w, enum fork_id which)
{
	bool large = be64_get(((const struct dinode *)w->m->raw)->flags2) & INODE_FLAG2_NREXT64;

	if (large)
		return which == FORK_DATA ? "big_nextents" : "big_anextents";
	return which == FORK_DATA ? "nextents" : "anextents";
}

struct building {
	struct fork_work *w;
	const struct mapped *from;
	enum fork_id which;
	u32 next;
};

static int next_record(void *arg, void *record)
{
	struct building *b = arg;

	store(record, &b->from->extent[b->next++]);
	return 0;
}

static int next_block(void *arg, u64 *ptr)
{
	struct building *b = arg;
	struct fork_work *w = b->w;
	const struct geometry *g = &w->view->geo;
	const struct owner owner = {w->m->ino, RMAP_OFFSET_BMBT |
						   (b->which == FORK_ATTR ? RMAP_OFFSET_ATTR : 0)};
	u32 first = inum_ag(g, inum_of(w->m->ino)), bno = 0;
	int err = -ENOSPC;

	for (u32 i = 0; i < g->ag_count && err; i++) {
		struct ag ag;

		err = ag_open(w->view, w->txn, (first + i) % g->ag_count, &ag);
		if (!err)
			err = space_alloc(&ag, 0, &owner, &bno);
		if (!err)
			*ptr = fsblock_make(g, ag.number, bno).v;
	}
	return err;
}

static int write_tree(struct fork_work *w, enum fork_id which, const struct mapped *from, u8 *fork,
		      u32 size, u64 *map_blocks)
{
	struct building b = {.w = w, .from = from, .which = which};
	struct bulk_shape shape;
	struct btree tree = {.txn = w->txn,
			     .g = &w->view->geo,
			     .type = vol_type(w->view, META_BMBT),
			     .ag = NO_AG,
			     .owner = w->m->ino};
	struct bulk bulk = {.tree = &tree,
			    .env = w->view->env,
			    .shape = &shape,
			    .records = from->count,
			    .record = next_record,
			    .block = next_block,
			    .arg = &b};

	bulk_shape_inode(tree.type->btree, w->view->geo.block_size, from->count, size,
			 BULK_LOOSE_PERCENT, &shape);
	*map_blocks = shape.total;
	return bulk_build_inode(&bulk, fork, size);
}

static int write_fork(struct fork_work *w, enum fork_id which, const struct mapped *from,
		      u64 *map_blocks)
{
	struct inode inode;
	struct fork fork;
	u8 *bytes;
	int err = 0;

	inode_parse(&w->view->geo, inum_of(w->m->ino), w->m->raw, &inode);
	fork = inode.fork[which];
	bytes = w->m->raw + (fork.data - inode.raw);
	memset(bytes, 0, fork.size);
	*map_blocks = 0;
	if (from->count <= fork_capacity(&fork)) {
		for (u32 i = 0; i < from->count; i++)
			store((struct bmbt_rec *)bytes + i, &from->extent[i]);
		inode_set(w->m, which == FORK_DATA ? "format" : "aformat", FORMAT_EXTENTS);
	} else {
		err = write_tree(w, which, from, bytes, fork.size, map_blocks);
		inode_set(w->m, which == FORK_DATA ? "format" : "aformat", FORMAT_BTREE);
	}
	inode_set(w->m, count_name(w, which), from->count);
	w->rewritten[which] = true;
	return err;
}

/* ---- both forks ---- */

struct one {
	struct inode inode;
	struct mapped read;
	struct reading r;
	bool mapped; /* else there is nothing to read */
	bool settled;
};

static int read_one(struct fork_work *w, enum fork_id which, struct one *o)
{
	u32 format;

	inode_parse(&w->view->geo, inum_of(w->m->ino), w->m->raw, &o->inode);
	format = o->inode.fork[which].format;
	o->r =
	    (struct reading){.vol = w->view, .inode = &o->inode, .which = which, .out = &o->read};
	o->r.realtime = which == FORK_DATA && inode_realtime(&o->inode);
	o->r.freeing = w->r->force;
	o->mapped = (format == FORMAT_EXTENTS || format == FORMAT_BTREE) &&
		    (which == FORK_DATA || o->inode.forkoff);
	return o->mapped ? read_fork(&o->r) : 0;
}

/* rest: blocks of the inode besides those that the fork maps */
static const struct mapped *choose(struct fork_work *w, const struct one *o, enum fork_id which,
				   u64 rest)
{
	const struct inode_facts *f = w->m->facts;
	const struct mapped *seen = &f->seen[which];

	if (!o->r.realtime && f->rmaps && !alike(&o->read, seen) &&
	    (!o->r.whole || fork_is_wrong(w, &o->read, seen, rest)))
		return seen;
	return o->r.whole && !o->r.worn && !o->settled && !w->r->force ? NULL : &o->read;
}

/* Of a tree that was whole: nobody else claims them. */
static int free_old_map(struct fork_work *w, const struct reading *r)
{
	const struct geometry *g = &w->view->geo;
	const struct owner owner = {w->m->ino, RMAP_OFFSET_BMBT |
						   (r->which == FORK_ATTR ? RMAP_OFFSET_ATTR : 0)};
	int err = 0;

	for (u64 i = 0; i < r->out->map_blocks && !err; i++) {
		struct fsblock at = fsblock_of(r->map[i]);
		struct ag ag;

		err = ag_open(w->view, w->txn, fsblock_ag(g, at), &ag);
		if (!err)
			err = space_free(&ag, fsblock_bno(g, at), 1, &owner);
	}
	return err;
}

/* Extents that could not be read; of blocks of the map that could not, the inode has counted them.
 */
static u64 lost_extents(const struct one *o, enum fork_id which)
{
	u64 records = o->r.records, told = o->inode.fork[which].extents;

	if (!o->r.whole && o->inode.fork[which].format == FORMAT_BTREE)
		records = max_u64(records, told);
	return records > o->read.count && !o->settled ? records - o->read.count : 0;
}

static int rebuild_fork(struct fork_work *w, enum fork_id which, const struct one *o, u64 rest,
			u64 *blocks)
{
	const struct mapped *seen = &w->m->facts->seen[which], *use;
	u64 map_blocks = o->read.map_blocks;
	int err = 0;

	if (!o->mapped)
		return 0;
	use = choose(w, o, which, rest + map_blocks);
	if (use) {
		if (use != seen)
			w->lost += lost_extents(o, which);
		err = write_fork(w, which, use, &map_blocks);
		if (!err && o->r.freeing && o->r.whole && use == &o->read)
			err = free_old_map(w, &o->r);
	} else {
		inode_set(w->m, count_name(w, which), o->r.records);
	}
	*blocks += (use ? use->blocks : o->read.blocks) + map_blocks;
	return err;
}

static int settle(struct fork_work *w, enum fork_id which, struct one o[2])
{
	struct settling s = {.w = w,
			     .inode = &o[which].inode,
			     .which = which,
			     .map = &o[which].read,
			     .broken = &o[which].r.broken,
			     .rest = o[0].read.map_blocks + o[1].read.map_blocks +
				     o[1 - which].read.blocks};
	int err = o[which].mapped && !o[which].r.realtime ? fork_settle(&s) : 0;

	o[which].settled = s.changed;
	if (!err && o[which].mapped && !o[which].r.realtime && which == FORK_DATA &&
	    fork_is_shared(&s))
		inode_set(w->m, "flags2", o[which].inode.flags2 | INODE_FLAG2_REFLINK);
	return err;
}

int forks_rebuild(struct fork_work *w)
{
	struct one o[2] = {{.mapped = false}, {.mapped = false}};
	enum fork_id first;
	u64 blocks = 0;
	int err = 0;

	for (u32 i = 0; i < 2 && !err; i++)
		err = read_one(w, (enum fork_id)i, &o[i]);
	/* where records are broken, blocks are missing for certain */
	first = o[FORK_ATTR].r.broken.count ? FORK_ATTR : FORK_DATA;
	if (!err)
		err = settle(w, first, o);
	if (!err)
		err = settle(w, 1 - first, o);
	for (u32 i = 0; i < 2 && !err; i++) {
		const struct mapped *other = &o[1 - i].read;

		err = rebuild_fork(w, (enum fork_id)i, &o[i], other->blocks + other->map_blocks,
				   &blocks);
	}
	if (!err && w->lost && o[0].inode.nblocks > blocks &&
	    o[0].inode.nblocks <= w->view->geo.data_blocks)
		w->lost_blocks = o[0].inode.nblocks - blocks;
	if (!err)
		inode_set(w->m, "nblocks", blocks);
	for (u32 i = 0; i < 2; i++) {
		env_free(w->view->env, o[i].read.extent);
		env_free(w->view->env, o[i].r.map);
	}
	return err;
}
