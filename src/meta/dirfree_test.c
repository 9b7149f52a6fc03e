/* The free index: which data blocks, and how much is free in each. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_DIRFREE, {{"hdr", 0, "firstdb", 0, 1, false}}, FINDING_ID_DIR_FREE_FIRST},
	    {META_DIRFREE, {{"hdr", 0, "firstdb", 0, 480, false}}, FINDING_ID_DIR_FREE_PLACE},
	    {META_DIRFREE, {{"hdr", 0, "nvalid", 0, 0xffffffff, false}}, FINDING_ID_DIR_FREE_COUNT},
	    {META_DIRFREE, {{"hdr", 0, "nvalid", 0, 1, true}}, FINDING_ID_DIR_FREE_USED},
	    {META_DIRFREE, {{"hdr", 0, "nused", 0, 1, true}}, FINDING_ID_DIR_FREE_USED},
	    {META_DIRFREE, {{"bests", 1, "best", 0, 8, true}}, FINDING_ID_DIR_BEST_WRONG},
	    {META_DIRFREE, {{"bests", 1, "best", 0, 1, true}}, FINDING_ID_DIR_FREE_BEST},
	    {META_DIRFREE,
	     {{"bests", 1, "best", 0, 0xffff, false}, {"hdr", 0, "nused", 0, 0, true}},
	     FINDING_ID_DIR_BEST_WRONG},
	    {META_DIRFREE, {{"hdr", 0, "pad", 0, 1, false}}, FINDING_ID_DIR_PAD},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_DIRFREE, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
