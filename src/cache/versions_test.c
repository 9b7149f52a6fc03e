/*
 * Versions against a model that keeps the whole image of every commit: what the last commit and
 * each snapshot show, and what a crash leaves: home, torn where it was being written, and on top of
 * it what the log was given since the last time that all was home.
 */
#include "base/test.h"
#include "base/trail.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache/versions.h"
#include "host/host.h"

#define SIZE (256u << 10)
#define UNIT_MIN 512u
#define SLOTS (SIZE / UNIT_MIN)
#define SNAPSHOTS 4
#define LOG_MAX 4096
#define ROUNDS 6000

struct home {
	struct device dev;
	u8 bytes[SIZE];
	u64 writes_left; /* the one after them fails, torn */
	struct world *w; /* commits meanwhile, unless quiet */
	bool quiet;
};

/* One moment: the bytes of what is live, by slot the start of its unit plus 1, or 0. */
struct image {
	u8 bytes[SIZE];
	u32 owner[SLOTS], size[SLOTS];
};

struct logged {
	struct version_item item;
	u8 *bytes;
};

struct world {
	struct env env;
	struct home home;
	struct geometry g;
	struct cache *cache;
	struct versions *v;
	u64 seed;
	struct image now, durable;
	struct image *frozen;
	struct {
		struct device *dev;
		struct image image;
	} snapshot[SNAPSHOTS];
	struct logged *log;
	u32 log_used, log_home; /* items; how many of them are home */
	u32 tears, reads, commits, data;
};

static u32 draw(struct world *w, u32 below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (u32)((w->seed >> 20) % below);
}

static int home_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	memcpy(to, ((struct home *)dev)->bytes + at.v, size);
	return 0;
}

static void commit(struct world *w);

static int home_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct home *h = (struct home *)dev;

	if (!h->writes_left) {
		for (size_t i = 0; i < size; i += 512)
			if (draw(h->w, 2))
				memcpy(h->bytes + at.v + i, (const u8 *)from + i, 512);
		return fail(-EIO, "torn");
	}
	h->writes_left--;
	if (!h->quiet && !draw(h->w, 3))
		commit(h->w);
	memcpy(h->bytes + at.v, from, size);
	return 0;
}

static int home_flush(struct device *dev)
{
	(void)dev;
	return 0;
}

/* A start in a free and aligned place, or NULL32. */
static u32 find_place(struct world *w, u32 size)
{
	for (u32 tries = 0; tries < 50; tries++) {
		u32 at = draw(w, SIZE / size) * size;
		bool clear = true;

		for (u32 i = 0; i < size / UNIT_MIN; i++)
			clear = clear && !w->now.owner[at / UNIT_MIN + i];
		if (clear)
			return at;
	}
	return NULL32;
}

static void own(struct image *image, u32 at, u32 size, bool live)
{
	for (u32 i = 0; i < size / UNIT_MIN; i++) {
		image->owner[at / UNIT_MIN + i] = live ? at + 1 : 0;
		image->size[at / UNIT_MIN + i] = size;
	}
}

static void change_bytes(struct world *w, u8 *bytes, u32 size, bool fresh)
{
	if (fresh)
		for (u32 i = 0; i < size; i++)
			bytes[i] = (u8)draw(w, 256);
	for (u32 n = 1 + draw(w, 4); n; n--)
		bytes[draw(w, size)] = (u8)draw(w, 256);
}

#define CHANGES 6
struct commit {
	struct version_change change[CHANGES];
	struct version_freed freed[CHANGES];
	struct buf *before[CHANGES];
	u32 count, freed_count;
};

