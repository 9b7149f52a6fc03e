/*
 * The journal; see journal.h.
 *
 * 1. The log has, between tail and head, whole checkpoints with rising numbers, of which the first
 *    thing said of each buffer is all of it.
 * 2. versions.durable is the number of the last of them.
 * 3. What waits for the log never needs more than half of it, so that a checkpoint always fits
 *    when all else is home: journal_begin() lets nobody in beyond a quarter, and no transaction may
 *    have more than an eighth.
 */
#include "log/journal.h"

#include "base/trail.h"
#include "log/busy.h"
#include "log/replay.h"
#include "log/txn.h"
#include "log/writer.h"

#include <errno.h>
#include <stdatomic.h>

#define PENDING_SHARE 4
#define TXN_SHARE 8
#define HOME_SHARE 2 /* of the log in use, before all is written home */

struct journal {
	struct env *env;
	const struct geometry *g;
	struct cache *cache;
	struct device *home;
	struct versions *versions;
	struct log_writer *writer;
	struct busy *busy;  /* until what freed it is durable */
	struct busy *shown; /* metadata that was freed, and a snapshot may show */
	struct busy *fenced;
	struct env_lock *work, *commits, *repairs;
	atomic_uint want_alone;
	atomic_bool missed; /* what is fenced */
	struct env_shared *readers, *gate;
	struct txn *spare; /* for the next transaction, or NULL; under `commits` */
	void (*on_durable)(void *arg, u64 number);
	void *durable_arg;
	size_t memory;
	u64 durable; /* under `work` */
	bool cleared, finished, held;
	bool stopped; /* written under `work` and `commits`, read under either */
	void (*on_settled)(void *arg, u64 at, u64 size);
	void *settled_arg;
	struct journal_stats stats;
};

static u64 log_bytes(const struct journal *j)
{
	return (u64)log_writer_blocks(j->writer) * LOG_BLOCK;
}

u64 journal_txn_max(const struct journal *j)
{
	return min_u64(log_bytes(j) / TXN_SHARE, TXN_MEMORY_MAX);
}

int journal_open(struct env *env, const struct journal_options *options, struct journal **out)
{
	struct journal *j = env_alloc(env, sizeof(*j));
	int err;

	*out = NULL;
	if (!j)
		return fail(-ENOMEM, "the journal: out of memory");
	j->env = env;
	j->g = options->g;
	j->home = options->home;
	j->memory = options->memory;
	j->durable = 1;
	j->work = env->lock_create(env);
	j->commits = env->lock_create(env);
	j->repairs = env->lock_create(env);
	j->readers = env->shared_create(env);
	j->gate = env->shared_create(env);
	err = j->work && j->commits && j->repairs && j->readers && j->gate
		  ? 0
		  : fail(-ENOMEM, "the journal: out of memory");
	if (!err)
		err = versions_open(env, j->home, j->memory, &j->versions);
	if (!err)
		err = busy_open(env, &j->busy);
	if (!err)
		err = busy_open(env, &j->shown);
	if (!err)
		err = busy_open(env, &j->fenced);
	if (!err)
		err =
		    log_writer_open(env, j->g, j->home, options->log, options->status, &j->writer);
	if (err)
		journal_close(j);
	else
		*out = j;
	return err;
}

void journal_attach(struct journal *j, struct cache *cache)
{
	j->cache = cache;
	versions_attach(j->versions, cache);
}

struct device *journal_device(struct journal *j)
{
	return versions_device(j->versions);
}

void journal_on_durable(struct journal *j, void (*fn)(void *arg, u64 number), void *arg)
{
	j->on_durable = fn;
	j->durable_arg = arg;
}

void journal_on_settled(struct journal *j, void (*fn)(void *arg, u64 at, u64 size), void *arg)
{
	j->env->lock_take(j->work);
	j->on_settled = fn;
	j->settled_arg = arg;
	j->env->lock_drop(j->work);
}

void journal_stop(struct journal *j)
{
	j->env->lock_take(j->work);
	j->env->lock_take(j->commits);
	j->stopped = true;
	j->env->lock_drop(j->commits);
	j->env->lock_drop(j->work);
}

static int stopped(const struct journal *j)
{
	return j->stopped ? fail(-EIO, "the filesystem has been shut down") : 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	txn_free(j->spare);
	log_writer_close(j->writer);
	busy_close(j->busy);
	busy_close(j->shown);
	busy_close(j->fenced);
	versions_close(j->versions);
	if (j->work)
		j->env->lock_destroy(j->env, j->work);
	if (j->commits)
		j->env->lock_destroy(j->env, j->commits);
	if (j->repairs)
		j->env->lock_destroy(j->env, j->repairs);
	if (j->readers)
		j->env->shared_destroy(j->env, j->readers);
	if (j->gate)
		j->env->shared_destroy(j->env, j->gate);
	env_free(j->env, j);
}

