/*
 * The buffer cache; see cache.h.
 *
 * Buffers live in shards by address.  A shard's lock guards its hash chains, its list of idle
 * buffers and all members of its buffers but the bytes, which do not change after the read. Reading
 * and verifying happen outside the lock; two readers of one missing block may both read it, and the
 * first to insert wins.
 *
 * 1. A buffer is on exactly one chain of its shard, or it is private to the reader that fills it,
 * or it is stale: its bytes have changed on the device, and it goes when its last holder puts it.
 * 2. It is on the idle list exactly when nobody holds it.
 * 3. shard->bytes is the sum of the sizes on the chains; above its share idle buffers go, oldest
 * first.
 * 4. type is set only when verify() has passed for (type, owner).
 * 5. At the oldest end of the idle list are those that are done with (cache_done), the last first.
 *    Reading anew into what is still in the CPU's caches costs the least.
 * 6. Memory of stale buffers waits on the shard's list `spare` for the next ones, up to
 * SPARE_BYTES: each commit makes a new content of what it changes, and lets an old one go.
 * 7. What was read while `version` or its chain's `published` changed may be old or torn, and is
 *    read again.
 */
#include "cache/cache.h"

#include "base/sanitized.h"
#include "base/trail.h"
#include "format/verify.h"

#include <errno.h>
#include <stdatomic.h>

#define SHARDS 16
#define CHAINS 512 /* a shard */
#define MEMORY_DEFAULT (16u << 20)
#define RECYCLE_LOOKS 4 /* buffers looked at for one of the size wanted */
/* Of a shard. The address sanitizer is to see what is used when it is gone. */
#define SPARE_BYTES (SANITIZED_ADDRESS ? 0u : 64u << 10)

/* The kernel copies a third faster to memory that begins with a cache line. The guards of the
 * address sanitizer, however, are where an allocation ends. */
#define BYTES_ALIGN (SANITIZED_ADDRESS ? 1u : 64u)

struct cached {
	struct buf buf;
	struct cached *chain;
	struct cached *older, *newer; /* idle list */
	u32 held;
	bool stale, pieces; /* pieces: of more than one range */
	bool again,
	    done; /* found before its reader was done with it; nobody is expected to look for it */
	const struct meta_type *type; /* verified as; NULL: not */
	u64 owner;
	atomic_ullong passed; /* parts, by bits */
	u8 *bytes;
	u8 room[]; /* BYTES_ALIGN - 1 more than bytes needs */
};

struct shard {
	struct env_lock *lock;
	struct cached *chain[CHAINS];
	u32 published[CHAINS]; /* how often something was */
	struct cached *oldest, *newest;
	size_t bytes;
	struct cached *spare; /* linked by `chain` */
	size_t spare_bytes;
};

struct cache {
	struct env *env;
	struct device *dev;
	const struct geometry *g;
	size_t shard_memory;
	atomic_ullong reads, bytes, hits;
	atomic_ullong version; /* counts cache_forget() */
	struct shard *shard;   /* SHARDS of them */
	/* A view has these two, and only env beside them. */
	struct cache *below;
	struct cache_front *front;
};

bool cache_part_known(const struct buf *buf, u32 part)
{
	const struct cached *c = (const struct cached *)buf;

	return !buf->in_front && part < 64 &&
	       atomic_load_explicit(&c->passed, memory_order_relaxed) >> part & 1;
}

void cache_part_passed(struct buf *buf, u32 part)
{
	struct cached *c = (struct cached *)buf;

	if (!buf->in_front && part < 64)
		atomic_fetch_or_explicit(&c->passed, 1ull << part, memory_order_relaxed);
}

void cache_parts_as(struct buf *buf, const struct buf *before)
{
	struct cached *c = (struct cached *)buf;
	const struct cached *old = (const struct cached *)before;

	atomic_store_explicit(&c->passed, atomic_load_explicit(&old->passed, memory_order_relaxed),
			      memory_order_relaxed);
}

