/*
 * Quotas on a filesystem in memory: what owners use, after each kind of change; limits and times of
 * grace, with a clock of our own; records that are damaged; and turning on when memory fails.
 */
#include "base/test.h"
#include "disk.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/trail.h"
#include "format/verify.h"
#include "fs/dir.h"
#include "fs/file_range.h"
#include "fs/file_truncate.h"
#include "fs/mkfs.h"
#include "fs/names.h"
#include "fs/quota.h"
#include "ledger/sweep.h"
#include "log/replay.h"
#include "meta/quota_turn.h"
#include "meta/types_table.h"

#define SIZE (40u << 20)
#define WEEK (7u * 24 * 60 * 60)
#define START 1700000000u

static struct {
	struct world world;
	struct disk disk;
	struct vol *vol;
	struct txn *txn;
	u64 wall;
} world;

static u64 our_wall(struct env *env)
{
	(void)env;
	return world.wall;
}

static void must(int err)
{
	if (err)
		print_error("%s\n", trail_text());
	assert_int_equal(err, 0);
}

static void open_vol(void)
{
	struct vol_options options = {.write = true, .data = &world.disk.dev};

	must(vol_open(&world.world.env, &meta_types, &options, &world.vol));
}

static void open_world(u32 block_size, bool bigtime)
{
	struct mkfs_target target = {.data_size = SIZE};
	struct mkfs_devices devices = {.data = &world.disk.dev};
	struct mkfs_options mkfs;
	struct geometry g;

	world.wall = START;
	world_init(&world.world);
	world.world.env.wall = our_wall;
	disk_open(&world.disk, NULL, SIZE);
	mkfs_options_init(&mkfs);
	mkfs.block_size = block_size;
	if (!bigtime)
		mkfs.features_off = 1u << FEATURE_BIGTIME;
	must(mkfs_plan(&world.world.env, &mkfs, &target, &g));
	must(mkfs_build(&world.world.env, &meta_types, &mkfs, &g, &devices));
	open_vol();
}

static u64 findings(void)
{
	const struct vol_options how = {.memory = 0};
	struct sweep_stats stats;
	struct vol *snapshot;

	world.world.findings = 0;
	must(vol_snapshot(world.vol, &world.world.env, &how, &snapshot));
	must(sweep_run(snapshot, NULL, &stats));
	must(vol_close(snapshot));
	return world.world.findings;
}

static void close_world(void)
{
	assert_int_equal(findings(), 0);
	must(vol_close(world.vol));
	disk_close(&world.disk);
	assert_int_equal(world.world.live, 0);
}

/* ---- changes ---- */

static void begin(void)
{
	must(vol_begin(world.vol, NULL, &world.txn));
}

static int end(int err)
{
	return vol_end(world.vol, world.txn, err);
}

static int make(const char *name, u32 uid, u32 gid, struct inum *ino)
{
	const struct names_new new = {.mode = 0100644, .uid = uid, .gid = gid};
	const struct names_entry at = {inum_of(world.vol->geo.root_ino), name, (u32)strlen(name)};

	begin();
	return end(names_create(world.vol, world.txn, &at, &new, ino));
}

static int grow(struct inum ino, u64 blocks)
{
	bool more = true;
	u64 at = 0;
	int err = 0;

	while (more && !err) {
		begin();
		err = end(file_allocate_step(world.vol, world.txn, ino, &at, blocks));
		more = at < blocks;
	}
	return err;
}

static int give(struct inum ino, u32 uid, u32 gid, bool forced)
{
	const struct names_attr attr = {.what = SETATTR_UID | SETATTR_GID, .uid = uid, .gid = gid};

	begin();
	if (forced)
		txn_set_forced(world.txn);
	return end(names_setattr(world.vol, world.txn, ino, &attr));
}

static int set_project(struct inum ino, u32 project)
{
	const struct names_flags flags = {.projid = project};
	const struct names_time now = {START, 0};

	begin();
	return end(names_set_flags(world.vol, world.txn, ino, &flags, &now));
}

static void set_limits(u32 type, u32 id, u64 soft, u64 hard, u64 inodes)
{
	struct quota_record record;

	begin();
	must(quota_record_open(world.vol, world.txn, type, id, true, &record));
	record.d->blk_softlimit = be64_make(soft);
	record.d->blk_hardlimit = be64_make(hard);
	record.d->ino_hardlimit = be64_make(inodes);
	quota_record_changed(world.vol, world.txn, &record);
	must(end(0));
}

static struct dquot record_of(u32 type, u32 id)
{
	struct dquot d;
	int err = quota_read(world.vol, type, id, &d);

	if (err == -ENOENT)
		memset(&d, 0, sizeof(d));
	else
		must(err);
	return d;
}

