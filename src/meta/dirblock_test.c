/* The block of a directory that has one: each field that says something about another. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_DIRBLOCK, {{"entry", 4, "inumber", 0, 0, false}}, FINDING_ID_DIR_ENTRY_INO},
	    {META_DIRBLOCK, {{"entry", 4, "inumber", 0, 65, false}}, FINDING_ID_DIR_ENTRY_INTERNAL},
	    {META_DIRBLOCK, {{"entry", 4, "namelen", 0, 200, false}}, FINDING_ID_DIR_ENTRY_FIT},
	    {META_DIRBLOCK, {{"entry", 4, "namelen", 0, 0, false}}, FINDING_ID_DIR_ENTRY_FIT},
	    {META_DIRBLOCK, {{"tag", 4, "tag", 0, 8, false}}, FINDING_ID_DIR_ENTRY_TAG},
	    {META_DIRBLOCK, {{"type", 4, "ftype", 0, 0, false}}, FINDING_ID_DIR_ENTRY_TYPE},
	    {META_DIRBLOCK, {{"type", 4, "ftype", 0, 9, false}}, FINDING_ID_DIR_ENTRY_TYPE},
	    {META_DIRBLOCK, {{"type", 4, "ftype", 0, 1, false}}, FINDING_ID_LINKS_MORE_NAMES},
	    {META_DIRBLOCK, {{"name", 4, "name", 2, '/', false}}, FINDING_ID_DIR_NAME_INVALID},
	    {META_DIRBLOCK, {{"name", 4, "name", 2, 0, false}}, FINDING_ID_DIR_NAME_INVALID},
	    {META_DIRBLOCK, {{"name", 4, "name", 2, 'y', false}}, FINDING_ID_DIR_INDEX_HASH},
	    {META_DIRBLOCK,
	     {{"name", 2, "name", 0, 'a', false}, {"name", 2, "name", 1, 0301, false}},
	     FINDING_ID_DIR_NAME_TWICE},
	    {META_DIRBLOCK, {{"leaf", 4, "hashval", 0, 1, true}}, FINDING_ID_DIR_INDEX_HASH},
	    {META_DIRBLOCK, {{"leaf", 4, "hashval", 0, 0, false}}, FINDING_ID_DIR_INDEX_ORDER},
	    {META_DIRBLOCK, {{"leaf", 4, "address", 0, 1, false}}, FINDING_ID_DIR_INDEX_ADDRESS},
	    {META_DIRBLOCK, {{"leaf", 4, "address", 0, 1, false}}, FINDING_ID_DIR_INDEX_MISSING},
	    {META_DIRBLOCK, {{"leaf", 4, "address", 0, 0, false}}, FINDING_ID_DIR_INDEX_STALE},
	    {META_DIRBLOCK, {{"tail", 0, "stale", 0, 1, false}}, FINDING_ID_DIR_INDEX_STALE},
	    {META_DIRBLOCK,
	     {{"tail", 0, "count", 0, 0xffffffff, false}},
	     FINDING_ID_DIR_INDEX_COUNT},
	    {META_DIRBLOCK, {{"hdr", 0, "best0_length", 0, 8, true}}, FINDING_ID_DIR_BEST_LENGTH},
	    {META_DIRBLOCK, {{"hdr", 0, "best0_offset", 0, 8, true}}, FINDING_ID_DIR_BEST_OFFSET},
	    {META_DIRBLOCK, {{"hdr", 0, "best2_offset", 0, 64, false}}, FINDING_ID_DIR_BEST_OFFSET},
	    {META_DIRBLOCK, {{"hdr", 0, "pad", 0, 1, false}}, FINDING_ID_DIR_PAD},
	    {META_DIRBLOCK, {{"unused", 0, "length", 0, 8, true}}, FINDING_ID_DIR_ENTRY_FIT},
	    {META_DIRBLOCK, {{"unused_tag", 0, "tag", 0, 8, false}}, FINDING_ID_DIR_ENTRY_TAG},
	    {META_DIRBLOCK, {{"entry", 0, "inumber", 0, 128, false}}, FINDING_ID_DIR_DOT},
	    {META_DIRBLOCK, {{"type", 1, "ftype", 0, 1, false}}, FINDING_ID_DIR_DOT_TYPE},
	    {META_DIRBLOCK, {{"name", 0, "name", 0, 'x', false}}, FINDING_ID_DIR_DOT_MISSING},
	    {META_DIRBLOCK,
	     {{"entry", 0, "namelen", 0, 2, false},
	      {"name", 0, "name", 1, '.', false},
	      {"type", 0, "ftype", 0, DIR_FT_DIR, false},
	      {"entry", 1, "namelen", 0, 1, false},
	      {"type", 1, "ftype", 0, DIR_FT_DIR, false}},
	     FINDING_ID_DIR_DOT_PLACE},
	    {META_DIRBLOCK, {{"hdr", 0, "owner", 0, 128, false}}, FINDING_ID_BLOCK_OWNER},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_DIRBLOCK, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
