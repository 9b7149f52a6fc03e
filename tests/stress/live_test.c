/*
 * AGs that are rebuilt while others write (meta/ag_live.h), in one thread: whenever the rebuild
 * reads or writes and holds no lock of the journal, random work may be done in the filesystem, and
 * whenever anything is written, the power may fail.  What a cut leaves, with the log replayed, must
 * have balanced books: all of what was written since the last flush, or any part of it, sector by
 * sector.  The tree must be what its model says, in the end of the image, too, and xfs_repair -n
 * content.
 *
 * SEEDS (of each configuration), SEED (the first), REBUILDS, CONFIGS, CONFIG (the first), CUTS (of
 * how many writes one is cut) in the environment.  The same seed does the same.
 */
#include "base/test.h"

#include "base/trail.h"
#include "configs.h"
#include "grove.h"
#include "meta/ag_live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORK_ONE_IN 2 /* calls of the device */
#define WRITES_MAX 65536
#define SECTOR 512u
#define STEPS_AT_ONCE 5

struct write {
	u64 at, size;
};

/* One world: the locks and the device of an env without threads are told here. */
static struct {
	struct grove *g;
	struct disk below; /* the functions of the grove's disk */
	u32 held;	   /* locks */
	bool rebuilding, cutting, busy;
	u64 seed;
	u8 *durable;
	struct write write[WRITES_MAX]; /* since the last flush */
	u32 writes;
	u32 steps, cuts, cut_one_in;
} live;

static u32 draw(u32 below)
{
	live.seed ^= live.seed << 13;
	live.seed ^= live.seed >> 7;
	live.seed ^= live.seed << 17;
	return (u32)((live.seed >> 20) % below);
}

static void take(struct env_lock *lock)
{
	(void)lock;
	live.held++;
}
static void let_go(struct env_lock *lock)
{
	(void)lock;
	live.held--;
}
static void take_shared(struct env_shared *lock, bool alone)
{
	(void)lock;
	(void)alone;
	live.held++;
}
static void let_go_shared(struct env_shared *lock, bool alone)
{
	(void)lock;
	(void)alone;
	live.held--;
}

/* ---- cuts ---- */

/* Of what was not flushed, mode 0: nothing is there; 1: any sectors of it; 2: any writes, whole. */
static void cut(u32 mode)
{
	u64 size = live.g->disk.dev.size;
	u8 *kept = live.g->disk.bytes,
	   *left = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(left != MAP_FAILED);
	memcpy(left, live.durable, size);
	for (u32 i = 0; i < live.writes && mode; i++) {
		u64 at = live.write[i].at, end = at + live.write[i].size;
		bool whole = draw(2);

		for (; at < end; at += SECTOR)
			if (mode == 2 ? whole : draw(2))
				memcpy(left + at, kept + at, SECTOR);
	}
	live.g->disk.bytes = left;
	grove_check_wreck(live.g);
	live.g->disk.bytes = kept;
	munmap(left, size);
	live.cuts++;
}

static void maybe_cut(void)
{
	if (!live.cutting || live.busy || draw(live.cut_one_in))
		return;
	live.busy = true;
	live.g->doing = "a power cut";
	grove_check_wreck(live.g); /* all that was written is there */
	cut(0);
	cut(1);
	cut(2);
	cut(2);
	live.busy = false;
}

/* ---- work ---- */

static void maybe_work(void)
{
	/* one lock: that no other repair comes */
	if (!live.rebuilding || live.busy || live.held != 1 || draw(WORK_ONE_IN))
		return;
	live.busy = true;
	for (u32 n = 1 + draw(STEPS_AT_ONCE); n; n--, live.steps++)
		grove_step(live.g);
	live.busy = false;
}

static int disk_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	maybe_work();
	return live.below.dev.read(dev, at, to, size);
}

static int disk_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	int err = live.below.dev.write(dev, at, from, size);

	assert_true(live.writes < WRITES_MAX);
	live.write[live.writes++] = (struct write){at.v, size};
	maybe_cut();
	maybe_work();
	return err;
}

