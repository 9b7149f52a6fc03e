/*
 * Free space of an AG; see space.h.
 *
 * 1. bnobt and cntbt hold the same records; neighbours in the bnobt do not touch.
 * 2. agf.freeblks is the sum of the records, agf.longest the last one of the cntbt.
 * 3. Blocks of the free list and of bnobt, cntbt and rmapbt are all RMAP_OWN_AG's, so that moving
 *    between them changes neither the reverse map nor the superblock's count.
 *
 * A block may be wanted for a tree while the free list is being filled; so the blocks that come
 * from free space are put on the list before the reverse map learns of them.
 */
#include "fs/space.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "fs/health.h"
#include "fs/rmap_modify.h"

#include <errno.h>

struct extent32 {
	u32 start, blocks;
};

static const struct owner ag_owner = {(u64)RMAP_OWN_AG, 0};

static struct alloc_rec record_of(struct extent32 e)
{
	return (struct alloc_rec){be32_make(e.start), be32_make(e.blocks)};
}

static struct extent32 extent_of(const struct alloc_rec *r)
{
	return (struct extent32){be32_get(r->startblock), be32_get(r->blockcount)};
}

static int lost(struct ag *ag, const char *tree, struct extent32 e)
{
	return fail(-EUCLEAN, "%s %u: no record of the free extent %u, %u blocks", tree, ag->number,
		    e.start, e.blocks);
}

/* Takes a record out of both trees. */
static int record_delete(struct ag *ag, struct extent32 e)
{
	const struct btree_key by_start = {{e.start, e.blocks, 0}},
			       by_size = {{e.blocks, e.start, 0}};
	struct btree t;
	int err = ag_tree(ag, META_BNOBT, &t);

	if (!err)
		err = btree_delete(&t, &by_start);
	if (!err)
		err = ag_tree(ag, META_CNTBT, &t);
	if (!err && !MUTATE(CNT_NOT_DELETED))
		err = btree_delete(&t, &by_size);
	return err == -ENOENT ? lost(ag, t.type->name, e) : err;
}

static int record_insert(struct ag *ag, struct extent32 e)
{
	const struct alloc_rec record = record_of(e);
	struct btree t;
	int err = ag_tree(ag, META_BNOBT, &t);

	if (!err && !MUTATE(BNO_NOT_INSERTED))
		err = btree_insert(&t, &record);
	if (!err)
		err = ag_tree(ag, META_CNTBT, &t);
	if (!err && !MUTATE(CNT_NOT_INSERTED))
		err = btree_insert(&t, &record);
	return err;
}

static int record_replace(struct ag *ag, struct extent32 old, struct extent32 e)
{
	const struct btree_key by_start = {{old.start, old.blocks, 0}},
			       by_size = {{old.blocks, old.start, 0}};
	const struct alloc_rec record = record_of(e);
	struct btree t;
	int err = ag_tree(ag, META_BNOBT, &t);

	if (!err)
		err = btree_replace(&t, &by_start, &record);
	if (!err)
		err = ag_tree(ag, META_CNTBT, &t);
	if (!err)
		err = btree_delete(&t, &by_size);
	if (err == -ENOENT)
		return lost(ag, t.type->name, old);
	return err ? err : btree_insert(&t, &record);
}

/* The counters, after `amount` blocks have become free. */
static int settle(struct ag *ag, s64 amount)
{
	const struct btree_key last = {{NULL64, 0, 0}};
	struct alloc_rec record = {0};
	struct agf *agf = ag_agf(ag);
	struct btree t;
	int err = ag_count(ag, &agf->freeblks, amount + MUTATE(FREEBLKS));

	if (!err)
		err = ag_tree(ag, META_CNTBT, &t);
	if (!err)
		err = btree_find_le(&t, &last, &record);
	if (err && err != -ENOENT)
		return err;
	if (!MUTATE(LONGEST))
		agf->longest = record.blockcount;
	return 0;
}

