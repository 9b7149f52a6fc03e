/* Repairs of what no single damaged field can make: circles of directories. */
#include "meta/names_test.h"
#include "scrub/repair.h"
#include "format/verify.h"

static struct repair_result run(struct test_image *t, u64 force)
{
	struct verdict quiet = {.raise = raise_nothing};
	struct vol_options options = {.write = true, .repair = true, .verdict = &quiet};
	const struct repair_options how = {.memory = 4u << 20, .force = force};
	struct repair_result result;
	struct vol *vol;

	assert_int_equal(device_open_file(&t->env, t->path, false, &options.data), 0);
	assert_int_equal(vol_open(&t->env, &meta_types, &options, &vol), 0);
	assert_int_equal(repair_run(vol, &how, &result), 0);
	assert_int_equal(vol_close(vol), 0);
	assert_int_equal(result.left, 0);
	test_image_check(t);
	assert_int_equal(t->total, 0);
	return result;
}

/* Afterwards nothing is found any more. */
static void repair(struct test_image *t)
{
	assert_true(run(t, 0).first);
}

static bool is_below(struct test_image *t, u64 dir, u64 top)
{
	struct vol *vol = test_image_open(t);

	for (u32 depth = 0; depth < 10 && dir != top; depth++) {
		struct inum parent = {0};
		struct inode inode;
		u8 type;

		assert_int_equal(inode_get(vol, inum_of(dir), &inode), 0);
		assert_int_equal(dir_lookup(vol, &inode, "..", 2, &parent, &type), 0);
		inode_put(vol, &inode);
		dir = parent.v;
	}
	vol_close(vol);
	return dir == top;
}

static void circle_is_cut(void **state)
{
	struct test_image t;
	u64 dir[4];

	(void)state;
	names_circle(&t, dir);
	repair(&t);
	for (u32 i = 1; i < 4; i++)
		assert_true(is_below(&t, dir[i], dir[0]));
	test_image_drop(&t);
}

/* Files that were cut off have the old extents behind those that count, and unlinked ones no name.
 */
static void forced_rebuild_leaves_all_sound(void **state)
{
	static const char *const name[] = {"log-cui", "log-orphans", "log-efi",
					   "quota",   "parent",	     "aged-1k"};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(name); i++) {
		struct test_image t;
		struct repair_result result;

		names_fixture(&t, name[i]);
		run(&t, 0);
		result = run(&t, NULL64);
		if (result.failed)
			print_error("%s: %u rebuilds failed\n", name[i], (u32)result.failed);
		assert_int_equal(result.failed, 0);
		assert_true(result.rebuilt > 100);
		test_image_drop(&t);
	}
}

static void set_size(void *block, u64 size)
{
	((struct dinode *)block)->size = be64_make(size);
}

/* Nothing is mapped behind what the realtime section needs, here nothing. */
static void files_of_realtime_are_cut(void **state)
{
	struct test_image t;
	struct vol *vol;
	struct geometry g;

	(void)state;
	names_fixture(&t, "pieces");
	vol = test_image_open(&t);
	g = vol->geo;
	vol_close(vol);
	for (u32 i = 0; i < 2; i++) {
		struct inum ino = inum_of(i ? g.rsum_ino : g.rbm_ino);
		u64 index = inum_agino(&g, ino) & (g.inodes_per_block - 1);
		u64 at = agblock_daddr(&g, inum_ag(&g, ino), agino_bno(&g, inum_agino(&g, ino))).v +
			 (index << g.inode_log);

		test_image_change(&t, meta_types.type[META_INODE], at, g.inode_size, set_size, 1);
		repair(&t);
	}
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(circle_is_cut),
					   cmocka_unit_test(files_of_realtime_are_cut),
					   cmocka_unit_test(forced_rebuild_leaves_all_sound)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