static int disk_flush(struct device *dev)
{
	for (u32 i = 0; i < live.writes; i++)
		memcpy(live.durable + live.write[i].at, live.g->disk.bytes + live.write[i].at,
		       live.write[i].size);
	live.writes = 0;
	return live.below.dev.flush(dev);
}

/* After mkfs, before the mount that grove_make() has made is used. */
static void begin(struct grove *g, u64 seed)
{
	live.g = g;
	live.held = 0;
	live.seed = seed * 0x9e3779b97f4a7c15ull + 1;
	live.writes = 0;
	live.below = g->disk;
	live.durable = mmap(NULL, g->disk.dev.size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(live.durable != MAP_FAILED);
	memcpy(live.durable, g->disk.bytes, g->disk.dev.size);
	g->disk.dev.read = disk_read;
	g->disk.dev.write = disk_write;
	g->disk.dev.flush = disk_flush;
	g->world.env.lock_take = take;
	g->world.env.lock_drop = let_go;
	g->world.env.shared_take = take_shared;
	g->world.env.shared_drop = let_go_shared;
}

static int full(struct grove *g, int err)
{
	(void)g;
	return err == -ENOSPC;
}

struct counts {
	u32 rebuilt, given_up;
	u64 caught_up, last;
};

static void rebuild(struct grove *g, struct counts *c)
{
	struct repair repair = {.vol = g->vol};
	struct ag_live_result result;
	int err;

	live.rebuilding = live.cutting = true;
	err = ag_live_rebuild(&repair, draw(g->vol->geo.ag_count), 1u << 20, &result);
	live.rebuilding = false;
	g->doing = "a rebuild";
	/* the switch is on its way to the log */
	if (!err)
		grove_must(g,
			   journal_force(g->vol->journal, journal_number(g->vol->journal), false));
	live.cutting = false;
	if (err && err != -ENOSPC && err != -EAGAIN)
		grove_must(g, err);
	assert_int_equal(live.held, 0);
	trail_clear();
	c->rebuilt += !err;
	c->given_up += err != 0;
	c->caught_up += result.caught_up;
	c->last += result.last;
}

static void run(u32 config, u64 seed)
{
	static struct grove grove, *g = &grove;
	u64 rebuilds = test_number("REBUILDS", 4);
	struct mkfs_options options;
	char path[64] = "/tmp/mendfs-live-XXXXXX";
	u64 size = config_of(config, &options);
	struct counts c = {0};
	int fd = mkstemp(path);

	close(fd);
	grove_make(g, path, size, &options, seed);
	g->may_fail = full;
	begin(g, seed);
	live.steps = live.cuts = 0;
	live.cut_one_in = (u32)test_number("CUTS", 30);
	for (u32 i = 0; i < 150; i++)
		grove_step(g);
	for (u64 i = 0; i < rebuilds; i++) {
		rebuild(g, &c);
		grove_check(g);
		if (i % 4 == 3)
			grove_compare(g);
	}
	grove_unmount(g);
	grove_check_disk(g);
	config_repair(g, path);
	grove_must(g, grove_mount(g));
	grove_compare(g);
	printf(
	    "configuration %u, seed %llu: %u rebuilt, %u given up, %u operations meanwhile, %llu "
	    "changes caught up with, %llu of them at the switch, %u cuts\n",
	    config, (unsigned long long)seed, c.rebuilt, c.given_up, live.steps,
	    (unsigned long long)c.caught_up, (unsigned long long)c.last, live.cuts);
	fflush(stdout);
	grove_unmount(g);
	munmap(live.durable, size);
	grove_close(g);
	unlink(path);
}

static void live_rebuilds(void **state)
{
	u32 configs = (u32)test_number("CONFIGS", 2), first = (u32)test_number("CONFIG", 0);
	u64 seeds = test_number("SEEDS", 1), seed = test_number("SEED", 1);

	(void)state;
	for (u32 c = first; configs; c++) {
		struct mkfs_options options;

		config_of(c, &options);
		if (options.features_off & 1u << FEATURE_RMAPBT)
			continue;
		configs--;
		for (u64 s = 0; s < seeds; s++)
			run(c, seed + s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(live_rebuilds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