/* The free extents around bno; blocks 0: none. */
static int around(struct ag *ag, u32 bno, struct extent32 *left, struct extent32 *right)
{
	const struct btree_key key = {{bno, NULL32, 0}}, next = {{bno + 1ull, 0, 0}};
	struct alloc_rec l = {0}, r = {0};
	struct btree t;
	int err = ag_tree(ag, META_BNOBT, &t);

	if (err)
		return err;
	err = btree_find_le(&t, &key, &l);
	if (!err || err == -ENOENT)
		err = btree_find_ge(&t, &next, &r);
	*left = extent_of(&l);
	*right = extent_of(&r);
	return err == -ENOENT ? 0 : err;
}

/* Into the trees, joined with its neighbours. */
static int free_extent(struct ag *ag, u32 bno, u32 blocks, bool data)
{
	struct extent32 left, right, whole = {bno, blocks};
	u64 end = (u64)bno + blocks;
	bool joins_left, joins_right;
	int err = around(ag, bno, &left, &right);

	if (err)
		return err;
	if ((left.blocks && (u64)left.start + left.blocks > bno) ||
	    (right.blocks && right.start < end))
		return fail(-EUCLEAN, "AG %u: of block %u, %u blocks, some are free already",
			    ag->number, bno, blocks);
	joins_left = left.blocks && left.start + left.blocks == bno;
	joins_right = right.blocks && right.start == end;
	if (joins_right) {
		whole.blocks += right.blocks;
		if (joins_left)
			err = record_delete(ag, right);
	}
	if (joins_left) {
		whole.start = left.start;
		whole.blocks += left.blocks;
	}
	if (err)
		return err;
	if (joins_left)
		err = record_replace(ag, left, whole);
	else if (joins_right)
		err = record_replace(ag, right, whole);
	else
		err = record_insert(ag, whole);
	if (!err)
		err = txn_freed(ag->txn, agblock_daddr(&ag->vol->geo, ag->number, bno),
				(u64)blocks << ag->vol->geo.block_log, data);
	return err ? err : settle(ag, blocks);
}

/* The first `blocks` of a free extent are free no more. */
static int use_start(struct ag *ag, struct extent32 e, u32 blocks)
{
	const struct extent32 rest = {e.start + blocks, e.blocks - blocks};
	int err;

	if (e.start < geometry_ag_header_blocks(&ag->vol->geo) ||
	    (u64)e.start + e.blocks > geometry_ag_blocks(&ag->vol->geo, ag->number))
		return fail(-EUCLEAN, "AG %u: free extent %u, %u blocks", ag->number, e.start,
			    e.blocks);
	if (rest.blocks)
		err = record_replace(ag, e, rest);
	else
		err = record_delete(ag, e);
	return err ? err : settle(ag, -(s64)blocks);
}

/* ---- the free list ---- */

/* One insertion or deletion may split, or join, every level of a tree and change its height. */
static u32 tree_need(struct be32 levels)
{
	return be32_get(levels) * 2;
}

static u32 list_need(struct ag *ag)
{
	const struct agf *agf = ag_agf(ag);
	u32 need = tree_need(agf->levels[AGF_BNO]) + tree_need(agf->levels[AGF_CNT]);

	if (geometry_has(&ag->vol->geo, FEATURE_RMAPBT))
		need += tree_need(agf->levels[AGF_RMAP]);
	return (u32)min_u64(need, agfl_slots(&ag->vol->geo));
}

static u32 list_count(struct ag *ag)
{
	return be32_get(ag_agf(ag)->flcount);
}

static int list_trim(struct ag *ag)
{
	u32 bno, rounds = 2 * agfl_slots(&ag->vol->geo);
	int err = 0;

	while (!err && list_count(ag) > list_need(ag) && rounds--) {
		err = ag_list_take(ag, &bno);
		if (!err)
			err = rmap_unmap(ag, bno, 1, &ag_owner);
		if (!err)
			err = free_extent(ag, bno, 1, false);
	}
	return err;
}

/* The smallest free extent that has as many blocks, or the longest. -ENOENT when nothing is free.
 */
