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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
