/*
 * Building a filesystem: it opens; whichever write, flush or allocation fails, there is an error
 * and no filesystem; and one that is cut off at any write leaves the old one untouched or none.
 */
#include "base/test.h"
#include <errno.h>
#include <stdlib.h>

#include "format/super.h"
#include "fs/mkfs.h"
#include "fs/vol.h"
#include "host/host.h"
#include "meta/types_table.h"

#define SIZE (40u << 20)

/* A device in memory. From the fail_at-th write or flush on, for `failing` of them, all fail. */
struct memory {
	struct device dev;
	u8 *bytes;
	u64 calls, fail_at, failing;
};

static struct memory *memory_of(struct device *dev)
{
	return (struct memory *)dev;
}

static int memory_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	assert_true(at.v + size <= dev->size);
	memcpy(to, memory_of(dev)->bytes + at.v, size);
	return 0;
}

static bool fails(struct memory *m)
{
	m->calls++;
	return m->fail_at && m->calls >= m->fail_at && m->calls - m->fail_at < m->failing;
}

static int memory_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	assert_true(at.v + size <= dev->size);
	if (fails(memory_of(dev)))
		return fail(-EIO, "broken device");
	memcpy(memory_of(dev)->bytes + at.v, from, size);
	return 0;
}

static int memory_flush(struct device *dev)
{
	return fails(memory_of(dev)) ? fail(-EIO, "broken device") : 0;
}

static void memory_close(struct device *dev)
{
	(void)dev;
}

/* Forgets what was counted; keeps the bytes. */
static void memory_reset(struct memory *m)
{
	*m = (struct memory){.dev = {.name = "memory",
				     .size = SIZE,
				     .read = memory_read,
				     .write = memory_write,
				     .flush = memory_flush,
				     .close = memory_close},
			     .bytes = m->bytes};
}

static u32 allocs_left;

static void *few_allocs(struct env *env, size_t size)
{
	(void)env;
	return allocs_left && allocs_left-- ? calloc(1, size) : NULL;
}

static int no_random(struct env *env, void *to, size_t size)
{
	(void)env;
	(void)to;
	return fail(-EIO, "%zu random bytes: none left", size);
}

static int make(struct env *env, struct memory *data, struct memory *rt, u8 uuid, u32 block_size)
{
	struct mkfs_target target = {.data_size = SIZE, .rt_size = rt ? SIZE : 0};
	struct mkfs_devices devices = {.data = &data->dev, .rt = rt ? &rt->dev : NULL};
	struct mkfs_options o;
	struct geometry g;

	mkfs_options_init(&o);
	o.block_size = block_size;
	o.has_uuid = uuid;
	o.uuid.b[0] = uuid;
	assert_int_equal(mkfs_plan(env, &o, &target, &g), 0);
	return mkfs_build(env, &meta_types, &o, &g, &devices);
}

/* The first byte of the uuid of the filesystem that a mount would find; 0: none, -1: another error
 * than that. */
static int found(struct env *env, struct memory *data)
{
	struct vol_options options = {.data = &data->dev};
	struct vol *vol;
	int uuid;

	if (vol_open(env, &meta_types, &options, &vol))
		return 0;
	uuid = vol->geo.uuid.b[0];
	assert_int_equal(vol->log_status.state, LOG_CLEAN);
	vol_close(vol);
	return uuid;
}

static void opens(void **state)
{
	struct memory *data = state[0], rt = {0};
	struct env env;

	host_env_init(&env, 1);
	for (u32 size = 1024; size <= 4096; size *= 2) {
		memory_reset(data);
		memset(data->bytes, 0xa5, SIZE);
		assert_int_equal(make(&env, data, NULL, 7, size), 0);
		assert_int_equal(found(&env, data), 7);
	}
	rt.bytes = calloc(1, SIZE);
	memory_reset(&rt);
	memory_reset(data);
	assert_int_equal(make(&env, data, &rt, 9, 4096), 0);
	assert_int_equal(found(&env, data), 9);
	assert_int_equal(rt.calls, 0);
	free(rt.bytes);
}

/* A uuid that was drawn is one of version 4, and each time another. */
static void draws_uuids(void **state)
{
	struct memory *data = state[0];
	struct sb *sb = (struct sb *)data->bytes;
	struct uuid first;
	struct env env;

	host_env_init(&env, 1);
	memory_reset(data);
	assert_int_equal(make(&env, data, NULL, 0, 4096), 0);
	memcpy(&first, sb->uuid, sizeof(first));
	assert_int_equal(first.b[6] >> 4, 4);
	assert_int_equal(first.b[8] >> 6, 2);
	assert_int_equal(make(&env, data, NULL, 0, 4096), 0);
	assert_memory_not_equal(&first, sb->uuid, sizeof(first));
}

