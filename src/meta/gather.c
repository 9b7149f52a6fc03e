/*
 * What rebuilds of the whole filesystem are made from, while others write; see repair_gather().
 *
 * 1. In one instant the cache forgets what is clean, a snapshot is opened, and the commit guard
 *    begins to tell what commits post.  So the snapshot, the cache and the side file agree.
 * 2. The listener runs in the writer's thread and only adds to the side file (base/side.h); the
 *    sweep, and whoever reads the side file, is the caller's thread.
 * 3. When an error comes back nobody listens; whether vol is alone, vol->alone tells.
 */
#include "base/side.h"
#include "base/trail.h"
#include "format/verify.h"
#include "ledger/guard.h"
#include "meta/rebuild.h"

#include <errno.h>

#define SIDE_MEMORY (1u << 20)
#define BATCH 1024u	   /* postings that are read at a time */
#define FEW_WAITING 4096u  /* then the writers are stopped for them */
#define ROUNDS_MAX 100000u /* of BATCH; who cannot follow gives up */

/* A posting without pointers. */
struct told {
	struct fact fact;
	u64 start, length, ino;
	s64 times;
	u8 account, side;
};

struct listening {
	struct side_file *side;
	struct guard_listener listener;
	struct vol *vol;
	struct told *batch;
	bool any, on;
};

/* ---- the writer's side ---- */

static void on_posted(void *arg, const struct sweep_posting *p)
{
	struct listening *l = arg;
	struct told t = {.fact = *p->fact,
			 .start = p->start,
			 .length = p->length,
			 .ino = p->where ? p->where->ino : NO_INO,
			 .times = p->times,
			 .account = (u8)p->account,
			 .side = (u8)p->side};

	l->any = true;
	side_add(l->side, &t);
}

static void on_ended(void *arg, bool committed)
{
	struct listening *l = arg;

	if (l->any && committed)
		side_publish(l->side);
	else if (l->any)
		side_drop(l->side);
	l->any = false;
}

static void stop_listening(struct listening *l)
{
	if (l->on)
		guard_listen(l->vol->guard, NULL);
	l->on = false;
}

/* ---- the reader's side ---- */

/* Tells what has been published, as long as more than `few` are waiting. */
static int follow(struct listening *l, const struct sweep_options *options, u64 few)
{
	u64 count = 1;
	int err = 0;

	for (u32 round = 0; !err && count && side_waiting(l->side) > few; round++) {
		if (few && round == ROUNDS_MAX)
			return fail(-EAGAIN, "commits come too fast to be followed");
		err = side_read(l->side, l->batch, BATCH, &count);
		for (u64 i = 0; i < count && !err; i++) {
			const struct told *t = &l->batch[i];
			const struct where where = {.ag = NO_AG, .ino = t->ino, .owner = NO_OWNER};
			const struct sweep_posting p = {.account = t->account,
							.side = t->side,
							.fact = &t->fact,
							.start = t->start,
							.length = t->length,
							.times = t->times,
							.where = t->ino == NO_INO ? NULL : &where};

			options->posted(options->posted_arg, &p);
		}
	}
	return err;
}

int repair_listen(struct vol *vol, size_t memory, const struct guard_listener *listener,
		  int (*also)(struct vol *view, struct txn *txn, void *arg), void *arg,
		  struct vol **snapshot)
{
	struct verdict v = {.raise = raise_nothing};
	const struct vol_options how = {.memory = memory, .verdict = &v};
	struct vol free = *vol, view;
	struct txn *txn;
	int err;

	free.guard = NULL;
	err = vol_begin(&free, &view, &txn);
	if (err)
		return err;
	err = also(&view, txn, arg);
	if (!err)
		err = vol_snapshot(vol, vol->env, &how, snapshot);
	if (!err)
		err = guard_listen(vol->guard, listener);
	err = vol_end(&free, txn, err ? err : NOTHING_CHANGED);
	return err == NOTHING_CHANGED ? 0 : err;
}

static int forget(struct vol *view, struct txn *txn, void *arg)
{
	const struct listening *l = arg;

	(void)view;
	(void)txn;
	cache_forget(l->vol->cache, NULL, 0);
	return 0;
}

/* While others write. */
static int gather_beside(struct listening *l, size_t memory, const struct sweep_options *options)
{
	struct sweep_options mine = *options;
	struct vol *snapshot = NULL;
	int err = repair_listen(l->vol, memory, &l->listener, forget, l, &snapshot);

	l->on = !err;
	mine.one_thread = true;
	if (!err)
		err = sweep_gather(snapshot, memory, &mine);
	vol_close(snapshot);
	return err ? err : follow(l, options, FEW_WAITING);
}

static int listening_open(struct listening *l, const struct sweep_options *options)
{
	int err = side_open(l->vol->env, sizeof(struct told), SIDE_MEMORY, &l->side);

	l->listener = (struct guard_listener){options->posted_accounts, on_posted, on_ended, l};
	l->batch = env_array(l->vol->env, BATCH, sizeof(*l->batch));
	if (!err && !l->batch)
		err = fail(-ENOMEM, "gathering beside writers: out of memory");
	return err;
}

int repair_gather(struct repair *r, size_t memory, const struct sweep_options *options)
{
	struct listening l = {.vol = r->beside};
	int err;

	if (!r->beside)
		return sweep_gather(r->vol, memory, options);
	if (!l.vol->journal || !l.vol->guard || l.vol->alone)
		return fail(-EOPNOTSUPP, "nobody tells of commits");
	err = listening_open(&l, options);
	if (!err) {
		journal_repair_begin(l.vol->journal);
		err = gather_beside(&l, memory, options);
		if (err) {
			stop_listening(&l);
			journal_repair_end(l.vol->journal);
		}
	}
	if (!err) {
		vol_alone_too(r->beside, r->vol);
		stop_listening(&l);
		err = follow(&l, options, 0);
	}
	side_close(l.side);
	env_free(l.vol->env, l.batch);
	return err;
}
