/* The rmapbt: wrong headers and records have their findings, and noise stays inside the block. */
#include "meta/tree_test.h"

static void records(void **state)
{
	static const struct tree_damage own[] = {
	    {TREE_RECORDS + 4, 2, FINDING_ID_RMAP_HEADERS},
	    {TREE_RECORDS + 24 + 4, 1, FINDING_ID_OWNER_NOT_IN_RMAPBT},
	    {TREE_RECORDS + 24 + 4, 20, FINDING_ID_RMAP_WITHOUT_OWNER},
	    {TREE_RECORDS + 24 + 8, 0x7fffffff, FINDING_ID_RMAP_OWNER},
	    {TREE_RECORDS + 24 + 16, 0x00400000, FINDING_ID_RMAP_RESERVED},
	    {TREE_RECORDS + 24 + 20, 1, FINDING_ID_RMAP_FLAGS},
	    {TREE_RECORDS + 24, 0, FINDING_ID_TREE_ORDER},
	};

	(void)state;
	test_tree(META_RMAPBT, META_AGF, 1, "roots", AGF_RMAP, own, ARRAY_COUNT(own));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_RMAPBT, 2000);
}

/* Mappings that are one, cut in two at the border of two leaves, and those that are not. */
static void border(void **state)
{
	static const struct {
		u64 owner, left, right;
		u32 start;
		u32 merge;
	} cases[] = {
	    {133, 7, 17, 30, 1},
	    {133, 7, 18, 30, 0},
	    {133, 7, 17, 31, 0},
	    {133, 7, 17 | RMAP_OFFSET_UNWRITTEN, 30, 0},
	    {133, 7 | RMAP_OFFSET_UNWRITTEN, 17 | RMAP_OFFSET_UNWRITTEN, 30, 1},
	    {133, RMAP_OFFSET_BMBT, RMAP_OFFSET_BMBT, 30, 1},
	    {133, RMAP_OFFSET_BMBT, RMAP_OFFSET_BMBT | RMAP_OFFSET_ATTR, 30, 0},
	    {(u64)RMAP_OWN_AG, 0, 0, 30, 1},
	};
	struct test_image t;

	(void)state;
	test_image_make(&t, "-m rmapbt=1");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct rmap_rec recs[] = {{be32_make(20), be32_make(10), be64_make(cases[i].owner),
					   be64_make(cases[i].left)},
					  {be32_make(cases[i].start), be32_make(5),
					   be64_make(cases[i].owner), be64_make(cases[i].right)}};

		tree_two_leaves(&t, META_RMAPBT, "roots", AGF_RMAP,
				offsetof(struct agf, levels) + 4 * AGF_RMAP, recs);
		assert_int_equal(t.seen[FINDING_ID_RMAP_MERGE], cases[i].merge);
		assert_int_equal(t.seen[FINDING_ID_TREE_LOW_KEY], 0);
		assert_int_equal(t.seen[FINDING_ID_TREE_HIGH_KEY], 0);
	}
	test_image_drop(&t);
}

/* The same inside one leaf; what the records say is still taken in. */
static void merged(void **state)
{
	struct rmap_rec recs[] = {
	    {be32_make(20), be32_make(10), be64_make(133), be64_make(7)},
	    {be32_make(30), be32_make(5), be64_make(133), be64_make(17)},
	};
	struct test_image t;
	struct geometry g;
	struct vol *vol;
	u64 root;

	(void)state;
	test_image_make(&t, "-m rmapbt=1");
	vol = test_image_open(&t);
	g = vol->geo;
	vol_close(vol);
	root = tree_root_of(&t, META_AGF, 1, "roots", AGF_RMAP) - agblock_daddr(&g, 1, 0).v;
	tree_put_block(&t, &g, META_RMAPBT, 1, (u32)(root >> g.block_log), NULL32, NULL32, recs, 2,
		       NULL);
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_RMAP_MERGE], 1);
	assert_true(t.seen[FINDING_ID_RMAP_WITHOUT_OWNER]);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise),
					   cmocka_unit_test(border), cmocka_unit_test(merged)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
