/* Directories in the inode, and what the inode says of those in blocks. */
#include "meta/names_test.h"

#include "fs/inode.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_INODE, {{"parent", 0, "i4", 0, 0, false}}, FINDING_ID_DIR_ENTRY_INO},
	    {META_INODE, {{"inumber", 2, "i4", 0, 0, false}}, FINDING_ID_DIR_ENTRY_INO},
	    {META_INODE, {{"inumber", 2, "i4", 0, 66, false}}, FINDING_ID_DIR_ENTRY_INTERNAL},
	    {META_INODE, {{"name", 2, "name", 0, '/', false}}, FINDING_ID_DIR_NAME_INVALID},
	    {META_INODE, {{"entry", 2, "namelen", 0, 255, false}}, FINDING_ID_DIR_SHORT_FIT},
	    {META_INODE, {{"entry", 2, "offset", 0, 8, false}}, FINDING_ID_DIR_SHORT_OFFSET},
	    {META_INODE,
	     {{"entry", 5, "offset", 0, 0xfff8, false}},
	     FINDING_ID_DIR_SHORT_TOO_LARGE},
	    {META_INODE, {{"type", 2, "ftype", 0, 0, false}}, FINDING_ID_DIR_ENTRY_TYPE},
	    {META_INODE, {{"type", 2, "ftype", 0, 1, false}}, FINDING_ID_LINKS_MORE_NAMES},
	    {META_INODE, {{"sfdir", 0, "count", 0, 1, true}}, FINDING_ID_DIR_SHORT_FIT},
	    {META_INODE, {{"sfdir", 0, "i8count", 0, 1, false}}, FINDING_ID_DIR_SHORT_FIT},
	    {META_INODE,
	     {{"core", 0, "size", 0, 1, true}, {"sfdir", 0, "i8count", 0, 0, false}},
	     FINDING_ID_DIR_SIZE},
	    {META_INODE, {{"name", 5, "name", 5, 1, true}}, FINDING_ID_DIR_NAME_TWICE},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void circle(void **state)
{
	struct test_image t;
	u64 dir[4];

	(void)state;
	names_circle(&t, dir);
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_DIR_LOOP], 2);
	assert_int_equal(t.total, 2);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(circle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
