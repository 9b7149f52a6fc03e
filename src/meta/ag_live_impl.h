/* What ag_live.c and ag_live_catch.c share: an AG that is rebuilt while others write. */
#ifndef MENDFS_META_AG_LIVE_IMPL_H
#define MENDFS_META_AG_LIVE_IMPL_H

#include "base/side.h"
#include "fs/space.h"
#include "ledger/guard.h"
#include "meta/ag_live.h"
#include "meta/ag_rebuild_impl.h"

#define FENCE_RUNS 64

/* A posting of a commit. blocks 0: the commit ends. */
struct live_record {
	u64 owner, word; /* as in the account OWNERS */
	u32 start, blocks;
	s64 times;
};
/* An end of a range, as postings are summed up. */
struct live_event {
	u64 owner, word, at;
	s64 step;
};
/* What is left of them: a range that somebody has got, or has no more. */
struct live_op {
	u64 owner, word;
	u32 start, blocks;
	bool got;
};

struct live {
	struct repair *r, build; /* build: of the shadow */
	struct vol *vol;
	struct vol free; /* the same, its commits not guarded */
	const struct geometry *g;
	struct env *env;
	u32 ag;
	struct vol *snapshot;
	struct evidence_ag *wanted;

	/* Under the writer's lock. */
	struct guard_listener listener;
	bool listening;
	u64 began;  /* when the writers were stopped for the first time */
	u64 commit; /* postings of the one at hand */
	struct side_file *side;

	struct space_run run[FENCE_RUNS]; /* what is fenced, by start */
	u32 runs;
	u64 fenced;

	struct device *aside;
	struct vol shadow;
	struct space_pool pool;
	struct rebuild *b;

	struct space_run *old; /* what the live trees are in, as far as is caught up */
	u32 olds;

	struct live_record *record; /* read from the side file, and not summed up yet */
	u64 records, record_room;
	struct live_event *event;
	u64 event_room;
	struct live_op *op;
	u64 ops;
	struct ag_live_result *result;
};

/* The listener's. */
void live_posted(void *arg, const struct sweep_posting *posting);
void live_ended(void *arg, bool committed);
/* Brings what waits in the side file, or a good deal of it, into the shadow. */
int live_catch_up(struct live *l);
/* Room for the work of live_catch_up(). */
int live_catch_open(struct live *l);
void live_catch_close(struct live *l);

#endif