static int best_fit(struct ag *ag, u32 blocks, struct extent32 *out)
{
	const struct btree_key key = {{blocks, 0, 0}}, last = {{NULL64, 0, 0}};
	struct alloc_rec record;
	struct btree t;
	int err = ag_tree(ag, META_CNTBT, &t);

	if (err)
		return err;
	err = btree_find_ge(&t, &key, &record);
	if (err == -ENOENT)
		err = btree_find_le(&t, &last, &record);
	if (!err)
		*out = extent_of(&record);
	return err;
}

/* With nothing free the list stays short: what needs it will say so. */
static int list_fill(struct ag *ag)
{
	u32 rounds = 2 * agfl_slots(&ag->vol->geo);
	int err = 0;

	while (!err && list_count(ag) < list_need(ag) && rounds--) {
		u32 want = list_need(ag) - list_count(ag);
		struct extent32 e;

		err = best_fit(ag, want, &e);
		if (err)
			return err == -ENOENT ? 0 : err;
		want = (u32)min_u64(want, e.blocks);
		err = use_start(ag, e, want);
		for (u32 i = 0; i < want && !err; i++)
			err = ag_list_put(ag, e.start + i);
		if (!err && !MUTATE(LIST_NOT_MAPPED))
			err = rmap_map(ag, e.start, want, &ag_owner);
	}
	return err;
}

int space_prepare(struct ag *ag)
{
	int err = list_trim(ag);

	return err ? err : list_fill(ag);
}

/* ---- for everybody ---- */

static int give_back(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner)
{
	const struct geometry *g = &ag->vol->geo;
	u32 length = geometry_ag_blocks(g, ag->number);
	int err;

	if (!blocks || bno < geometry_ag_header_blocks(g) || bno >= length || blocks > length - bno)
		return fail(-EUCLEAN, "AG %u: block %u, %u blocks, cannot be freed", ag->number,
			    bno, blocks);
	err = space_prepare(ag);
	if (!err && (s64)owner->owner == OWNER_UNKNOWN)
		err = rmap_forget(ag, bno, blocks);
	else if (!err && (s64)owner->owner != OWNER_ELSEWHERE && !MUTATE(FREE_STILL_MAPPED))
		err = rmap_unmap(ag, bno, blocks, owner);
	if (!err && !MUTATE(FREE_NOT_FREED))
		err = free_extent(ag, bno, blocks, (s64)owner->owner == OWNER_ELSEWHERE);
	return err ? err : ag_count_free(ag->vol, ag->txn, blocks);
}

int space_free(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner)
{
	if (health_fenced(ag->vol, ag->number))
		return health_refuse(ag->number);
	return health_blame(give_back(ag, bno, blocks, owner), SCRUB_BNOBT, ag->number, NO_INO);
}

/* Blocks of a tree with a record for so many: they are at least half full. */
static u64 tree_blocks(const struct geometry *g, u64 records, u32 size)
{
	return div_up_u64(records * 2 * size, g->block_size);
}

/* What the trees may still need, about, with the most records that the AG can give them: reverse
 * mappings and reference counts one a block, free inodes one a chunk. */
static u32 reserve(const struct ag *ag)
{
	const struct geometry *g = &ag->vol->geo;
	const struct agf *agf = (const struct agf *)ag->agf_buf->data;
	u32 length = geometry_ag_blocks(g, ag->number), used = 0;
	u64 want = 4;

	if (geometry_has(g, FEATURE_RMAPBT)) {
		want += tree_blocks(g, length, sizeof(struct rmap_rec));
		used += be32_get(agf->rmap_blocks);
	}
	if (geometry_has(g, FEATURE_REFLINK)) {
		want += tree_blocks(g, length, sizeof(struct refcount_rec));
		used += be32_get(agf->refcount_blocks);
	}
	if (geometry_has(g, FEATURE_FINOBT))
		want += tree_blocks(g, length / g->chunk_blocks, sizeof(struct inobt_rec));
	return want > used ? (u32)(want - used) : 0;
}

u32 space_for_files(const struct ag *ag)
{
	u32 unused = be32_get(((const struct agf *)ag->agf_buf->data)->freeblks),
	    kept = reserve(ag);

	return unused > kept ? unused - kept : 0;
}

/* The first run of [at, end) that was freed by a commit that is not durable, or by this very
 * transaction. */
