/* Repairs of what no single damaged field can make: circles of directories. */
#include "meta/names_test.h"
#include "scrub/repair.h"
#include "format/verify.h"

/* Afterwards nothing is found any more. */
static void repair(struct test_image *t)
{
	struct verdict quiet = {.raise = raise_nothing};
	struct vol_options options = {.write = true, .repair = true, .verdict = &quiet};
	const struct repair_options how = {.memory = 4u << 20};
	struct repair_result result;
	struct vol *vol;

	assert_int_equal(device_open_file(&t->env, t->path, false, &options.data), 0);
	assert_int_equal(vol_open(&t->env, &meta_types, &options, &vol), 0);
	assert_int_equal(repair_run(vol, &how, &result), 0);
	assert_int_equal(vol_close(vol), 0);
	assert_true(result.first);
	assert_int_equal(result.left, 0);
	test_image_check(t);
	assert_int_equal(t->total, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(circle_is_cut)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
