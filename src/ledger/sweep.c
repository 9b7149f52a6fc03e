/*
 * The sweep: see sweep.h.
 *
 * A job owns its stack of frames and its book.  The report (findings, statistics, progress) is
 * shared and guarded by report->lock.
 *
 * 1. frame[0] holds the headers of the AG; frame[d+1] what the post() of frame[d]'s current
 * reference pushed.
 * 2. A frame is sorted by address before its first reference is visited.
 * 3. visited <= limit: more blocks than the filesystem has means that pointers lead astray.
 */
#include "base/trail.h"
#include "format/inode.h"
#include "format/verify.h"
#include "ledger/about.h"
#include "ledger/loops.h"
#include "ledger/sweep_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void raise_finding(struct verdict *v, const struct finding *finding)
{
	struct report *report = v->sink;
	struct env *env = report->vol->env;

	if (report->audit || report->options->gather)
		return; /* the first sweep has said so */
	if (report->options->only &&
	    !about_concerns(report->vol->types, report->options->only, finding))
		return;
	env->lock_take(report->lock);
	if (report->options->finding)
		report->options->finding(report->options->finding_arg, finding);
	else
		env->finding(env, finding);
	env->lock_drop(report->lock);
}

struct verdict sweep_verdict(struct sweep *sweep, const struct where *where)
{
	return (struct verdict){
	    .raise = raise_finding, .where = *where, .sink = job_of(sweep)->report};
}

static struct frame *top_frame(struct job *job)
{
	return &job->frame[job->depth - 1];
}

static int frame_grow(struct env *env, struct frame *f)
{
	u32 capacity = f->capacity ? f->capacity * 2 : 64;
	struct ref *ref = env_grow(env, f->ref, f->count, capacity, sizeof(*ref));

	if (!ref)
		return fail(-ENOMEM, "the sweep: out of memory");
	f->ref = ref;
	f->capacity = capacity;
	return 0;
}

int sweep_push(struct sweep *sweep, const struct ref *ref)
{
	const struct sweep_part *part = job_of(sweep)->report->part;
	struct frame *f = top_frame(job_of(sweep));

	if (part && !(part->types >> ref->type->id & 1))
		return 0;
	if (f->count == f->capacity) {
		int err = frame_grow(sweep->vol->env, f);

		if (err)
			return err;
	}
	f->ref[f->count++] = *ref;
	return 0;
}

static void count_read(struct job *job, u32 size)
{
	job->stats.blocks++;
	job->stats.bytes += size;
}

/* The ranges lie on the device, or a finding says that they do not. */
static bool in_device(struct verdict *v, const struct vol *vol, const struct cache_range *ranges,
		      u32 count)
{
	for (u32 i = 0; i < count; i++) {
		if (ranges[i].at.v <= vol->data->size &&
		    ranges[i].size <= vol->data->size - ranges[i].at.v)
			continue;
		raise_u64(v, sweep_defs->beyond_end, NULL, ranges[i].at.v / 512,
			  vol->data->size / 512);
		return false;
	}
	return true;
}

/* Reads raw; a failing device is a finding, and *out NULL. */
static int read_raw(struct job *job, struct verdict *v, const struct cache_range *ranges, u32 count,
		    struct buf **out)
{
	int err;

	*out = NULL;
	if (!in_device(v, job->sweep.vol, ranges, count))
		return 0;
	err = cache_get_ranges(job->sweep.vol->cache, NULL, NULL, ranges, count, out);
	if (err == -EIO) {
		raise_text(v, sweep_defs->read_failed, NULL, trail_text(), NULL);
		return 0;
	}
	if (!err)
		count_read(job, (*out)->size);
	return err;
}

static void tell_visited(struct job *job, const struct ref *ref)
{
	struct report *report = job->report;

	if (!report->options->visited || report->audit)
		return;
	report->vol->env->lock_take(report->lock);
	report->options->visited(report->options->visited_arg, ref);
	report->vol->env->lock_drop(report->lock);
}

void sweep_check_lsn(struct sweep *sweep, struct verdict *v, u64 lsn)
{
	u64 head = vol_log_head(sweep->vol);
	char found[32], expected[32];

	if (!lsn_ahead(lsn, head))
		return;
	snprintf(found, sizeof(found), "%" PRIu64 ":%" PRIu64, lsn >> 32, lsn & NULL32);
	snprintf(expected, sizeof(expected), "%" PRIu64 ":%" PRIu64, head >> 32, head & NULL32);
	raise_text(v, sweep_defs->lsn, NULL, found, expected);
}