static bool busy(const struct ag *ag, u64 at, u64 end, u64 *from, u64 *until)
{
	const struct geometry *g = &ag->vol->geo;
	u64 base = agblock_daddr(g, ag->number, 0).v, low = base + (at << g->block_log);
	u64 high = base + (end << g->block_log), first = high, last = high;
	const struct version_freed *freed;
	u32 count;

	if (!ag->vol->journal)
		return false;
	if (!journal_busy(ag->vol->journal, daddr_of(low), high - low, &first, &last))
		first = high;
	freed = txn_freed_ranges(ag->txn, &count);
	for (u32 i = 0; i < count; i++) {
		if (freed[i].at >= first || freed[i].at + freed[i].size <= low)
			continue;
		first = max_u64(freed[i].at, low);
		last = freed[i].at + freed[i].size;
	}
	*from = (first - base) >> g->block_log;
	*until = (last - base) >> g->block_log;
	return first < high;
}

/* [*bno, *bno + *blocks) of the free extent, from `from` on, that is aligned, not busy, and long
 * enough. */
static bool fits(const struct ag *ag, const struct space_want *want, struct extent32 e, u32 from,
		 u32 *bno, u32 *blocks)
{
	u64 end = (u64)e.start + e.blocks, at = from > e.start ? from : e.start, stop;
	u64 first, behind;

	at = at > want->low ? at : want->low;
	end = want->high ? min_u64(end, want->high) : end;

	while (at < end) {
		at = want->align > 1 ? div_up_u64(at, want->align) * want->align : at;
		if (at >= end || end - at < want->least)
			return false;
		stop = min_u64(end, at + want->most);
		if (want->data && busy(ag, at, stop, &first, &behind)) {
			stop = first;
			if (stop <= at || stop - at < want->least) {
				at = behind;
				continue;
			}
		}
		*bno = (u32)at;
		*blocks = (u32)(stop - at);
		return true;
	}
	return false;
}

#define LOOK_NEAR 64  /* free extents behind `near` that are looked at */
#define LOOK_SIZE 256 /* of those that are large enough */

/* Behind `near`, by address. */
static int find_near(struct ag *ag, const struct space_want *want, struct extent32 *e, u32 *bno,
		     u32 *blocks)
{
	struct btree_key key = {{want->near, NULL32, 0}};
	struct alloc_rec record;
	struct btree t;
	int err = ag_tree(ag, META_BNOBT, &t);

	if (err)
		return err;
	err = btree_find_le(&t, &key, &record);
	for (u32 i = 0; i < LOOK_NEAR; i++) {
		if (err && err != -ENOENT)
			return err;
		*e = extent_of(&record);
		if (!err && fits(ag, want, *e, want->near, bno, blocks))
			return 0;
		if (!err)
			key.w[0] = e->start + 1ull;
		else if (i)
			return err;
		key.w[1] = 0;
		err = btree_find_ge(&t, &key, &record);
	}
	return -ENOENT;
}

/* By size: the smallest that has all that is wanted; or else the largest there are. */
static int find_sized(struct ag *ag, const struct space_want *want, struct extent32 *e, u32 *bno,
		      u32 *blocks)
{
	struct btree_key key = {{want->most, 0, 0}};
	struct alloc_rec record;
	struct btree t;
	int err = ag_tree(ag, META_CNTBT, &t);

	if (err)
		return err;
	err = btree_find_ge(&t, &key, &record);
	for (u32 i = 0; i < LOOK_SIZE && !err; i++) {
		*e = extent_of(&record);
		if (fits(ag, want, *e, 0, bno, blocks))
			return 0;
		key = (struct btree_key){{e->blocks, e->start + 1ull, 0}};
		err = btree_find_ge(&t, &key, &record);
	}
	key = (struct btree_key){{NULL64, 0, 0}};
	for (u32 i = 0; i < LOOK_SIZE && (!err || err == -ENOENT); i++) {
		err = btree_find_le(&t, &key, &record);
		if (err)
			return err;
		*e = extent_of(&record);
		if (e->blocks < want->least)
			return -ENOENT;
		if (fits(ag, want, *e, 0, bno, blocks))
			return 0;
		if (!e->start)
			return -ENOENT;
		key = (struct btree_key){{e->blocks, e->start - 1ull, 0}};
	}
	return err ? err : -ENOENT;
}

