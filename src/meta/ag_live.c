/*
 * Rebuilding the space trees of an AG while everybody goes on writing; see ag_live.h.
 *
 * 1. A block that is fenced is free in the live trees until the switch, and of no owner.
 * 2. What the shadow says is used is what the postings up to some commit say, and what its own
 * trees are in, which is fenced.  The blocks of the live trees are free there.
 * 3. l->old is what the live trees and the live free list were in at that commit.
 *
 * Locking: what is told of commits comes in the writer's thread; all else belongs to the thread of
 * the rebuild, which holds the journal's `repairs` from begin to end.
 */
#include "meta/ag_live.h"

#include "base/trail.h"
#include "format/super.h"
#include "format/verify.h"
#include "meta/ag_live_impl.h"
#include "meta/aside.h"

#include <errno.h>
#include <stdlib.h>

#define SHADOW_MEMORY (8u << 20)
#define FENCE_LEAST 4u	      /* blocks in a run */
#define FENCE_MOST (1u << 18) /* so that its bytes fit into 32 bits */
#define SPARE_PERCENT 50      /* more blocks than the live trees have */
#define SPARE_BLOCKS 160u     /* and besides */
#define FEW_WAITING 128u      /* postings: then the switch is tried */
#define MOST_WAITING 1024u    /* and with more it is put off again */
#define ROUNDS_MAX 4096u
#define SWITCHES_MAX 64u

/* ---- the fence ---- */

static int add_run(struct live *l, u64 from, u64 end, u64 *left)
{
	u64 blocks = min_u64(min_u64(end - from, *left), FENCE_MOST);

	if (end - from < FENCE_LEAST || !*left)
		return 0;
	if (l->runs == FENCE_RUNS)
		return fail(-ENOSPC, "AG %u: free space is in too many pieces", l->ag);
	/* from the end: what is written next goes to the start */
	l->run[l->runs++] = (struct space_run){(u32)(end - blocks), (u32)blocks};
	l->fenced += blocks;
	*left -= blocks;
	return 0;
}

/* What of a free extent is not busy. */
static int add_free(struct live *l, u64 start, u64 end, u64 *left)
{
	const struct geometry *g = l->g;
	u64 base = agblock_daddr(g, l->ag, 0).v, from, until;
	int err = 0;

	while (start < end && *left && !err) {
		if (!journal_busy(l->vol->journal, daddr_of(base + (start << g->block_log)),
				  (end - start) << g->block_log, &from, &until))
			return add_run(l, start, end, left);
		from = (from - base) >> g->block_log;
		until = div_up_u64(until - base, g->block_size);
		if (from > start)
			err = add_run(l, start, from, left);
		start = until;
	}
	return err;
}

/* The largest free extents, until there are as many blocks. */
static int choose_runs(struct live *l, struct ag *ag, u64 wanted)
{
	struct btree_key key = {{NULL64, 0, 0}};
	struct alloc_rec record;
	struct btree t;
	u64 left = wanted;
	int err = ag_tree(ag, META_CNTBT, &t);

	while (!err && left) {
		u32 start, blocks;

		err = btree_find_le(&t, &key, &record);
		if (err)
			break;
		start = be32_get(record.startblock);
		blocks = be32_get(record.blockcount);
		if (start < geometry_ag_header_blocks(l->g) || blocks < FENCE_LEAST ||
		    (u64)start + blocks > geometry_ag_blocks(l->g, l->ag))
			break;
		err = add_free(l, start, (u64)start + blocks, &left);
		key = (struct btree_key){{blocks, start - 1ull, 0}};
	}
	if (err && err != -ENOENT)
		return err;
	return left ? fail(-ENOSPC, "AG %u: no room for %llu blocks of new trees beside the old",
			   l->ag, (unsigned long long)wanted)
		    : 0;
}

