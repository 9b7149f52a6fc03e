/* Discarding free space; see trim.h. */
#include "fs/trim.h"

#include "base/trail.h"
#include "fs/space.h"

#include <errno.h>

#define STEP_EXTENTS 64 /* free extents of one step: the writer waits that long */

static int discard(struct vol *vol, struct trim *t, u64 from, u64 end)
{
	struct device *home = vol->home;
	int err;

	if (end - from < t->least)
		return 0;
	if (!home->discard)
		return -EOPNOTSUPP;
	err = journal_keep(vol->journal, daddr_of(from), end - from);
	if (!err)
		err = home->discard(home, daddr_of(from), end - from);
	if (!err)
		t->discarded += end - from;
	return err;
}

/* A free extent, without what was freed a moment ago. */
static int discard_quiet(struct vol *vol, struct trim *t, u64 from, u64 end)
{
	u64 busy, behind;
	int err = 0;

	while (from < end && !err) {
		if (!journal_busy(vol->journal, daddr_of(from), end - from, &busy, &behind))
			return discard(vol, t, from, end);
		if (busy > from)
			err = discard(vol, t, from, busy);
		from = behind;
	}
	return err;
}

/* The extents of one AG that lie in [*at, end), blocks of the AG. */
static int trim_ag(struct ag *ag, struct trim *t, u32 *at, u32 end)
{
	const struct geometry *g = &ag->vol->geo;
	struct btree_key key = {{*at, NULL32, 0}};
	struct alloc_rec record;
	struct btree tree;
	int err = ag_tree(ag, META_BNOBT, &tree);

	if (!err)
		err = btree_find_le(&tree, &key, &record);
	for (u32 i = 0; i < STEP_EXTENTS; i++) {
		u64 start, stop;

		if (err && err != -ENOENT)
			return err;
		if (!err) {
			start = max_u64(be32_get(record.startblock), *at);
			stop = min_u64(
			    (u64)be32_get(record.startblock) + be32_get(record.blockcount), end);
			if (start < stop)
				err = discard_quiet(ag->vol, t,
						    agblock_daddr(g, ag->number, (u32)start).v,
						    agblock_daddr(g, ag->number, (u32)start).v +
							((stop - start) << g->block_log));
			if (err)
				return err;
			*at = (u32)max_u64(*at, stop);
		} else if (i) {
			*at = end;
		}
		if (*at >= end)
			return 0;
		key = (struct btree_key){{*at, 0, 0}};
		err = btree_find_ge(&tree, &key, &record);
	}
	return 0;
}

int trim_step(struct vol *vol, struct txn *txn, struct trim *t)
{
	const struct geometry *g = &vol->geo;
	u64 ag_bytes = (u64)g->ag_blocks << g->block_log, base, end;
	struct ag ag;
	u32 at, stop;
	int err;

	t->end = min_u64(t->end, g->data_blocks << g->block_log);
	if (t->at >= t->end) {
		t->at = t->end;
		return 0;
	}
	err = ag_open(vol, txn, (u32)(t->at / ag_bytes), &ag);
	if (err)
		return err;
	base = ag.number * ag_bytes;
	end = min_u64(t->end - base, (u64)geometry_ag_blocks(g, ag.number) << g->block_log);
	at = (u32)div_up_u64(t->at - base, g->block_size);
	stop = (u32)(end >> g->block_log);
	err = at < stop ? trim_ag(&ag, t, &at, stop) : 0;
	if (at >= stop)
		t->at = min_u64(base + ag_bytes, t->end);
	else
		t->at = base + ((u64)at << g->block_log);
	return err;
}

int trim_run(struct vol *vol, struct trim *t)
{
	int err = 0;

	while (!err && t->at < t->end) {
		struct txn *txn;

		err = vol_begin(vol, NULL, &txn);
		if (err)
			return err;
		err = trim_step(vol, txn, t);
		err = vol_end(vol, txn, err ? err : NOTHING_CHANGED);
		if (err == NOTHING_CHANGED)
			err = 0;
	}
	return err;
}
