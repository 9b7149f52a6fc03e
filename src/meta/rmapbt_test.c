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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
