/* The cntbt: wrong headers and records have their findings, and noise stays inside the block. */
#include "meta/tree_test.h"

static void records(void **state)
{
	static const struct tree_damage own[] = {
	    {TREE_RECORDS, 2000, FINDING_ID_FREE_NOT_IN_BNOBT},
	    {TREE_RECORDS + 4, 3, FINDING_ID_CNTBT_LONGEST},
	    {TREE_RECORDS + 4, 0, FINDING_ID_FREE_EXTENT},
	};

	(void)state;
	test_tree(META_CNTBT, META_AGF, 1, "roots", AGF_CNT, own, ARRAY_COUNT(own));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_CNTBT, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
