/* The superblock and its copies: each wrong field has its finding. */
#include "meta/type_test.h"

static void fields(void **state)
{
	struct test_image t;

	(void)state;
	test_image_make(&t, "-m rmapbt=1,reflink=1");
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	test_field(&t, META_SUPERBLOCK, 0, "icount", 128, FINDING_ID_COUNTER_TOO_HIGH);
	test_field(&t, META_SUPERBLOCK, 0, "ifree", 0, FINDING_ID_COUNTER_TOO_LOW);
	test_field(&t, META_SUPERBLOCK, 0, "fdblocks", 1000, FINDING_ID_COUNTER_TOO_LOW);
	test_field(&t, META_SUPERBLOCK, 0, "inprogress", 1, FINDING_ID_SB_INPROGRESS);
	test_field(&t, META_SUPERBLOCK, 0, "rootino", 131, FINDING_ID_DOTDOT_MISSING);
	test_field(&t, META_SUPERBLOCK, 0, "agblklog", 16, FINDING_ID_SB_LOGS);
	test_field(&t, META_SUPERBLOCK, 0, "imax_pct", 101, FINDING_ID_SB_IMAX_PCT);
	test_field(&t, META_SUPERBLOCK, 0, "bad_features2", 0, FINDING_ID_SB_BAD_FEATURES2);
	test_field(&t, META_SUPERBLOCK, 0, "flags", 1, FINDING_ID_SB_UNUSED);
	test_field(&t, META_SUPERBLOCK, 0, "qflags", 0x1, FINDING_ID_SB_QFLAGS);
	test_field(&t, META_SUPERBLOCK, 0, "unit", 3, FINDING_ID_SB_STRIPE);
	test_field(&t, META_SUPERBLOCK, 0, "inoalignmt", 0, FINDING_ID_SB_ALIGN);
	test_field(&t, META_SUPERBLOCK, 0, "inoalignmt", 16, FINDING_ID_SB_ALIGN);
	test_field(&t, META_SUPERBLOCK, 0, "features_compat", 1, FINDING_ID_SB_FEATURES);
	test_field(&t, META_SUPERBLOCK, 2, "agcount", 3, FINDING_ID_SB_GEOMETRY);
	test_field(&t, META_SUPERBLOCK, 2, "dblocks", 5, FINDING_ID_SB_GEOMETRY);
	test_field(&t, META_SUPERBLOCK, 3, "agblocks", 20000, FINDING_ID_SB_GEOMETRY);
	test_field(&t, META_SUPERBLOCK, 1, "logstart", 17, FINDING_ID_SB_COPY_DIFFERS);
	test_field(&t, META_SUPERBLOCK, 1, "magicnum", 1, FINDING_ID_BLOCK_MAGIC);
	test_field(&t, META_SUPERBLOCK, 1, "rextsize", 2, FINDING_ID_SB_COPY_DIFFERS);
	test_field(&t, META_SUPERBLOCK, 1, "uquotino", 131, FINDING_ID_SB_COPY_DIFFERS);
	test_field(&t, META_SUPERBLOCK, 1, "fname", 65, FINDING_ID_SB_COPY_STALE);
	test_image_drop(&t);
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_SUPERBLOCK, 2000);
}

/* The primary's geometry damaged: the copies are believed, and the rest is checked with theirs. */
static void copies_are_believed(void **state)
{
	struct test_image t;

	(void)state;
	test_image_make(&t, "-m rmapbt=1,reflink=1");
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	test_field(&t, META_SUPERBLOCK, 0, "agblocks", 20000, FINDING_ID_SB_GEOMETRY);
	test_field(&t, META_SUPERBLOCK, 0, "magicnum", 0, FINDING_ID_BLOCK_MAGIC);
	test_field(&t, META_SUPERBLOCK, 0, "logblocks", 600, FINDING_ID_SB_PRIMARY);
	test_field(&t, META_SUPERBLOCK, 0, "dirblklog", 1, FINDING_ID_SB_PRIMARY);
	test_field(&t, META_SUPERBLOCK, 0, "features_ro_compat", 1, FINDING_ID_SB_PRIMARY);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields),
	    cmocka_unit_test(copies_are_believed),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