bool journal_busy(struct journal *j, struct daddr at, u64 size, u64 *from, u64 *end)
{
	u64 start, stop;
	bool found = busy_find(j->busy, at.v, size, from, end);

	if (!busy_find(j->fenced, at.v, size, &start, &stop) || (found && *from <= start))
		return found;
	*from = start;
	*end = stop;
	return true;
}

/* The number means nothing. */
void journal_fence(struct journal *j, struct daddr at, u64 size)
{
	atomic_store(&j->missed, false);
	busy_add(j->fenced, at.v, size, 1);
}

void journal_unfence(struct journal *j)
{
	busy_settle(j->fenced, 1, NULL, NULL);
}

bool journal_fenced(struct journal *j, struct daddr at, u64 size, u64 *from, u64 *end)
{
	return busy_find(j->fenced, at.v, size, from, end);
}

void journal_fence_missed(struct journal *j)
{
	atomic_store(&j->missed, true);
}

int journal_keep(struct journal *j, struct daddr at, u64 size)
{
	u64 from, end, last = at.v + size;
	int err = 0;

	while (!err && at.v < last && busy_find(j->shown, at.v, last - at.v, &from, &end)) {
		end = min_u64(end, last);
		err = versions_keep(j->versions, from, end - from, j->g->block_size);
		at.v = end;
	}
	return err;
}

void journal_read_begin(struct journal *j)
{
	j->env->shared_take(j->readers, false);
}

void journal_read_end(struct journal *j)
{
	j->env->shared_drop(j->readers, false);
}

u64 journal_number(struct journal *j)
{
	return versions_number(j->versions);
}

int journal_snapshot(struct journal *j, struct device **out)
{
	return versions_snapshot(j->versions, out);
}

void journal_stats(struct journal *j, struct journal_stats *out)
{
	j->env->lock_take(j->work);
	*out = j->stats;
	j->env->lock_drop(j->work);
	out->commits = journal_number(j) - 1;
}

/* ---- commits ---- */

/* What the checkpoint of all that is pending costs at most: all chunks, every second one alone. */
static u64 pending_cost(struct journal *j)
{
	u64 bytes, units;

	versions_pending(j->versions, &bytes, &units);
	return log_writer_cost(j->writer, 2 * units + bytes / (2 * VERSION_CHUNK),
			       bytes + units * sizeof(struct log_buf) +
				   units * VERSION_MAP_WORDS * sizeof(struct log_buf_map));
}

static bool crowded(struct journal *j)
{
	return pending_cost(j) > log_writer_blocks(j->writer) / PENDING_SHARE ||
	       versions_memory(j->versions) > 2 * j->memory;
}

static int make_room(struct journal *j);

void journal_hold(struct journal *j, bool hold)
{
	j->held = hold;
}

static int begin(struct journal *j, struct txn **out)
{
	int err = 0;

	*out = j->spare;
	j->spare = NULL;
	if (!*out)
		err = txn_begin(j->env, j->cache, journal_device(j), j->g, out);
	if (err)
		return err;
	txn_use_journal(*out, j);
	txn_wait_in(*out, &j->spare);
	return 0;
}

static int begin_at_gate(struct journal *j, struct txn **out)
{
	int err;

	for (;;) {
		j->env->lock_take(j->commits);
		if (j->stopped || !crowded(j))
			break;
		j->env->lock_drop(j->commits);
		err = j->held ? fail(-ENOSPC, "the log has no room for all of it at once")
			      : make_room(j);
		if (err)
			return err;
	}
	err = j->finished ? fail(-EROFS, "the filesystem is being unmounted") : stopped(j);
	if (!err)
		err = begin(j, out);
	if (err)
		j->env->lock_drop(j->commits);
	return err;
}

int journal_begin(struct journal *j, bool alone, struct txn **out)
{
	int err;

	*out = NULL;
	if (!alone)
		j->env->shared_take(j->gate, false);
	err = begin_at_gate(j, out);
	if (err && !alone)
		j->env->shared_drop(j->gate, false);
	return err;
}

void journal_repair_begin(struct journal *j)
{
	j->env->lock_take(j->repairs);
}

