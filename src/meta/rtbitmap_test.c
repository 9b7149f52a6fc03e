/*
 * The realtime bitmap: an empty section as mkfs.xfs makes it is sound; bits that are wrong, in the
 * section or behind it, are found, and so are sizes.
 */
#include "meta/type_test.h"

#include "fs/inode.h"
#include "format/realtime.h"

#define RT_BYTES ((u64)100 << 20)

static void make_rt_image(struct test_image *t, const char *more)
{
	char rt[] = "/tmp/mendfs-rt-XXXXXX", options[160];
	int fd = mkstemp(rt);

	assert_int_equal(ftruncate(fd, (off_t)RT_BYTES), 0);
	close(fd);
	snprintf(options, sizeof(options), "%s -r rtdev=%s", more, rt);
	test_image_make(t, options);
	unlink(rt);
}

/* Where the first block of an inode's data, and the inode itself, are. */
static u64 find(struct test_image *t, bool bitmap, u64 *inode_at)
{
	struct vol *vol = test_image_open(t);
	u64 ino = bitmap ? vol->geo.rbm_ino : vol->geo.rsum_ino;
	struct inode inode;
	struct extent e;
	u64 at;

	assert_int_equal(inode_get(vol, inum_of(ino), &inode), 0);
	extent_load(inode.fork[FORK_DATA].data, &e);
	at = fsblock_daddr(&vol->geo, fsblock_of(e.start)).v;
	*inode_at = inode.buf->at.v + (u64)(inode.raw - inode.buf->data);
	inode_put(vol, &inode);
	vol_close(vol);
	return at;
}

/* Xors one byte, checks, and puts it back. */
static void flip(struct test_image *t, u64 at, u8 bits)
{
	int fd = open(t->path, O_RDWR);
	u8 byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= bits;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	test_image_check(t);
	byte ^= bits;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static void set_size(void *block, u64 arg)
{
	((struct dinode *)block)->size = be64_make(arg);
}

static void bits(void **state)
{
	static const char *const options[] = {"-b size=4096", "-b size=1024",
					      "-b size=4096 -r extsize=16k"};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(options); i++) {
		struct test_image t;
		u64 at, inode_at;
		struct vol *vol;
		u64 extents, size;

		make_rt_image(&t, options[i]);
		vol = test_image_open(&t);
		extents = vol->geo.rt_extents;
		size = (u64)vol->geo.rt_bitmap_blocks << vol->geo.block_log;
		vol_close(vol);
		test_image_check(&t);
		if (t.total)
			print_error("%s: %s\n", options[i], t.first);
		assert_int_equal(t.total, 0);
		at = find(&t, true, &inode_at);
		/* one extent less is free, and the free run falls into two */
		flip(&t, at + 40, 0x10);
		assert_int_equal(t.seen[FINDING_ID_RT_LEAKED], 1);
		assert_true(t.seen[FINDING_ID_RT_SUMMARY_TOO_LOW] +
			    t.seen[FINDING_ID_RT_SUMMARY_TOO_HIGH]);
		assert_int_equal(t.seen[FINDING_ID_COUNTER_TOO_HIGH], 1);
		if (extents % 8)
			flip(&t, at + extents / 8, 0x80);
		else
			flip(&t, at + extents / 8, 0x01);
		if (extents < (u64)8 << (i == 1 ? 10 : 12))
			assert_int_equal(t.seen[FINDING_ID_RTBITMAP_TAIL], 1);
		test_image_change(&t, meta_types.type[META_INODE], inode_at, 512, set_size,
				  size - 1);
		test_image_check(&t);
		assert_int_equal(t.seen[FINDING_ID_RTBITMAP_SIZE], 1);
		test_image_change(&t, meta_types.type[META_INODE], inode_at, 512, set_size,
				  size + 4096);
		test_image_check(&t);
		assert_int_equal(t.seen[FINDING_ID_RTBITMAP_SIZE_LARGE], 1);
		test_image_drop(&t);
	}
}

static void table(void **state)
{
	(void)state;
	assert_true(layout_tiles(&rtbitmap_word_layout));
	assert_true(layout_tiles(&rtsummary_word_layout));
}

static void summary(void **state)
{
	struct test_image t;
	u64 at, inode_at;

	(void)state;
	make_rt_image(&t, "-b size=4096");
	at = find(&t, false, &inode_at);
	/* a run of one extent where there is none */
	flip(&t, at, 0x01);
	assert_int_equal(t.seen[FINDING_ID_RT_SUMMARY_TOO_HIGH], 1);
	assert_int_equal(t.total, 1);
	/* behind the last level */
	flip(&t, at + 4095, 0x01);
	assert_int_equal(t.seen[FINDING_ID_RTSUMMARY_TAIL], 1);
	assert_int_equal(t.total, 1);
	test_image_change(&t, meta_types.type[META_INODE], inode_at, 512, set_size, 512);
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_RTSUMMARY_SIZE], 1);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table),
	    cmocka_unit_test(bits),
	    cmocka_unit_test(summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
