/*
 * The Nth allocation, read, write or flush fails, for N = 1, 2, 3 ... until none is reached, in
 * every operation that a mount can do: the operation gives that error or succeeds all the same, the
 * tree is what it was before (of what is done in steps, some have been done), the books of a
 * snapshot balance, the volume goes on working, and nothing is left of the memory in the end. So it
 * is with mounting, with recovery and with unmounting.
 *
 * EVERY=1 in the environment: each N; else the first few, and then with growing steps. OP: one
 * operation by name.
 */
#include "base/test.h"

#include "fs/mkfs.h"
#include "scene.h"
#include "ledger/sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SIZE (96u << 20)

enum failing { ALLOC, READ, WRITE, FLUSH, ALL_WRITES, ALL_ALLOCS, FAILINGS };
static const char *const failing_names[FAILINGS] = {
    "allocation", "read", "write", "flush", "all writes from", "all allocations from"};

struct test {
	struct scene scene;
	struct grove *g;
	enum failing failing;
	u64 every;
	u32 fired;
};

static bool fired(const struct grove *g)
{
	return g->world.alloc_failed || g->disk.failed;
}

static int injected(struct grove *g, int err)
{
	if (g->world.alloc_failed)
		return err == -ENOMEM;
	return g->disk.failed && err == -EIO;
}

static void arm(struct test *s, u64 n)
{
	struct world *w = &s->g->world;

	w->alloc_failed = false;
	w->fail_alloc = s->failing == ALLOC || s->failing == ALL_ALLOCS ? w->allocs + n : 0;
	w->fail_on = s->failing == ALL_ALLOCS;
	switch (s->failing) {
	case READ:
		disk_fail(&s->g->disk, DISK_READ, n, false);
		break;
	case FLUSH:
		disk_fail(&s->g->disk, DISK_FLUSH, n, false);
		break;
	case WRITE:
	case ALL_WRITES:
		disk_fail(&s->g->disk, DISK_WRITE, n, s->failing == ALL_WRITES);
		break;
	default:
		break;
	}
}

/* Whether something was made to fail. */
static bool disarm(struct test *s)
{
	bool has = fired(s->g);

	s->g->world.fail_alloc = 0;
	disk_fail(&s->g->disk, DISK_READ, 0, false);
	return has;
}

/* A check of a snapshot ends with an error, or has found that it could not look everywhere. */
static int snapshot(struct scene *s)
{
	const struct vol_options how = {.memory = 1};
	struct sweep_stats stats;
	struct vol *vol;
	bool has;
	int err = vol_snapshot(s->g->vol, s->g->vol->env, &how, &vol);

	if (!err)
		err = sweep_run(vol, NULL, &stats);
	vol_close(vol);
	if (!err && fired(s->g) && s->g->world.findings)
		err = s->g->world.alloc_failed ? -ENOMEM : -EIO;
	has = s->g->world.alloc_failed;
	world_reset(&s->g->world);
	s->g->world.alloc_failed = has;
	return err;
}

/* ---- each with each ---- */

static u64 next_try(const struct test *s, u64 n)
{
	return n + 1 + (s->every || n < 10 ? 0 : n * TEST_STRIDE / 4);
}

static void try_operation(struct test *s, const struct operation *op)
{
	struct grove *g = s->g;
	u64 n = 1, tries = 0;
	bool more = true;

	while (more) {
		bool again = true;

		g->doing = op->name;
		scene_begin(&s->scene, op);
		if (!op->writes_log) /* so that there is something to read */
			grove_must(g, grove_push(g));
		while (more && again) {
			int err;

			g->operation = (u32)n;
			arm(s, n);
			err = op->run(&s->scene);
			more = disarm(s);
			if (more) {
				n = next_try(s, n);
				tries++;
				grove_check(g);
				grove_check_wreck(g);
			}
			if (err && !more)
				grove_broken(g, "%d: %s", err, trail_text());
			again = err && !op->once;
			if (op->once)
				grove_must(g, changer_recover(g->changer));
		}
		grove_compare(g);
		scene_end(&s->scene);
	}
	s->fired += tries;
	g->doing = NULL;
}

static void open_grove(struct grove *g, u32 block_size, bool parents)
{
	struct mkfs_options options;

	mkfs_options_init(&options);
	options.block_size = block_size;
	options.ag_count = 2;
	if (parents)
		options.features_on = 1u << FEATURE_PARENT;
	grove_make(g, NULL, SIZE, &options, 1);
	grove_unmount(g);
	g->memory = 4096; /* nothing stays in the cache */
	grove_must(g, grove_mount(g));
	g->may_fail = injected;
}

