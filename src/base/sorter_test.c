/* The sorter: in memory and by runs, every record comes back once and in order. */
#include "base/test.h"

#include "base/sorter.h"
#include "host/host.h"

struct record {
	struct be64 key;
	u64 value;
};

static void sort_some(u64 count, size_t memory)
{
	struct sorter *s;
	struct record r;
	struct env env;
	u64 sum = 0, back = 0, last = 0, seen = 0;

	host_env_init(&env, 1);
	assert_int_equal(sorter_open(&env, sizeof(r), sizeof(r.key), memory, &s), 0);
	for (u64 i = 0; i < count; i++) {
		r.key = be64_make(i * 0x9e3779b97f4a7c15ull % 1000);
		r.value = i * i;
		sum += r.value;
		assert_int_equal(sorter_add(s, &r), 0);
	}
	assert_int_equal(sorter_count(s), count);
	assert_int_equal(sorter_sort(s), 0);
	while (sorter_next(s, &r) == 1) {
		assert_true(be64_get(r.key) >= last);
		last = be64_get(r.key);
		back += r.value;
		seen++;
	}
	assert_int_equal(seen, count);
	assert_int_equal(back, sum);
	assert_int_equal(sorter_next(s, &r), 0);
	sorter_close(s);
}

static void in_memory(void **state)
{
	(void)state;
	sort_some(0, 4096);
	sort_some(1, 4096);
	sort_some(200, 4096);
	sort_some(256, 65536);
	sort_some(257, 65536);
	sort_some(4096, 65536);
}

static void by_runs(void **state)
{
	(void)state;
	sort_some(257, 4096);
	sort_some(512, 4096);
	sort_some(20000, 4096);
	sort_some(20000, 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(in_memory), cmocka_unit_test(by_runs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
