/*
 * What the tests of descriptors share: an image from mkfs.xfs, one field of it damaged, and what
 * check says of it; and noise for rules() and parts().
 */
#ifndef MENDFS_META_TYPE_TEST_H
#define MENDFS_META_TYPE_TEST_H

#include "base/test.h"

#include "format/ag.h"
#include "format/btree.h"
#include "format/super.h"
#include "format/verify.h"
#include "fs/vol.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "meta/findings.h"
#include "meta/types_table.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct test_image {
	char path[40];
	struct env env;
	u32 seen[FINDING_COUNT]; /* by the last check */
	u32 total;
	char first[512];
	bool preen; /* what checks are asked for */
};

static inline void test_finding(struct env *env, const struct finding *finding)
{
	struct test_image *t = env->front;

	if (!t->total++)
		finding_print(finding, t->first, sizeof(t->first));
	t->seen[finding->def - finding_defs]++;
}

/* A fresh filesystem of 64 MiB with four AGs; skips the test where mkfs.xfs is missing. */
static inline void test_image_make(struct test_image *t, const char *options)
{
	char command[512];
	int fd;

	memset(t, 0, sizeof(*t));
	strcpy(t->path, "/tmp/mendfs-type-XXXXXX");
	fd = mkstemp(t->path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 320 << 20), 0);
	close(fd);
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin; command -v mkfs.xfs >/dev/null || exit 77; "
		 "exec mkfs.xfs -q -f -d agcount=4 %s %s >/dev/null 2>&1",
		 options, t->path);
	fd = system(command);
	if (WEXITSTATUS(fd) == 77) {
		unlink(t->path);
		skip();
	}
	assert_int_equal(fd, 0);
	host_env_init(&t->env, 1);
	t->env.finding = test_finding;
	t->env.front = t;
}

static inline void test_image_drop(struct test_image *t)
{
	unlink(t->path);
}

static inline struct vol *test_image_open(struct test_image *t)
{
	struct verdict quiet = {.raise = NULL};
	struct vol_options options = {.verdict = &quiet};
	struct vol *vol;

	assert_int_equal(device_open_file(&t->env, t->path, true, &options.data), 0);
	assert_int_equal(vol_open(&t->env, &meta_types, &options, &vol), 0);
	return vol;
}

static inline void test_image_check(struct test_image *t)
{
	const struct sweep_options options = {.preen = t->preen};
	struct vol *vol = test_image_open(t);
	struct sweep_stats stats;

	memset(t->seen, 0, sizeof(t->seen));
	t->total = 0;
	t->first[0] = 0;
	assert_int_equal(sweep_run(vol, &options, &stats), 0);
	vol_close(vol);
}

/* Bytes of an object, changed by `change`, with its CRC made good again. */
static inline void test_image_change(struct test_image *t, const struct meta_type *type, u64 at,
				     u32 size, void (*change)(void *block, u64 arg), u64 arg)
{
	int fd = open(t->path, O_RDWR);
	u8 *block = malloc(size);
	struct le32 crc;

	assert_true(fd >= 0 && block);
	assert_int_equal(pread(fd, block, size, (off_t)at), size);
	change(block, arg);
	if (type->crc_offset != CRC_NONE) {
		crc = le32_make(verify_crc(block, size, type->crc_offset));
		memcpy(block + type->crc_offset, &crc, sizeof(crc));
	}
	assert_int_equal(pwrite(fd, block, size, (off_t)at), size);
	free(block);
	close(fd);
}

/* Set field `name` of the header at `at` to `value`; check must then find `id`, and nothing once it
 * is put back. */
static inline void test_field(struct test_image *t, enum meta_id id, u32 ag, const char *name,
			      u64 value, enum finding_id expected)
{
	const struct meta_type *type = meta_types.type[id];
	const struct field *field = layout_field(type->layout, name);
	struct vol *vol = test_image_open(t);
	u64 at = type->place(&vol->geo, ag).v, old;
	u32 size = type->size(&vol->geo);
	u8 *block = malloc(size);
	int fd = open(t->path, O_RDWR);
	struct le32 crc;

	vol_close(vol);
	assert_non_null(field);
	assert_int_equal(pread(fd, block, size, (off_t)at), size);
	old = field_get(field, block, 0);
	value += value == old; /* the first byte of a random uuid, say */
	for (int pass = 0; pass < 2; pass++) {
		field_set(field, block, 0, pass ? old : value);
		crc = le32_make(verify_crc(block, size, type->crc_offset));
		memcpy(block + type->crc_offset, &crc, sizeof(crc));
		assert_int_equal(pwrite(fd, block, size, (off_t)at), size);
		test_image_check(t);
		if (!pass && !t->seen[expected])
			print_error("%s.%s = %llu: %s not found, but %s\n", type->name, name,
				    (unsigned long long)value, finding_defs[expected].id, t->first);
		assert_true(pass || t->seen[expected]);
	}
	if (t->total)
		print_error("%s.%s put back: %s\n", type->name, name, t->first);
	assert_int_equal(t->total, 0);
	free(block);
	close(fd);
}

static inline void test_part_bounds(struct part_sink *sink, const struct part *part)
{
	u32 *len = (u32 *)(sink + 1);

	assert_true(part->offset <= *len && part->layout->size <= *len - part->offset);
	assert_true(layout_tiles(part->layout));
}

/* Noise behind a valid magic: rules() and parts() must stay inside the block. */
static inline void test_noise(enum meta_id id, u32 rounds)
{
	static const struct geometry g = {.block_size = 4096,
					  .block_log = 12,
					  .sector_size = 512,
					  .sector_log = 9,
					  .ag_count = 4,
					  .ag_blocks = 20480,
					  .ag_block_log = 15,
					  .data_blocks = 81920,
					  .inode_size = 512,
					  .inode_log = 9,
					  .inodes_per_block = 8,
					  .inopb_log = 3,
					  .agino_log = 18,
					  .chunk_blocks = 8,
					  .cluster_blocks = 4,
					  .inode_align = 8,
					  .spino_align = 4,
					  .dir_block_size = 4096,
					  .dir_fsblocks = 1,
					  .dir_leaf_off = 1ull << 23,
					  .dir_free_off = 1ull << 24,
					  .root_ino = 128,
					  .features = 0xffffff};
	const struct meta_type *type = meta_types.type[id];
	struct {
		struct part_sink sink;
		u32 len;
	} sink = {{test_part_bounds}, type->size(&g)};
	u64 seed = 88172645463325252ull;
	u8 *block = malloc(sink.len);

	for (u32 round = 0; round < rounds; round++) {
		struct verdict v = {.where = {.type = type->name,
					      .ag = round % 4,
					      .ino = 133,
					      .daddr = 8192,
					      .owner = 133}};

		for (u32 i = 0; i < sink.len; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			/* many small numbers: they get further than large ones */
			block[i] = seed & 3 ? 0 : (u8)(seed >> 32);
		}
		for (u32 i = 0; i < type->magic_width; i++)
			block[type->magic_offset + i] =
			    (u8)(type->magic >> 8 * (type->magic_width - 1 - i));
		verify(&v, type, &g, block, sink.len);
		assert_true(v.worst == SEVERITY_CORRUPT);
		if (type->parts)
			type->parts(&g, block, sink.len, &sink.sink);
		else
			assert_true(layout_tiles(type->layout));
	}
	free(block);
}

#endif
