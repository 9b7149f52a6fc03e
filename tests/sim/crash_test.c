/*
 * Power cuts at every write: a filesystem is worked on through the journal, on a device that knows
 * what has been flushed. After each write of it the power fails: of what was not flushed any subset
 * is there, in sectors, each the old or the new. What is then opened, with its log replayed, must
 * be sound, and must be the filesystem as it was after some operation, not before the last that was
 * said to be durable. One run is with quotas, which are turned on when the power fails already.
 *
 * SEED and CUTS (of how many writes one is looked at; CUTS=1: all) in the environment; the seed is
 * printed.
 */
#include "base/test.h"
#include "base/trail.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cut.h"
#include "tree.h"
#include "format/quota.h"
#include "fs/dir.h"
#include "fs/mkfs.h"
#include "fs/names.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "log/journal.h"
#include "meta/quota_turn.h"
#include "meta/types_table.h"

#define SIZE (40u << 20)
#define OPERATIONS 1500
#define NAMES 40
#define DIRS 4

struct world {
	struct env env;
	struct sim sim;
	struct vol *vol;
	u64 seed, cut_seed;
	u64 tree[OPERATIONS + 1]; /* after each operation */
	u32 done, durable;	  /* operations */
	u32 writes, every, cuts, findings;
	struct inum dir[DIRS];
	bool cutting;
};

/* ---- a cut ---- */

static void count_finding(struct env *env, const struct finding *finding)
{
	struct world *w = env->front;

	if (finding->def->severity <= SEVERITY_WARNING)
		return;
	w->findings++;
	printf("finding: %s %s %s, expected %s\n", finding->def->id, finding->field, finding->found,
	       finding->expected);
}

static void inspect_wreck(struct world *w, struct wreck *r)
{
	struct vol_options options = {.data = &r->dev};
	struct sweep_stats stats;
	struct vol *vol;
	u64 tree;
	u32 i;
	int err = vol_open(&w->env, &meta_types, &options, &vol);

	if (err)
		printf("%s\n", trail_text());
	assert_int_equal(err, 0);
	assert_int_equal(sweep_run(vol, NULL, &stats), 0);
	assert_int_equal(w->findings, 0);
	tree = sim_tree(vol);
	for (i = w->durable; i <= w->done && w->tree[i] != tree;)
		i++;
	/* an operation may be in the log before it has returned */
	if (i > w->done && w->tree[w->done + 1] != tree) {
		printf("write %u, mode %u: no state of the history from %u to %u\n", w->writes,
		       r->mode, w->durable, w->done);
		assert_true(false);
	}
	vol_close(vol);
}

static void cut(void *arg)
{
	struct world *w = arg;

	if (w->cutting || w->writes++ % w->every)
		return;
	w->cutting = true;
	for (u32 mode = 0; mode < WRECK_MODES; mode++) {
		u64 seed = w->cut_seed + sim_draw(&w->cut_seed, 1u << 30);
		struct wreck r;

		wreck_begin(&r, &w->sim, mode, seed);
		inspect_wreck(w, &r);
		wreck_end(&r);
		w->cuts++;
	}
	w->cutting = false;
}

/* ---- work ---- */

static struct names_entry some_name(struct world *w, char name[64])
{
	u32 n = sim_draw(&w->seed, NAMES);

	snprintf(name, 64, "%.*s-%u", (int)(n % 5 * 9), "a-name-that-is-long-enough-to-fill-blocks",
		 n);
	return (struct names_entry){w->dir[sim_draw(&w->seed, DIRS)], name, (u32)strlen(name)};
}

static int destroy(struct world *w, struct inum ino)
{
	bool more = ino.v != 0;
	struct txn *txn;
	int err = 0;

	while (more && !err) {
		err = vol_begin(w->vol, NULL, &txn);
		if (!err)
			err = vol_end(w->vol, txn, names_inactive_step(w->vol, txn, ino, &more));
	}
	return err;
}

static int step(struct world *w, struct txn *txn, struct inum *gone)
{
	static const u16 modes[] = {0100644, 0100600, 0040755, 0120777, 0010644};
	struct names_new new = {.mode = modes[sim_draw(&w->seed, 5)],
				.target = "somewhere/else",
				.uid = sim_draw(&w->seed, 4) * 9,
				.gid = sim_draw(&w->seed, 2)};
	const struct names_attr owner = {.what = SETATTR_UID, .uid = new.uid};
	const struct names_time now = {w->done, 0};
	char a[64], b[64];
	struct names_entry from = some_name(w, a), to = some_name(w, b);
	struct inum ino;
	u8 type;

	switch (sim_draw(&w->seed, 10)) {
	case 0:
	case 1:
		return names_unlink(w->vol, txn, &from, &now, gone);
	case 2:
		return names_rmdir(w->vol, txn, &from, &now, gone);
	case 3:
	case 4:
		return names_rename(w->vol, txn, &from, &to,
				    sim_draw(&w->seed, 4) ? 0 : NAMES_EXCHANGE, &now, gone);
	case 5: {
		struct vol view = vol_in(w->vol, txn);
		struct inode dir;
		int err = inode_get(&view, from.dir, &dir);

		if (!err)
			err = dir_lookup(&view, &dir, from.name, from.length, &ino, &type);
		inode_put(&view, &dir);
		return err ? err : names_link(w->vol, txn, &to, ino, &now);
	}
	case 6:
		return names_setattr(w->vol, txn, from.dir, &owner);
	default:
		return names_create(w->vol, txn, &from, &new, &ino);
	}
}