/* Raised last, since it says nothing about what else is in the block. */
static void check_block_lsn(struct sweep *sweep, struct verdict *v, const struct meta_type *type,
			    const struct buf *buf)
{
	struct be64 lsn;

	if (!type->lsn_offset || v->worst >= SEVERITY_CORRUPT ||
	    type->lsn_offset + sizeof(lsn) > buf->size)
		return;
	memcpy(&lsn, buf->data + type->lsn_offset, sizeof(lsn));
	sweep_check_lsn(sweep, v, be64_get(lsn));
}

/* The job ends; what it still reads on its way out is not there. */
static int too_many(struct job *job, const struct where *where)
{
	struct verdict v = sweep_verdict(&job->sweep, where);

	if (job->visited <= job->limit + 1)
		raise_value(&v, sweep_defs->too_many, NULL, job->visited);
	job->depth = 0;
	return 0;
}

int sweep_read(struct sweep *sweep, const struct meta_type *type, const struct where *where,
	       const struct cache_range *ranges, u32 count, struct buf **out, enum severity *worst)
{
	struct verdict v = sweep_verdict(sweep, where);
	struct job *job = job_of(sweep);
	int err;

	*out = NULL;
	*worst = SEVERITY_INCOMPLETE;
	if (++job->visited > job->limit)
		return too_many(job, where);
	err = read_raw(job, &v, ranges, count, out);
	if (!err && *out) {
		const struct ref ref = {.type = type,
					.at = (*out)->at,
					.size = (*out)->size,
					.where = *where,
					.level = -1,
					.ranges = count > 1 ? ranges : NULL,
					.range_count = count > 1 ? count : 0};

		tell_visited(job, &ref);
		verify(&v, type, sweep->g, (*out)->data, (*out)->size);
	}
	*worst = v.worst;
	if (*out)
		check_block_lsn(sweep, &v, type, *out);
	return err;
}

static void tell_progress(struct job *job)
{
	struct report *report = job->report;
	struct env *env = report->vol->env;
	struct progress p = {report->audit ? "auditing" : "reading metadata", 0, report->total,
			     "inodes"};

	env->lock_take(report->lock);
	report->done += job->stats.inodes;
	report->stats->blocks += job->stats.blocks;
	report->stats->bytes += job->stats.bytes;
	report->stats->inodes += job->stats.inodes;
	report->stats->directories += job->stats.directories;
	report->stats->names += job->stats.names;
	p.done = report->done;
	if (!report->part)
		env->progress(env, &p);
	env->lock_drop(report->lock);
	memset(&job->stats, 0, sizeof(job->stats));
}

int sweep_link(struct sweep *sweep, u64 dir, u64 parent)
{
	const u64 root = sweep->g->root_ino;

	if (sweep->audit || job_of(sweep)->report->part || dir == root || parent == root)
		return 0;
	return loops_add(job_of(sweep)->report->loops, dir, parent);
}

void sweep_count(struct sweep *sweep, u64 inodes, u64 directories, u64 names)
{
	struct job *job = job_of(sweep);

	job->stats.inodes += inodes;
	job->stats.directories += directories;
	job->stats.names += names;
	if (job->stats.inodes >= PROGRESS_EVERY)
		tell_progress(job);
}

static int visit(struct job *job, const struct ref *ref)
{
	const struct cache_range range = {ref->at, ref->size};
	struct verdict v = sweep_verdict(&job->sweep, &ref->where);
	const struct meta_type *type = ref->type;
	struct buf *buf;
	int err = read_raw(job, &v, &range, 1, &buf);

	if (err || !buf)
		return err;
	tell_visited(job, ref);
	verify(&v, type, job->sweep.g, buf->data, buf->size);
	job->sweep.verdict = &v;
	if (type->post)
		err = type->post(&job->sweep, ref, buf->data, buf->size);
	job->sweep.verdict = NULL;
	check_block_lsn(&job->sweep, &v, type, buf);
	if (ref->once)
		cache_done(job->sweep.vol->cache, buf);
	else
		cache_put(job->sweep.vol->cache, buf);
	return err;
}

static int by_address(const void *a, const void *b)
{
	u64 x = ((const struct ref *)a)->at.v, y = ((const struct ref *)b)->at.v;

	return x < y ? -1 : x > y;
}

static bool is_sorted(const struct frame *f)
{
	for (u32 i = 1; i < f->count; i++)
		if (f->ref[i].at.v < f->ref[i - 1].at.v)
			return false;
	return true;
}

