/* Where two contents differ, with and without a map of the chunks that do, against looking at each
 * byte. SEED in the environment. */
#include "base/test.h"

#include "log/txn.h"

#define BYTES 4096u
#define ROUNDS 20000

static u64 seed;

static u32 draw(u32 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)((seed >> 20) % below);
}

static u32 first_of(const u8 *a, const u8 *b, u32 from, u32 end)
{
	while (from < end && a[from] == b[from])
		from++;
	return from;
}

static u32 last_of(const u8 *a, const u8 *b, u32 from, u32 end)
{
	while (end > from && a[end - 1] == b[end - 1])
		end--;
	return end;
}

/* An object at `at` of its whole; the map is that of the whole. */
static void compare(u8 *before, u8 *after, const u32 *map)
{
	u32 at = draw(4) * 512, size = 512 + draw((BYTES - at) / 512) * 512 - draw(2) * 4;
	u32 from = draw(size), end = from + draw(size - from + 1);
	struct txn_change c = {
	    .before = before + at, .after = after + at, .size = size, .map = map, .at = at};

	if (!map)
		c.at = 0;
	assert_int_equal(txn_first_difference(&c, from, end),
			 first_of(c.before, c.after, from, end));
	assert_int_equal(txn_last_difference(&c, from, end), last_of(c.before, c.after, from, end));
}

static void differences(void **state)
{
	static u8 before[BYTES], after[BYTES];
	u32 map[VERSION_MAP_WORDS], found[VERSION_MAP_WORDS], split;

	(void)state;
	seed = test_number("SEED", 88172645463325252ull);
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (u32 i = 0; i < ROUNDS / TEST_STRIDE; i++) {
		memset(map, 0, sizeof(map));
		memset(after, (int)draw(256), sizeof(after));
		memcpy(before, after, sizeof(before));
		for (u32 n = draw(5); n; n--)
			after[draw(BYTES)] ^= (u8)draw(256);
		for (u32 k = 0; k < BYTES; k++)
			if (before[k] != after[k])
				map[k / VERSION_CHUNK / 32] |= 1u << k / VERSION_CHUNK % 32;
		memset(found, 0, sizeof(found));
		split = draw(BYTES / VERSION_CHUNK) * VERSION_CHUNK;
		version_map_differences(before, after, 0, split, found);
		version_map_differences(before, after, split, BYTES, found);
		assert_memory_equal(map, found, sizeof(map));
		for (u32 n = 0; n < 10; n++) {
			compare(before, after, map);
			compare(before, after, NULL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(differences)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
