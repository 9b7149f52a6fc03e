/*
 * Random work in the library, in many seeds times mkfs configurations: the tree is what its model
 * says, the books of snapshots and of the device in the end balance, and xfs_repair -n is content.
 *
 * SEEDS (of each configuration), SEED (the first), STEPS, CONFIGS, CONFIG (the first) in the
 * environment; FULL=1: 200 seeds of 60 configurations.
 */
#include "base/test.h"

#include "configs.h"
#include "grove.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int full(struct grove *g, int err)
{
	(void)g;
	return err == -ENOSPC;
}

static void run(u32 config, u64 seed, u32 steps)
{
	static struct grove grove, *g = &grove;
	struct mkfs_options options;
	char path[64] = "/tmp/mendfs-random-XXXXXX";
	u64 size = config_of(config, &options);
	int fd = mkstemp(path);

	close(fd);
	grove_make(g, path, size, &options, seed);
	g->may_fail = full;
	for (u32 i = 0; i < steps; i++) {
		grove_step(g);
		if (i % 97 == 96)
			grove_check(g);
		if (i % 397 == 396) {
			grove_compare(g);
			grove_unmount(g);
			grove_must(g, grove_mount(g));
		}
	}
	grove_compare(g);
	grove_unmount(g);
	grove_check_disk(g);
	config_repair(g, path);
	grove_close(g);
	unlink(path);
}

static void random_work(void **state)
{
	bool all = test_number("FULL", 0);
	u32 configs = (u32)test_number("CONFIGS", all ? 60 : 20),
	    steps = (u32)test_number("STEPS", 400), first = (u32)test_number("CONFIG", 0);
	u64 seeds = test_number("SEEDS", all ? 200 : 1), seed = test_number("SEED", 1);

	(void)state;
	for (u32 c = first; c < first + configs; c++)
		for (u64 s = 0; s < seeds; s++) {
			printf("configuration %u, seed %llu\n", c, (unsigned long long)(seed + s));
			fflush(stdout);
			run(c, seed + s, steps);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_work)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