static struct cache *store_of(struct cache *cache)
{
	return cache->below ? cache->below : cache;
}

static u64 mix(u64 at)
{
	return (at >> 9) * 0x9e3779b97f4a7c15ull;
}

static struct shard *shard_of(struct cache *cache, u64 at)
{
	return &cache->shard[mix(at) >> 60 & (SHARDS - 1)];
}

static u32 chain_index(u64 at)
{
	return mix(at) >> 40 & (CHAINS - 1);
}

static struct cached **chain_of(struct shard *shard, u64 at)
{
	return &shard->chain[chain_index(at)];
}

static void idle_add(struct shard *shard, struct cached *c)
{
	c->newer = NULL;
	c->older = shard->newest;
	if (shard->newest)
		shard->newest->newer = c;
	else
		shard->oldest = c;
	shard->newest = c;
}

static void idle_add_oldest(struct shard *shard, struct cached *c)
{
	c->older = NULL;
	c->newer = shard->oldest;
	if (shard->oldest)
		shard->oldest->older = c;
	else
		shard->newest = c;
	shard->oldest = c;
}

static void idle_remove(struct shard *shard, struct cached *c)
{
	if (c->older)
		c->older->newer = c->newer;
	else
		shard->oldest = c->newer;
	if (c->newer)
		c->newer->older = c->older;
	else
		shard->newest = c->older;
	c->older = c->newer = NULL;
}

static void unchain(struct shard *shard, struct cached *c)
{
	struct cached **link = chain_of(shard, c->buf.at.v);

	while (*link != c)
		link = &(*link)->chain;
	*link = c->chain;
	shard->bytes -= c->buf.size;
}

/* Takes an idle buffer off the shard; it is the caller's alone then. */
static void detach(struct shard *shard, struct cached *c)
{
	unchain(shard, c);
	idle_remove(shard, c);
}

static struct cached *take_spare(struct shard *shard, u32 size)
{
	for (struct cached **link = &shard->spare; *link; link = &(*link)->chain) {
		struct cached *c = *link;

		if (c->buf.size != size)
			continue;
		*link = c->chain;
		shard->spare_bytes -= size;
		return c;
	}
	return NULL;
}

/* Nobody has it any more, and nobody will find it. */
static void discard(struct cache *cache, struct shard *shard, struct cached *c)
{
	if (shard->spare_bytes + c->buf.size > SPARE_BYTES) {
		env_free(cache->env, c);
		return;
	}
	c->chain = shard->spare;
	shard->spare = c;
	shard->spare_bytes += c->buf.size;
}

/* Memory that is there: of a stale buffer; or one of the oldest idle buffers, when it must go
 * anyway or is done with, and has the size wanted: fresh memory has to be zeroed and mapped, which
 * costs a sweep as much as its reading. */
static struct cached *recycle(struct cache *cache, struct shard *shard, u32 size)
{
	bool full = shard->bytes + size > cache->shard_memory;
	struct cached *c = take_spare(shard, size);

	if (c)
		return c;
	c = shard->oldest;

	for (u32 i = 0; c && i < RECYCLE_LOOKS && (full || c->done); i++, c = c->newer) {
		if (c->buf.size != size)
			continue;
		detach(shard, c);
		return c;
	}
	return NULL;
}

static void drop(struct cache *cache, struct shard *shard, struct cached *c)
{
	detach(shard, c);
	env_free(cache->env, c);
}

static void shrink(struct cache *cache, struct shard *shard)
{
	while (shard->bytes > cache->shard_memory && shard->oldest)
		drop(cache, shard, shard->oldest);
}

static struct cached *find(struct shard *shard, u64 at, u32 size)
{
	struct cached *c = *chain_of(shard, at);

	while (c && (c->buf.at.v != at || c->buf.size != size))
		c = c->chain;
	return c;
}

/* Under the lock: one more holder. */
static void hold(struct shard *shard, struct cached *c)
{
	c->again |= !c->done;
	c->done = false;
	if (!c->held++)
		idle_remove(shard, c);
}