void journal_repair_end(struct journal *j)
{
	j->env->lock_drop(j->repairs);
}

bool journal_repair_disturbed(struct journal *j)
{
	return atomic_load(&j->want_alone) || atomic_load(&j->missed);
}

void journal_alone_too(struct journal *j)
{
	j->env->shared_take(j->gate, true);
}

void journal_alone(struct journal *j, bool alone)
{
	if (!alone) {
		j->env->shared_drop(j->gate, true);
		journal_repair_end(j);
		return;
	}
	atomic_fetch_add(&j->want_alone, 1);
	journal_repair_begin(j);
	atomic_fetch_sub(&j->want_alone, 1);
	journal_alone_too(j);
}

int journal_end(struct journal *j, bool alone, struct txn *txn, int err)
{
	if (err)
		txn_rollback(txn);
	else
		err = txn_commit(txn);
	j->env->lock_drop(j->commits);
	if (!alone)
		j->env->shared_drop(j->gate, false);
	return err;
}

/* Readers see all of a commit or nothing. */
int journal_commit(struct journal *j, struct txn *txn, const struct version_change *changes,
		   u32 count)
{
	u32 freed_count;
	const struct version_freed *freed = txn_freed_ranges(txn, &freed_count);
	u64 number;
	bool shown;
	int err;

	j->env->shared_take(j->readers, true);
	err = versions_commit(j->versions, changes, count, freed, freed_count, &number);
	shown = !err && freed_count && versions_oldest(j->versions) < number;
	for (u32 i = 0; i < freed_count && !err; i++) {
		busy_add(j->busy, freed[i].at, freed[i].size, number);
		if (shown && !freed[i].data)
			busy_add(j->shown, freed[i].at, freed[i].size, number);
	}
	if (!err)
		txn_publish(txn);
	j->env->shared_drop(j->readers, true);
	return err;
}

/* ---- checkpoints ---- */

struct checkpoint {
	struct journal *j;
	u32 items;
	u64 regions, bytes;
};

static u32 chunks_of(const struct version_item *item)
{
	return item->range.size / VERSION_CHUNK;
}

static bool chunk_set(const struct version_item *item, u32 i)
{
	return item->map[i / 32] >> i % 32 & 1;
}

/* The run of set chunks at `from` or behind it; its length is 0 at the end. */
static u32 next_run(const struct version_item *item, u32 *from)
{
	u32 end, chunks = chunks_of(item);

	while (*from < chunks && !chunk_set(item, *from))
		(*from)++;
	for (end = *from; end < chunks && chunk_set(item, end);)
		end++;
	return end - *from;
}

/* What has come out as it was before has nothing to say, and an item without chunks is none. */
static bool wanted(const struct version_item *item)
{
	u32 at = 0;

	return item->bytes ? next_run(item, &at) != 0 : item->logged;
}

static int count_item(void *arg, const struct version_item *item)
{
	struct checkpoint *c = arg;
	u32 at = 0, run;

	if (!wanted(item))
		return 0;
	c->items++;
	c->regions++;
	c->bytes += sizeof(struct log_buf) + VERSION_MAP_WORDS * sizeof(struct log_buf_map);
	while (item->bytes && (run = next_run(item, &at)) != 0) {
		c->regions++;
		c->bytes += (u64)run * VERSION_CHUNK;
		at += run;
	}
	return 0;
}

static u32 count_runs(const struct version_item *item)
{
	u32 at = 0, run, runs = 0;

	while ((run = next_run(item, &at)) != 0) {
		runs++;
		at += run;
	}
	return runs;
}

/* A piece of a directory block has no magic that would be its own. */
static u32 flags_of(const struct version_item *item)
{
	if (!item->bytes)
		return LOG_BUF_CANCEL;
	return item->pieces ? 0 : log_buf_type_of(item->bytes) << LOG_BUF_TYPE_SHIFT;
}

static int log_item(void *arg, const struct version_item *item)
{
	struct checkpoint *c = arg;
	struct log_writer *w = c->j->writer;
	u32 words = (chunks_of(item) + 31) / 32, at = 0, run;
	struct {
		struct log_buf format;
		struct log_buf_map map[VERSION_MAP_WORDS];
	} f;
	int err;

	if (!wanted(item))
		return 0;
	memset(&f, 0, sizeof(f));
	f.format =
	    (struct log_buf){.type = le16_make(LOG_BUF),
			     .size = le16_make((u16)(1 + (item->bytes ? count_runs(item) : 0))),
			     .flags = le16_make((u16)flags_of(item)),
			     .len = le16_make((u16)(item->range.size >> LOG_BLOCK_LOG)),
			     .blkno = le64_make(item->range.at.v >> LOG_BLOCK_LOG),
			     .map_size = le32_make(words)};
	for (u32 i = 0; i < words && item->bytes; i++)
		f.map[i].data_map = le32_make(item->map[i]);
	err = log_writer_region(w, &f, (u32)(sizeof(f.format) + words * sizeof(f.map[0])));
	while (!err && item->bytes && (run = next_run(item, &at)) != 0) {
		err = log_writer_region(w, item->bytes + (size_t)at * VERSION_CHUNK,
					run * VERSION_CHUNK);
		at += run;
	}
	return err;
}