/* A unit of this commit, new or changed. */
static void add_change(struct world *w, struct commit *c)
{
	static const u32 sizes[] = {512, 1024, 4096, 16384};
	u32 slot = draw(w, SLOTS), at, size = sizes[draw(w, 4)];
	bool fresh = !w->now.owner[slot] || !draw(w, 3);
	struct cache_range range;
	struct buf *buf, *before = NULL;

	at = fresh ? find_place(w, size) : w->now.owner[slot] - 1;
	if (at == NULL32)
		return;
	if (!fresh)
		size = w->now.size[slot];
	for (u32 i = 0; i < c->count; i++)
		if (c->change[i].range.at.v == at)
			return;
	range = (struct cache_range){daddr_of(at), size};
	assert_int_equal(cache_make(w->cache, &range, 1, true, &buf), 0);
	if (!fresh) {
		assert_int_equal(cache_get_raw(w->cache, range.at, size, &before), 0);
		assert_memory_equal(before->data, w->now.bytes + at, size);
		memcpy(cache_made_bytes(buf), before->data, size);
	}
	change_bytes(w, cache_made_bytes(buf), size, fresh);
	memcpy(w->now.bytes + at, buf->data, size);
	own(&w->now, at, size, true);
	c->before[c->count] = before;
	c->change[c->count++] =
	    (struct version_change){.range = range, .buf = buf, .before = before};
}

static void add_free(struct world *w, struct commit *c)
{
	u32 slot = draw(w, SLOTS), at, size;

	if (!w->now.owner[slot])
		return;
	at = w->now.owner[slot] - 1;
	size = w->now.size[slot];
	for (u32 i = 0; i < c->count; i++)
		if (c->change[i].range.at.v == at)
			return;
	own(&w->now, at, size, false);
	c->freed[c->freed_count++] = (struct version_freed){.at = at, .size = size};
}

static void commit(struct world *w)
{
	struct commit c = {0};
	u64 number;

	for (u32 n = draw(w, 3); n; n--)
		add_free(w, &c);
	for (u32 n = 1 + draw(w, CHANGES); n; n--)
		add_change(w, &c);
	assert_int_equal(versions_commit(w->v, c.change, c.count, c.freed, c.freed_count, &number),
			 0);
	for (u32 i = 0; i < c.count; i++) {
		cache_publish(w->cache, c.change[i].buf, NULL, NO_OWNER);
		cache_put(w->cache, c.change[i].buf);
		cache_put(w->cache, c.before[i]);
	}
	w->commits++;
}

static int log_item(void *arg, const struct version_item *item)
{
	struct world *w = arg;
	struct logged *l = &w->log[w->log_used++];

	assert_true(w->log_used < LOG_MAX);
	*l = (struct logged){.item = *item};
	if (!item->bytes)
		return 0;
	l->bytes = malloc(item->range.size);
	memcpy(l->bytes, item->bytes, item->range.size);
	return 0;
}

/* Frozen, now or in a moment, goes to the log, or the log fails. */
static void checkpoint(struct world *w)
{
	bool good = draw(w, 5);
	u32 used = w->log_used;
	u64 number;

	assert_int_equal(versions_freeze(w->v, &number), 0);
	*w->frozen = w->now;
	for (u32 n = draw(w, 4); n; n--)
		commit(w);
	assert_int_equal(versions_frozen_each(w->v, log_item, w), 0);
	if (good)
		w->durable = *w->frozen;
	else
		while (w->log_used > used)
			free(w->log[--w->log_used].bytes);
	versions_thaw(w->v, good);
}

static void write_home(struct world *w)
{
	int err;

	w->home.writes_left = draw(w, 3) ? NULL64 : draw(w, 20);
	err = versions_write_home(w->v);
	w->tears += err != 0;
	if (!err)
		w->log_home = w->log_used;
	w->home.writes_left = NULL64;
}

static bool is_free(const struct world *w, u32 at, u32 size)
{
	for (u32 i = at / UNIT_MIN; i < (at + size) / UNIT_MIN; i++)
		if (w->now.owner[i] || w->durable.owner[i])
			return false;
	return true;
}

/* Data are written past the versions, where nothing is, and nothing can be again after a crash. */
static void write_data(struct world *w)
{
	static const u32 blocks[] = {512, 1024, 4096};
	u32 block = blocks[draw(w, 3)], size = (1 + draw(w, 3)) * block, at = 0;

	for (u32 tries = 0; tries < 100 && (!tries || !is_free(w, at, size)); tries++)
		at = draw(w, (SIZE - size) / block + 1) * block;
	if (!is_free(w, at, size))
		return;
	assert_int_equal(versions_keep(w->v, at, size, block), 0);
	for (u32 i = 0; i < size; i++)
		w->home.bytes[at + i] = (u8)draw(w, 256);
	w->data++;
}

