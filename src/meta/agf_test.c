/* The AGF: each wrong field has its finding, and noise stays inside the sector. */
#include "meta/type_test.h"

static void fields(void **state)
{
	struct test_image t;

	(void)state;
	test_image_make(&t, "-m rmapbt=1,reflink=1");
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	test_field(&t, META_AGF, 1, "versionnum", 2, FINDING_ID_AGF_VERSION);
	test_field(&t, META_AGF, 1, "seqno", 2, FINDING_ID_AGF_SEQNO);
	test_field(&t, META_AGF, 1, "length", 20000, FINDING_ID_AGF_LENGTH);
	test_field(&t, META_AGF, 1, "roots", 99999, FINDING_ID_AGF_ROOT);
	test_field(&t, META_AGF, 1, "levels", 0, FINDING_ID_AGF_LEVEL);
	test_field(&t, META_AGF, 1, "flfirst", 1000, FINDING_ID_AGF_FREELIST_INDEX);
	test_field(&t, META_AGF, 1, "flcount", 100, FINDING_ID_AGF_FREELIST_COUNT);
	test_field(&t, META_AGF, 1, "freeblks", 5, FINDING_ID_AGF_LONGEST);
	test_field(&t, META_AGF, 1, "freeblks", 99999, FINDING_ID_AGF_FREEBLKS);
	test_field(&t, META_AGF, 1, "freeblks", 20000, FINDING_ID_COUNTER_TOO_HIGH);
	test_field(&t, META_AGF, 1, "btreeblks", 7, FINDING_ID_COUNTER_TOO_HIGH);
	test_field(&t, META_AGF, 1, "longest", 17, FINDING_ID_CNTBT_LONGEST);
	test_field(&t, META_AGF, 1, "rmap_blocks", 3, FINDING_ID_COUNTER_TOO_HIGH);
	test_field(&t, META_AGF, 1, "refcount_blocks", 0, FINDING_ID_COUNTER_TOO_LOW);
	test_field(&t, META_AGF, 1, "refcount_root", 1000000, FINDING_ID_AGF_ROOT);
	test_field(&t, META_AGF, 1, "refcount_level", 17, FINDING_ID_AGF_LEVEL);
	test_field(&t, META_AGF, 1, "spare64", 1, FINDING_ID_AGF_SPARE);
	test_field(&t, META_AGF, 1, "spare2", 1, FINDING_ID_AGF_SPARE);
	test_field(&t, META_AGF, 1, "uuid", 1, FINDING_ID_BLOCK_UUID);
	test_image_drop(&t);
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_AGF, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
