/* Decoding of inodes and extents: bits against records that xfs_db has printed, hostile bytes. */
#include "base/test.h"
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "format/inode.h"

#define INODE_SIZE 512

static const struct geometry geo = {
    .block_size = 4096, .block_log = 12, .inode_size = INODE_SIZE, .inode_log = 9};

static void tables_tile(void **state)
{
	(void)state;
	assert_true(layout_tiles(&dinode_layout));
	assert_true(layout_tiles(&dinode64_layout));
	assert_true(layout_tiles(&bmbt_rec_layout));
	assert_true(layout_tiles(&bmbt_key_layout));
	assert_true(layout_tiles(&bmdr_layout));
	assert_true(layout_tiles(&inode_dev_layout));
}

/* The record of the format's documentation: file block 4050, block 31431, 2025 blocks. */
static void extent_bits(void **state)
{
	u8 raw[16] = {0, 0, 0, 0, 0, 0x1f, 0xa4, 0, 0, 0, 0, 0x0f, 0x58, 0xe0, 0x07, 0xe9};
	struct extent e;

	(void)state;
	extent_load(raw, &e);
	assert_int_equal(e.off, 4050);
	assert_int_equal(e.start, 31431);
	assert_int_equal(e.count, 2025);
	assert_false(e.unwritten);
	memset(raw, 0xff, sizeof(raw));
	extent_load(raw, &e);
	assert_int_equal(e.off, (1ull << 54) - 1);
	assert_int_equal(e.start, (1ull << 52) - 1);
	assert_int_equal(e.count, (1ull << 21) - 1);
	assert_true(e.unwritten);
	/* the table says the same as the decoder */
	for (u32 bit = 0; bit < 128; bit++) {
		memset(raw, 0, sizeof(raw));
		raw[bit / 8] = (u8)(0x80 >> bit % 8);
		extent_load(raw, &e);
		assert_int_equal(field_get(layout_field(&bmbt_rec_layout, "extentflag"), raw, 0),
				 e.unwritten);
		assert_int_equal(field_get(layout_field(&bmbt_rec_layout, "startoff"), raw, 0),
				 e.off);
		assert_int_equal(field_get(layout_field(&bmbt_rec_layout, "startblock"), raw, 0),
				 e.start);
		assert_int_equal(field_get(layout_field(&bmbt_rec_layout, "blockcount"), raw, 0),
				 e.count);
	}
}

static void times(void **state)
{
	struct dinode d = {.atime = be64_make(0xffffffff0000002aull), .mtime = be64_make(7)};
	u8 raw[INODE_SIZE] = {0};
	struct inode inode;

	(void)state;
	memcpy(raw, &d, sizeof(d));
	inode_parse(&geo, inum_of(1), raw, &inode);
	assert_int_equal(inode.atime, -1);
	assert_int_equal(inode.atime_ns, 42);
	d.flags2 = be64_make(INODE_FLAG2_BIGTIME);
	d.atime = be64_make(0);
	d.mtime = be64_make(2147483648ull * 1000000000 + 5); /* 1970-01-01 and 5 ns */
	d.ctime = be64_make(NULL64);
	memcpy(raw, &d, sizeof(d));
	inode_parse(&geo, inum_of(1), raw, &inode);
	assert_int_equal(inode.atime, -2147483648ll); /* 1901-12-13 */
	assert_int_equal(inode.mtime, 0);
	assert_int_equal(inode.mtime_ns, 5);
	assert_int_equal(inode.ctime, 16299260425ll); /* 2486-07-02 */
}

static void counters(void **state)
{
	struct dinode d = {.v3_pad = be64_make(0x123456789abcull),
			   .nextents = be32_make(0x10002),
			   .anextents = be16_make(3),
			   .forkoff = 10,
			   .projid_lo = be16_make(1),
			   .projid_hi = be16_make(2)};
	u8 raw[INODE_SIZE] = {0};
	struct inode inode;

	(void)state;
	memcpy(raw, &d, sizeof(d));
	inode_parse(&geo, inum_of(1), raw, &inode);
	assert_int_equal(inode.fork[FORK_DATA].extents, 0x10002);
	assert_int_equal(inode.fork[FORK_ATTR].extents, 3);
	assert_int_equal(inode.fork[FORK_DATA].size, 80);
	assert_int_equal(inode.fork[FORK_ATTR].size, INODE_SIZE - 176 - 80);
	assert_ptr_equal(inode.fork[FORK_ATTR].data, raw + 176 + 80);
	assert_int_equal(inode.projid, 0x20001);
	d.flags2 = be64_make(INODE_FLAG2_NREXT64);
	memcpy(raw, &d, sizeof(d));
	inode_parse(&geo, inum_of(1), raw, &inode);
	assert_int_equal(inode.fork[FORK_DATA].extents, 0x123456789abcull);
	assert_int_equal(inode.fork[FORK_ATTR].extents, 0x10002);
}

static void devices(void **state)
{
	struct dinode d = {.mode = be16_make(S_IFCHR | 0600)};
	u8 raw[INODE_SIZE] = {0};
	struct inode inode;

	(void)state;
	memcpy(raw, &d, sizeof(d));
	raw[176 + 1] = 0x14; /* 5 << 18 | 1 */
	raw[176 + 3] = 1;
	inode_parse(&geo, inum_of(1), raw, &inode);
	assert_int_equal(inode.rdev, makedev(5, 1));
	assert_int_equal(inode_ftype(inode.mode), 3);
	assert_int_equal(inode_ftype(S_IFSOCK | 0777), 6);
	assert_int_equal(inode_ftype(0777), 0);
}

/* Whatever the bytes say, forks and roots stay inside the inode. */
static void hostile(void **state)
{
	u8 raw[INODE_SIZE];
	struct inode inode;
	struct bmap_root root;
	u32 seed = 1;

	(void)state;
	for (u32 round = 0; round < 20000; round++) {
		for (u32 i = 0; i < INODE_SIZE; i++) {
			seed = seed * 1664525 + 1013904223;
			raw[i] = (u8)(seed >> 24);
		}
		inode_parse(&geo, inum_of(1), raw, &inode);
		for (int which = FORK_DATA; which <= FORK_ATTR; which++) {
			const struct fork *f = &inode.fork[which];

			assert_true(f->data >= raw + 176 && f->data + f->size <= raw + INODE_SIZE);
			if (!bmap_root_of(f, &root) || !root.count)
				continue;
			assert_true((const u8 *)(root.ptrs + root.count) <= f->data + f->size);
		}
	}
}

static void levels(void **state)
{
	struct geometry g = {.block_size = 4096};

	(void)state;
	/* 125 a block at the least: 2^31 extents fill 17179870 leaves, then 137439, 1100, 9, 1 */
	assert_int_equal(bmap_levels_max(&g, FORK_DATA), 5);
	assert_int_equal(bmap_levels_max(&g, FORK_ATTR), 3); /* 2^15: 263, 3, 1 */
	g.block_size = 1024;
	g.features = 1u << FEATURE_NREXT64;
	assert_true(bmap_levels_max(&g, FORK_DATA) <= 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tables_tile), cmocka_unit_test(extent_bits), cmocka_unit_test(times),
	    cmocka_unit_test(counters),	   cmocka_unit_test(devices),	  cmocka_unit_test(hostile),
	    cmocka_unit_test(levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
