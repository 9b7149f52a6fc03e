/* A node of an attribute tree. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_ATTRNODE, {{"hdr", 0, "count", 0, 0, false}}, FINDING_ID_DA_COUNT},
	    {META_ATTRNODE, {{"hdr", 0, "level", 0, 0, false}}, FINDING_ID_DA_LEVEL},
	    {META_ATTRNODE, {{"btree", 1, "hashval", 0, 0, false}}, FINDING_ID_DA_ORDER},
	    {META_ATTRNODE, {{"btree", 1, "hashval", 0, 1, true}}, FINDING_ID_DA_PARENT_HASH},
	    {META_ATTRNODE, {{"btree", 1, "before", 0, 0, false}}, FINDING_ID_DA_POINTER},
	    {META_ATTRNODE, {{"btree", 1, "before", 0, 0x1000000, false}}, FINDING_ID_DA_UNMAPPED},
	    {META_ATTRNODE, {{"hdr", 0, "count", 0, 1, false}}, FINDING_ID_DA_FORW},
	    {META_ATTRNODE, {{"hdr", 0, "count", 0, 1, false}}, FINDING_ID_ATTR_BLOCKS},
	};
	struct test_image t;

	(void)state;
	names_fixture(&t, "parent");
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_ATTRNODE, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
