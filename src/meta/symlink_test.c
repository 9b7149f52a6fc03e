/* Symbolic links: the length, the pieces, no zero byte. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_SYMLINK, {{"hdr", 0, "offset", 0, 1, false}}, FINDING_ID_SYMLINK_PLACE},
	    {META_SYMLINK, {{"hdr", 0, "offset", 0, 1024, false}}, FINDING_ID_SYMLINK_OFFSET},
	    {META_SYMLINK, {{"hdr", 0, "bytes", 0, 1, false}}, FINDING_ID_SYMLINK_LENGTH},
	    {META_SYMLINK, {{"hdr", 0, "bytes", 0, 1024, false}}, FINDING_ID_SYMLINK_BYTES},
	    {META_SYMLINK, {{"target", 0, "bytes", 3, 0, false}}, FINDING_ID_SYMLINK_ZERO},
	    {META_INODE, {{"target", 0, "target", 3, 0, false}}, FINDING_ID_SYMLINK_ZERO},
	};
	struct test_image t;

	(void)state;
	names_fixture(&t, "parent");
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_SYMLINK, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
