/* The only leaf of a directory: its index against the names, its table against the data blocks. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_DIRLEAF, {{"leaf", 4, "hashval", 0, 1, true}}, FINDING_ID_DIR_HASH_WRONG},
	    {META_DIRLEAF, {{"leaf", 4, "hashval", 0, 0, false}}, FINDING_ID_DIR_INDEX_ORDER},
	    {META_DIRLEAF, {{"leaf", 4, "address", 0, 0, false}}, FINDING_ID_DIR_INDEX_STALE},
	    {META_DIRLEAF, {{"leaf", 4, "address", 0, 0, false}}, FINDING_ID_DIR_NAME_ALONE},
	    {META_DIRLEAF, {{"leaf", 4, "address", 0, 0x7fff, false}}, FINDING_ID_DIR_HASH_ALONE},
	    {META_DIRLEAF, {{"hdr", 0, "stale", 0, 1, false}}, FINDING_ID_DIR_INDEX_STALE},
	    {META_DIRLEAF, {{"hdr", 0, "count", 0, 0xffff, false}}, FINDING_ID_DIR_INDEX_COUNT},
	    {META_DIRLEAF, {{"hdr", 0, "count", 0, 100, false}}, FINDING_ID_DIR_NAME_ALONE},
	    {META_DIRLEAF, {{"hdr", 0, "forw", 0, 1, false}}, FINDING_ID_DIR_LEAF_SIBLING},
	    {META_DIRLEAF, {{"hdr", 0, "pad", 0, 1, false}}, FINDING_ID_DIR_PAD},
	    {META_DIRLEAF, {{"hdr", 0, "pad32", 0, 1, false}}, FINDING_ID_DIR_PAD},
	    {META_DIRLEAF, {{"bests", 1, "best", 0, 8, true}}, FINDING_ID_DIR_BEST_WRONG},
	    {META_DIRLEAF, {{"bests", 1, "best", 0, 0xffff, false}}, FINDING_ID_DIR_BEST_WRONG},
	    {META_DIRLEAF, {{"tail", 0, "bestcount", 0, 1, true}}, FINDING_ID_DIR_BESTS_SHORT},
	    {META_DIRLEAF,
	     {{"tail", 0, "bestcount", 0, 0xffffffff, false}},
	     FINDING_ID_DIR_BESTS_COUNT},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_DIRLEAF, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
