/*
 * What is rebuilt while others write, in one thread: whenever the rebuild reads or writes and holds
 * no lock of the journal, random work may be done in the filesystem.  The tree must be what its
 * model says, in the end of the image, too, and xfs_repair -n content.
 *
 * Of AGs (meta/ag_live.h), the power may also fail whenever anything is written.  What a cut
 * leaves, with the log replayed, must have balanced books: all of what was written since the last
 * flush, or any part of it, sector by sector.  Of link counts, parent pointers and quota records
 * (repair_gather()), some are made wrong before, those that the work changes most among them.
 *
 * SEEDS (of each configuration), SEED (the first), REBUILDS, CONFIGS, CONFIG (the first), CUTS (of
 * how many writes one is cut) in the environment.  The same seed does the same.
 */
#include "base/test.h"

#include "base/trail.h"
#include "configs.h"
#include "format/quota.h"
#include "fs/attr_modify.h"
#include "fs/fork_modify.h"
#include "fs/quota.h"
#include "grove.h"
#include "meta/ag_live.h"
#include "meta/quota_turn.h"
#include "scrub/repair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
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
	u32 mended, beside; /* names and quotas; operations meanwhile */
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

/* ---- link counts, parent pointers, quota records ---- */

/* As damage would: nobody guards it. */
static void falsify(struct grove *g, void (*how)(struct grove *g, struct vol *vol, struct txn *txn))
{
	struct vol alone;
	struct txn *txn;

	vol_alone_begin(g->vol, &alone);
	grove_must(g, vol_begin(&alone, NULL, &txn));
	how(g, &alone, txn);
	grove_must(g, vol_end(&alone, txn, 0));
	vol_alone_end(&alone);
}

static struct grove_node *some_directory(struct grove *g)
{
	struct grove_node *n = grove_root(g);

	for (u32 tries = 0; tries < 20; tries++) {
		struct grove_node *other = g->node[draw(g->nodes)];

		n = S_ISDIR(other->mode) ? other : n;
	}
	return n;
}

static void falsify_links(struct grove *g, struct vol *vol, struct txn *txn)
{
	struct grove_node *n = draw(2) ? grove_root(g) : some_directory(g);
	struct txn_buf *buf;
	struct dinode *d;

	grove_must(g, inode_edit(vol, txn, n->ino, &buf));
	txn_dirty(txn, buf);
	d = (struct dinode *)buf->data;
	d->nlink = be32_make(be32_get(d->nlink) + 1 + draw(5));
}

static void falsify_quota(struct grove *g, struct vol *vol, struct txn *txn)
{
	const struct grove_node *n = g->node[draw(g->nodes)];
	struct quota_record record;

	grove_must(g, quota_record_open(vol, txn, DQUOT_USER, n->uid, true, &record));
	record.d->bcount = be64_make(be64_get(record.d->bcount) + 1 + draw(1000));
	record.d->icount = be64_make(be64_get(record.d->icount) + 1 + draw(3));
	quota_record_changed(vol, txn, &record);
}

/* The name stays. What is on it meanwhile may fail. */
static void falsify_pointer(struct grove *g, struct vol *vol, struct txn *txn)
{
	const struct grove_name *name = g->name[draw(g->names)];
	struct inode dir;

	if (!geometry_has(&vol->geo, FEATURE_PARENT))
		return;
	grove_must(g, inode_get(vol, name->dir->ino, &dir));
	grove_must(g, parent_change(vol, txn, name->node->ino, name->dir->ino, dir.gen, name->text,
				    (u32)strlen(name->text), false));
	inode_put(vol, &dir);
}

struct said {
	u32 stopped, refused;
};

static void on_say(void *arg, const char *line)
{
	struct said *said = arg;

	said->stopped += strstr(line, "with the writers stopped") != NULL;
	said->refused += strstr(line, "not while others write") != NULL;
}

static int damaged(struct grove *g, int err)
{
	(void)g;
	return err == -ENOSPC || err == -EUCLEAN;
}

static void mend(struct grove *g)
{
	struct said said = {0};
	const struct repair_options options = {
	    .live = true, .memory = 1u << 20, .say = on_say, .arg = &said};
	struct repair_result result;
	u32 before;

	g->doing = "making links, pointers and quotas wrong";
	falsify(g, falsify_links);
	falsify(g, falsify_links);
	falsify(g, falsify_quota);
	falsify(g, falsify_pointer);
	g->doing = "mending while others write";
	live.rebuilding = true;
	g->may_fail = damaged;
	before = live.steps;
	grove_must(g, repair_run(g->vol, &options, &result));
	live.rebuilding = false;
	g->may_fail = full;
	if (result.left || !result.rebuilt || said.stopped || said.refused)
		grove_broken(g, "%llu findings left, %llu rebuilt, %u times with others stopped",
			     (unsigned long long)result.left, (unsigned long long)result.rebuilt,
			     said.stopped + said.refused);
	/* a power cut shall find nothing of it */
	grove_must(g, journal_force(g->vol->journal, journal_number(g->vol->journal), false));
	live.mended += result.rebuilt;
	live.beside += live.steps - before;
	assert_int_equal(live.held, 0);
}

static void run(u32 config, u64 seed)
{
	static struct grove grove, *g = &grove;
	u64 rebuilds = test_number("REBUILDS", 3);
	struct mkfs_options options;
	char path[64] = "/tmp/mendfs-live-XXXXXX";
	u64 size = config_of(config, &options);
	struct counts c = {0};
	int fd = mkstemp(path);

	close(fd);
	grove_make(g, path, size, &options, seed);
	g->may_fail = full;
	begin(g, seed);
	live.steps = live.cuts = live.mended = live.beside = 0;
	live.cut_one_in = (u32)test_number("CUTS", 30);
	grove_must(g, quota_turn(g->vol, DQUOT_TYPES, 0));
	for (u32 i = 0; i < 150; i++)
		grove_step(g);
	for (u64 i = 0; i < rebuilds; i++) {
		mend(g);
		grove_check(g);
	}
	grove_compare(g);
	for (u64 i = 0; i < rebuilds; i++) {
		if (geometry_has(&g->vol->geo, FEATURE_RMAPBT))
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
	    "changes caught up with, %llu of them at the switch, %u cuts; %u times names and "
	    "quotas "
	    "mended beside %u operations\n",
	    config, (unsigned long long)seed, c.rebuilt, c.given_up, live.steps,
	    (unsigned long long)c.caught_up, (unsigned long long)c.last, live.cuts, live.mended,
	    live.beside);
	fflush(stdout);
	grove_unmount(g);
	munmap(live.durable, size);
	grove_close(g);
	unlink(path);
}

static void live_rebuilds(void **state)
{
	u32 configs = (u32)test_number("CONFIGS", 3), first = (u32)test_number("CONFIG", 1);
	u64 seeds = test_number("SEEDS", 1), seed = test_number("SEED", 1);

	(void)state;
	for (u32 c = first; configs; c++, configs--)
		for (u64 s = 0; s < seeds; s++)
			run(c, seed + s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(live_rebuilds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
