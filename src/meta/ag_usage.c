/*
 * From claims to the use of an AG; see ag_usage.h.
 *
 * Two passes: claims come by owner, so that what one owner has in one piece becomes one mapping;
 * mappings are then looked at by start, as a sweep over the blocks of the AG.
 *
 * Blocks of two owners are nobody's to decide here, but for staging for copy-on-write: what is in
 * it is needed by nobody, so it gives way to whoever else has any of it.
 */
#include "meta/ag_usage.h"

#include "base/trail.h"
#include "format/ag.h"
#include "format/btree.h"

#include <errno.h>
#include <inttypes.h>

#define SORTER_MEMORY (4u << 20)

/* A block range in the sweep: what stays (a mapping), or what an old tree is in. */
struct piece {
	struct be32 start, blocks;
	struct be64 owner, offset, flags;
	u8 old;
};
/* +1 and -1 at the ends of what may be shared. */
struct event {
	struct be32 at;
	u8 minus; /* so that ends come behind starts: counts stay above zero */
};

struct usage_work {
	struct repair *r;
	const struct geometry *g;
	struct ag_usage *out;
	struct sorter *pieces, *events;
	u32 ag, length;
	bool keep_inode_trees;
	struct claim run; /* being joined */
	bool any;
};

static bool may_share(const struct geometry *g, u64 owner, u64 flags)
{
	return (s64)owner >= 0 && !(flags & (RMAP_OFFSET_ATTR | RMAP_OFFSET_BMBT)) &&
	       geometry_has(g, FEATURE_REFLINK);
}

/* The blocks of trees that are built anew. */
static bool is_old(const struct usage_work *w, u64 owner)
{
	return (s64)owner == RMAP_OWN_AG || (s64)owner == RMAP_OWN_REFC ||
	       ((s64)owner == RMAP_OWN_INOBT && !w->keep_inode_trees);
}

static bool is_staging(const struct piece *p)
{
	return (s64)be64_get(p->owner) == RMAP_OWN_COW;
}

static int add_mapping(struct usage_work *w, const struct piece *p)
{
	u64 flags = be64_get(p->flags);
	const struct mapping m = {
	    .start = p->start,
	    .owner = p->owner,
	    .offset = be64_make(be64_get(p->offset) | (flags & ~RMAP_OFFSET_UNWRITTEN)),
	    .blocks = p->blocks,
	    .unwritten = be64_make(flags & RMAP_OFFSET_UNWRITTEN),
	};

	w->out->rmap_count++;
	return sorter_add(w->out->rmaps, &m);
}

static int put_mapping(struct usage_work *w, const struct claim *c)
{
	const struct piece piece = {c->start,  c->blocks, c->owner,
				    c->offset, c->flags,  is_old(w, be64_get(c->owner))};
	int err = sorter_add(w->pieces, &piece);

	return err || piece.old || is_staging(&piece) ? err : add_mapping(w, &piece);
}

/* Touches or overlaps, and says the same of every block: the reverse map may tell of an inode what
 * the inode tells as well. */
static bool continues(const struct claim *run, const struct claim *c)
{
	u64 ahead = (u64)be32_get(c->start) - be32_get(run->start), owner = be64_get(c->owner);
	bool mapping = (s64)owner >= 0 && !(be64_get(c->flags) & RMAP_OFFSET_BMBT);

	return owner == be64_get(run->owner) && be64_get(c->flags) == be64_get(run->flags) &&
	       ahead <= be32_get(run->blocks) &&
	       (!mapping || be64_get(run->offset) + ahead == be64_get(c->offset));
}

static int flush_run(struct usage_work *w)
{
	int err = w->any ? put_mapping(w, &w->run) : 0;

	w->any = false;
	return err;
}

static int join(struct usage_work *w, const struct claim *c)
{
	u64 ahead = (u64)be32_get(c->start) - be32_get(w->run.start);
	int err;

	if (w->any && continues(&w->run, c)) {
		w->run.blocks =
		    be32_make((u32)max_u64(be32_get(w->run.blocks), ahead + be32_get(c->blocks)));
		return 0;
	}
	err = flush_run(w);
	w->run = *c;
	w->any = true;
	return err;
}

/* Of what has no inode, headers and log are known better than by whoever posted them. */
static bool counts(const struct claim *c)
{
	s64 owner = (s64)be64_get(c->owner);

	return owner >= 0 || owner == RMAP_OWN_INODES || owner == RMAP_OWN_COW ||
	       owner == RMAP_OWN_INOBT || owner == RMAP_OWN_AG || owner == RMAP_OWN_REFC;
}

static int add_fixed(struct usage_work *w, u32 start, u32 blocks, s64 owner)
{
	const struct claim c = {.ag = be32_make(w->ag),
				.owner = be64_make((u64)owner),
				.start = be32_make(start),
				.blocks = be32_make(blocks)};

	return put_mapping(w, &c);
}

