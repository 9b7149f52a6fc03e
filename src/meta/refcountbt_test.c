/* The refcountbt: wrong headers and records have their findings, and noise stays inside the block.
 */
#include "meta/tree_test.h"

#include "fs/refcount.h"

#include <errno.h>

static void records(void **state)
{
	static const struct tree_damage own[] = {
	    {4, 0x00000001, FINDING_ID_REFCOUNT_EXTENT},
	};

	(void)state;
	test_tree(META_REFCOUNTBT, META_AGF, 1, "refcount_root", 0, own, ARRAY_COUNT(own));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_REFCOUNTBT, 2000);
}

/* --- a tree whose keys lie --- */

static struct refcount_rec record(u32 start, u32 blocks, u32 count)
{
	return (struct refcount_rec){be32_make(start), be32_make(blocks), be32_make(count)};
}

/* A key says that the second leaf begins at 1000. It begins with an extent that ends where the
 * question begins: taken for an answer, whoever asks would go on at the same place for ever. */
static void lying_keys(void **state)
{
	const struct refcount_rec left[] = {record(20, 5, 2)};
	const struct refcount_rec right[] = {record(50, 50, 2)};
	const struct refcount_rec nodes[] = {record(20, 1, 2), record(1000, 1, 2)};
	struct refcount_hint hint = {0};
	struct refcount_record r;
	struct test_image t;
	struct geometry g;
	struct vol *vol;

	(void)state;
	test_image_make(&t, "-m rmapbt=1,reflink=1");
	vol = test_image_open(&t);
	g = vol->geo;
	vol_close(vol);
	tree_two_leaves(&t, META_REFCOUNTBT, "refcount_root", 0,
			offsetof(struct agf, refcount_level), nodes);
	tree_put_block(&t, &g, META_REFCOUNTBT, 1, TREE_LEFT, NULL32, TREE_RIGHT, left, 1, NULL);
	tree_put_block(&t, &g, META_REFCOUNTBT, 1, TREE_RIGHT, TREE_LEFT, NULL32, right, 1, NULL);
	test_image_check(&t);
	assert_true(t.seen[FINDING_ID_TREE_LOW_KEY]);
	vol = test_image_open(&t);
	assert_int_equal(refcount_next(vol, &hint, 1, 22, &r), 0);
	assert_int_equal(r.start, 20);
	assert_int_equal(refcount_next(vol, &hint, 1, 100, &r), -EUCLEAN);
	assert_int_equal(r.blocks, 0);
	refcount_hint_drop(vol, &hint);
	vol_close(vol);
	test_image_drop(&t);
}

/* Neighbours of one count at the border of two leaves should be one record. */
static void border(void **state)
{
	static const struct {
		u32 left, right, count, merge;
	} cases[] = {{20, 30, 2, 1},
		     {20, 30, 3, 0},
		     {20, 31, 2, 0},
		     {20 | REFCOUNT_COW, 30 | REFCOUNT_COW, 2, 1}};
	struct test_image t;

	(void)state;
	test_image_make(&t, "-m rmapbt=1,reflink=1");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct refcount_rec recs[] = {record(cases[i].left, 10, 2),
						    record(cases[i].right, 5, cases[i].count)};

		tree_two_leaves(&t, META_REFCOUNTBT, "refcount_root", 0,
				offsetof(struct agf, refcount_level), recs);
		assert_int_equal(t.seen[FINDING_ID_REFCOUNT_MERGE], cases[i].merge);
		assert_int_equal(t.seen[FINDING_ID_TREE_LOW_KEY], 0);
	}
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise),
					   cmocka_unit_test(lying_keys), cmocka_unit_test(border)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
