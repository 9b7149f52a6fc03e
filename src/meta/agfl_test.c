/* The free list: numbers that are no blocks, wherever they stand. */
#include "meta/type_test.h"

static void fields(void **state)
{
	struct test_image t;

	(void)state;
	test_image_make(&t, "-m rmapbt=1");
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	test_field(&t, META_AGFL, 1, "seqno", 3, FINDING_ID_AGFL_SEQNO);
	test_image_drop(&t);
}

static void set_slot(void *block, u64 arg)
{
	struct be32 bno = be32_make((u32)arg);

	/* mkfs fills the list from slot 1 on: flfirst is 1 in its images */
	memcpy((u8 *)block + sizeof(struct agfl) + 1 * sizeof(struct agfl_slot), &bno, sizeof(bno));
}

static void slots(void **state)
{
	const struct meta_type *type = meta_types.type[META_AGFL];
	struct test_image t;
	struct vol *vol;
	u64 at;

	(void)state;
	test_image_make(&t, "-m rmapbt=1");
	vol = test_image_open(&t);
	at = type->place(&vol->geo, 1).v;
	vol_close(vol);
	test_image_change(&t, type, at, 512, set_slot, 99999);
	test_image_check(&t);
	assert_true(t.seen[FINDING_ID_AGFL_BLOCK]);
	test_image_change(&t, type, at, 512, set_slot, NULL32);
	test_image_check(&t);
	assert_true(t.seen[FINDING_ID_AGFL_ACTIVE]);
	assert_true(t.seen[FINDING_ID_SPACE_LEAKED]);
	test_image_change(&t, type, at, 512, set_slot, 5000);
	test_image_check(&t);
	assert_true(t.seen[FINDING_ID_SPACE_CLAIMED_TWICE]);
	assert_true(t.seen[FINDING_ID_OWNER_NOT_IN_RMAPBT]);
	assert_true(t.seen[FINDING_ID_RMAP_WITHOUT_OWNER]);
	test_image_drop(&t);
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_AGFL, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields),
	    cmocka_unit_test(slots),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
