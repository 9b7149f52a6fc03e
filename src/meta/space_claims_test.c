/* Claims of blocks: who else has some is told as by looking at every block; and quickly, whatever
 * the claims are. SEED in the environment. */
#include "base/test.h"

#include "host/host.h"
#include "meta/space_claims.h"

#include <stdio.h>

#define AG_BLOCKS 512u
#define OWNERS 4u

struct world {
	struct env env;
	struct vol vol;
	struct claims *claims;
	u8 of[2][AG_BLOCKS]; /* a bit for each owner of a block */
	u64 seed;
};

static void begin(struct world *w, u32 ag_blocks)
{
	*w = (struct world){.vol = {.env = &w->env}};
	host_env_init(&w->env, 1);
	w->vol.geo.ag_count = 2;
	w->vol.geo.ag_blocks = ag_blocks;
	w->vol.geo.ag_block_log = 31;
	w->vol.geo.data_blocks = 2ull * ag_blocks;
	assert_int_equal(claims_open(&w->vol, &w->claims), 0);
}

static u64 draw(struct world *w, u64 below)
{
	w->seed = w->seed * 0x5851f42d4c957f2dull + 1;
	return (w->seed >> 33) % below;
}

static void claim(struct world *w, u32 ag, u32 start, u32 blocks, u64 owner)
{
	const struct fact fact = {{ag, owner, 0, 0}};
	const struct sweep_posting posting = {.account = ACCOUNT_OWNERS,
					      .side = SIDE_LEFT,
					      .fact = &fact,
					      .start = start,
					      .length = blocks,
					      .times = 1};

	assert_int_equal(claims_post(w->claims, &posting), 0);
}

static void sort(struct world *w)
{
	bool known;

	assert_int_equal(claims_sort(w->claims, &known), 0);
	assert_true(known);
}

static u64 count_others(const struct world *w, u32 ag, u32 start, u32 blocks, u64 ino, u8 *owners)
{
	u64 sum = 0;

	*owners = 0;
	for (u32 i = start; i < start + blocks; i++) {
		u8 others = w->of[ag][i] & ~(1u << ino);

		sum += others != 0;
		*owners |= others;
	}
	return sum;
}

static void as_block_by_block(void **state)
{
	struct world w;
	u64 seed = test_number("SEED", 1);

	(void)state;
	printf("SEED=%llu\n", (unsigned long long)seed);
	begin(&w, AG_BLOCKS);
	w.seed = seed;
	for (u32 i = 0; i < 60; i++) {
		u32 ag = (u32)draw(&w, 2), start = (u32)draw(&w, AG_BLOCKS);
		u32 most = draw(&w, 8) ? 12 : AG_BLOCKS;
		u32 blocks = 1 + (u32)draw(&w, most < AG_BLOCKS - start ? most : AG_BLOCKS - start);
		u64 owner = draw(&w, OWNERS);

		claim(&w, ag, start, blocks, owner);
		for (u32 b = start; b < start + blocks; b++)
			w.of[ag][b] |= (u8)(1u << owner);
	}
	sort(&w);
	for (u32 i = 0; i < 20000; i++) {
		u32 ag = (u32)draw(&w, 2), start = (u32)draw(&w, AG_BLOCKS);
		u32 blocks = 1 + (u32)draw(&w, AG_BLOCKS - start);
		u64 ino = draw(&w, OWNERS), sum;
		s64 owner = -1;
		u8 owners;

		sum = claims_of_others(w.claims, ino, fsblock_make(&w.vol.geo, ag, start).v, blocks,
				       &owner);
		assert_int_equal(sum, count_others(&w, ag, start, blocks, ino, &owners));
		if (sum)
			assert_true(owners >> owner & 1);
	}
	claims_close(w.claims);
}

/* One that reaches over all others does not make each question look at all of them. */
static void long_ones_cost_nothing(void **state)
{
	enum { COUNT = 400000 };
	struct world w;
	u64 sum = 0;
	s64 owner;

	(void)state;
	begin(&w, COUNT * 2);
	claim(&w, 0, 0, COUNT * 2, 1);
	for (u32 i = 0; i < COUNT; i++)
		claim(&w, 0, i * 2, 1, 2);
	sort(&w);
	for (u32 i = 0; i < COUNT; i++)
		sum +=
		    claims_of_others(w.claims, 1, fsblock_make(&w.vol.geo, 0, i * 2).v, 2, &owner);
	assert_int_equal(sum, COUNT);
	claims_close(w.claims);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_block_by_block),
					   cmocka_unit_test(long_ones_cost_nothing)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
