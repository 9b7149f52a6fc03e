/* The file device: bounds, read-only, and errors that name the file. */
#include "base/test.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
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

/* Made with holes, grown and never cut; what is zeroed reads as zeroes, around it nothing changes.
 */
static void create_and_zero(void **state)
{
	char path[] = "/tmp/mendfs-file-XXXXXX", back[8192];
	struct device *dev;
	struct stat st;
	struct env env;

	(void)state;
	make_file(path, 0);
	unlink(path);
	host_env_init(&env, 1);
	assert_int_equal(device_create_file(&env, path, 1 << 20, &dev), 0);
	assert_int_equal(dev->size, 1 << 20);
	memset(back, 0xee, sizeof(back));
	for (u32 at = 0; at < 1 << 20; at += sizeof(back))
		assert_int_equal(device_write(dev, daddr_of(at), back, sizeof(back)), 0);
	assert_int_equal(device_zero(dev, daddr_of(5000), 700000), 0);
	assert_int_equal(device_read(dev, daddr_of(0), back, sizeof(back)), 0);
	assert_int_equal((u8)back[4999], 0xee);
	assert_int_equal(back[5000], 0);
	assert_int_equal(device_read(dev, daddr_of(700000), back, sizeof(back)), 0);
	assert_int_equal(back[4999], 0);
	assert_int_equal((u8)back[5000], 0xee);
	dev->zero = NULL; /* by hand */
	assert_int_equal(device_zero(dev, daddr_of(710000), 100000), 0);
	assert_int_equal(device_read(dev, daddr_of(809000), back, sizeof(back)), 0);
	assert_int_equal(back[999], 0);
	assert_int_equal((u8)back[1000], 0xee);
	device_close(dev);
	assert_int_equal(device_create_file(&env, path, 4096, &dev), 0);
	assert_int_equal(dev->size, 1 << 20);
	device_discard(dev, daddr_of(0), 1 << 20);
	assert_int_equal(dev->size, 1 << 20);
	device_close(dev);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 1 << 20);
	unlink(path);
	assert_int_equal(device_create_file(&env, "/dev/null", 4096, &dev), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bounds_and_read_only),
					   cmocka_unit_test(create_and_zero)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
