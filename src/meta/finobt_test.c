/* The finobt: wrong headers and records have their findings, and noise stays inside the block. */
#include "meta/tree_test.h"

static void records(void **state)
{
	static const struct tree_damage own[] = {
	    {TREE_RECORDS, 192, FINDING_ID_CHUNK_NOT_IN_INOBT},
	    {TREE_RECORDS, 192, FINDING_ID_CHUNK_NOT_IN_FINOBT},
	    {TREE_RECORDS + 4, 0x00004001, FINDING_ID_INOBT_FREECOUNT},
	};

	(void)state;
	test_tree(META_FINOBT, META_AGI, 0, "free_root", 0, own, ARRAY_COUNT(own));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_FINOBT, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