/* Those that touch each other are asked for together, up to what a device reads ahead at once. */
static void read_ahead(struct cache *cache, const struct frame *f)
{
	for (u32 i = 0; i < f->count;) {
		u64 start = f->ref[i].at.v, end = start;

		do
			end += f->ref[i++].size;
		while (i < f->count && f->ref[i].at.v == end &&
		       end + f->ref[i].size - start <= AHEAD_MAX);
		cache_will_need(cache, daddr_of(start), end - start);
	}
}

static void sort_frame(struct job *job, struct frame *f)
{
	if (!is_sorted(f))
		qsort(f->ref, f->count, sizeof(*f->ref), by_address);
	read_ahead(job->sweep.vol->cache, f);
}

/* Keeps the first reference and gives away the others, as far as there is room. */
static void offer(struct job *job, struct frame *f)
{
	struct report *report = job->report;
	struct env *env = report->vol->env;
	struct pool *pool = report->pool;

	if (env->workers < 2 || f->count < OFFER_FROM)
		return;
	env->lock_take(report->lock);
	while (f->count > 1 && pool->count < POOL_REFS)
		pool->ref[pool->count++] = f->ref[--f->count];
	env->lock_drop(report->lock);
}

/* Takes some references as the job's first frame; false when there are none, or on job->err. */
static bool take(struct job *job)
{
	struct report *report = job->report;
	struct env *env = report->vol->env;
	struct pool *pool = report->pool;
	struct frame *f = &job->frame[0];

	while (!job->err && f->capacity < POOL_TAKE)
		job->err = frame_grow(env, f);
	if (job->err)
		return false;
	f->count = f->next = 0;
	env->lock_take(report->lock);
	while (pool->count && f->count < POOL_TAKE)
		f->ref[f->count++] = pool->ref[--pool->count];
	env->lock_drop(report->lock);
	job->depth = f->count ? 1 : 0;
	return f->count != 0;
}

/* Visits the next reference; its children become a frame of their own. */
static int step(struct job *job)
{
	struct frame *f = top_frame(job);
	struct ref ref;
	int err;

	if (f->next == f->count) {
		job->depth--;
		return 0;
	}
	ref = f->ref[f->next++];
	if (++job->visited > job->limit || job->depth == DEPTH_MAX)
		return too_many(job, &ref.where);
	job->depth++;
	f = top_frame(job);
	f->count = f->next = 0;
	if (env_stopped(job->sweep.vol->env))
		return fail(-ECANCELED, "the sweep has been stopped");
	err = visit(job, &ref);
	if (!err)
		err = job->err;
	if (!err && f->count > 1) {
		sort_frame(job, f);
		offer(job, f);
	}
	return err;
}

static int run(struct job *job)
{
	int err = job->err;

	while (!err && job->depth)
		err = step(job);
	return err;
}

static void count_busy(struct report *report, bool begin)
{
	struct env *env = report->vol->env;

	env->lock_take(report->lock);
	if (begin)
		report->pool->busy++;
	else
		report->pool->busy--;
	env->lock_drop(report->lock);
}

static bool anyone_busy(struct report *report)
{
	struct env *env = report->vol->env;
	bool busy;

	env->lock_take(report->lock);
	busy = report->pool->busy != 0;
	env->lock_drop(report->lock);
	return busy;
}

/*
 * What others have offered, until nobody can offer any more. Whoever offers takes until the pool is
 * empty before it ends, so nothing is left in it when the last job has ended.
 */
static int help(struct job *job)
{
	struct env *env = job->report->vol->env;

	for (;;) {
		bool busy =
		    anyone_busy(job->report); /* asked first: then an empty pool is the end */
		int err;

		if (take(job)) {
			err = run(job);
			if (err)
				return err;
		} else if (job->err || !busy) {
			return job->err;
		} else {
			env->pause(env);
		}
	}
}

static int push_headers(struct job *job)
{
	const struct vol *vol = job->sweep.vol;
	const struct geometry *g = job->sweep.g;

	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = vol->types->type[i];
		struct ref ref = {.type = type, .level = -1};
		int err;

		if (!type->place || type->scope != SCOPE_AG || (type->present && !type->present(g)))
			continue;
		ref.at = type->place(g, job->ag);
		ref.size = type->size(g);
		ref.where = (struct where){.type = type->name,
					   .ag = job->ag,
					   .ino = NO_INO,
					   .daddr = ref.at.v,
					   .owner = NO_OWNER};
		err = sweep_push(&job->sweep, &ref);
		if (err)
			return err;
	}
	return 0;
}

