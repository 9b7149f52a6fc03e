/* A leaf of attributes: the table of names, the heap, the free map. The image has parent pointers.
 */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_ATTRLEAF, {{"entries", 1, "hashval", 0, 1, true}}, FINDING_ID_ATTR_HASH},
	    {META_ATTRLEAF, {{"entries", 1, "hashval", 0, 0, false}}, FINDING_ID_ATTR_ORDER},
	    {META_ATTRLEAF, {{"entries", 1, "nameidx", 0, 4, false}}, FINDING_ID_ATTR_NAME_FIT},
	    {META_ATTRLEAF, {{"entries", 1, "nameidx", 0, 2, true}}, FINDING_ID_ATTR_NAME_FIT},
	    {META_ATTRLEAF, {{"entries", 2, "nameidx", 0, 4012, false}}, FINDING_ID_ATTR_OVERLAP},
	    {META_ATTRLEAF, {{"entries", 1, "flags", 0, 7, false}}, FINDING_ID_ATTR_FLAGS},
	    {META_ATTRLEAF, {{"entries", 1, "flags", 0, 64, true}}, FINDING_ID_ATTR_FLAGS},
	    {META_ATTRLEAF,
	     {{"entries", 1, "flags", 0, 128, true}},
	     FINDING_ID_ATTR_INCOMPLETE_LEFT},
	    {META_ATTRLEAF, {{"entries", 1, "pad2", 0, 1, false}}, FINDING_ID_ATTR_PAD},
	    {META_ATTRLEAF, {{"hdr", 0, "count", 0, 0xffff, false}}, FINDING_ID_ATTR_COUNT},
	    {META_ATTRLEAF, {{"hdr", 0, "usedbytes", 0, 4, true}}, FINDING_ID_ATTR_USED_BYTES},
	    {META_ATTRLEAF,
	     {{"hdr", 0, "firstused", 0, 0xfffc, false}},
	     FINDING_ID_ATTR_FIRST_USED},
	    {META_ATTRLEAF, {{"hdr", 0, "firstused", 0, 8, false}}, FINDING_ID_ATTR_FIRST_USED},
	    {META_ATTRLEAF, {{"hdr", 0, "holes", 0, 2, false}}, FINDING_ID_ATTR_HOLES},
	    {META_ATTRLEAF, {{"hdr", 0, "pad1", 0, 1, false}}, FINDING_ID_ATTR_PAD},
	    {META_ATTRLEAF, {{"hdr", 0, "pad2", 0, 1, false}}, FINDING_ID_ATTR_PAD},
	    {META_ATTRLEAF, {{"hdr", 0, "free0_base", 0, 2, false}}, FINDING_ID_ATTR_FREEMAP},
	    {META_ATTRLEAF, {{"hdr", 0, "free0_size", 0, 0xfffc, false}}, FINDING_ID_ATTR_FREEMAP},
	    {META_ATTRLEAF,
	     {{"hdr", 0, "free0_base", 0, 0, false}, {"hdr", 0, "free0_size", 0, 8, false}},
	     FINDING_ID_ATTR_FREEMAP_USED},
	    {META_ATTRLEAF, {{"local", 0, "namelen", 0, 0, false}}, FINDING_ID_ATTR_NAME_INVALID},
	    {META_ATTRLEAF, {{"local", 0, "valuelen", 0, 0xffff, false}}, FINDING_ID_ATTR_NAME_FIT},
	    {META_ATTRLEAF, {{"name", 0, "name", 0, 0, false}}, FINDING_ID_ATTR_NAME_INVALID},
	    {META_ATTRLEAF, {{"remote", 1, "valueblk", 0, 0, false}}, FINDING_ID_ATTR_VALUE_BLOCK},
	    {META_ATTRLEAF,
	     {{"remote", 1, "valueblk", 0, 0x7fffffff, false}},
	     FINDING_ID_ATTR_VALUE_UNMAPPED},
	    {META_ATTRLEAF, {{"remote", 1, "valuelen", 0, 0, false}}, FINDING_ID_ATTR_VALUE_LENGTH},
	    {META_ATTRLEAF,
	     {{"remote", 1, "valuelen", 0, 65537, false}},
	     FINDING_ID_ATTR_VALUE_LENGTH},
	    {META_ATTRLEAF, {{"remote", 1, "valuelen", 0, 1, true}}, FINDING_ID_ATTR_VALUE_PIECE},
	    {META_ATTRLEAF, {{"remote", 1, "valuelen", 0, 1, false}}, FINDING_ID_ATTR_BLOCKS},
	    {META_ATTRLEAF, {{"parent", 0, "gen", 0, 1, true}}, FINDING_ID_PARENT_WITHOUT_NAME},
	    {META_ATTRLEAF, {{"parent", 0, "gen", 0, 1, true}}, FINDING_ID_NAME_WITHOUT_PARENT},
	    {META_ATTRLEAF, {{"parent", 0, "ino", 0, 0, false}}, FINDING_ID_ATTR_PARENT_INO},
	};
	struct test_image t;

	(void)state;
	names_fixture(&t, "parent");
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

/* What healthy kernels leave as well, each said once more than before. */
static void could_be_better(void **state)
{
	static const struct names_damage rows[] = {
	    {META_ATTRLEAF, {{"hdr", 0, "holes", 0, 1, false}}, FINDING_ID_ATTR_LEAF_HOLES},
	    {META_ATTRLEAF,
	     {{"hdr", 0, "free2_base", 0, 128, false}, {"hdr", 0, "free2_size", 0, 0, false}},
	     FINDING_ID_ATTR_FREEMAP_EMPTY},
	    {META_ATTRLEAF,
	     {{"hdr", 0, "count", 0, 0, false},
	      {"hdr", 0, "usedbytes", 0, 0, false},
	      {"hdr", 0, "firstused", 0, 4096, false}},
	     FINDING_ID_ATTR_LEAF_EMPTY},
	};
	struct test_image t;

	(void)state;
	names_fixture(&t, "parent");
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	t.preen = true;
	for (u32 i = 0; i < ARRAY_COUNT(rows); i++) {
		u32 before;

		test_image_check(&t);
		before = t.seen[rows[i].expected];
		names_damage_one(&t, &rows[i]);
		assert_int_equal(t.seen[rows[i].expected], before + 1);
	}
	test_image_drop(&t);
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_ATTRLEAF, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(could_be_better),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