/* Over an old filesystem of uuid 1; once, or from then on. */
static void fail_at(struct memory *data, struct env *env, u8 *old, u64 n, u64 failing)
{
	memcpy(data->bytes, old, SIZE);
	memory_reset(data);
	data->fail_at = n;
	data->failing = failing;
	assert_true(make(env, data, NULL, 2, 4096) < 0);
	assert_non_null(strstr(trail_text(), "broken device"));
	data->fail_at = 0;
	/* When nothing could be written, the old one is still there; the last flush may have failed
	 * behind a whole new one, and then nothing can take it back. */
	if (n == 1 && failing > 1)
		assert_memory_equal(data->bytes, old, SIZE);
	else
		assert_int_equal(found(env, data), 0);
}

static void every_write_fails(void **state)
{
	struct memory *data = state[0];
	u8 *old = malloc(SIZE);
	struct env env;
	u64 calls;

	host_env_init(&env, 1);
	memory_reset(data);
	memset(data->bytes, 0, SIZE);
	assert_int_equal(make(&env, data, NULL, 1, 1024), 0);
	assert_int_equal(found(&env, data), 1);
	memcpy(old, data->bytes, SIZE);
	memory_reset(data);
	assert_int_equal(make(&env, data, NULL, 2, 4096), 0);
	assert_int_equal(found(&env, data), 2);
	calls = data->calls;
	/* zeroing the log by hand is most of it, and all the same */
	for (u64 n = 1; n <= calls; n += n > 30 && n + 45 < calls ? 29 : 1) {
		fail_at(data, &env, old, n, 1);
		if (n < calls) /* the last is a flush */
			fail_at(data, &env, old, n, NULL64);
	}
	free(old);
}

static void no_memory_no_random(void **state)
{
	struct memory *data = state[0];
	struct env env;

	host_env_init(&env, 1);
	memory_reset(data);
	memset(data->bytes, 0, SIZE);
	env.alloc = few_allocs;
	env.alloc_bytes = NULL;
	for (u32 n = 0; n < 2; n++) {
		allocs_left = n;
		assert_int_equal(make(&env, data, NULL, 2, 4096), -ENOMEM);
		assert_int_equal(data->calls, 0);
	}
	allocs_left = 100;
	env.random = no_random;
	assert_true(make(&env, data, NULL, 0, 4096) < 0);
	assert_int_equal(data->calls, 0);
	host_env_init(&env, 1);
	assert_int_equal(found(&env, data), 0);
}

/* No copy of an older filesystem's superblock stays where a search would find it. */
static void wipes_old_copies(void **state)
{
	struct memory *data = state[0];
	struct geometry old;
	struct env env;

	host_env_init(&env, 1);
	memory_reset(data);
	assert_int_equal(make(&env, data, NULL, 1, 1024), 0);
	assert_int_equal(geometry_from_sb(&old, (struct sb *)data->bytes), 0);
	assert_int_equal(old.ag_count, 2);
	/* one AG: nothing of the new lies where the second was */
	memory_reset(data);
	{
		struct mkfs_target target = {.data_size = SIZE};
		struct mkfs_devices devices = {.data = &data->dev};
		struct mkfs_options o;
		struct geometry g;

		mkfs_options_init(&o);
		o.ag_count = 1;
		assert_int_equal(mkfs_plan(&env, &o, &target, &g), 0);
		assert_int_equal(mkfs_build(&env, &meta_types, &o, &g, &devices), 0);
	}
	assert_memory_not_equal(data->bytes + agblock_daddr(&old, 1, 0).v, "XFSB", 4);
}

static void knows_old_content(void **state)
{
	static const struct {
		u32 at;
		const char *bytes, *name;
	} cases[] = {
	    {0, "XFSB", "xfs"},
	    {1080, "\x53\xef", "ext2, ext3 or ext4"},
	    {65600, "_BHRfS_M", "btrfs"},
	    {4086, "SWAPSPACE2", "swap"},
	    {512, "EFI PART", "a partition table (gpt)"},
	    {0, "LUKS\xba\xbe", "LUKS"},
	    {510, "\x55\xaa", NULL}, /* no partition */
	};
	struct memory *data = state[0];
	const char *name;

	memory_reset(data);
	for (u32 i = 0; i < ARRAY_COUNT(cases); i++) {
		memset(data->bytes, 0, 1 << 17);
		memcpy(data->bytes + cases[i].at, cases[i].bytes, strlen(cases[i].bytes));
		assert_int_equal(mkfs_old_content(&data->dev, &name), 0);
		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
		else
			assert_null(name);
	}
	data->bytes[446 + 4] = 0x83;
	assert_int_equal(mkfs_old_content(&data->dev, &name), 0);
	assert_string_equal(name, "a partition table (dos)");
	data->dev.size = 100; /* nothing beyond the end is read */
	assert_int_equal(mkfs_old_content(&data->dev, &name), 0);
	assert_null(name);
}

int main(void)
{
	static struct memory data;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_prestate(opens, &data),
	    cmocka_unit_test_prestate(draws_uuids, &data),
	    cmocka_unit_test_prestate(every_write_fails, &data),
	    cmocka_unit_test_prestate(no_memory_no_random, &data),
	    cmocka_unit_test_prestate(wipes_old_copies, &data),
	    cmocka_unit_test_prestate(knows_old_content, &data),
	};
	int failed;

	data.bytes = calloc(1, SIZE);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(data.bytes);
	return failed;
}
