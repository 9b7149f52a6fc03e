/* Freed space against an array with the number of the last commit that freed each byte. */
#include "base/test.h"
#include <stdlib.h>

#include "host/host.h"
#include "log/busy.h"

#define BYTES 500
#define ROUNDS 200000

static u32 draw(u64 *seed, u32 below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (u32)((*seed >> 20) % below);
}

static void expect(struct busy *b, const u64 number[BYTES], u32 at, u32 size)
{
	u32 first = at, last;
	u64 from = 0, end = 0;
	bool found = busy_find(b, at, size, &from, &end);

	while (first < at + size && !number[first])
		first++;
	assert_int_equal(found, first < at + size);
	if (!found)
		return;
	assert_int_equal(from, first);
	assert_true(end > from && end <= BYTES);
	for (last = first; last < end; last++)
		assert_true(number[last]);
}

static void like_an_array(void **state)
{
	static u64 number[BYTES];
	u64 seed = 88172645463325252u, commit = 1;
	struct busy *b;
	struct env env;

	(void)state;
	host_env_init(&env, 1);
	assert_int_equal(busy_open(&env, &b), 0);
	for (u32 i = 0; i < ROUNDS; i++) {
		u32 at = draw(&seed, BYTES - 1);
		u32 size = 1 + draw(&seed, draw(&seed, 4) ? 5 : BYTES - at);

		size = size > BYTES - at ? BYTES - at : size;
		if (draw(&seed, 2)) {
			expect(b, number, at, size);
			continue;
		}
		commit += draw(&seed, 2);
		busy_add(b, at, size, commit);
		for (u32 n = at; n < at + size; n++)
			number[n] = commit;
		if (draw(&seed, 100))
			continue;
		busy_settle(b, commit - 3, NULL, NULL);
		for (u32 n = 0; n < BYTES; n++)
			number[n] = commit > 3 && number[n] <= commit - 3 ? 0 : number[n];
	}
	busy_settle(b, NULL64, NULL, NULL);
	assert_false(busy_any(b));
	busy_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(like_an_array)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
