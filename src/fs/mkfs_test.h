/* For tests that need a filesystem in a file: one of our own making. */
#ifndef MENDFS_FS_MKFS_TEST_H
#define MENDFS_FS_MKFS_TEST_H

#include "base/test.h"

#include "fs/mkfs.h"
#include "meta/types_table.h"

/* Over the whole file at `path`; log NULL: internal. */
static inline void test_mkfs(struct env *env, const char *path, const char *log,
			     const struct mkfs_options *options)
{
	struct mkfs_devices devices = {0};
	struct mkfs_target target = {0};
	struct geometry g;

	assert_int_equal(device_open_file(env, path, false, &devices.data), 0);
	if (log)
		assert_int_equal(device_open_file(env, log, false, &devices.log), 0);
	target.data_size = devices.data->size;
	target.log_size = log ? devices.log->size : 0;
	assert_int_equal(mkfs_plan(env, options, &target, &g), 0);
	assert_int_equal(mkfs_build(env, &meta_types, options, &g, &devices), 0);
	device_close(devices.log);
	device_close(devices.data);
}

#endif
