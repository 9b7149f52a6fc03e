/* The AGI: each wrong field has its finding, and noise stays inside the sector. */
#include "meta/type_test.h"

static void fields(void **state)
{
	struct test_image t;

	(void)state;
	test_image_make(&t, "-m rmapbt=1,reflink=1");
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	test_field(&t, META_AGI, 0, "versionnum", 2, FINDING_ID_AGI_VERSION);
	test_field(&t, META_AGI, 0, "seqno", 2, FINDING_ID_AGI_SEQNO);
	test_field(&t, META_AGI, 0, "length", 20000, FINDING_ID_AGI_LENGTH);
	test_field(&t, META_AGI, 0, "count", 128, FINDING_ID_COUNTER_TOO_HIGH);
	test_field(&t, META_AGI, 0, "count", 1000000, FINDING_ID_AGI_COUNT);
	test_field(&t, META_AGI, 0, "freecount", 60, FINDING_ID_COUNTER_TOO_LOW);
	test_field(&t, META_AGI, 0, "freecount", 65, FINDING_ID_AGI_FREECOUNT);
	test_field(&t, META_AGI, 0, "root", 1, FINDING_ID_BLOCK_MAGIC);
	test_field(&t, META_AGI, 0, "root", 99999, FINDING_ID_AGI_ROOT);
	test_field(&t, META_AGI, 0, "level", 2, FINDING_ID_TREE_EXPECT_LEVEL);
	test_field(&t, META_AGI, 0, "level", 0, FINDING_ID_AGI_LEVEL);
	test_field(&t, META_AGI, 0, "newino", 1, FINDING_ID_AGI_NEWINO);
	test_field(&t, META_AGI, 0, "newino", 129, FINDING_ID_AGI_NEWINO_MIDDLE);
	test_field(&t, META_AGI, 0, "lsn", 5ull << 32, FINDING_ID_BLOCK_LSN);
	test_field(&t, META_AGI, 0, "dirino", 128, FINDING_ID_AGI_DIRINO);
	test_field(&t, META_AGI, 0, "unlinked", 129, FINDING_ID_AGI_UNLINKED);
	test_field(&t, META_AGI, 0, "unlinked", 128, FINDING_ID_UNLINKED_HAS_LINKS);
	test_field(&t, META_AGI, 0, "unlinked", 192, FINDING_ID_UNLINKED_BROKEN);
	test_field(&t, META_AGI, 0, "free_root", 99999, FINDING_ID_AGI_ROOT);
	test_field(&t, META_AGI, 0, "free_level", 0, FINDING_ID_AGI_LEVEL);
	test_field(&t, META_AGI, 0, "iblocks", 2, FINDING_ID_COUNTER_TOO_HIGH);
	test_field(&t, META_AGI, 0, "fblocks", 0, FINDING_ID_COUNTER_TOO_LOW);
	test_field(&t, META_AGI, 0, "pad32", 1, FINDING_ID_AGI_PAD);
	test_image_drop(&t);
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_AGI, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