static int read_claims(struct usage_work *w)
{
	const struct geometry *g = w->g;
	struct claim c;
	int more = 0, err = add_fixed(w, 0, geometry_ag_header_blocks(g), RMAP_OWN_FS);

	if (!err && g->log_internal && fsblock_ag(g, fsblock_of(g->log_start)) == w->ag)
		err = add_fixed(w, fsblock_bno(g, fsblock_of(g->log_start)), g->log_blocks,
				RMAP_OWN_LOG);
	while (!err && (more = evidence_claim(w->r->evidence, w->ag, &c)) > 0)
		err = counts(&c) ? join(w, &c) : 0;
	if (!err)
		err = more < 0 ? more : flush_run(w);
	return err;
}

/* ---- the sweep over the blocks ---- */

struct sweep_line {
	u32 used_end;	/* of all that stays */
	u32 all_end;	/* and of what is old */
	u32 alone_end;	/* of what may not be shared */
	u64 alone, any; /* the owners of those */
	u32 old_start, old_end;
	struct piece staging; /* the last of it, while somebody else may still have some of it */
	u32 staging_end;      /* 0: none */
};

static int conflict(const struct usage_work *w, const struct piece *p, u64 other)
{
	return fail(-EUCLEAN,
		    "AG %u: blocks from %u on belong to %" PRId64 " and to %" PRId64
		    ": whose they are has to be decided first",
		    w->ag, be32_get(p->start), (s64)be64_get(p->owner), (s64)other);
}

/* Room behind everything up to `from`, before `to`. */
static int put_room(struct usage_work *w, u32 from, u32 to, bool at_start, bool at_end)
{
	const struct room room = {be32_make(~(to - from)), be32_make(from), at_start, at_end};

	return from < to ? sorter_add(w->out->rooms, &room) : 0;
}

static int put_gap(struct usage_work *w, u32 from, u32 to)
{
	const struct gap gap = {be32_make(from), be32_make(to - from)};

	if (from >= to)
		return 0;
	w->out->gap_count++;
	return sorter_add(w->out->gaps, &gap);
}

static int put_share(struct usage_work *w, u32 from, u32 to, u32 count)
{
	const struct share share = {be32_make(from), be32_make(to - (from & ~REFCOUNT_COW)),
				    be32_make(count)};

	w->out->share_count++;
	return sorter_add(w->out->shares, &share);
}

static int put_events(struct usage_work *w, const struct piece *p)
{
	const struct event start = {p->start, 0},
			   end = {be32_make(be32_get(p->start) + be32_get(p->blocks)), 1};
	int err = sorter_add(w->events, &start);

	return err ? err : sorter_add(w->events, &end);
}

/* What of the old pieces at hand lies before `to`. */
static int put_old(struct usage_work *w, struct sweep_line *l, u32 to)
{
	u32 end = (u32)min_u64(l->old_end, to);
	const struct gap gap = {be32_make(l->old_start), be32_make(end - l->old_start)};

	return l->old_start < end ? sorter_add(w->out->olds, &gap) : 0;
}

static int meet_old(struct usage_work *w, struct sweep_line *l, u32 start, u32 end)
{
	int err = start > l->old_end ? put_old(w, l, NULL32) : 0;

	if (start > l->old_end)
		l->old_start = (u32)max_u64(start, l->used_end);
	l->old_end = (u32)max_u64(l->old_end, end);
	return err;
}

/* What stays, behind or within what has been met. */
static int take(struct usage_work *w, struct sweep_line *l, const struct piece *p)
{
	u32 start = be32_get(p->start), end = start + be32_get(p->blocks);
	bool shared = may_share(w->g, be64_get(p->owner), be64_get(p->flags));
	int err;

	if (start < l->alone_end || (!shared && start < l->used_end))
		return conflict(w, p, start < l->alone_end ? l->alone : l->any);
	err = put_gap(w, l->used_end, start);
	if (end > l->used_end) {
		l->used_end = end;
		l->any = be64_get(p->owner);
	}
	if (!shared) {
		l->alone_end = end;
		l->alone = be64_get(p->owner);
	}
	return err || !shared ? err : put_events(w, p);
}

/* Nobody else has any of it. */
static int take_staging(struct usage_work *w, struct sweep_line *l)
{
	const struct piece p = l->staging;
	int err = take(w, l, &p);

	if (!err)
		err = put_share(w, be32_get(p.start) | REFCOUNT_COW, l->staging_end, 1);
	l->staging_end = 0;
	return err ? err : add_mapping(w, &p);
}

static void give_up(struct usage_work *w, const struct piece *p)
{
	repair_say(w->r, "AG %u: blocks %u to %u are no staging for copy-on-write", w->ag,
		   be32_get(p->start), be32_get(p->start) + be32_get(p->blocks) - 1);
}