static void uses(u32 type, u32 id, u64 blocks, u64 inodes)
{
	struct dquot d = record_of(type, id);

	assert_int_equal(be64_get(d.bcount), blocks);
	assert_int_equal(be64_get(d.icount), inodes);
}

/* ---- tests ---- */

static void usage_follows(void **state)
{
	const struct names_time now = {START, 0};
	struct names_entry at;
	struct inum a, b, gone;
	bool more = true;

	(void)state;
	open_world(1024, true);
	must(make("before", 5, 6, &a));
	must(grow(a, 3));
	must(quota_turn(world.vol, DQUOT_TYPES, 0));
	uses(DQUOT_USER, 5, 3, 1);
	uses(DQUOT_GROUP, 6, 3, 1);
	uses(DQUOT_PROJECT, 0, 3, 4); /* with the root and the two realtime inodes */
	must(make("after", 1000, 4000000000u, &b));
	must(grow(b, 7));
	uses(DQUOT_USER, 1000, 7, 1);
	uses(DQUOT_GROUP, 4000000000u, 7, 1);
	must(give(b, 5, 6, false));
	uses(DQUOT_USER, 1000, 0, 0);
	uses(DQUOT_GROUP, 4000000000u, 0, 0);
	uses(DQUOT_USER, 5, 10, 2);
	uses(DQUOT_GROUP, 6, 10, 2);
	must(set_project(b, 77));
	uses(DQUOT_PROJECT, 77, 7, 1);
	uses(DQUOT_PROJECT, 0, 3, 4);
	begin();
	must(end(file_truncate_step(world.vol, world.txn, b, 0, &more)));
	uses(DQUOT_PROJECT, 77, 0, 1);
	at = (struct names_entry){inum_of(world.vol->geo.root_ino), "before", 6};
	begin();
	must(end(names_unlink(world.vol, world.txn, &at, &now, &gone)));
	uses(DQUOT_USER, 5, 3, 2); /* until it is taken apart */
	for (more = true; more;) {
		begin();
		must(end(names_inactive_step(world.vol, world.txn, gone, &more)));
	}
	uses(DQUOT_USER, 5, 0, 1);
	close_world();
}

/* What cannot be had changes nothing. */
static void hard_limits(void **state)
{
	struct inum a, b;

	(void)state;
	open_world(4096, true);
	must(quota_turn(world.vol, DQUOT_TYPES, DQUOT_TYPES));
	must(make("a", 5, 6, &a));
	must(set_project(a, 77));
	set_limits(DQUOT_USER, 5, 0, 10, 1);
	assert_int_equal(make("b", 5, 6, &b), -EDQUOT);
	must(make("b", 0, 0, &b));
	assert_int_equal(give(b, 5, 6, false), -EDQUOT);
	assert_int_equal(grow(a, 11), -EDQUOT);
	uses(DQUOT_USER, 5, 0, 1);
	must(grow(a, 10));
	must(give(b, 5, 6, true));
	uses(DQUOT_USER, 5, 10, 2);
	set_limits(DQUOT_USER, 5, 0, 0, 0);
	set_limits(DQUOT_PROJECT, 77, 0, 12, 0);
	assert_int_equal(grow(a, 13), -ENOSPC);
	set_limits(DQUOT_PROJECT, 0, 0, 1, 1); /* the default of others, and none of its own */
	must(grow(b, 5));
	must(quota_turn(world.vol, DQUOT_TYPES, DQUOT_USER | DQUOT_GROUP));
	must(grow(a, 13));
	must(quota_turn(world.vol, DQUOT_TYPES, DQUOT_TYPES));
	assert_int_equal(set_project(b, 78), -ENOSPC); /* the default */
	close_world();
}

static void times_of_grace(void **state)
{
	struct quota_record record;
	struct dquot d;
	struct inum a;

	(void)state;
	for (u32 bigtime = 0; bigtime < 2; bigtime++) {
		open_world(4096, bigtime);
		must(quota_turn(world.vol, DQUOT_TYPES, DQUOT_TYPES));
		must(make("a", 1000, 6, &a));
		set_limits(DQUOT_USER, 1000, 4, 20, 0);
		must(grow(a, 4));
		d = record_of(DQUOT_USER, 1000);
		assert_int_equal(be32_get(d.btimer), 0);
		must(grow(a, 5));
		d = record_of(DQUOT_USER, 1000);
		assert_int_equal(d.type, DQUOT_USER | (bigtime ? DQUOT_BIGTIME : 0));
		assert_int_equal(quota_timer(&d, d.btimer), START + WEEK); /* which four divides */
		world.wall = START + WEEK;
		must(grow(a, 6));
		world.wall++;
		assert_int_equal(grow(a, 7), -EDQUOT);
		set_limits(DQUOT_USER, 1000, 6, 20, 0);
		d = record_of(DQUOT_USER, 1000);
		assert_int_equal(be32_get(d.btimer), 0);
		/* another time of grace for all */
		begin();
		must(quota_record_open(world.vol, world.txn, DQUOT_USER, 0, true, &record));
		record.d->btimer = be32_make(80);
		quota_record_changed(world.vol, world.txn, &record);
		must(end(0));
		world.wall = START;
		must(grow(a, 7));
		d = record_of(DQUOT_USER, 1000);
		assert_int_equal(quota_timer(&d, d.btimer), START + 80);
		close_world();
	}
}