/* Whether an error is one that a program may get. */
static bool expected(int err)
{
	return !err || err == -ENOENT || err == -EEXIST || err == -ENOTDIR || err == -EISDIR ||
	       err == -ENOTEMPTY || err == -EPERM || err == -EINVAL;
}

static void operate(struct world *w)
{
	struct inum gone = inum_of(0);
	struct txn *txn;
	int err = vol_begin(w->vol, NULL, &txn);

	assert_int_equal(err, 0);
	err = vol_end(w->vol, txn, step(w, txn, &gone));
	if (!expected(err))
		printf("%s\n", trail_text());
	assert_true(expected(err));
	w->tree[w->done + 1] = sim_tree(w->vol);
	w->done++;
	if (!err && sim_draw(&w->seed, 2))
		assert_int_equal(destroy(w, gone), 0);
	if (!sim_draw(&w->seed, 6)) {
		assert_int_equal(
		    journal_force(w->vol->journal, journal_number(w->vol->journal), true), 0);
		w->durable = w->done;
	}
	if (!sim_draw(&w->seed, 25)) {
		assert_int_equal(journal_push(w->vol->journal), 0);
		w->durable = w->done;
	}
}

static void make_dirs(struct world *w)
{
	const struct names_new new = {.mode = 0040755};

	w->dir[0] = inum_of(w->vol->geo.root_ino);
	for (u32 i = 1; i < DIRS; i++) {
		const struct names_entry at = {w->dir[0], i == 1 ? "D1" : i == 2 ? "D2" : "D3", 2};
		struct txn *txn;

		assert_int_equal(vol_begin(w->vol, NULL, &txn), 0);
		assert_int_equal(
		    vol_end(w->vol, txn, names_create(w->vol, txn, &at, &new, &w->dir[i])), 0);
	}
	assert_int_equal(journal_push(w->vol->journal), 0);
}

/* While the sweep counts, what has been committed goes to the log. */
static void force_meanwhile(struct env *env, const struct progress *progress)
{
	struct world *w = env->front;

	(void)progress;
	if (!w->cutting)
		assert_int_equal(
		    journal_force(w->vol->journal, journal_number(w->vol->journal), true), 0);
}

/* Each write of the count is cut. */
static void turn_quotas_on(struct world *w)
{
	void (*progress)(struct env * env, const struct progress *progress) = w->env.progress;
	u32 every = w->every, writes = w->writes;

	w->every = 1;
	w->env.progress = force_meanwhile;
	w->tree[1] = w->tree[0];
	assert_int_equal(quota_turn(w->vol, DQUOT_TYPES, DQUOT_TYPES), 0);
	assert_true(w->writes > writes); /* before all was done */
	w->env.progress = progress;
	assert_int_equal(journal_push(w->vol->journal), 0);
	assert_int_equal(quota_types_counted(&w->vol->geo), DQUOT_TYPES);
	w->every = every;
}

static void run(u32 block_size, u64 seed, u32 every, bool quotas)
{
	struct world *w = calloc(1, sizeof(*w));
	struct vol_options options = {.write = true};

	host_env_init(&w->env, 1);
	w->env.front = w;
	w->env.finding = count_finding;
	w->seed = w->cut_seed = seed * 0x9e3779b97f4a7c15ull + 1;
	w->every = every;
	sim_open(&w->sim, SIZE);
	assert_int_equal(sim_mkfs(&w->env, &w->sim, block_size), 0);
	options.data = &w->sim.dev;
	assert_int_equal(vol_open(&w->env, &meta_types, &options, &w->vol), 0);
	make_dirs(w);
	w->tree[0] = sim_tree(w->vol);
	w->sim.arg = w;
	w->sim.written = cut;
	if (quotas)
		turn_quotas_on(w);
	while (w->done < OPERATIONS - 1)
		operate(w);
	w->tree[w->done + 1] = w->tree[w->done];
	assert_int_equal(vol_close(w->vol), 0);
	w->durable = w->done;
	w->cutting = false;
	w->every = 1;
	cut(w);
	printf("blocks of %u bytes, seed %llu: %u writes, %u cuts\n", block_size,
	       (unsigned long long)seed, w->writes, w->cuts);
	assert_true(w->cuts > 100);
	sim_close(&w->sim);
	free(w);
}

static void cuts_1k(void **state)
{
	(void)state;
	run(1024, test_number("SEED", 1), (u32)test_number("CUTS", TEST_STRIDE), true);
}

static void cuts_4k(void **state)
{
	(void)state;
	run(4096, test_number("SEED", 2), (u32)test_number("CUTS", TEST_STRIDE), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(cuts_1k), cmocka_unit_test(cuts_4k)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