static void compare(const struct image *image, const u8 *bytes)
{
	for (u32 i = 0; i < SLOTS; i++)
		if (image->owner[i])
			assert_memory_equal(bytes + i * UNIT_MIN, image->bytes + i * UNIT_MIN,
					    UNIT_MIN);
}

static bool same_unit(const struct logged *a, const struct logged *b)
{
	return a->item.range.at.v == b->item.range.at.v && a->item.range.size == b->item.range.size;
}

/* What is first said of a unit since all was home is all of it: it heals whatever lies there. */
static void first_is_whole(struct world *w, u32 i)
{
	const struct logged *l = &w->log[i];

	for (u32 j = i; j-- > w->log_home;)
		if (same_unit(&w->log[j], l) && w->log[j].bytes)
			return;
	for (u32 n = 0; l->bytes && n < l->item.range.size / VERSION_CHUNK; n++)
		assert_true(l->item.map[n / 32] >> n % 32 & 1);
}

/* What replay makes of home: cancelled units are skipped, the others get their chunks. */
static void crash(struct world *w)
{
	static u8 bytes[SIZE];

	memcpy(bytes, w->home.bytes, SIZE);
	for (u32 i = w->log_home; i < w->log_used; i++) {
		const struct logged *l = &w->log[i];
		bool cancelled = !l->bytes;

		for (u32 j = i + 1; j < w->log_used; j++)
			cancelled = cancelled || (!w->log[j].bytes && same_unit(&w->log[j], l));
		first_is_whole(w, i);
		for (u32 n = 0; !cancelled && n < l->item.range.size / VERSION_CHUNK; n++)
			if (l->item.map[n / 32] >> n % 32 & 1)
				memcpy(bytes + l->item.range.at.v + n * VERSION_CHUNK,
				       l->bytes + n * VERSION_CHUNK, VERSION_CHUNK);
	}
	compare(&w->durable, bytes);
}

static void look(struct world *w)
{
	static u8 bytes[SIZE];
	u32 i = draw(w, SNAPSHOTS + 1);
	struct device *dev = i < SNAPSHOTS ? w->snapshot[i].dev : versions_device(w->v);

	if (!dev)
		return;
	assert_int_equal(device_read(dev, daddr_of(0), bytes, SIZE), 0);
	compare(i < SNAPSHOTS ? &w->snapshot[i].image : &w->now, bytes);
	w->reads++;
}

static void snapshot(struct world *w)
{
	u32 i = draw(w, SNAPSHOTS);

	if (w->snapshot[i].dev) {
		look(w);
		device_close(w->snapshot[i].dev);
		w->snapshot[i].dev = NULL;
		return;
	}
	assert_int_equal(versions_snapshot(w->v, &w->snapshot[i].dev), 0);
	w->snapshot[i].image = w->now;
}

static void open_world(struct world *w, size_t memory)
{
	memset(w, 0, sizeof(*w));
	w->seed = 0x9e3779b97f4a7c15ull;
	host_env_init(&w->env, 1);
	w->home.dev = (struct device){.name = "home",
				      .size = SIZE,
				      .read = home_read,
				      .write = home_write,
				      .flush = home_flush};
	w->home.writes_left = NULL64;
	w->home.w = w;
	w->log = calloc(LOG_MAX, sizeof(*w->log));
	w->frozen = malloc(sizeof(*w->frozen));
	/* what is there at the start */
	for (u32 at = 0; at < SIZE / 2; at += 4096) {
		change_bytes(w, w->home.bytes + at, 4096, true);
		own(&w->now, at, 4096, true);
	}
	memcpy(w->now.bytes, w->home.bytes, SIZE);
	w->durable = w->now;
	assert_int_equal(cache_open(&w->env, &w->home.dev, &w->g, 1 << 20, &w->cache), 0);
	assert_int_equal(versions_open(&w->env, &w->home.dev, memory, &w->v), 0);
	versions_attach(w->v, w->cache);
}