static int fill(struct cache *cache, struct cached *c, const struct cache_range *ranges, u32 count)
{
	u8 *to = c->bytes;

	for (u32 i = 0; i < count; i++) {
		int err = device_read(cache->dev, ranges[i].at, to, ranges[i].size);

		if (err)
			return err;
		to += ranges[i].size;
	}
	atomic_fetch_add_explicit(&cache->reads, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&cache->bytes, c->buf.size, memory_order_relaxed);
	return 0;
}

static u32 ranges_size(const struct cache_range *ranges, u32 count)
{
	u32 size = 0;

	for (u32 i = 0; i < count; i++)
		size += ranges[i].size;
	return size;
}

/* Memory for a private buffer, not zeroed: the one that has to go anyway, if there was any, or new.
 */
static int make(struct cache *cache, struct cached *spare, const struct cache_range *ranges,
		u32 count, struct cached **out)
{
	u32 size = ranges_size(ranges, count);
	struct cached *c =
	    spare ? spare : env_alloc_bytes(cache->env, sizeof(*c) + BYTES_ALIGN - 1 + size);
	u8 *bytes;

	*out = c;
	if (!c)
		return fail(-ENOMEM, "a buffer of %u bytes: out of memory", size);
	bytes = c->room + (-(uintptr_t)c->room & (BYTES_ALIGN - 1));
	*c = (struct cached){
	    .bytes = bytes,
	    .buf = {.at = ranges[0].at, .size = size, .data = bytes},
	    .held = 1,
	    .pieces = count > 1,
	};
	return 0;
}

/* Under the lock: onto its chain, held. */
static void enchain(struct cache *cache, struct shard *shard, struct cached *c)
{
	struct cached **chain = chain_of(shard, c->buf.at.v);

	c->chain = *chain;
	*chain = c;
	shard->bytes += c->buf.size;
	shrink(cache, shard);
}

static bool verified(const struct cached *c, const struct meta_type *type,
		     const struct where *where)
{
	return c->type == type && c->owner == where->owner;
}

/* A held buffer with these bytes, from memory or from the device; -EAGAIN when they changed while
 * they were read. *known: it need not be verified. */
static int lookup(struct cache *cache, const struct meta_type *type, const struct where *where,
		  const struct cache_range *ranges, u32 count, struct cached **out, bool *known)
{
	u64 at = ranges[0].at.v;
	u32 size = ranges_size(ranges, count), published;
	struct shard *shard = shard_of(cache, at);
	struct cached *c, *spare = NULL, *other;
	unsigned long long version = atomic_load(&cache->version);
	bool torn = false;
	int err;

	cache->env->lock_take(shard->lock);
	published = shard->published[chain_index(at)];
	c = find(shard, at, size);
	*known = !type || (c && verified(c, type, where));
	if (c)
		hold(shard, c);
	else
		spare = recycle(cache, shard, size);
	cache->env->lock_drop(shard->lock);
	if (c) {
		atomic_fetch_add_explicit(&cache->hits, 1, memory_order_relaxed);
		*out = c;
		return 0;
	}
	err = make(cache, spare, ranges, count, &c);
	if (!err)
		err = fill(cache, c, ranges, count);
	if (err) {
		env_free(cache->env, c);
		return err;
	}
	cache->env->lock_take(shard->lock);
	other = find(shard, at, size);
	torn = version != atomic_load(&cache->version) ||
	       published != shard->published[chain_index(at)];
	if (other)
		hold(shard, other);
	else if (!torn)
		enchain(cache, shard, c);
	cache->env->lock_drop(shard->lock);
	if (other || torn)
		env_free(cache->env, c);
	*out = other ? other : c;
	return other || !torn ? 0 : -EAGAIN;
}

