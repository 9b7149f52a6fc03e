/* A node of a directory tree: pointers, hashes, level, count. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_DIRNODE, {{"hdr", 0, "count", 0, 0, false}}, FINDING_ID_DA_COUNT},
	    {META_DIRNODE, {{"hdr", 0, "count", 0, 0xffff, false}}, FINDING_ID_DA_COUNT},
	    {META_DIRNODE, {{"hdr", 0, "level", 0, 0, false}}, FINDING_ID_DA_LEVEL},
	    {META_DIRNODE, {{"hdr", 0, "level", 0, 6, false}}, FINDING_ID_DA_LEVEL},
	    {META_DIRNODE, {{"hdr", 0, "level", 0, 2, false}}, FINDING_ID_BLOCK_MAGIC},
	    {META_DIRNODE, {{"btree", 1, "hashval", 0, 0, false}}, FINDING_ID_DA_ORDER},
	    {META_DIRNODE, {{"btree", 1, "hashval", 0, 1, true}}, FINDING_ID_DA_PARENT_HASH},
	    {META_DIRNODE, {{"btree", 1, "before", 0, 0, false}}, FINDING_ID_DA_POINTER},
	    {META_DIRNODE, {{"btree", 1, "before", 0, 0x2001000, false}}, FINDING_ID_DA_UNMAPPED},
	    {META_DIRNODE, {{"btree", 1, "before", 0, 0x2000000, false}}, FINDING_ID_BLOCK_MAGIC},
	    {META_DIRNODE, {{"hdr", 0, "count", 0, 1, false}}, FINDING_ID_DIR_LEAF_LOST},
	    {META_DIRNODE, {{"hdr", 0, "forw", 0, 1, false}}, FINDING_ID_DA_FORW},
	    {META_DIRNODE, {{"hdr", 0, "back", 0, 1, false}}, FINDING_ID_DA_BACK},
	    {META_DIRNODE, {{"hdr", 0, "pad32", 0, 1, false}}, FINDING_ID_DIR_PAD},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_DIRNODE, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
