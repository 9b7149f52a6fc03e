/* Chunks of inodes: what one damaged inode does to the books, and what it does not. */
#include "meta/type_test.h"

#include "format/inode.h"

/* Where the chunk of the root is, and how the inodes in it are used: root and the two of the
 * realtime section, the rest free. */
static u64 chunk_at(struct test_image *t, struct geometry *g)
{
	struct vol *vol = test_image_open(t);

	*g = vol->geo;
	vol_close(vol);
	return agblock_daddr(g, 0, agino_bno(g, (u32)g->root_ino)).v;
}

static void set_be16(void *block, u64 arg)
{
	struct be16 v = be16_make((u16)arg);

	memcpy((u8 *)block + (arg >> 16), &v, sizeof(v));
}

static void restore(struct test_image *t, u64 at, const u8 *bytes, size_t size)
{
	int fd = open(t->path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, size, (off_t)at), (s64)size);
	close(fd);
	test_image_check(t);
	assert_int_equal(t->total, 0);
}

static void one_inode(void **state)
{
	const struct meta_type *type = meta_types.type[META_INODE];
	static u8 saved[64 * 512], zero[64 * 512];
	struct test_image t;
	struct geometry g;
	u64 at;
	int fd;

	(void)state;
	test_image_make(&t, "");
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	at = chunk_at(&t, &g);
	fd = open(t.path, O_RDWR);
	assert_int_equal(pread(fd, saved, sizeof(saved), (off_t)at), sizeof(saved));
	/* a flipped bit in a time is one finding: all else is posted as it was */
	assert_int_equal(pwrite(fd, "\x55", 1, (off_t)at + 39), 1);
	test_image_check(&t);
	assert_int_equal(t.total, 1);
	assert_int_equal(t.seen[FINDING_ID_BLOCK_CRC], 1);
	restore(&t, at, saved, sizeof(saved));
	/* a free inode that has a mode: the inobt says otherwise */
	test_image_change(&t, type, at + 10 * 512, 512, set_be16, 2u << 16 | 0100644);
	test_image_check(&t);
	assert_true(t.seen[FINDING_ID_INODE_NOT_IN_INOBT] + t.seen[FINDING_ID_INODE_NOT_SEEN]);
	assert_int_equal(t.seen[FINDING_ID_UNLINKED_NOT_LISTED], 1);
	restore(&t, at, saved, sizeof(saved));
	/* no link to the summary inode */
	test_image_change(&t, type, at + 2 * 512, 512, set_be16, 18u << 16 | 2);
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_LINKS_FEWER_NAMES], 1);
	restore(&t, at, saved, sizeof(saved));
	/* one that is none: only itself, and the links that it cannot post */
	test_image_change(&t, type, at + 1 * 512, 512, set_be16, 0);
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_BLOCK_MAGIC], 1);
	assert_int_equal(t.seen[FINDING_ID_INODE_NOT_SEEN], 0);
	restore(&t, at, saved, sizeof(saved));
	/* no inodes at all */
	assert_int_equal(pwrite(fd, zero, sizeof(zero), (off_t)at), sizeof(zero));
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_INODES_NONE], 1);
	assert_int_equal(t.seen[FINDING_ID_BLOCK_MAGIC], 0);
	assert_int_equal(t.seen[FINDING_ID_INODE_NOT_SEEN], 1);
	restore(&t, at, saved, sizeof(saved));
	close(fd);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one_inode)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
