/* A block of a remote value: its place in the value. */
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_ATTRREMOTE, {{"hdr", 0, "offset", 0, 1, false}}, FINDING_ID_ATTR_REMOTE_OFFSET},
	    {META_ATTRREMOTE,
	     {{"hdr", 0, "offset", 0, 4040 * 3, false}},
	     FINDING_ID_ATTR_VALUE_PIECE},
	    {META_ATTRREMOTE, {{"hdr", 0, "bytes", 0, 0, false}}, FINDING_ID_ATTR_REMOTE_BYTES},
	    {META_ATTRREMOTE, {{"hdr", 0, "bytes", 0, 4041, false}}, FINDING_ID_ATTR_REMOTE_BYTES},
	    {META_ATTRREMOTE, {{"hdr", 0, "bytes", 0, 1, false}}, FINDING_ID_ATTR_VALUE_PIECE},
	    {META_ATTRREMOTE, {{"hdr", 0, "lsn", 0, 1, false}}, FINDING_ID_ATTR_REMOTE_LSN},
	    {META_ATTRREMOTE, {{"hdr", 0, "owner", 0, 1, true}}, FINDING_ID_BLOCK_OWNER},
	    {META_ATTRREMOTE, {{"hdr", 0, "blkno", 0, 1, true}}, FINDING_ID_BLOCK_BLKNO},
	};
	struct test_image t;

	(void)state;
	names_fixture(&t, "parent");
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_ATTRREMOTE, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
