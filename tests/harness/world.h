/*
 * A world of one's own for tests: an image in memory that can be damaged and put back, and an env
 * without threads whose memory, allocations and reads are counted, limited and made to fail.
 *
 * Used by one thread.  Deterministic: random numbers come from a seed that is the same each time.
 */
#ifndef MENDFS_TESTS_WORLD_H
#define MENDFS_TESTS_WORLD_H

#include "device/device.h"
#include "format/finding.h"
#include "fs/vol.h"

#define WORLD_IDS 32

struct world {
	struct env env;
	u64 seed;
	/* Memory. limit 0: none. fail_alloc: the Nth allocation fails, with fail_on all after it;
	 * 0: none. */
	size_t used, peak, limit;
	u64 allocs, fail_alloc, live;
	bool fail_on;
	/* Reads of devices. The place of the Nth read cannot be read from then on. read_limit 0:
	 * none; beyond it reads fail and `exhausted` is set. */
	u64 reads, fail_read, read_limit;
	const struct device *bad_device;
	u64 bad_at;
	bool exhausted, alloc_failed, read_failed;
	/* Different finding ids, in the order of their coming; more are counted only. */
	const struct finding_def *id[WORLD_IDS];
	u32 ids;
	u64 findings;
	enum severity worst;
	bool print; /* findings and notes to stdout */
};

/* An image in memory. */
struct image {
	struct device dev; /* first; close does nothing */
	struct world *world;
	u8 *bytes;
	u64 mapped;
};

void world_init(struct world *world);
/* Forgets findings, counters and the seed's progress; keeps limits. */
void world_reset(struct world *world);
/* The ids, with commas. */
void world_ids(const struct world *world, char *text, size_t size);

/* Maps a file: changes of bytes stay in memory, or go to the file when shared. 0 or -1, said on
 * stderr. */
int image_map(struct world *world, const char *path, bool shared, struct image *image);
/* Over bytes of the caller. */
void image_over(struct world *world, u8 *bytes, u64 size, struct image *image);
void image_unmap(struct image *image);

struct world_images {
	struct image *data, *log, *rt; /* log, rt: NULL: none */
};
/* Opens, replays, and checks, as `mendfs check` does; the error of what failed. */
int world_check(struct world *world, const struct world_images *images,
		void (*visited)(void *arg, const struct ref *ref), void *arg);

#endif
