/* The overlay against a plain array of bytes: random reads and writes, in memory and spilled, from
 * several threads; the lower device is never written. */
#include "base/test.h"
#include <errno.h>

#include "device/device.h"
#include "host/host.h"

#define SIZE (300u * 4096 + 777) /* ends inside a chunk */

struct memory_device {
	struct device dev;
	u8 bytes[SIZE];
	u32 writes;
	bool broken, closed;
};

static int memory_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	struct memory_device *m = (struct memory_device *)dev;

	if (at.v > SIZE || size > SIZE - at.v)
		return fail(-ENXIO, "beyond the end");
	if (m->broken)
		return fail(-EIO, "broken");
	memcpy(to, m->bytes + at.v, size);
	return 0;
}

static int memory_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	(void)at;
	(void)from;
	(void)size;
	((struct memory_device *)dev)->writes++;
	return 0;
}

static void memory_close(struct device *dev)
{
	((struct memory_device *)dev)->closed = true;
}

struct fixture {
	struct env env;
	struct memory_device *m;
	struct device *overlay;
	u8 *model;
	u32 seed;
};

static u32 next_random(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void open_fixture(struct fixture *f, size_t memory)
{
	host_env_init(&f->env, 4);
	f->m = env_alloc(&f->env, sizeof(*f->m));
	f->model = env_alloc(&f->env, SIZE);
	f->seed = 1;
	f->m->dev = (struct device){.name = "lower",
				    .size = SIZE,
				    .read_only = true,
				    .read = memory_read,
				    .write = memory_write,
				    .close = memory_close};
	for (u32 i = 0; i < SIZE; i++)
		f->m->bytes[i] = f->model[i] = (u8)next_random(&f->seed);
	assert_int_equal(device_open_overlay(&f->env, &f->m->dev, memory, &f->overlay), 0);
}

static void close_fixture(struct fixture *f)
{
	assert_int_equal(f->m->writes, 0);
	device_close(f->overlay);
	assert_true(f->m->closed);
	env_free(&f->env, f->m);
	env_free(&f->env, f->model);
}

static void same_as_model(size_t memory)
{
	static u8 data[5 * 4096], back[SIZE];
	struct fixture f;

	open_fixture(&f, memory);
	assert_false(device_overlay_dirty(f.overlay));
	for (u32 round = 0; round < 2000; round++) {
		u32 at = next_random(&f.seed) % SIZE;
		u32 size = next_random(&f.seed) % sizeof(data);

		if (size > SIZE - at)
			size = SIZE - at;
		if (round % 3) {
			assert_int_equal(device_read(f.overlay, daddr_of(at), back, size), 0);
			assert_memory_equal(back, f.model + at, size);
			continue;
		}
		if (round % 6)
			size %= 700;
		for (u32 i = 0; i < size; i++)
			data[i] = (u8)next_random(&f.seed);
		assert_int_equal(device_write(f.overlay, daddr_of(at), data, size), 0);
		memcpy(f.model + at, data, size);
	}
	assert_true(device_overlay_dirty(f.overlay));
	assert_int_equal(device_read(f.overlay, daddr_of(0), back, SIZE), 0);
	assert_memory_equal(back, f.model, SIZE);
	close_fixture(&f);
}

static void in_memory(void **state)
{
	(void)state;
	same_as_model(64u << 20);
}

static void spilled(void **state)
{
	(void)state;
	same_as_model(5 * 4096);
	same_as_model(0);
}

static void errors(void **state)
{
	struct fixture f;
	u8 byte = 7, back = 0;

	(void)state;
	open_fixture(&f, 1u << 20);
	assert_int_equal(device_write(f.overlay, daddr_of(SIZE), &byte, 1), -ENXIO);
	assert_int_equal(device_read(f.overlay, daddr_of(NULL64), &byte, 1), -ENXIO);
	f.m->broken = true;
	assert_int_equal(device_write(f.overlay, daddr_of(5), &byte, 1), -EIO);
	f.m->broken = false;
	assert_int_equal(device_read(f.overlay, daddr_of(5), &back, 1), 0);
	assert_int_equal(back, f.model[5]);
	close_fixture(&f);
}

/* Each job owns every fourth 1000 bytes, so jobs share chunks but not bytes. */
static int writer(void *arg, u32 index)
{
	struct fixture *f = arg;
	u8 data[1000], back[1000];
	int err = 0;

	for (u32 at = index * 1000; !err && at + 1000 <= SIZE; at += 4000) {
		memset(data, (int)(at / 1000 + 1), sizeof(data));
		err = device_write(f->overlay, daddr_of(at), data, sizeof(data));
		if (!err)
			err = device_read(f->overlay, daddr_of(at), back, sizeof(back));
		if (!err && memcmp(data, back, sizeof(data)))
			err = fail(-EIO, "lost a write at %u", at);
	}
	return err;
}

static void threads(void **state)
{
	struct fixture f;
	u8 back;

	(void)state;
	open_fixture(&f, 100 * 4096);
	assert_int_equal(f.env.parallel(&f.env, 4, writer, &f), 0);
	for (u32 at = 0; at + 1000 <= SIZE / 1000 * 1000; at += 1000) {
		assert_int_equal(device_read(f.overlay, daddr_of(at + 999), &back, 1), 0);
		assert_int_equal(back, (u8)(at / 1000 + 1));
	}
	close_fixture(&f);
}

/* It lives until the last of two closes, with what was written. */
static void held(void **state)
{
	struct fixture f;
	u8 back = 0;

	(void)state;
	open_fixture(&f, 0);
	assert_int_equal(device_write(f.overlay, daddr_of(5000), "x", 1), 0);
	assert_ptr_equal(device_overlay_hold(f.overlay), f.overlay);
	device_close(f.overlay);
	assert_false(f.m->closed);
	assert_int_equal(device_read(f.overlay, daddr_of(5000), &back, 1), 0);
	assert_int_equal(back, 'x');
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_memory), cmocka_unit_test(spilled), cmocka_unit_test(errors),
	    cmocka_unit_test(threads),	 cmocka_unit_test(held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
