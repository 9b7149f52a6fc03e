/* The file device: bounds, read-only, and errors that name the file. */
#include "base/test.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "device/device.h"
#include "host/host.h"

static void make_file(char *path, size_t size)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static void bounds_and_read_only(void **state)
{
	char path[] = "/tmp/mendfs-file-XXXXXX", data[16] = "sixteen bytes!!", back[16];
	struct device *dev;
	struct env env;

	(void)state;
	make_file(path, 4096);
	host_env_init(&env, 1);
	assert_int_equal(device_open_file(&env, path, false, &dev), 0);
	assert_int_equal(dev->size, 4096);
	assert_int_equal(device_write(dev, daddr_of(100), data, 16), 0);
	assert_int_equal(device_write(dev, daddr_of(4090), data, 16), -ENXIO);
	assert_int_equal(device_read(dev, daddr_of(NULL64), back, 16), -ENXIO);
	assert_non_null(strstr(trail_text(), path));
	device_close(dev);
	assert_int_equal(device_open_file(&env, path, true, &dev), 0);
	assert_int_equal(device_read(dev, daddr_of(100), back, 16), 0);
	assert_memory_equal(back, data, 16);
	assert_int_equal(device_write(dev, daddr_of(0), data, 16), -EROFS);
	device_close(dev);
	unlink(path);
	assert_int_equal(device_open_file(&env, path, true, &dev), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bounds_and_read_only)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
