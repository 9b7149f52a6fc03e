/* Opening a volume: what mkfs.xfs makes opens, what is cut, empty or damaged gives one error. */
#include "base/test.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/super.h"
#include "format/verify.h"
#include "fs/vol.h"
#include "host/host.h"
#include "meta/types_table.h"

#define IMAGE_SIZE (64u << 20)

static char path[] = "/tmp/mendfs-vol-XXXXXX";

/* A fresh filesystem in the temporary file; skips the test where there is no mkfs.xfs. */
static void make_image(const char *options)
{
	char command[512];
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), IMAGE_SIZE), 0);
	fclose(file);
	if (system("command -v mkfs.xfs >/dev/null 2>&1"))
		skip();
	snprintf(command, sizeof(command),
		 "TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 mkfs.xfs -q -f %s %s >/dev/null", options,
		 path);
	assert_int_equal(system(command), 0);
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
	static const char *const options[] = {"-b size=4096", "-b size=1024 -m crc=1",
					      "-s size=4096 -i size=2048", "-b size=16384"};
	struct env env;
	struct vol *vol;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(options); i++) {
		make_image(options[i]);
		assert_int_equal(open_image(&env, NULL, &vol), 0);
		assert_int_equal(vol->geo.data_blocks << vol->geo.block_log, IMAGE_SIZE);
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
	make_image("-b size=4096");
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
	make_image("-b size=4096");
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
	char log[sizeof(path) + 8], mkfs[128];
	FILE *file;

	(void)state;
	snprintf(log, sizeof(log), "%s.log", path);
	file = fopen(log, "w");
	assert_int_equal(ftruncate(fileno(file), 32 << 20), 0);
	fclose(file);
	snprintf(mkfs, sizeof(mkfs), "-l logdev=%s,size=16m", log);
	make_image(mkfs);
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
