/* A world for tests; see world.h. */
#include "world.h"

#include "base/trail.h"
#include "host/host.h"
#include "host/reuse.h"
#include "ledger/sweep.h"
#include "meta/types_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* In front of each allocation, with its size. */
struct header {
	_Alignas(16) size_t size;
};

static struct world *world_of(struct env *env)
{
	return (struct world *)env;
}

static void *world_alloc(struct env *env, size_t size)
{
	struct world *w = world_of(env);
	struct header *h;

	w->allocs++;
	if (w->fail_alloc &&
	    (w->fail_on ? w->allocs >= w->fail_alloc : w->allocs == w->fail_alloc)) {
		w->alloc_failed = true;
		return NULL;
	}
	if (w->limit && (size > w->limit || w->used > w->limit - size)) {
		w->alloc_failed = true;
		return NULL;
	}
	h = reuse_calloc(sizeof(*h) + size);
	if (!h)
		return NULL;
	h->size = size;
	w->used += size;
	w->live++;
	if (w->used > w->peak)
		w->peak = w->used;
	return h + 1;
}

static void world_free(struct env *env, void *memory)
{
	struct world *w = world_of(env);
	struct header *h = (struct header *)memory - 1;

	w->used -= h->size;
	w->live--;
	reuse_free(h);
}

static u64 world_now(struct env *env)
{
	(void)env;
	return 0;
}

static u64 world_next(struct world *w)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return w->seed ^ w->seed >> 29;
}

static int world_random(struct env *env, void *to, size_t size)
{
	u8 *bytes = to;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (u8)(world_next(world_of(env)) >> 13);
	return 0;
}

static void world_pause(struct env *env)
{
	(void)env; /* jobs run one after the other here, so nobody is waited for */
}

static int world_parallel(struct env *env, u32 jobs, int (*job)(void *arg, u32 index), void *arg)
{
	char trail[TRAIL_MAX];
	int first = 0;

	(void)env;
	for (u32 i = 0; i < jobs; i++) {
		int err = job(arg, i);

		if (err && !first) {
			first = err;
			snprintf(trail, sizeof(trail), "%s", trail_text());
		}
	}
	return first ? fail(first, "%s", trail) : 0;
}

static struct env_lock *world_lock_create(struct env *env)
{
	return env_alloc(env, 1);
}

static void world_lock_destroy(struct env *env, struct env_lock *lock)
{
	env_free(env, lock);
}

static void world_lock(struct env_lock *lock)
{
	(void)lock;
}

/* Scratch files in memory, not counted: they stand for files. */
struct env_spill {
	u8 *bytes;
	size_t size;
	struct env *env;
};

static struct env_shared *world_shared_create(struct env *env)
{
	return (struct env_shared *)world_lock_create(env);
}

static void world_shared_destroy(struct env *env, struct env_shared *lock)
{
	world_lock_destroy(env, (struct env_lock *)lock);
}

static void world_shared(struct env_shared *lock, bool alone)
{
	(void)lock;
	(void)alone;
}

static struct env_spill *world_spill_open(struct env *env)
{
	struct env_spill *spill = env_alloc(env, sizeof(*spill));

	if (!spill)
		fail(-ENOMEM, "a scratch file: out of memory");
	else
		spill->env = env;
	return spill;
}

static int world_spill_read(struct env_spill *spill, u64 offset, void *to, size_t size)
{
	if (offset > spill->size || size > spill->size - offset)
		return fail(-EIO, "reading a scratch file: end of file");
	memcpy(to, spill->bytes + offset, size);
	return 0;
}

static int world_spill_write(struct env_spill *spill, u64 offset, const void *from, size_t size)
{
	u64 end = offset + size;

	if (end > spill->size) {
		u8 *bytes = realloc(spill->bytes, end);

		if (!bytes)
			return fail(-ENOSPC, "writing a scratch file");
		memset(bytes + spill->size, 0, end - spill->size);
		spill->bytes = bytes;
		spill->size = end;
	}
	memcpy(spill->bytes + offset, from, size);
	return 0;
}

static void world_spill_close(struct env_spill *spill)
{
	free(spill->bytes);
	env_free(spill->env, spill);
}

static void world_finding(struct env *env, const struct finding *finding)
{
	struct world *w = world_of(env);
	char text[512];
	u32 i = 0;

	w->findings++;
	if (finding->def->severity > w->worst)
		w->worst = finding->def->severity;
	while (i < w->ids && w->id[i] != finding->def)
		i++;
	if (i == w->ids && i < WORLD_IDS)
		w->id[w->ids++] = finding->def;
	/* printed either way, so that printing meets every hostile value too */
	finding_print(finding, text, sizeof(text));
	if (w->print)
		puts(text);
}