static int by_start(const void *a, const void *b)
{
	const struct space_run *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int fence(struct live *l, struct ag *ag)
{
	const struct agf *agf = ag_agf(ag);
	u64 have = (u64)be32_get(agf->btreeblks) + be32_get(agf->refcount_blocks) + 4;
	u64 wanted = have + have * SPARE_PERCENT / 100 + SPARE_BLOCKS;
	int err;

	if (wanted > be32_get(agf->freeblks) / 2)
		return fail(-ENOSPC, "AG %u: too little is free for new trees beside the old",
			    l->ag);
	err = choose_runs(l, ag, wanted);
	if (err)
		return err;
	qsort(l->run, l->runs, sizeof(l->run[0]), by_start);
	for (u32 i = 0; i < l->runs && !err; i++) {
		struct daddr at = agblock_daddr(l->g, l->ag, l->run[i].start);
		u64 size = (u64)l->run[i].blocks << l->g->block_log;

		journal_fence(l->vol->journal, at, size);
		err = journal_keep(l->vol->journal, at, size);
	}
	return err;
}

/* ---- the beginning ---- */

static int fence_now(struct vol *view, struct txn *txn, void *arg)
{
	struct live *l = arg;
	struct ag ag;
	int err;

	l->began = l->env->now(l->env);
	err = ag_open(view, txn, l->ag, &ag);
	return err ? err : fence(l, &ag);
}

static int begin_live(struct live *l, size_t memory)
{
	struct journal *j = l->vol->journal;
	/* what was freed long ago shall not be busy */
	int err = journal_force(j, journal_number(j), false);

	if (err)
		return err;
	err = repair_listen(l->vol, memory, &l->listener, fence_now, l, &l->snapshot);
	l->listening = !err;
	if (l->began)
		l->result->stopped = l->env->now(l->env) - l->began;
	return err;
}

static void stop_listening(struct live *l)
{
	if (l->listening)
		guard_listen(l->vol->guard, NULL);
	l->listening = false;
}

/* ---- the shadow ---- */

/* Its superblock only keeps a count that is not looked at, and never comes to an end. */
static int set_super(struct live *l)
{
	const struct meta_type *type = vol_type(l->vol, META_SUPERBLOCK);
	struct sb *sb = (struct sb *)aside_header(l->aside, daddr_of(0));
	struct le32 crc;
	int err = device_read(l->snapshot->data, daddr_of(0), sb, l->g->sector_size);

	if (err)
		return err;
	sb->fdblocks = be64_make(be64_get(sb->dblocks) / 2);
	crc = le32_make(verify_crc(sb, l->g->sector_size, type->crc_offset));
	memcpy((u8 *)sb + type->crc_offset, &crc, sizeof(crc));
	return 0;
}

static int open_shadow(struct live *l)
{
	const struct aside_place place = {l->ag, l->g, l->run, l->runs};
	int err = aside_open(l->env, l->vol->home, l->vol->types, &place, &l->aside);

	if (!err)
		err = set_super(l);
	if (err)
		return err;
	l->pool = (struct space_pool){.env = l->env};
	l->shadow = (struct vol){.env = l->env,
				 .data = l->aside,
				 .home = l->aside,
				 .geo = l->vol->geo,
				 .types = l->vol->types,
				 .pool = &l->pool};
	return cache_open(l->env, l->aside, l->g, SHADOW_MEMORY, &l->shadow.cache);
}

/* ---- what is built ---- */

/* The first of what is fenced are for the trees, the rest is the pool. */
static int divide_fence(struct live *l, u64 need)
{
	struct rebuild *b = l->b;
	int err = 0;

	b->need = need;
	b->runs = 0;
	for (u32 i = 0; i < l->runs && !err; i++) {
		u32 take = (u32)min_u64(need, l->run[i].blocks);

		if (take)
			b->run[b->runs++] = (struct run){l->run[i].start, take};
		need -= take;
		if (take < l->run[i].blocks)
			err = space_pool_put(&l->pool, l->run[i].start + take,
					     l->run[i].blocks - take);
	}
	return err || !need ? err
			    : fail(-ENOSPC, "AG %u: the new trees are larger than thought", l->ag);
}

/* A gap without the runs of the trees in it. */
static int put_gap(struct live *l, struct sorter *to, u64 from, u64 end, u32 *run)
{
	struct rebuild *b = l->b;
	int err = 0;

	while (from < end && !err) {
		bool cut = *run < b->runs && b->run[*run].start < end;
		u64 stop = cut ? b->run[*run].start : end;
		const struct gap gap = {be32_make((u32)from), be32_make((u32)(stop - from))};

		if (from < stop)
			err = sorter_add(to, &gap);
		from = cut ? stop + b->run[(*run)++].blocks : end;
	}
	return err;
}

/* All that is fenced must be free: what says so may have been damaged. */
static int fence_fits(struct live *l, u64 from, u64 end, u32 *at)
{
	for (; *at < l->runs && l->run[*at].start < end; (*at)++)
		if (l->run[*at].start < from || (u64)l->run[*at].start + l->run[*at].blocks > end)
			break;
	if (*at < l->runs && l->run[*at].start < end)
		return fail(-EUCLEAN, "AG %u: block %u, %u blocks, are not all free", l->ag,
			    l->run[*at].start, l->run[*at].blocks);
	return 0;
}

static int cut_gaps(struct live *l)
{
	struct rebuild *b = l->b;
	struct sorter *gaps;
	struct gap gap;
	u32 run = 0, at = 0;
	int more = 0, err;

	err = sorter_open(l->env, sizeof(struct gap), sizeof(struct be32), 4u << 20, &gaps);
	if (err)
		return err;
	err = sorter_sort(b->usage.gaps);
	while (!err && (more = sorter_next(b->usage.gaps, &gap)) > 0) {
		u64 from = be32_get(gap.start), end = from + be32_get(gap.blocks);

		err = fence_fits(l, from, end, &at);
		if (!err)
			err = put_gap(l, gaps, from, end, &run);
	}
	if (!err && (more < 0 || at < l->runs || run < b->runs))
		err = more < 0 ? more : fail(-EUCLEAN, "AG %u: what was free there is not", l->ag);
	sorter_close(b->usage.gaps);
	b->usage.gaps = gaps;
	b->usage.gap_count = sorter_count(gaps);
	b->gap_run = b->runs; /* they are cut out already */
	return err;
}

/* As plan_space() of ag_rebuild.c, in space that is given. */
static int plan_live(struct live *l)
{
	struct rebuild *b = l->b;
	u64 extra = l->runs + 3;
	int err;

	ag_plan_shapes(b, b->usage.gap_count + extra, extra);
	err = divide_fence(l, ag_tree_blocks(b) + ag_list_wanted(b));
	if (!err)
		err = cut_gaps(l);
	if (err)
		return err;
	ag_divide(b);
	ag_plan_shapes(b, b->usage.gap_count, b->owns);
	b->list_count = (u32)min_u64(b->need - ag_tree_blocks(b), agfl_slots(l->g) + 1);
	if (b->list_count > agfl_slots(l->g))
		return fail(-ENOSPC, "AG %u: free space is in too many pieces", l->ag);
	ag_divide(b);
	return 0;
}

static int read_old(struct live *l)
{
	struct sorter *olds = l->b->usage.olds;
	u64 count = sorter_count(olds);
	struct gap gap;
	int more = 0, err = sorter_sort(olds);

	if (!err && count > geometry_ag_blocks(l->g, l->ag))
		err = -EUCLEAN;
	l->old = err ? NULL : env_array(l->env, count + 1, sizeof(*l->old));
	if (!err && !l->old)
		err = fail(-ENOMEM, "AG %u: out of memory", l->ag);
	while (!err && (more = sorter_next(olds, &gap)) > 0) {
		struct space_run *last = l->olds ? &l->old[l->olds - 1] : NULL;

		if (last && last->start + last->blocks == be32_get(gap.start))
			last->blocks += be32_get(gap.blocks);
		else
			l->old[l->olds++] =
			    (struct space_run){be32_get(gap.start), be32_get(gap.blocks)};
	}
	return err ? err : more < 0 ? more : 0;
}

static int gather(struct live *l, size_t memory)
{
	l->wanted = env_array(l->env, l->g->ag_count, sizeof(*l->wanted));
	if (!l->wanted)
		return fail(-ENOMEM, "AG %u: out of memory", l->ag);
	l->wanted[l->ag].space = true;
	l->build = *l->r;
	l->build.vol = &l->shadow;
	l->build.wanted = l->wanted;
	return evidence_gather(l->snapshot, memory, l->wanted, NULL, true, &l->build.evidence);
}

static int disturbed(const struct live *l)
{
	return journal_repair_disturbed(l->vol->journal)
		   ? fail(-EAGAIN, "AG %u: somebody else needs its space, or a repair", l->ag)
		   : 0;
}

static int build(struct live *l, size_t memory)
{
	struct rebuild *b = l->b;
	u64 start = l->env->now(l->env);
	int err = gather(l, memory);

	b->r = &l->build;
	b->g = l->g;
	b->ag = l->ag;
	if (!err)
		err = disturbed(l);
	if (!err)
		err = ag_want_trees(b);
	if (!err)
		err = ag_usage_make(b->r, l->ag, true, &b->usage);
	evidence_free(l->build.evidence);
	l->build.evidence = NULL;
	vol_close(l->snapshot);
	l->snapshot = NULL;
	l->result->swept = l->env->now(l->env) - start;
	if (!err)
		err = read_old(l);
	if (!err)
		err = plan_live(l);
	if (!err)
		err = ag_records_begin(b);
	if (!err)
		err = ag_build_trees(b);
	if (!err)
		err = ag_write_space(b);
	l->result->records = b->usage.rmap_count + b->owns;
	l->result->built = l->env->now(l->env) - start - l->result->swept;
	return err;
}

/* ---- the switch ---- */

static u64 counted(const struct agf *agf)
{
	return (u64)be32_get(agf->freeblks) + be32_get(agf->flcount) + be32_get(agf->btreeblks);
}

static void put_header(struct live *l, struct txn *txn, struct txn_buf *buf, enum meta_id id)
{
	const u8 *bytes = aside_header(l->aside, vol_type(l->vol, id)->place(l->g, l->ag));

	txn_dirty(txn, buf);
	memcpy(buf->data, bytes, l->g->sector_size);
}

/* What is to be freed is what the headers say that the old trees and the free list have. Roots are
 * not counted in btreeblks. */
static int old_fits(const struct live *l, const struct agf *agf)
{
	u64 counted = (u64)be32_get(agf->btreeblks) + 3 + be32_get(agf->refcount_blocks) +
		      be32_get(agf->flcount),
	    found = 0;

	for (u32 i = 0; i < l->olds; i++)
		found += l->old[i].blocks;
	if (found == counted)
		return 0;
	return fail(-EUCLEAN,
		    "AG %u: its trees and free list are in %llu blocks, its header says "
		    "%llu",
		    l->ag, (unsigned long long)found, (unsigned long long)counted);
}

static int switch_headers(struct live *l, struct vol *view, struct txn *txn)
{
	struct ag ag;
	u64 before, after;
	int err = ag_open(view, txn, l->ag, &ag);

	if (err)
		return err;
	err = old_fits(l, ag_agf(&ag));
	if (err)
		return err;
	before = counted(ag_agf(&ag));
	put_header(l, txn, ag.agf_buf, META_AGF);
	put_header(l, txn, ag.agfl_buf, META_AGFL);
	after = counted(ag_agf(&ag));
	err = ag_count_free(view, txn, (s64)(after - before));
	for (u32 i = 0; i < l->olds && !err; i++)
		err = txn_freed(txn, agblock_daddr(l->g, l->ag, l->old[i].start),
				(u64)l->old[i].blocks << l->g->block_log, false);
	return err;
}

/* The writers wait. *again: there is still too much to do. */
static int switch_stopped(struct live *l, struct vol *view, struct txn *txn, bool *again)
{
	int err = 0;

	*again = side_waiting(l->side) > MOST_WAITING;
	if (*again)
		return NOTHING_CHANGED;
	l->result->last = side_waiting(l->side);
	while (!err && side_waiting(l->side))
		err = live_catch_up(l);
	if (!err)
		err = disturbed(l);
	return err ? err : switch_headers(l, view, txn);
}

static int try_switch(struct live *l, bool *again)
{
	struct vol view;
	struct txn *txn;
	u64 start;
	int err = vol_begin(&l->free, &view, &txn);

	if (err)
		return err;
	start = l->env->now(l->env);
	err = switch_stopped(l, &view, txn, again);
	/* nothing that comes behind is told any more, whether it has worked or not */
	if (!*again)
		stop_listening(l);
	err = vol_end(&l->free, txn, err);
	l->result->stopped = max_u64(l->result->stopped, l->env->now(l->env) - start);
	return *again && err == NOTHING_CHANGED ? 0 : err;
}

/* Of what lay there before, readers may have something in memory. */
static void forget(struct live *l)
{
	struct cache_range range[FENCE_RUNS];

	for (u32 i = 0; i < l->runs; i++)
		range[i] = (struct cache_range){agblock_daddr(l->g, l->ag, l->run[i].start),
						(u32)((u64)l->run[i].blocks << l->g->block_log)};
	cache_forget(l->vol->cache, range, l->runs);
}

static int follow(struct live *l)
{
	u64 start = l->env->now(l->env);
	bool again = true;
	int err = 0;

	for (u32 switches = 0; again && !err; switches++) {
		if (switches == SWITCHES_MAX)
			return fail(-EAGAIN, "AG %u: commits come too fast to be followed", l->ag);
		while (!err && (!switches || side_waiting(l->side) > FEW_WAITING) &&
		       side_waiting(l->side)) {
			if (l->result->rounds++ == ROUNDS_MAX)
				return fail(-EAGAIN, "AG %u: commits come too fast to be followed",
					    l->ag);
			err = disturbed(l);
			if (!err)
				err = live_catch_up(l);
			if (side_waiting(l->side) <= FEW_WAITING)
				break;
		}
		if (!err && !switches)
			forget(l);
		if (!err)
			err = try_switch(l, &again);
	}
	l->result->followed = l->env->now(l->env) - start;
	return err;
}

/* ---- all of it ---- */

static void close_live(struct live *l)
{
	vol_close(l->snapshot);
	evidence_free(l->build.evidence);
	cache_close(l->shadow.cache);
	device_close(l->aside);
	env_free(l->env, l->pool.run);
	env_free(l->env, l->wanted);
	live_catch_close(l);
	if (l->b) {
		ag_usage_free(&l->b->usage);
		sorter_close(l->b->by_size);
		env_free(l->env, l->b);
	}
}

static int rebuild_steps(struct live *l, size_t memory)
{
	int err = live_catch_open(l);

	l->b = env_alloc(l->env, sizeof(*l->b));
	if (!err && !l->b)
		err = fail(-ENOMEM, "AG %u: out of memory", l->ag);
	if (!err)
		err = begin_live(l, memory);
	if (!err)
		err = open_shadow(l);
	if (!err)
		err = build(l, memory);
	if (!err)
		err = follow(l);
	stop_listening(l);
	journal_unfence(l->vol->journal);
	return err;
}

static int supported(const struct live *l)
{
	if (!l->vol->journal || !l->vol->guard || l->vol->alone)
		return fail(-EOPNOTSUPP, "AG %u: nobody tells of commits", l->ag);
	if (!geometry_has(l->g, FEATURE_RMAPBT))
		return fail(-EOPNOTSUPP, "AG %u: without a reverse map", l->ag);
	return 0;
}

int ag_live_rebuild(struct repair *r, u32 ag, size_t memory, struct ag_live_result *result)
{
	struct env *env = r->vol->env;
	struct live *l = env_alloc(env, sizeof(*l));
	int err;

	*result = (struct ag_live_result){0};
	if (!l)
		return fail(-ENOMEM, "AG %u: out of memory", ag);
	l->r = r;
	l->vol = r->vol;
	l->free = *r->vol;
	l->free.guard = NULL;
	l->g = &r->vol->geo;
	l->env = env;
	l->ag = ag;
	l->result = result;
	l->listener = (struct guard_listener){1u << ACCOUNT_OWNERS, live_posted, live_ended, l};
	err = supported(l);
	if (!err) {
		journal_repair_begin(l->vol->journal);
		err = rebuild_steps(l, memory);
		journal_repair_end(l->vol->journal);
	}
	close_live(l);
	env_free(env, l);
	return err;
}
