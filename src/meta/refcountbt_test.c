/* The refcountbt: wrong headers and records have their findings, and noise stays inside the block.
 */
#include "meta/tree_test.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