static void close_job(struct job *job)
{
	struct env *env = job->sweep.vol->env;

	refcount_hint_drop(job->sweep.vol, &job->share);
	for (u32 i = 0; i < DEPTH_MAX; i++)
		env_free(env, job->frame[i].ref);
	tell_progress(job);
	env_free(env, job);
}

/* As if the inobt had a chunk of this one inode. */
static int push_inode(struct job *job, struct inum ino)
{
	const struct geometry *g = job->sweep.g;
	u32 ag = inum_ag(g, ino), agino = inum_agino(g, ino);
	const struct meta_type *type = vol_type(job->sweep.vol, META_INODES);
	struct ref ref = {.type = type, .level = -1, .size = g->inode_size};

	ref.at = inum_daddr(g, ino);
	ref.where = (struct where){
	    .type = type->name, .ag = ag, .ino = NO_INO, .daddr = ref.at.v, .owner = NO_OWNER};
	ref.arg[0] = ref.arg[2] = agino;
	return sweep_push(&job->sweep, &ref);
}

/* Everything that hangs on the headers of the AG, and then what is on offer. */
static int sweep_ag(struct job *job)
{
	const struct sweep_part *part = job->report->part;
	int err;

	job->depth = 1;
	err = part && part->ino != NO_INO ? push_inode(job, inum_of(part->ino)) : push_headers(job);
	if (!err)
		err = run(job);
	while (!err && take(job))
		err = run(job);
	return err ? err : job->err;
}

static int sweep_with_book(struct job *job, bool helper)
{
	struct report *report = job->report;
	int err = book_open(report->ledger, &job->sweep.book), closed;

	if (err)
		return err;
	err = helper ? help(job) : sweep_ag(job);
	closed = book_close(job->sweep.book);
	return err ? err : closed;
}

/* Jobs: one an AG, and as many as there are other workers that only help. */
static int sweep_job(void *arg, u32 index)
{
	struct report *report = arg;
	struct vol *vol = report->vol;
	struct job *job = env_alloc(vol->env, sizeof(*job));
	bool helper = index >= vol->geo.ag_count;
	int err = 0;

	if (job) {
		job->sweep = (struct sweep){
		    .vol = vol,
		    .g = &vol->geo,
		    .times = 1,
		    .audit = report->audit,
		    .told = report->options->posted && !report->audit ? sweep_tell : NULL,
		    .found = report->options->found,
		    .preen = report->options->preen,
		    .names = report->options->names};
		job->report = report;
		job->ag = report->part ? report->part->ag : index;
		/* Inodes of one AG may own blocks in all. A large block may hold several chunks. */
		job->limit = vol->geo.data_blocks *
				 max_u64(1, vol->geo.inodes_per_block / INODES_PER_CHUNK) +
			     DEPTH_MAX;
		err = sweep_with_book(job, helper);
		close_job(job);
	}
	if (!helper)
		count_busy(report, false);
	return job ? err : fail(-ENOMEM, "the sweep: out of memory");
}

static int run_jobs(struct report *report)
{
	struct env *env = report->vol->env;
	u32 ags = report->vol->geo.ag_count;
	int err = 0;

	report->pool->count = 0;
	report->pool->busy = ags;
	for (u32 i = 0; report->options->one_thread && i < ags && !err; i++)
		err = sweep_job(report, i);
	if (!report->options->one_thread)
		err = env->parallel(env, ags + env->workers - 1, sweep_job, report);
	if (!err && report->pool->count)
		__builtin_trap(); /* a reference that nobody visited: a bug of ours */
	return err;
}

bool sweep_may_stray(struct sweep *sweep)
{
	return job_of(sweep)->strays++ < SWEEP_STRAYS;
}

static int sweep_again(struct report *report, int (*begin)(struct ledger *ledger))
{
	int err = begin(report->ledger);

	report->done = 0;
	return err ? err : run_jobs(report);
}

static int audit(struct report *report)
{
	struct verdict v = {.raise = raise_finding, .sink = report};
	struct sweep_stats stats = *report->stats;
	int err = 0;

	report->audit = true;
	if (ledger_worth_sifting(report->ledger))
		err = sweep_again(report, ledger_begin_sift);
	if (!err)
		err = sweep_again(report, ledger_begin_audit);
	report->audit = false;
	*report->stats = stats;
	return err ? err : ledger_audit(report->ledger, &v);
}

