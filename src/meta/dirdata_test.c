/* A data block of a directory with an index elsewhere: entries against the index, free space
 * against its table. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_DIRDATA, {{"entry", 4, "inumber", 0, 0, false}}, FINDING_ID_DIR_ENTRY_INO},
	    {META_DIRDATA, {{"entry", 4, "namelen", 0, 255, false}}, FINDING_ID_DIR_ENTRY_TAG},
	    {META_DIRDATA, {{"name", 4, "name", 2, 'y', false}}, FINDING_ID_DIR_HASH_WRONG},
	    {META_DIRDATA,
	     {{"name", 2, "name", 0, 'a', false}, {"name", 2, "name", 1, 0301, false}},
	     FINDING_ID_DIR_NAME_TWICE},
	    {META_DIRDATA, {{"tag", 4, "tag", 0, 8, false}}, FINDING_ID_DIR_ENTRY_TAG},
	    {META_DIRDATA, {{"hdr", 0, "best0_length", 0, 8, true}}, FINDING_ID_DIR_BEST_LENGTH},
	    {META_DIRDATA, {{"hdr", 0, "best0_length", 0, 8, true}}, FINDING_ID_DIR_BEST_WRONG},
	    {META_DIRDATA, {{"hdr", 0, "pad", 0, 1, false}}, FINDING_ID_DIR_PAD},
	    {META_DIRDATA, {{"entry", 0, "inumber", 0, 131, false}}, FINDING_ID_DIR_DOT},
	    {META_DIRDATA, {{"entry", 1, "inumber", 0, 131, false}}, FINDING_ID_DOTDOT_WRONG},
	    {META_DIRDATA, {{"hdr", 0, "magic", 0, 0, false}}, FINDING_ID_BLOCK_MAGIC},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_DIRDATA, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