static void run(u32 block_size, bool parents, enum failing failing)
{
	static struct grove grove;
	struct test s = {.g = &grove, .failing = failing, .every = test_number("EVERY", 0)};
	static const struct operation snapshots = {"snapshot", scene_comb, snapshot};
	const char *only = getenv("OP");

	open_grove(&grove, block_size, parents);
	scene_open(&s.scene, &grove);
	for (u32 i = 0; i < operations_count; i++)
		if (!only || !strcmp(only, operations[i].name))
			try_operation(&s, &operations[i]);
	try_operation(&s, &snapshots);
	printf("%s: blocks of %u bytes%s: %u failures\n", failing_names[failing], block_size,
	       parents ? ", parent pointers" : "", s.fired);
	fflush(stdout);
	assert_true(s.fired || only);
	grove_close(&grove);
}

/* ---- mounting and unmounting ---- */

/* Ends like a killed program. */
static void kill_grove(struct grove *g)
{
	changer_close(g->changer);
	g->vol->writable = false;
	g->gones = 0;
	vol_close(g->vol);
	g->vol = NULL;
	g->changer = NULL;
	assert_int_equal(g->world.live, 0);
}

static void some_work(struct grove *g, u32 steps)
{
	g->may_fail = NULL;
	for (u32 i = 0; i < steps; i++)
		grove_step(g);
	assert_int_equal(grove_force(g), 0);
	g->may_fail = injected;
}

static void ends(enum failing failing, bool killed)
{
	static struct grove grove;
	struct test s = {.g = &grove, .failing = failing, .every = test_number("EVERY", 0)};
	struct grove *g = &grove;
	u64 n = 1;
	bool more = true;

	open_grove(g, 1024, false);
	while (more) {
		int err = 0;

		some_work(g, 60);
		g->doing = killed ? "mount" : "unmount";
		g->operation = (u32)n;
		if (killed)
			kill_grove(g);
		do {
			arm(&s, n);
			if (killed)
				err = grove_judge(g, grove_mount(g), 0);
			else
				grove_unmount(g);
			more = disarm(&s);
			assert_int_equal(g->world.live && err, 0);
			n = next_try(&s, n);
		} while (err && more);
		if (!g->vol)
			grove_must(g, grove_mount(g));
		grove_compare(g);
		grove_check(g);
	}
	printf("%s: %s: up to %llu\n", failing_names[failing], g->doing, (unsigned long long)n);
	grove_close(g);
}

static void each(void (*fn)(enum failing failing))
{
	u32 first = (u32)test_number("FAILING", 0),
	    last = (u32)test_number("FAILING", FAILINGS - 1);

	for (u32 failing = first; failing <= last; failing++)
		fn((enum failing)failing);
}

static void run_small(enum failing failing)
{
	run(1024, false, failing);
}
static void run_parents(enum failing failing)
{
	run(4096, true, failing);
}
static void unmount(enum failing failing)
{
	ends(failing, false);
}
static void mount(enum failing failing)
{
	ends(failing, true);
}

/* ---- another thread in between ---- */

static struct grove *between;

/* As soon as so many inodes wait that they are to be taken apart, somebody else does it. */
static void drop_and_flush(struct env_lock *lock)
{
	struct changer *c = between ? between->changer : NULL;

	if (!c || lock != c->lock || c->ready_count < 32)
		return;
	between = NULL;
	orphans_flush(c);
}

static void flushed_between(void **state)
{
	static struct grove grove;
	struct scene s;
	char name[16];

	(void)state;
	open_grove(&grove, 1024, false);
	scene_open(&s, &grove);
	for (u32 i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "gone-%u", i);
		assert_int_equal(
		    grove_create(&grove, grove_root(&grove), name, S_IFREG | 0644, NULL), 0);
		assert_int_equal(grove_remove(&grove, grove_root(&grove), name), 0);
	}
	grove.world.env.lock_drop = drop_and_flush;
	between = &grove;
	grove_forget(&grove);
	assert_null(between);
	grove_check(&grove);
	grove_close(&grove);
}

static void failing_1k(void **state)
{
	(void)state;
	each(run_small);
}
static void failing_parents(void **state)
{
	(void)state;
	each(run_parents);
}
static void failing_unmount(void **state)
{
	(void)state;
	each(unmount);
}
static void failing_mount(void **state)
{
	(void)state;
	each(mount);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(failing_1k), cmocka_unit_test(failing_parents),
	    cmocka_unit_test(failing_unmount), cmocka_unit_test(flushed_between),
	    cmocka_unit_test(failing_mount)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