static int write_home(struct journal *j)
{
	int err = stopped(j);

	if (!err)
		err = versions_write_home(j->versions);

	if (err)
		return fail_in(err, "writing metadata home");
	log_writer_all_home(j->writer);
	j->stats.home_writes++;
	return 0;
}

static int write_items(struct journal *j, struct checkpoint *c)
{
	int err = 0;

	if (!j->cleared)
		err = log_writer_clear(j->writer);
	if (err)
		return err;
	j->cleared = true;
	err = log_writer_begin(j->writer, c->items);
	if (err)
		return err;
	err = versions_frozen_each(j->versions, log_item, c);
	if (!err)
		return log_writer_end(j->writer);
	log_writer_cancel(j->writer);
	return err;
}

static void settle_busy(struct journal *j)
{
	busy_settle(j->busy, j->durable, j->on_settled, j->settled_arg);
	busy_settle(j->shown, versions_oldest(j->versions), NULL, NULL);
}

/* All commits up to now, as one transaction of the log. -EAGAIN: there is no room before the rest
 * is home. */
static int freeze_and_log(struct journal *j)
{
	struct checkpoint c = {.j = j};
	u64 number, cost;
	int err = versions_freeze(j->versions, &number);

	if (!err)
		err = versions_frozen_each(j->versions, count_item, &c);
	cost = log_writer_cost(j->writer, c.regions, c.bytes);
	if (!err && c.items && cost > log_writer_room(j->writer))
		err = -EAGAIN;
	if (!err && c.items)
		err = write_items(j, &c);
	versions_thaw(j->versions, !err);
	if (err)
		return err;
	j->durable = number;
	settle_busy(j);
	j->stats.checkpoints += c.items != 0;
	j->stats.log_bytes += c.bytes;
	if (j->on_durable)
		j->on_durable(j->durable_arg, number);
	return 0;
}

static int checkpoint(struct journal *j)
{
	int err = stopped(j);

	if (!err)
		err = freeze_and_log(j);

	if (err == -EAGAIN) {
		err = write_home(j);
		if (!err)
			err = freeze_and_log(j);
		if (err == -EAGAIN)
			err = fail(-ENOSPC, "the log is too small for what has changed");
	}
	return err;
}

static bool much_logged(struct journal *j)
{
	return log_writer_room(j->writer) < log_writer_blocks(j->writer) / HOME_SHARE ||
	       versions_memory(j->versions) > j->memory;
}

int journal_force(struct journal *j, u64 number, bool data)
{
	int err = 0;

	j->env->lock_take(j->work);
	if (j->stopped || number > j->durable)
		err = checkpoint(j); /* flushes the data, too */
	else if (data)
		err = device_flush(j->home);
	if (!err && much_logged(j))
		err = write_home(j);
	j->env->lock_drop(j->work);
	return err;
}

static int make_room(struct journal *j)
{
	int err = 0;

	j->env->lock_take(j->work);
	if (crowded(j))
		err = checkpoint(j);
	if (!err && (much_logged(j) || crowded(j)))
		err = write_home(j);
	j->env->lock_drop(j->work);
	return err;
}

int journal_work(struct journal *j)
{
	return journal_force(j, journal_number(j), false);
}

int journal_push(struct journal *j)
{
	int err;

	j->env->lock_take(j->work);
	err = checkpoint(j);
	if (!err)
		err = write_home(j);
	j->env->lock_drop(j->work);
	return err;
}

int journal_finish(struct journal *j)
{
	int err;

	j->env->lock_take(j->commits);
	j->finished = true;
	j->env->lock_drop(j->commits);
	err = journal_push(j);
	j->env->lock_take(j->work);
	if (!err && !j->cleared)
		err = log_writer_clear(j->writer);
	if (!err)
		err = log_writer_unmount(j->writer);
	j->env->lock_drop(j->work);
	return err;
}