static void world_progress(struct env *env, const struct progress *progress)
{
	(void)env;
	(void)progress;
}

static void world_note(struct env *env, const char *line)
{
	if (world_of(env)->print)
		puts(line);
}

#define SEED 0x6d656e646673u

void world_init(struct world *world)
{
	*world = (struct world){.env = {
				    .alloc = world_alloc,
				    .free = world_free,
				    .now = world_now,
				    .random = world_random,
				    .parallel = world_parallel,
				    .pause = world_pause,
				    .workers = 1,
				    .lock_create = world_lock_create,
				    .lock_destroy = world_lock_destroy,
				    .lock_take = world_lock,
				    .lock_drop = world_lock,
				    .shared_create = world_shared_create,
				    .shared_destroy = world_shared_destroy,
				    .shared_take = world_shared,
				    .shared_drop = world_shared,
				    .spill_open = world_spill_open,
				    .spill_read = world_spill_read,
				    .spill_write = world_spill_write,
				    .spill_close = world_spill_close,
				    .finding = world_finding,
				    .progress = world_progress,
				    .note = world_note,
				}};
	world_reset(world);
}

void world_reset(struct world *world)
{
	world->seed = SEED;
	world->peak = world->used;
	world->allocs = world->reads = world->findings = 0;
	world->exhausted = world->alloc_failed = world->read_failed = false;
	world->ids = 0;
	world->bad_device = NULL;
	world->worst = SEVERITY_NONE;
}

void world_ids(const struct world *world, char *text, size_t size)
{
	size_t at = 0;

	text[0] = 0;
	for (u32 i = 0; i < world->ids && at < size; i++)
		at +=
		    (size_t)snprintf(text + at, size - at, "%s%s", i ? "," : "", world->id[i]->id);
}

static int image_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	struct image *image = (struct image *)dev;
	struct world *w = image->world;

	if (at.v > dev->size || size > dev->size - at.v)
		return fail(-ENXIO, "%s: %zu bytes at %llu lie beyond the end", dev->name, size,
			    (unsigned long long)at.v);
	if (++w->reads == w->fail_read) {
		w->bad_device = dev;
		w->bad_at = at.v;
	}
	if (w->bad_device == dev && w->bad_at >= at.v && w->bad_at - at.v < size) {
		w->read_failed = true;
		return fail(-EIO, "%s: made to fail", dev->name);
	}
	if (w->read_limit && w->reads > w->read_limit) {
		w->exhausted = true;
		return fail(-EIO, "%s: more than %llu reads", dev->name,
			    (unsigned long long)w->read_limit);
	}
	memcpy(to, image->bytes + at.v, size);
	return 0;
}

static int image_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	(void)at;
	(void)from;
	(void)size;
	return fail(-EROFS, "%s: opened for reading only", dev->name);
}

static int image_flush(struct device *dev)
{
	(void)dev;
	return 0;
}

static void image_close(struct device *dev)
{
	(void)dev;
}

void image_over(struct world *world, u8 *bytes, u64 size, struct image *image)
{
	*image = (struct image){.dev = {.name = "image",
					.size = size,
					.read_only = true,
					.read = image_read,
					.write = image_write,
					.flush = image_flush,
					.close = image_close},
				.world = world,
				.bytes = bytes};
}

int image_map(struct world *world, const char *path, bool shared, struct image *image)
{
	int fd = open(path, (shared ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		return -1;
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		   shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE, fd, 0); /* may have holes */
	close(fd);
	if (map == MAP_FAILED) {
		perror(path);
		return -1;
	}
	image_over(world, map, (u64)st.st_size, image);
	image->mapped = (u64)st.st_size;
	return 0;
}

void image_unmap(struct image *image)
{
	if (image->mapped)
		munmap(image->bytes, image->mapped);
	image->mapped = 0;
}

static void raise_to_world(struct verdict *v, const struct finding *finding)
{
	world_finding(v->sink, finding);
}

#define CHECK_CACHE (4u << 20)

int world_check(struct world *world, const struct world_images *images,
		void (*visited)(void *arg, const struct ref *ref), void *arg)
{
	struct verdict v = {.raise = raise_to_world, .sink = &world->env};
	const struct vol_options options = {.data = &images->data->dev,
					    .log = images->log ? &images->log->dev : NULL,
					    .rt = images->rt ? &images->rt->dev : NULL,
					    .memory = CHECK_CACHE,
					    .verdict = &v};
	const struct sweep_options sweep = {.visited = visited, .visited_arg = arg};
	struct sweep_stats stats;
	struct vol *vol;
	int err = vol_open(&world->env, &meta_types, &options, &vol);

	if (err)
		return err;
	err = sweep_run(vol, &sweep, &stats);
	vol_close(vol);
	return err;
}
