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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
