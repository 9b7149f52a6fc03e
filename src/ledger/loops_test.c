/* Circles of directories are found, whatever hangs off them; trees are not taken for such. */
#include "base/test.h"

#include "host/host.h"
#include "ledger/loops.h"

#include <stdlib.h>

#define ROOT 128
#define MANY 300000 /* more than a sorter holds in memory */

struct told {
	u64 dir[16];
	u32 count;
};

static void keep(void *arg, u64 dir)
{
	struct told *t = arg;

	if (t->count < ARRAY_COUNT(t->dir))
		t->dir[t->count] = dir;
	t->count++;
}

struct edge {
	u64 dir, parent;
};

static void find(const struct edge *edges, u32 count, struct told *told)
{
	struct env env;
	struct loops *l;

	host_env_init(&env, 1);
	assert_int_equal(loops_open(&env, &l), 0);
	for (u32 i = 0; i < count; i++)
		assert_int_equal(loops_add(l, edges[i].dir, edges[i].parent), 0);
	memset(told, 0, sizeof(*told));
	assert_int_equal(loops_find(l, keep, told), 0);
	loops_close(l);
}

static void nothing_is_no_circle(void **state)
{
	struct told told;

	(void)state;
	find(NULL, 0, &told);
	assert_int_equal(told.count, 0);
}

static void trees_are_no_circles(void **state)
{
	static const struct edge tree[] = {
	    {200, 131}, {201, 200}, {202, 201}, {203, 202}, {150, 203}, {300, 200}, {131, ROOT},
	};
	struct told told;

	(void)state;
	find(tree, ARRAY_COUNT(tree), &told);
	assert_int_equal(told.count, 0);
}

static void a_directory_in_itself(void **state)
{
	static const struct edge one[] = {{131, ROOT}, {200, 200}};
	struct told told;

	(void)state;
	find(one, ARRAY_COUNT(one), &told);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.dir[0], 200);
}

/* Two circles of 2 and 3, a long tail that leads into one of them, and a sound tree. */
static void circles_and_what_hangs_off(void **state)
{
	static const struct edge edges[] = {
	    {10, 11}, {11, 10}, {20, 21}, {21, 22},   {22, 20}, {30, 20}, {31, 30},
	    {32, 31}, {33, 32}, {34, 33}, {40, ROOT}, {41, 40}, {42, 41},
	};
	static const u64 expected[] = {10, 11, 20, 21, 22};
	struct told told;

	(void)state;
	find(edges, ARRAY_COUNT(edges), &told);
	assert_int_equal(told.count, ARRAY_COUNT(expected));
	for (u32 i = 0; i < ARRAY_COUNT(expected); i++)
		assert_int_equal(told.dir[i], expected[i]);
}

/* One way up of MANY levels; then its top is hung below its bottom. */
static void the_deepest_tree(void **state)
{
	struct edge *edges = malloc(MANY * sizeof(*edges));
	struct told told;

	(void)state;
	assert_non_null(edges);
	for (u32 i = 0; i < MANY; i++)
		edges[i] = (struct edge){1000 + i, i ? 1000 + i - 1 : ROOT};
	find(edges, MANY, &told);
	assert_int_equal(told.count, 0);
	edges[0].parent = 1000 + MANY - 1;
	find(edges, MANY, &told);
	assert_int_equal(told.count, MANY);
	free(edges);
}

/* A directory told twice is a fault of something else; it must not make the pairs grow. */
static void told_twice(void **state)
{
	static const struct edge edges[] = {{10, 11}, {10, 12}, {11, 10}, {12, 10}, {11, 12}};
	struct told told;

	(void)state;
	find(edges, ARRAY_COUNT(edges), &told);
	assert_true(told.count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_no_circle),  cmocka_unit_test(trees_are_no_circles),
	    cmocka_unit_test(a_directory_in_itself), cmocka_unit_test(circles_and_what_hangs_off),
	    cmocka_unit_test(the_deepest_tree),	     cmocka_unit_test(told_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
