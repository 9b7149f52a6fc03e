/* Side files: what is published comes back once and in order, whatever was written out between, and
 * what is dropped never comes. */
#include "base/test.h"

#include "base/side.h"
#include "host/host.h"

#include <errno.h>

static void some_at_random(size_t memory, u64 most)
{
	u64 seed = test_number("SEED", 5), next = 0, wanted = 0, published = 0, found[64], count;
	struct side_file *s;
	struct env env;

	host_env_init(&env, 1);
	assert_int_equal(side_open(&env, sizeof(u64), memory, &s), 0);
	for (u32 round = 0; round < 3000; round++) {
		u64 add = test_draw(&seed, most), first = next;

		for (u64 i = 0; i < add; i++, next++)
			side_add(s, &next);
		if (test_draw(&seed, 4)) {
			side_publish(s);
			published = next;
		} else {
			side_drop(s);
			next = first;
		}
		assert_int_equal(side_waiting(s), published - wanted);
		assert_int_equal(side_read(s, found, test_draw(&seed, 64), &count), 0);
		for (u64 i = 0; i < count; i++)
			assert_int_equal(found[i], wanted++);
	}
	while (wanted < published) {
		assert_int_equal(side_read(s, found, 64, &count), 0);
		assert_true(count);
		for (u64 i = 0; i < count; i++)
			assert_int_equal(found[i], wanted++);
	}
	assert_int_equal(side_read(s, found, 64, &count), 0);
	assert_int_equal(count, 0);
	side_close(s);
}

static void in_memory(void **state)
{
	(void)state;
	some_at_random(1u << 20, 30);
}

/* More comes than is read at a time, so that most of it is written out; and now and then the reader
 * catches up. */
static void written_out(void **state)
{
	(void)state;
	some_at_random(128, 70);
	some_at_random(128, 30);
	some_at_random(1, 5);
}

static struct env_spill *no_spill(struct env *env)
{
	(void)env;
	return NULL;
}

/* Who adds goes on, who reads is told. */
static void no_room(void **state)
{
	u64 record = 7, found[8], count;
	struct side_file *s;
	struct env env;

	(void)state;
	host_env_init(&env, 1);
	env.spill_open = no_spill;
	assert_int_equal(side_open(&env, sizeof(u64), 64, &s), 0);
	for (u32 i = 0; i < 20; i++)
		side_add(s, &record);
	side_publish(s);
	assert_int_equal(side_read(s, found, 8, &count), -EIO);
	side_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_memory), cmocka_unit_test(written_out), cmocka_unit_test(no_room)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