static int verify_now(struct cache *cache, struct cached *c, const struct meta_type *type,
		      const struct where *where)
{
	struct shard *shard = shard_of(cache, c->buf.at.v);
	struct first_finding first = {0};
	struct verdict v = {.raise = raise_first, .where = *where, .sink = &first};

	verify(&v, type, cache->g, c->buf.data, c->buf.size);
	if (first.err)
		return first.err;
	cache->env->lock_take(shard->lock);
	c->type = type;
	c->owner = where->owner;
	cache->env->lock_drop(shard->lock);
	return 0;
}

int cache_get_ranges(struct cache *cache, const struct meta_type *type, const struct where *where,
		     const struct cache_range *ranges, u32 count, struct buf **out)
{
	struct cached *c = NULL;
	bool known;
	int err;

	*out = NULL;
	if (!count || count > CACHE_RANGES)
		return fail(-EINVAL, "a buffer of %u ranges", count);
	if (cache->front) {
		err = cache->front->find(cache->front, type, ranges[0].at,
					 ranges_size(ranges, count), out);
		if (err || *out)
			return err;
		cache = cache->below;
	}
	do
		err = lookup(cache, type, where, ranges, count, &c, &known);
	while (err == -EAGAIN);
	if (err)
		return err;
	if (!known && where) /* raw bytes obey no type */
		err = verify_now(cache, c, type, where);
	if (err) {
		cache_put(cache, &c->buf);
		return err;
	}
	*out = &c->buf;
	return 0;
}

int cache_get(struct cache *cache, const struct meta_type *type, const struct where *where,
	      struct daddr at, u32 size, struct buf **out)
{
	const struct cache_range range = {at, size};

	return cache_get_ranges(cache, type, where, &range, 1, out);
}

int cache_get_raw(struct cache *cache, struct daddr at, u32 size, struct buf **out)
{
	return cache_get(cache, NULL, NULL, at, size, out);
}

static void put(struct cache *cache, struct buf *buf, bool done)
{
	struct cached *c = (struct cached *)buf;
	struct shard *shard;

	if (!buf || buf->in_front)
		return;
	cache = store_of(cache);
	shard = shard_of(cache, buf->at.v);
	cache->env->lock_take(shard->lock);
	if (!--c->held && c->stale) {
		discard(cache, shard, c);
	} else if (!c->held) {
		c->done = done && !c->again;
		if (c->done)
			idle_add_oldest(shard, c);
		else
			idle_add(shard, c);
		shrink(cache, shard);
	}
	cache->env->lock_drop(shard->lock);
}

void cache_put(struct cache *cache, struct buf *buf)
{
	put(cache, buf, false);
}

void cache_done(struct cache *cache, struct buf *buf)
{
	put(cache, buf, true);
}

void cache_hold(struct cache *cache, struct buf *buf)
{
	struct shard *shard;

	cache = store_of(cache);
	shard = shard_of(cache, buf->at.v);
	cache->env->lock_take(shard->lock);
	hold(shard, (struct cached *)buf);
	cache->env->lock_drop(shard->lock);
}

int cache_make(struct cache *cache, const struct cache_range *ranges, u32 count, bool zeroed,
	       struct buf **out)
{
	u32 size = ranges_size(ranges, count);
	struct cached *c, *spare;
	struct shard *shard;
	int err;

	cache = store_of(cache);
	shard = shard_of(cache, ranges[0].at.v);
	cache->env->lock_take(shard->lock);
	spare = recycle(cache, shard, size);
	cache->env->lock_drop(shard->lock);
	err = make(cache, spare, ranges, count, &c);
	if (err)
		return err;
	if (zeroed)
		memset(c->bytes, 0, size);
	c->stale = true; /* goes with its last holder, until it is published */
	*out = &c->buf;
	return 0;
}

static bool overlaps(const struct cached *c, const struct cache_range *ranges, u32 count)
{
	if (!count)
		return true;
	for (u32 i = 0; i < count; i++)
		if (c->buf.at.v < ranges[i].at.v + ranges[i].size &&
		    ranges[i].at.v < c->buf.at.v + c->buf.size)
			return true;
	/* Where the other pieces lie is not kept, so it is taken as changed. */
	return c->pieces;
}

