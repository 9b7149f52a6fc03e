/* What sweep.c and sweep_own.c share: the jobs of a sweep at work; see sweep.c. */
#ifndef MENDFS_LEDGER_SWEEP_IMPL_H
#define MENDFS_LEDGER_SWEEP_IMPL_H

#include "fs/refcount.h"
#include "ledger/sweep.h"

#define DEPTH_MAX 40 /* headers, the levels of a tree, and some room */
#define PROGRESS_EVERY 4096
#define LOOP_FINDINGS 1000

struct frame {
	struct ref *ref;
	u32 count, capacity, next;
};

/*
 * References that any job may visit: what is known of a block travels with the reference, and
 * postings add up, so it does not matter who visits it. An AG with most of the files does not keep
 * one worker busy alone.
 */
#define POOL_REFS 1024
#define POOL_TAKE 8 /* at a time, for neighbours to stay together */
#define AHEAD_MAX (128u << 10)
#define OFFER_FROM 4 /* smaller frames are not worth a lock */
struct pool {
	struct ref ref[POOL_REFS];
	u32 count;
	u32 busy; /* jobs that may still offer something */
};

struct report {
	struct vol *vol;
	struct pool *pool; /* under lock */
	struct ledger *ledger;
	struct loops *loops;
	const struct sweep_options *options;
	struct env_lock *lock;
	struct sweep_stats *stats;
	u64 done, total;
	bool audit;
	const struct sweep_part *part; /* NULL: all is swept */
};

struct job {
	struct sweep sweep; /* first: post() gets this */
	struct report *report;
	struct frame frame[DEPTH_MAX];
	u32 depth; /* frames in use */
	u64 visited, limit;
	u32 strays;
	int err; /* that a posting met, which returns nothing */
	struct sweep_stats stats;
	struct refcount_hint share;
	u32 ag;
};

/* What sweep.told is where the options ask for postings. */
void sweep_tell(struct sweep *sweep, const struct sweep_posting *posting);

static inline struct job *job_of(struct sweep *sweep)
{
	return (struct job *)sweep;
}

#endif