/* [bno, bno + blocks) out of the free extent that holds it. */
static int use_middle(struct ag *ag, struct extent32 e, u32 bno, u32 blocks)
{
	const struct extent32 before = {e.start, bno - e.start},
			      behind = {bno + blocks, e.start + e.blocks - bno - blocks};
	int err;

	if (e.start < geometry_ag_header_blocks(&ag->vol->geo) ||
	    (u64)e.start + e.blocks > geometry_ag_blocks(&ag->vol->geo, ag->number))
		return fail(-EUCLEAN, "AG %u: free extent %u, %u blocks", ag->number, e.start,
			    e.blocks);
	if (before.blocks)
		err = record_replace(ag, e, before);
	else if (behind.blocks)
		return record_replace(ag, e, behind);
	else
		return record_delete(ag, e);
	return err || !behind.blocks ? err : record_insert(ag, behind);
}

static int nothing(struct ag *ag, const struct space_want *want)
{
	u64 from, until;

	if (want->data && busy(ag, 0, geometry_ag_blocks(&ag->vol->geo, ag->number), &from, &until))
		return fail(-EAGAIN, "AG %u: all free space has just been freed", ag->number);
	return fail(-ENOSPC, "AG %u: no %u free blocks", ag->number, want->least);
}

/* Data goes past the journal, which must keep what a snapshot shows there. */
static int keep_shown(struct ag *ag, u32 bno, u32 blocks)
{
	const struct geometry *g = &ag->vol->geo;

	if (!ag->vol->journal)
		return 0;
	return journal_keep(ag->vol->journal, agblock_daddr(g, ag->number, bno),
			    (u64)blocks << g->block_log);
}

static int take(struct ag *ag, const struct space_want *want, const struct owner *owner, u32 *bno,
		u32 *blocks)
{
	struct space_want w = *want;
	struct extent32 e = {0};
	int err = space_prepare(ag);

	if (err)
		return err;
	if (w.data || (w.leaves && !txn_giving(ag->txn)))
		w.most = (u32)min_u64(w.most, space_for_files(ag));
	if (!w.least || w.most < w.least)
		return fail(-ENOSPC, "AG %u: no %u free blocks", ag->number, w.least);
	err = find_near(ag, &w, &e, bno, blocks);
	if (err == -ENOENT || (!err && *blocks < w.most && *bno != w.near)) {
		struct extent32 other = {0};
		u32 start = 0, count = 0;
		int none = find_sized(ag, &w, &other, &start, &count);

		if (!none && (err || count > *blocks)) {
			e = other;
			*bno = start;
			*blocks = count;
			err = 0;
		} else if (none && none != -ENOENT) {
			err = none;
		}
	}
	if (err == -ENOENT)
		return nothing(ag, &w);
	if (!err && w.data)
		err = keep_shown(ag, *bno, *blocks);
	if (!err && !MUTATE(TAKE_STILL_FREE))
		err = use_middle(ag, e, *bno, *blocks);
	if (!err)
		err = settle(ag, -(s64)*blocks);
	if (!err && (s64)owner->owner != OWNER_ELSEWHERE && !MUTATE(TAKE_NOT_MAPPED))
		err = rmap_map(ag, *bno, *blocks, owner);
	return err ? err : ag_count_free(ag->vol, ag->txn, -(s64)*blocks);
}

int space_take(struct ag *ag, const struct space_want *want, const struct owner *owner, u32 *bno,
	       u32 *blocks)
{
	if (health_fenced(ag->vol, ag->number))
		return health_refuse(ag->number);
	return health_blame(take(ag, want, owner, bno, blocks), SCRUB_BNOBT, ag->number, NO_INO);
}

int space_alloc(struct ag *ag, u32 near, const struct owner *owner, u32 *bno)
{
	const struct space_want want = {.near = near, .least = 1, .most = 1};
	u32 blocks;

	return space_take(ag, &want, owner, bno, &blocks);
}
