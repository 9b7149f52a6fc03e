/* The bnobt: wrong headers and records have their findings, and noise stays inside the block. */
#include "meta/tree_test.h"

static void records(void **state)
{
	static const struct tree_damage own[] = {
	    {TREE_RECORDS, 2000, FINDING_ID_SPACE_CLAIMED_TWICE},
	    {TREE_RECORDS + 4, 1, FINDING_ID_SPACE_LEAKED},
	    {TREE_RECORDS + 4, 3, FINDING_ID_FREE_NOT_IN_CNTBT},
	    {TREE_RECORDS + 4, 0, FINDING_ID_FREE_EXTENT},
	    {TREE_RECORDS + 4, 2, FINDING_ID_COUNTER_TOO_HIGH},
	};

	(void)state;
	test_tree(META_BNOBT, META_AGF, 1, "roots", AGF_BNO, own, ARRAY_COUNT(own));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_BNOBT, 2000);
}

/* --- a root with one child --- */

#define CHILD 5000 /* a block of AG 1 */

static void make_root(void *block, u64 arg)
{
	const struct btree_schema *schema = meta_types.type[META_BNOBT]->btree;
	struct btree_short *h = block;
	u8 *keys = (u8 *)block + sizeof(*h);
	struct be32 child = be32_make((u32)arg);

	h->level = be16_make(1);
	h->numrecs = be16_make(1); /* the first record stays as key */
	memcpy(keys + btree_max_ptrs(schema, 4096) * sizeof(struct alloc_rec), &child,
	       sizeof(child));
}

static void make_child(void *block, u64 at)
{
	((struct btree_short *)block)->blkno = be64_make(at / 512);
}

static void two_levels(void *block, u64 arg)
{
	(void)arg;
	((struct agf *)block)->levels[AGF_BNO] = be32_make(2);
}

/* The child is no root, though it has no siblings: the AGF must count it. */
static void only_child(void **state)
{
	const struct meta_type *type = meta_types.type[META_BNOBT],
			       *agf = meta_types.type[META_AGF];
	struct test_image t;
	struct geometry g;
	struct vol *vol;
	u8 leaf[4096];
	u64 at, child;
	int fd;

	(void)state;
	test_image_make(&t, "-m rmapbt=0");
	vol = test_image_open(&t);
	g = vol->geo;
	vol_close(vol);
	at = tree_root_of(&t, META_AGF, 1, "roots", AGF_BNO);
	child = agblock_daddr(&g, 1, CHILD).v;
	fd = open(t.path, O_RDWR);
	assert_int_equal(pread(fd, leaf, sizeof(leaf), (off_t)at), sizeof(leaf));
	assert_int_equal(pwrite(fd, leaf, sizeof(leaf), (off_t)child), sizeof(leaf));
	close(fd);
	test_image_change(&t, type, child, sizeof(leaf), make_child, child);
	test_image_change(&t, type, at, sizeof(leaf), make_root, CHILD);
	test_image_change(&t, agf, agf->place(&g, 1).v, g.sector_size, two_levels, 0);
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_SPACE_CLAIMED_TWICE], 1);
	assert_int_equal(t.seen[FINDING_ID_TREE_EXPECT_LEVEL], 0);
	assert_int_equal(t.seen[FINDING_ID_COUNTER_TOO_LOW], 1);
	test_image_drop(&t);
}

/* Two free extents that touch, or overlap, at the border of two leaves. */
static void border(void **state)
{
	static const struct {
		u32 second;
		bool merge, overlap;
	} cases[] = {{30, true, false}, {31, false, false}, {29, false, true}};
	struct test_image t;

	(void)state;
	test_image_make(&t, "-m rmapbt=0");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct alloc_rec recs[] = {{be32_make(20), be32_make(10)},
						 {be32_make(cases[i].second), be32_make(5)}};

		tree_two_leaves(&t, META_BNOBT, "roots", AGF_BNO,
				offsetof(struct agf, levels) + 4 * AGF_BNO, recs);
		assert_int_equal(t.seen[FINDING_ID_FREE_MERGE], cases[i].merge);
		assert_int_equal(t.seen[FINDING_ID_TREE_OVERLAP], cases[i].overlap);
		assert_int_equal(t.seen[FINDING_ID_TREE_LOW_KEY], 0);
	}
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise),
					   cmocka_unit_test(only_child), cmocka_unit_test(border)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
