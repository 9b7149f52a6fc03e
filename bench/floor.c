/*
 * The floor: what it costs to read and checksum the metadata of an image once, and nothing else.
 *
 *	floor IMAGE [RUNS]
 *
 * Sweeps once to learn which objects there are, then reads each distinct one in disk order and
 *computes its CRC32c, with one thread, RUNS times (5). Prints one line of JSON: distinct bytes,
 *bytes that the sweep read from the device, and the median seconds of the reading.
 */
#include "base/trail.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "meta/types_table.h"

#include <isa-l/crc.h>
#include <stdio.h>
#include <stdlib.h>

struct extent_list {
	struct env *env;
	struct {
		u64 at;
		u32 size;
	} * extent;
	size_t count, capacity;
	bool full;
};

static void visited(void *arg, const struct ref *ref)
{
	struct extent_list *list = arg;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 65536;
		void *more = env_array(list->env, capacity, sizeof(*list->extent));

		if (!more) {
			list->full = true;
			return;
		}
		if (list->count)
			memcpy(more, list->extent, list->count * sizeof(*list->extent));
		env_free(list->env, list->extent);
		list->extent = more;
		list->capacity = capacity;
	}
	list->extent[list->count].at = ref->at.v;
	list->extent[list->count++].size = ref->size;
}

static int by_address(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorted, each byte once; the sum of the sizes. */
static u64 make_distinct(struct extent_list *list)
{
	u64 end = 0, bytes = 0;
	size_t kept = 0;

	qsort(list->extent, list->count, sizeof(*list->extent), by_address);
	for (size_t i = 0; i < list->count; i++) {
		if (list->extent[i].at < end)
			continue;
		list->extent[kept++] = list->extent[i];
		end = list->extent[i].at + list->extent[i].size;
		bytes += list->extent[i].size;
	}
	list->count = kept;
	return bytes;
}

static double read_all(struct vol *vol, const struct extent_list *list, u8 *buffer)
{
	u64 start = vol->env->now(vol->env);
	volatile u32 crc = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (device_read(vol->data, daddr_of(list->extent[i].at), buffer,
				list->extent[i].size))
			exit(4);
		crc = crc32_iscsi(buffer, (int)list->extent[i].size, crc);
	}
	return (double)(vol->env->now(vol->env) - start) / 1e9;
}

#define RUNS_MAX 99
#define LINE 64		      /* the kernel copies faster to where a cache line begins */
#define OBJECT_MAX (1u << 17) /* a chunk of the largest inodes, the largest directory block */

int main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[2]) : 5;
	struct vol_options options = {.no_recovery = true};
	struct sweep_options sweep = {.visited = visited};
	struct extent_list list = {0};
	double seconds[RUNS_MAX];
	struct cache_stats cache;
	struct sweep_stats stats;
	struct vol *vol;
	struct env env;
	u64 distinct;
	u8 *memory, *buffer;

	host_env_init(&env, 0);
	list.env = &env;
	sweep.visited_arg = &list;
	if (argc < 2 || runs < 1 || runs > RUNS_MAX) {
		fprintf(stderr, "usage: floor IMAGE [RUNS]\n");
		return 8;
	}
	if (device_open_file(&env, argv[1], true, &options.data) ||
	    vol_open(&env, &meta_types, &options, &vol) || sweep_run(vol, &sweep, &stats)) {
		fprintf(stderr, "%s\n", trail_text());
		return 4;
	}
	cache_stats(vol->cache, &cache);
	distinct = make_distinct(&list);
	memory = env_alloc(&env, OBJECT_MAX + LINE);
	if (!memory)
		return 4;
	buffer = memory + (-(uintptr_t)memory & (LINE - 1));
	for (int i = 0; i < runs; i++)
		seconds[i] = read_all(vol, &list, buffer);
	qsort(seconds, (size_t)runs, sizeof(*seconds), by_value);
	printf("{\"present\": %llu, \"read\": %llu, \"objects\": %zu, \"seconds\": %.4f}\n",
	       (unsigned long long)distinct, (unsigned long long)cache.bytes, list.count,
	       seconds[runs / 2]);
	env_free(&env, memory);
	env_free(&env, list.extent);
	vol_close(vol);
	return list.full ? 4 : 0;
}