struct loop_report {
	struct report *report;
	u64 count;
};

static struct verdict directory_verdict(struct report *report, u64 ino)
{
	const struct vol *vol = report->vol;

	return (struct verdict){
	    .raise = raise_finding,
	    .sink = report,
	    .where = {.type = vol_type(vol, META_DIRECTORY)->name,
		      .ag = ino == NO_INO ? NO_AG : inum_ag(&vol->geo, inum_of(ino)),
		      .ino = ino,
		      .daddr = NO_DADDR,
		      .owner = NO_OWNER},
	};
}

static void raise_loop(void *arg, u64 dir)
{
	struct loop_report *r = arg;
	struct verdict v = directory_verdict(r->report, dir);

	if (++r->count <= LOOP_FINDINGS)
		raise_value(&v, sweep_defs->loop, NULL, dir);
}

static int find_loops(struct report *report)
{
	struct loop_report r = {.report = report};
	struct verdict v = directory_verdict(report, NO_INO);
	int err = loops_find(report->loops, raise_loop, &r);
	char more[24];

	if (r.count <= LOOP_FINDINGS)
		return err;
	snprintf(more, sizeof(more), "%" PRIu64, r.count - LOOP_FINDINGS);
	raise_text(&v, ledger_more, NULL, more, v.where.type);
	return err;
}

int sweep_run(struct vol *vol, const struct sweep_options *options, struct sweep_stats *stats)
{
	static const struct sweep_options none;
	struct report report = {.vol = vol,
				.options = options ? options : &none,
				.stats = stats,
				.total = vol->geo.icount};
	struct env *env = vol->env;
	int err;

	memset(stats, 0, sizeof(*stats));
	report.lock = env->lock_create(env);
	report.pool = env_alloc(env, sizeof(*report.pool));
	err = report.lock && report.pool ? ledger_open(env, &report.ledger)
					 : fail(-ENOMEM, "the sweep: out of memory");
	if (!err && report.options->gather)
		ledger_add_nothing(report.ledger);
	else if (!err && report.options->sift)
		err = ledger_sift_all(report.ledger);
	if (!err)
		err = loops_open(env, &report.loops);
	if (!err)
		err = run_jobs(&report);
	if (!err && !report.options->gather)
		err = find_loops(&report);
	if (!err && !report.options->gather && ledger_imbalances(report.ledger))
		err = audit(&report);
	loops_close(report.loops);
	ledger_close(report.ledger);
	env_free(env, report.pool);
	env->lock_destroy(env, report.lock);
	return err;
}

/* What leads from a header to the types. */
static u64 with_headers(const struct vol *vol, u64 types)
{
	u64 all = types;

	for (u32 i = 0; i < META_COUNT; i++)
		if (types >> i & 1 && vol->types->type[i]->root.field)
			all |= 1ull << vol->types->type[i]->root.header;
	return all;
}

int sweep_part(struct vol *vol, const struct sweep_options *options, const struct sweep_part *part)
{
	struct sweep_part p = *part;
	struct sweep_stats stats = {0};
	struct report report = {.vol = vol, .options = options, .stats = &stats, .part = &p};
	struct env *env = vol->env;
	int err;

	p.types = p.ino != NO_INO ? 1ull << META_INODES : with_headers(vol, p.types);
	report.lock = env->lock_create(env);
	report.pool = env_alloc(env, sizeof(*report.pool));
	err = report.lock && report.pool ? ledger_open(env, &report.ledger)
					 : fail(-ENOMEM, "the sweep: out of memory");
	if (!err)
		err = sweep_job(&report, 0);
	ledger_close(report.ledger);
	env_free(env, report.pool);
	env->lock_destroy(env, report.lock);
	return err;
}

int sweep_gather(struct vol *vol, size_t memory, const struct sweep_options *options)
{
	struct sweep_options gather = *options;
	struct verdict v = {.raise = raise_nothing};
	const struct vol_options how = {.memory = memory, .verdict = &v};
	struct sweep_stats stats;
	struct vol *snapshot;
	int err = vol_snapshot(vol, vol->env, &how, &snapshot);

	gather.gather = true;
	/* who is about to count may ask for more than the superblock says yet (meta/quota_turn.c)
	 */
	if (!err)
		snapshot->geo.quota_flags = vol->geo.quota_flags;
	if (!err)
		err = sweep_run(snapshot, &gather, &stats);
	vol_close(snapshot);
	return err;
}
