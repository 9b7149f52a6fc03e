/* The bnobt: wrong headers and records have their findings, and noise stays inside the block. */
#include "meta/type_test.h"

/* arg: byte offset within the block << 32 | value of the be32 there */
static void set_word(void *block, u64 arg)
{
	struct be32 value = be32_make((u32)arg);

	memcpy((u8 *)block + (arg >> 32), &value, sizeof(value));
}

static u64 root_of(struct test_image *t, u32 ag)
{
	struct vol *vol = test_image_open(t);
	const struct geometry *g = &vol->geo;
	u8 sector[512];
	u64 at;

	assert_int_equal(device_read(vol->data, ag_header_daddr(g, ag, 1), sector, 512), 0);
	at = agblock_daddr(g, ag, be32_get(((const struct agf *)sector)->roots[AGF_BNO])).v;
	vol_close(vol);
	return at;
}

static void damage(struct test_image *t, u64 at, u32 offset, u32 value, enum finding_id expected)
{
	const struct meta_type *type = meta_types.type[META_BNOBT];
	u8 saved[4096];
	int fd = open(t->path, O_RDWR);

	assert_int_equal(pread(fd, saved, sizeof(saved), (off_t)at), sizeof(saved));
	test_image_change(t, type, at, sizeof(saved), set_word, (u64)offset << 32 | value);
	test_image_check(t);
	if (!t->seen[expected])
		print_error("offset %u = %u: %s not found, but %s\n", offset, value,
			    finding_defs[expected].id, t->first);
	assert_true(t->seen[expected]);
	assert_int_equal(pwrite(fd, saved, sizeof(saved), (off_t)at), sizeof(saved));
	close(fd);
}

static void records(void **state)
{
	struct test_image t;
	u64 at;

	(void)state;
	test_image_make(&t, "-m rmapbt=1,reflink=1");
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	at = root_of(&t, 1);
	damage(&t, at, 0, 0x41424142, FINDING_ID_BLOCK_MAGIC);
	damage(&t, at, 8, 5, FINDING_ID_TREE_CHAIN);
	damage(&t, at, 12, 4000000, FINDING_ID_TREE_SIBLING);
	damage(&t, at, 4, 0x00010001, FINDING_ID_TREE_EXPECT_LEVEL);
	damage(&t, at, 20, 77, FINDING_ID_BLOCK_BLKNO);
	damage(&t, at, 48, 3, FINDING_ID_BLOCK_OWNER);
	damage(&t, at, sizeof(struct btree_short), 2000, FINDING_ID_SPACE_CLAIMED_TWICE);
	damage(&t, at, sizeof(struct btree_short) + 4, 1, FINDING_ID_SPACE_LEAKED);
	damage(&t, at, sizeof(struct btree_short) + 4, 3, FINDING_ID_FREE_NOT_IN_CNTBT);
	damage(&t, at, sizeof(struct btree_short) + 4, 0, FINDING_ID_FREE_EXTENT);
	damage(&t, at, sizeof(struct btree_short) + 4, 2, FINDING_ID_COUNTER_TOO_HIGH);
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	test_image_drop(&t);
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_BNOBT, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
