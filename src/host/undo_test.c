/*
 * Undo files: what is put back, what is refused, and runs that were cut off at any byte of the
 * file.
 */
#include "base/test.h"
#include "base/trail.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/undo.h"
#include "host/host.h"

#define SIZE (300u << 10)
#define WRITES 60

struct fixture {
	struct env env;
	char dir[32], image[64], undo[64], cut[64];
	u8 before[SIZE], after[SIZE];
	u64 seed;
};

static void path(char *to, const struct fixture *f, const char *name)
{
	strcpy(to, f->dir);
	strcat(to, name);
}

static void load(const char *name, u8 *bytes)
{
	int fd = open(name, O_RDONLY);

	assert_int_equal(read(fd, bytes, SIZE), SIZE);
	close(fd);
}

static void store(const char *name, const u8 *bytes, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void write_some(struct fixture *f, struct device *dev)
{
	static u8 bytes[20000];

	for (u32 i = 0; i < WRITES; i++) {
		u32 size = 1 + (u32)test_draw(&f->seed, sizeof(bytes));
		u32 at = (u32)test_draw(&f->seed, SIZE - size);

		for (u32 n = 0; n < size; n++)
			bytes[n] = (u8)test_draw(&f->seed, 256);
		assert_int_equal(device_write(dev, daddr_of(at), bytes, size), 0);
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct device *file, *dev;

	host_env_init(&f->env, 1);
	f->seed = 7;
	strcpy(f->dir, "/tmp/mendfs-undo-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	path(f->image, f, "/image");
	path(f->undo, f, "/undo");
	path(f->cut, f, "/cut");
	for (u32 i = 0; i < SIZE; i++)
		f->before[i] = (u8)test_draw(&f->seed, 256);
	store(f->image, f->before, SIZE);
	assert_int_equal(device_open_file(&f->env, f->image, false, &file), 0);
	assert_int_equal(device_open_undo(&f->env, file, f->undo, &dev), 0);
	write_some(f, dev);
	device_close(dev);
	load(f->image, f->after);
	assert_memory_not_equal(f->before, f->after, SIZE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->image);
	unlink(f->undo);
	unlink(f->cut);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int apply(struct fixture *f, const char *undo, bool force)
{
	struct undo_result result;
	struct device *file;
	int err;

	assert_int_equal(device_open_file(&f->env, f->image, false, &file), 0);
	err = undo_apply(&f->env, file, undo, force, &result);
	device_close(file);
	return err;
}

static void shows(const struct fixture *f, const u8 *bytes)
{
	static u8 now[SIZE];

	load(f->image, now);
	assert_memory_equal(now, bytes, SIZE);
}

static void puts_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(apply(f, f->undo, false), 0);
	shows(f, f->before);
	/* as after an interruption */
	assert_int_equal(apply(f, f->undo, false), 0);
	shows(f, f->before);
}

static void refuses_what_went_on(void **state)
{
	struct fixture *f = *state;

	f->after[SIZE / 2] ^= 1;
	store(f->image, f->after, SIZE);
	assert_int_equal(apply(f, f->undo, false), -ESTALE);
	assert_int_equal(apply(f, f->undo, true), -ESTALE);
	shows(f, f->after);
}

static void goes_on_half_way(void **state)
{
	struct fixture *f = *state;

	memcpy(f->after, f->before, 77 * 512);
	store(f->image, f->after, SIZE);
	assert_int_equal(apply(f, f->undo, false), 0);
	shows(f, f->before);
}

/* A run that was cut off while the file had any length: what was written by then is put back. */
static void cut_off(void **state)
{
	struct fixture *f = *state;
	static u8 bytes[2 * SIZE];
	int fd = open(f->undo, O_RDONLY);
	ssize_t size = read(fd, bytes, sizeof(bytes));

	close(fd);
	assert_in_range(size, 1000, sizeof(bytes) - 1);
	memset(bytes + 24, 0, 8); /* no end */
	for (ssize_t n = 32; n < size; n += 4099) {
		store(f->cut, bytes, (size_t)n);
		store(f->image, f->before, SIZE);
		assert_int_equal(apply(f, f->cut, false), -ECANCELED);
		assert_int_equal(apply(f, f->cut, true), 0);
		shows(f, f->before);
	}
}

static void refuses_other_files(void **state)
{
	struct fixture *f = *state;
	static u8 bytes[2 * SIZE];
	int fd = open(f->undo, O_RDONLY);
	ssize_t size = read(fd, bytes, sizeof(bytes));
	struct device *file, *dev;
	u32 refused = 0;

	close(fd);
	for (u32 i = 0; i < 200; i++) {
		u32 at = (u32)test_draw(&f->seed, (u32)size);
		int err;

		bytes[at] ^= (u8)(1 + test_draw(&f->seed, 255));
		store(f->cut, bytes, (size_t)size);
		fd = open(f->undo, O_RDONLY);
		assert_int_equal(read(fd, bytes, (size_t)size), size);
		close(fd);
		/* a wrong checksum of the end is as if the image had gone on; that of a sector
		 * which has not changed is not asked for */
		err = apply(f, f->cut, false);
		assert_true(!err || err == -EUCLEAN || err == -ESTALE || err == -ECANCELED);
		shows(f, err ? f->after : f->before);
		refused += err != 0;
		store(f->image, f->after, SIZE);
	}
	assert_true(refused > 150);
	store(f->cut, (const u8 *)"", 0);
	assert_int_equal(apply(f, f->cut, true), -EUCLEAN);
	/* and no undo file is overwritten */
	assert_int_equal(device_open_file(&f->env, f->image, false, &file), 0);
	assert_int_equal(device_open_undo(&f->env, file, f->undo, &dev), -EEXIST);
	device_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(puts_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(refuses_what_went_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(goes_on_half_way, setup, teardown),
	    cmocka_unit_test_setup_teardown(cut_off, setup, teardown),
	    cmocka_unit_test_setup_teardown(refuses_other_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