static void close_world(struct world *w)
{
	for (u32 i = 0; i < SNAPSHOTS; i++)
		device_close(w->snapshot[i].dev);
	versions_close(w->v);
	cache_close(w->cache);
	for (u32 i = 0; i < w->log_used; i++)
		free(w->log[i].bytes);
	free(w->log);
	free(w->frozen);
	free(w);
}

/* The log of this test is endless; what is home is forgotten. */
static void trim_log(struct world *w)
{
	if (w->log_home != w->log_used)
		return;
	while (w->log_used)
		free(w->log[--w->log_used].bytes);
	w->log_home = 0;
}

static void against_model(size_t memory)
{
	struct world *w = malloc(sizeof(*w));
	u64 bytes, units;

	open_world(w, memory);
	for (u32 i = 0; i < ROUNDS; i++) {
		switch (draw(w, 12)) {
		case 0:
			if (w->log_used < LOG_MAX / 2)
				checkpoint(w);
			crash(w);
			break;
		case 1:
			write_home(w);
			crash(w);
			trim_log(w);
			break;
		case 2:
			snapshot(w);
			break;
		case 3:
		case 4:
			look(w);
			break;
		case 5:
			write_data(w);
			break;
		default:
			commit(w);
		}
	}
	printf("%u commits, %u torn writes, %u looks, %u data\n", w->commits, w->tears, w->reads,
	       w->data);
	assert_true(w->tears > 20 && w->reads > 300 && w->data > 20);
	/* with all home and no snapshot, nothing is kept */
	for (u32 i = 0; i < SNAPSHOTS; i++) {
		device_close(w->snapshot[i].dev);
		w->snapshot[i].dev = NULL;
	}
	w->home.quiet = true;
	assert_int_equal(versions_freeze(w->v, &bytes), 0);
	versions_thaw(w->v, true);
	assert_int_equal(versions_write_home(w->v), 0);
	versions_pending(w->v, &bytes, &units);
	assert_int_equal(bytes + units + versions_memory(w->v), 0);
	compare(&w->now, w->home.bytes);
	close_world(w);
}

static void in_memory(void **state)
{
	(void)state;
	against_model(64 << 20);
}

static void spilling(void **state)
{
	(void)state;
	against_model(4096);
}

static void change_block(struct world *w, u64 at)
{
	const struct cache_range range = {daddr_of(at), 4096};
	struct version_change change = {.range = range};
	u64 number;

	assert_int_equal(cache_make(w->cache, &range, 1, true, &change.buf), 0);
	assert_int_equal(versions_commit(w->v, &change, 1, NULL, 0, &number), 0);
	cache_publish(w->cache, change.buf, NULL, NO_OWNER);
	cache_put(w->cache, change.buf);
}

static void to_log(struct world *w)
{
	u64 number;

	assert_int_equal(versions_freeze(w->v, &number), 0);
	versions_thaw(w->v, true);
}

/* What is kept for a snapshot of a block that is free, and whose end the log has, is nothing that
 * goes home: data are there by then. */
static void kept_is_not_written_home(void **state)
{
	const struct version_freed freed = {.at = 8192, .size = 4096};
	struct world *w = malloc(sizeof(*w));
	struct device *snapshot;
	u64 number;

	(void)state;
	open_world(w, 64 << 20);
	w->home.quiet = true;
	change_block(w, freed.at);
	to_log(w);
	assert_int_equal(versions_commit(w->v, NULL, 0, &freed, 1, &number), 0);
	to_log(w);
	assert_int_equal(versions_snapshot(w->v, &snapshot), 0);
	change_block(w, 0);
	to_log(w);
	change_block(w, 0);
	assert_int_equal(versions_keep(w->v, freed.at, freed.size, 4096), 0);
	memset(w->home.bytes + freed.at, 0xda, freed.size);
	assert_int_equal(versions_write_home(w->v), 0);
	to_log(w);
	assert_int_equal(versions_write_home(w->v), 0);
	for (u32 i = 0; i < freed.size; i++)
		assert_int_equal(w->home.bytes[freed.at + i], 0xda);
	device_close(snapshot);
	close_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(in_memory), cmocka_unit_test(spilling),
					   cmocka_unit_test(kept_is_not_written_home)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