static void forget(struct cache *cache, struct shard *shard, struct cached *c)
{
	if (!c->held) {
		detach(shard, c);
		discard(cache, shard, c);
		return;
	}
	unchain(shard, c);
	c->stale = true;
}

void cache_publish(struct cache *cache, struct buf *buf, const struct meta_type *type, u64 owner)
{
	struct cached *c = (struct cached *)buf, *old;
	struct shard *shard;

	cache = store_of(cache);
	shard = shard_of(cache, buf->at.v);
	cache->env->lock_take(shard->lock);
	shard->published[chain_index(buf->at.v)]++;
	old = find(shard, buf->at.v, buf->size);
	if (old)
		forget(cache, shard, old);
	c->stale = false;
	c->type = type;
	c->owner = owner;
	enchain(cache, shard, c);
	cache->env->lock_drop(shard->lock);
}

/* Looks at all that is in memory: buffers of all sizes may overlap a range, wherever they begin. */
void cache_forget(struct cache *cache, const struct cache_range *ranges, u32 count)
{
	cache = store_of(cache);
	atomic_fetch_add(&cache->version, 1);
	for (u32 i = 0; i < SHARDS; i++) {
		struct shard *shard = &cache->shard[i];

		cache->env->lock_take(shard->lock);
		for (u32 n = 0; n < CHAINS; n++) {
			struct cached *c = shard->chain[n], *next;

			for (; c; c = next) {
				next = c->chain;
				if (overlaps(c, ranges, count))
					forget(cache, shard, c);
			}
		}
		cache->env->lock_drop(shard->lock);
	}
}

void cache_will_need(struct cache *cache, struct daddr at, u64 size)
{
	cache = store_of(cache);
	if (cache->dev->will_read)
		cache->dev->will_read(cache->dev, at, size);
}

void cache_stats(struct cache *cache, struct cache_stats *out)
{
	cache = store_of(cache);
	out->reads = atomic_load(&cache->reads);
	out->bytes = atomic_load(&cache->bytes);
	out->hits = atomic_load(&cache->hits);
}

int cache_open(struct env *env, struct device *dev, const struct geometry *g, size_t memory,
	       struct cache **out)
{
	struct cache *cache = env_alloc(env, sizeof(*cache));

	if (cache)
		cache->shard = env_array(env, SHARDS, sizeof(*cache->shard));
	if (!cache || !cache->shard) {
		env_free(env, cache);
		return fail(-ENOMEM, "the cache: out of memory");
	}
	cache->env = env;
	cache->dev = dev;
	cache->g = g;
	cache->shard_memory = (memory ? memory : MEMORY_DEFAULT) / SHARDS;
	for (u32 i = 0; i < SHARDS; i++) {
		cache->shard[i].lock = env->lock_create(env);
		if (!cache->shard[i].lock) {
			cache_close(cache);
			return fail(-ENOMEM, "the cache: out of memory");
		}
	}
	*out = cache;
	return 0;
}

/* All buffers must have been put: a held one here is a bug of ours, not of the disk. */
void cache_close(struct cache *cache)
{
	if (!cache)
		return;
	for (u32 i = 0; cache->shard && i < SHARDS; i++) {
		struct shard *shard = &cache->shard[i];
		struct cached *spare;

		while (shard->oldest)
			drop(cache, shard, shard->oldest);
		while ((spare = shard->spare)) {
			shard->spare = spare->chain;
			env_free(cache->env, spare);
		}
		if (shard->bytes)
			__builtin_trap();
		cache->env->lock_destroy(cache->env, shard->lock);
	}
	env_free(cache->env, cache->shard);
	env_free(cache->env, cache);
}

int cache_open_view(struct cache *below, struct cache_front *front, struct cache **out)
{
	struct cache *view = env_alloc(below->env, sizeof(*view));

	*out = view;
	if (!view)
		return fail(-ENOMEM, "a view of the cache: out of memory");
	view->env = below->env;
	view->below = store_of(below);
	view->front = front;
	return 0;
}
