/* Attributes in the inode. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_INODE, {{"sfattr", 0, "totsize", 0, 1, true}}, FINDING_ID_ATTR_SHORT_SIZE},
	    {META_INODE, {{"sfattr", 0, "totsize", 0, 1, false}}, FINDING_ID_ATTR_SHORT_SIZE},
	    {META_INODE, {{"sfattr", 0, "count", 0, 200, false}}, FINDING_ID_ATTR_SHORT_FIT},
	    {META_INODE, {{"attr", 0, "flags", 0, 1, false}}, FINDING_ID_ATTR_SHORT_FLAGS},
	    {META_INODE, {{"attr", 0, "flags", 0, 6, false}}, FINDING_ID_ATTR_FLAGS},
	    {META_INODE, {{"attr", 0, "namelen", 0, 0, false}}, FINDING_ID_ATTR_NAME_INVALID},
	    {META_INODE, {{"attr_name", 0, "name", 0, 0, false}}, FINDING_ID_ATTR_NAME_INVALID},
	    {META_INODE, {{"attr_parent", 0, "ino", 0, 0, false}}, FINDING_ID_ATTR_PARENT_INO},
	    {META_INODE, {{"attr_parent", 0, "gen", 0, 1, true}}, FINDING_ID_PARENT_WITHOUT_NAME},
	    {META_INODE, {{"attr", 0, "valuelen", 0, 1, true}}, FINDING_ID_ATTR_PARENT_SIZE},
	};
	struct test_image t;

	(void)state;
	names_fixture(&t, "parent");
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
