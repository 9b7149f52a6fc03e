/* A leaf of the tree: its brothers, its parent, and the names. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_DIRLEAFN, {{"leaf", 4, "hashval", 0, 1, true}}, FINDING_ID_DIR_HASH_WRONG},
	    {META_DIRLEAFN, {{"leaf", 4, "hashval", 0, 0, false}}, FINDING_ID_DIR_INDEX_ORDER},
	    {META_DIRLEAFN, {{"leaf", 4, "address", 0, 0, false}}, FINDING_ID_DIR_NAME_ALONE},
	    {META_DIRLEAFN,
	     {{"leaf", 4, "address", 0, 0x7fffff, false}},
	     FINDING_ID_DIR_HASH_ALONE},
	    {META_DIRLEAFN, {{"hdr", 0, "count", 0, 0, false}}, FINDING_ID_DA_LEAF_EMPTY},
	    {META_DIRLEAFN, {{"hdr", 0, "count", 0, 0xffff, false}}, FINDING_ID_DIR_INDEX_COUNT},
	    {META_DIRLEAFN, {{"hdr", 0, "count", 0, 1, true}}, FINDING_ID_DA_PARENT_HASH},
	    {META_DIRLEAFN, {{"hdr", 0, "stale", 0, 1, false}}, FINDING_ID_DIR_INDEX_STALE},
	    {META_DIRLEAFN, {{"hdr", 0, "forw", 0, 1, true}}, FINDING_ID_DA_FORW},
	    {META_DIRLEAFN, {{"hdr", 0, "back", 0, 1, true}}, FINDING_ID_DA_BACK},
	    {META_DIRLEAFN, {{"hdr", 0, "pad", 0, 1, false}}, FINDING_ID_DIR_PAD},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_DIRLEAFN, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