static int meet_staging(struct usage_work *w, struct sweep_line *l, const struct piece *p)
{
	if (be32_get(p->start) < l->used_end || l->staging_end) {
		give_up(w, p);
		return 0;
	}
	l->staging = *p;
	l->staging_end = be32_get(p->start) + be32_get(p->blocks);
	return 0;
}

static int meet(struct usage_work *w, struct sweep_line *l, const struct piece *p)
{
	u32 start = be32_get(p->start), end = start + be32_get(p->blocks);
	int err = 0;

	if (l->staging_end && l->staging_end <= start)
		err = take_staging(w, l);
	/* Room is where neither the new nor the old is. */
	if (!err && start > l->all_end)
		err = put_room(w, l->all_end, start, l->all_end == l->used_end, !p->old);
	l->all_end = (u32)max_u64(l->all_end, end);
	if (!err)
		err = p->old ? meet_old(w, l, start, end) : put_old(w, l, start);
	if (err || p->old)
		return err;
	l->old_start = (u32)max_u64(l->old_start, end);
	if (is_staging(p))
		return meet_staging(w, l, p);
	if (l->staging_end)
		give_up(w, &l->staging);
	l->staging_end = 0;
	return take(w, l, p);
}

static int sweep_blocks(struct usage_work *w)
{
	struct sweep_line l = {0};
	struct piece p;
	int err = sorter_sort(w->pieces), more = 0;

	while (!err && (more = sorter_next(w->pieces, &p)) > 0)
		err = meet(w, &l, &p);
	if (!err && more < 0)
		err = more;
	if (!err && l.staging_end)
		err = take_staging(w, &l);
	if (!err)
		err = put_room(w, l.all_end, w->length, l.all_end == l.used_end, true);
	if (!err)
		err = put_old(w, &l, NULL32);
	return err ? err : put_gap(w, l.used_end, w->length);
}

static int count_shares(struct usage_work *w)
{
	struct event e;
	u32 count = 0, from = 0;
	int err = sorter_sort(w->events), more = 0;

	for (bool has = !err && (more = sorter_next(w->events, &e)) > 0; has && !err;) {
		u32 at = be32_get(e.at), before = count;

		for (; has && be32_get(e.at) == at; has = (more = sorter_next(w->events, &e)) > 0)
			count += e.minus ? -1u : 1u;
		if (count == before)
			continue;
		if (before > 1)
			err = put_share(w, from, at, before);
		from = at;
	}
	return err ? err : more < 0 ? more : 0;
}

/* Each has its own memory, and spills what is more. */
static int open_sorters(struct usage_work *w)
{
	struct env *env = w->r->vol->env;
	struct ag_usage *u = w->out;
	int err = sorter_open(env, sizeof(struct mapping), MAPPING_KEY, SORTER_MEMORY, &u->rmaps);

	if (!err)
		err = sorter_open(env, sizeof(struct gap), sizeof(struct be32), SORTER_MEMORY,
				  &u->gaps);
	if (!err)
		err = sorter_open(env, sizeof(struct room), 2 * sizeof(struct be32), SORTER_MEMORY,
				  &u->rooms);
	if (!err)
		err = sorter_open(env, sizeof(struct share), sizeof(struct be32), SORTER_MEMORY,
				  &u->shares);
	if (!err)
		err = sorter_open(env, sizeof(struct gap), sizeof(struct be32), SORTER_MEMORY,
				  &u->olds);
	if (!err)
		err = sorter_open(env, sizeof(struct piece), sizeof(struct be32), SORTER_MEMORY,
				  &w->pieces);
	if (!err)
		err = sorter_open(env, sizeof(struct event), sizeof(struct event), SORTER_MEMORY,
				  &w->events);
	return err;
}

int ag_usage_make(struct repair *r, u32 ag, bool keep_inode_trees, struct ag_usage *out)
{
	struct usage_work w = {
	    .r = r,
	    .g = &r->vol->geo,
	    .out = out,
	    .ag = ag,
	    .length = geometry_ag_blocks(&r->vol->geo, ag),
	    .keep_inode_trees = keep_inode_trees,
	};
	int err;

	*out = (struct ag_usage){0};
	err = open_sorters(&w);
	if (!err)
		err = read_claims(&w);
	if (!err)
		err = sweep_blocks(&w);
	if (!err)
		err = count_shares(&w);
	sorter_close(w.pieces);
	sorter_close(w.events);
	return err;
}

void ag_usage_free(struct ag_usage *u)
{
	sorter_close(u->rmaps);
	sorter_close(u->gaps);
	sorter_close(u->rooms);
	sorter_close(u->shares);
	sorter_close(u->olds);
	*u = (struct ag_usage){0};
}
