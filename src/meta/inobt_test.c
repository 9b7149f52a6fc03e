/* The inobt: wrong headers and records have their findings, and noise stays inside the block. */
#include "meta/tree_test.h"

static void records(void **state)
{
	static const struct tree_damage own[] = {
	    {TREE_RECORDS, 64, FINDING_ID_INODE_NOT_SEEN},
	    {TREE_RECORDS, 129, FINDING_ID_INOBT_ALIGN},
	    {TREE_RECORDS, 100000000, FINDING_ID_INOBT_RANGE},
	    {TREE_RECORDS + 4, 0x0001403d, FINDING_ID_INOBT_HOLES},
	    {TREE_RECORDS + 4, 0x00004001, FINDING_ID_INOBT_FREECOUNT},
	    {TREE_RECORDS + 12, 0xfffffff0, FINDING_ID_INODE_NOT_SEEN},
	};

	(void)state;
	test_tree(META_INOBT, META_AGI, 0, "root", 0, own, ARRAY_COUNT(own));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_INOBT, 2000);
}

static void raised(struct verdict *v, const struct finding *finding)
{
	u32 *seen = v->sink;

	seen[finding->def - finding_defs]++;
}

/* Holes at the start, but fewer than the headers of the AG are long. */
static void inodes_in_the_headers(void **state)
{
	struct inobt_rec r = {
	    .holemask = be16_make(1), .count = 60, .freecount = 60, .free = be64_make(NULL64)};
	const struct btree_short h = {.magic = be32_make(INOBT_MAGIC), .numrecs = be16_make(1)};
	const struct meta_type *type = meta_types.type[META_INOBT];
	u32 seen[FINDING_COUNT] = {0};
	struct verdict v = {.raise = raised, .sink = seen, .where = {.ag = 1}};
	u8 block[4096] = {0};
	struct test_image t;
	struct vol *vol;

	(void)state;
	test_image_make(&t, "-i size=512");
	vol = test_image_open(&t);
	memcpy(block, &h, sizeof(h));
	memcpy(block + sizeof(h), &r, sizeof(r));
	type->rules(&v, &vol->geo, block, sizeof(block));
	assert_int_equal(seen[FINDING_ID_INOBT_RANGE], 1);
	r.holemask = be16_make(3);
	r.count = r.freecount = 56;
	memcpy(block + sizeof(h), &r, sizeof(r));
	type->rules(&v, &vol->geo, block, sizeof(block));
	assert_int_equal(seen[FINDING_ID_INOBT_RANGE], 1);
	vol_close(vol);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise),
					   cmocka_unit_test(inodes_in_the_headers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