/* All records of a block are there at once, also in the last block of all. */
static void blocks_of_records(void **state)
{
	static const u32 sizes[] = {1024, 4096, 65536};
	struct first_finding first = {0};
	struct verdict v = {.raise = raise_first, .sink = &first};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct geometry g = {.block_size = sizes[i], .features = 1ull << FEATURE_QUOTA};
		u64 last = NULL32 / dquots_per_block(&g) * dquots_per_block(&g);
		u8 *block = malloc(sizes[i]);
		struct dquot *d = (struct dquot *)block;

		quota_block_init(&g, DQUOT_GROUP, 0, block);
		meta_types.type[META_DQUOT]->rules(&v, &g, block, sizes[i]);
		assert_int_equal(first.err, 0);
		assert_int_equal(be32_get(d[dquots_per_block(&g) - 1].id),
				 dquots_per_block(&g) - 1);
		assert_int_equal(log_buf_type_of(block), LOG_BUF_TYPE_GDQUOT);
		quota_block_init(&g, DQUOT_PROJECT, last, block);
		assert_int_equal(be32_get(d[NULL32 - last].id), NULL32);
		assert_int_equal(log_buf_type_of(block), LOG_BUF_TYPE_PDQUOT);
		free(block);
	}
}

/* A record that has less than is given back, and one in the wrong place. */
static void damaged_records(void **state)
{
	struct quota_record record;
	struct inum a;

	(void)state;
	open_world(4096, true);
	must(quota_turn(world.vol, DQUOT_USER, 0));
	must(make("a", 5, 6, &a));
	must(grow(a, 3));
	begin();
	must(quota_record_open(world.vol, world.txn, DQUOT_USER, 5, true, &record));
	record.d->bcount = be64_make(2);
	quota_record_changed(world.vol, world.txn, &record);
	assert_int_equal(end(0), -EUCLEAN); /* the guard has seen it */
	must(quota_turn(world.vol, 0, 0));
	begin();
	must(quota_record_open(world.vol, world.txn, DQUOT_USER, 5, true, &record));
	record.d->bcount = be64_make(2);
	quota_record_changed(world.vol, world.txn, &record);
	must(end(0));
	must(grow(a, 5));			    /* not kept, so nobody asks */
	must(quota_turn(world.vol, DQUOT_USER, 0)); /* counted anew */
	uses(DQUOT_USER, 5, 5, 1);
	world.vol->geo.quota_flags = 0; /* falsified behind the guard's back */
	begin();
	must(quota_record_open(world.vol, world.txn, DQUOT_USER, 5, true, &record));
	record.d->bcount = be64_make(2);
	quota_record_changed(world.vol, world.txn, &record);
	must(end(0));
	world.vol->geo.quota_flags = (u16)quota_flags_of(DQUOT_USER, false);
	assert_int_equal(give(a, 7, 8, true), -EUCLEAN);
	must(quota_turn(world.vol, 0, 0));
	close_world();
}

/* At whatever allocation it gives up, nothing is called counted that is not. */
static void memory_fails(void **state)
{
	u32 failed = 0;
	struct inum a;

	(void)state;
	open_world(4096, true);
	must(make("a", 5, 6, &a));
	must(grow(a, 3));
	for (u32 n = 1;; n += 3) {
		int err;

		world.world.allocs = 0;
		world.world.fail_alloc = n;
		err = quota_turn(world.vol, DQUOT_TYPES, DQUOT_TYPES);
		world.world.fail_alloc = 0;
		if (!err)
			break;
		failed++;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(quota_types_counted(&world.vol->geo), 0);
		must(grow(a, 3 + failed));
		if (failed % 8 == 0)
			assert_int_equal(findings(), 0);
	}
	assert_true(failed > 10);
	uses(DQUOT_USER, 5, 3 + failed, 1);
	must(vol_close(world.vol));
	open_vol();
	assert_int_equal(quota_types_enforced(&world.vol->geo), DQUOT_TYPES);
	close_world();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(usage_follows),   cmocka_unit_test(hard_limits),
	    cmocka_unit_test(times_of_grace),  cmocka_unit_test(blocks_of_records),
	    cmocka_unit_test(damaged_records), cmocka_unit_test(memory_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
