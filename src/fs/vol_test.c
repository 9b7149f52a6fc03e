/* Opening a volume: what mkfs makes opens, what is cut, empty or damaged gives one error. */
#include "base/test.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/super.h"
#include "format/verify.h"
#include "fs/mkfs_test.h"
#include "fs/vol.h"
#include "host/host.h"
#include "meta/types_table.h"

#define IMAGE_SIZE (64u << 20)

static char path[] = "/tmp/mendfs-vol-XXXXXX";

/* A fresh filesystem in the temporary file; options and log may be NULL. */
static void make_image(const struct mkfs_options *options, const char *log)
{
	struct mkfs_options defaults;
	struct env env;

	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, IMAGE_SIZE), 0);
	host_env_init(&env, 1);
	mkfs_options_init(&defaults);
	test_mkfs(&env, path, log, options ? options : &defaults);
}

static int open_image(struct env *env, struct verdict *verdict, struct vol **vol)
{
	struct vol_options options = {.verdict = verdict};

	host_env_init(env, 1);
	assert_int_equal(device_open_file(env, path, true, &options.data), 0);
	return vol_open(env, &meta_types, &options, vol);
}

static void opens(void **state)
{
	static const struct {
		u32 block, sector, inode;
	} sizes[] = {{4096, 512, 512}, {1024, 512, 512}, {4096, 4096, 2048}, {16384, 512, 512}};
	struct env env;
	struct vol *vol;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct mkfs_options options;

		mkfs_options_init(&options);
		options.block_size = sizes[i].block;
		options.sector_size = sizes[i].sector;
		options.inode_size = sizes[i].inode;
		options.ag_count = 1;
		make_image(&options, NULL);
		assert_int_equal(open_image(&env, NULL, &vol), 0);
		assert_int_equal(vol->geo.data_blocks << vol->geo.block_log, IMAGE_SIZE);
		assert_int_equal(vol->geo.block_size, sizes[i].block);
		assert_int_equal(vol->geo.sector_size, sizes[i].sector);
		assert_int_equal(vol->geo.inode_size, sizes[i].inode);
		assert_false(vol->replayed);
		vol_close(vol);
	}
}

static void refuses(void **state)
{
	struct env env;
	struct vol *vol;
	struct verdict lenient = {0};
	u8 byte = 0;
	FILE *file;

	(void)state;
	make_image(NULL, NULL);
	assert_int_equal(truncate(path, IMAGE_SIZE - 4096), 0);
	assert_int_equal(open_image(&env, NULL, &vol), -EUCLEAN);
	assert_non_null(strstr(trail_text(), "truncated"));
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(open_image(&env, NULL, &vol), -EUCLEAN);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, IMAGE_SIZE), 0);
	assert_int_equal(open_image(&env, NULL, &vol), -EUCLEAN);
	assert_non_null(strstr(trail_text(), "magic"));
	/* a wrong label: only the checksum notices */
	make_image(NULL, NULL);
	file = fopen(path, "r+");
	assert_int_equal(fseek(file, offsetof(struct sb, fname), SEEK_SET), 0);
	byte = 'x';
	assert_int_equal(fwrite(&byte, 1, 1, file), 1);
	fclose(file);
	assert_int_equal(open_image(&env, NULL, &vol), -EBADMSG);
	assert_null(vol);
	assert_int_equal(open_image(&env, &lenient, &vol), 0);
	vol_close(vol);
}

static void external_log_is_asked_for(void **state)
{
	struct vol_options options = {0};
	struct env env;
	struct vol *vol;
	struct mkfs_options small_log;
	char log[sizeof(path) + 8];
	FILE *file;

	(void)state;
	snprintf(log, sizeof(log), "%s.log", path);
	file = fopen(log, "w");
	assert_int_equal(ftruncate(fileno(file), 32 << 20), 0);
	fclose(file);
	mkfs_options_init(&small_log);
	small_log.log_size = 16 << 20;
	make_image(&small_log, log);
	assert_int_equal(open_image(&env, NULL, &vol), -ENODEV);
	assert_int_equal(device_open_file(&env, path, true, &options.data), 0);
	options.no_recovery = true;
	assert_int_equal(vol_open(&env, &meta_types, &options, &vol), 0);
	vol_close(vol);
	options.no_recovery = false;
	assert_int_equal(device_open_file(&env, path, true, &options.data), 0);
	assert_int_equal(device_open_file(&env, log, true, &options.log), 0);
	assert_int_equal(vol_open(&env, &meta_types, &options, &vol), 0);
	vol_close(vol);
	unlink(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(opens),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(external_log_is_asked_for),
	};
	int fd = mkstemp(path), failed;

	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
