/*
 * A device above a device: what is written stays here, and the lower one is only read.
 *
 * Owns the lower device and the chunks that were written, whole chunks of CHUNK bytes in an open
 * hash table by number.  The first `memory` bytes of chunks are in memory, the rest in one spill
 * file, each at its slot; a chunk never moves and never goes away before the close.
 *
 * One lock guards the table and the content of the chunks; reads of the lower device happen outside
 * of it, so readers of what was never written do not wait for each other.  The table takes 48 to 96
 * bytes of memory for each chunk that was written.  A write fails with
 * -ENOMEM, or with the error of the lower read that fills up its chunk, and may then have been done
 * in part.
 */
#include "base/trail.h"
#include "device/device.h"

#include <errno.h>
#include <stdatomic.h>

#define CHUNK_LOG 12
#define CHUNK (1u << CHUNK_LOG)
#define SLOTS_FIRST 256 /* a power of two */

struct chunk {
	u64 number; /* of the chunk on the device, plus one: 0 is an empty slot */
	u8 *bytes;  /* NULL: in the spill file */
	u64 place;  /* there, in bytes */
};

struct overlay {
	struct device dev;
	struct env *env;
	struct device *lower;
	struct env_lock *lock;
	struct chunk *table; /* under the lock, as all below */
	u64 slots, used;
	size_t memory, memory_used;
	struct env_spill *spill;
	u64 spilled; /* bytes */
	u8 *scratch; /* one chunk */
	atomic_bool dirty;
	atomic_uint holds; /* closes that are still to come */
};

static struct overlay *overlay_of(struct device *dev)
{
	return (struct overlay *)dev;
}

static u64 slot_of(u64 number, u64 slots)
{
	return (number * 0x9e3779b97f4a7c15ull >> 20) & (slots - 1);
}

/* The slot of a chunk, or the empty one where it belongs. The table is never full. */
static struct chunk *find(struct chunk *table, u64 slots, u64 number)
{
	u64 at = slot_of(number, slots);

	while (table[at].number && table[at].number != number + 1)
		at = (at + 1) & (slots - 1);
	return &table[at];
}

static bool present(const struct overlay *o, u64 number)
{
	return find(o->table, o->slots, number)->number;
}

static int grow(struct overlay *o)
{
	u64 slots = o->slots * 2;
	struct chunk *table;

	if (o->used * 2 < o->slots)
		return 0;
	table = env_array(o->env, slots, sizeof(*table));
	if (!table)
		return fail(-ENOMEM, "overlay: out of memory");
	for (u64 i = 0; i < o->slots; i++)
		if (o->table[i].number)
			*find(table, slots, o->table[i].number - 1) = o->table[i];
	env_free(o->env, o->table);
	o->table = table;
	o->slots = slots;
	return 0;
}

/* How much of a chunk the device has. */
static size_t chunk_size(const struct overlay *o, u64 number)
{
	return (size_t)min_u64(CHUNK, o->dev.size - (number << CHUNK_LOG));
}

static int chunk_read(struct overlay *o, const struct chunk *chunk, u32 from, void *to, size_t size)
{
	if (!chunk->bytes)
		return o->env->spill_read(o->spill, chunk->place + from, to, size);
	memcpy(to, chunk->bytes + from, size);
	return 0;
}

static int chunk_write(struct overlay *o, const struct chunk *chunk, u32 at, const void *from,
		       size_t size)
{
	if (!chunk->bytes)
		return o->env->spill_write(o->spill, chunk->place + at, from, size);
	memcpy(chunk->bytes + at, from, size);
	return 0;
}

/* A place for a new chunk, in memory while that lasts. */
static int chunk_place(struct overlay *o, struct chunk *chunk)
{
	if (o->memory_used + CHUNK <= o->memory) {
		chunk->bytes = env_alloc(o->env, CHUNK);
		if (!chunk->bytes)
			return fail(-ENOMEM, "overlay: out of memory");
		o->memory_used += CHUNK;
		return 0;
	}
	if (!o->spill) {
		o->spill = o->env->spill_open(o->env);
		if (!o->spill)
			return -EIO;
	}
	chunk->place = o->spilled;
	o->spilled += CHUNK;
	return 0;
}

/* Under the lock: the chunk to write `size` bytes to, filled from below unless all is replaced. */
static int chunk_for_write(struct overlay *o, u64 number, size_t size, struct chunk **out)
{
	struct chunk fresh = {.number = number + 1}, *chunk;
	size_t whole = chunk_size(o, number);
	int err = grow(o);

	if (err)
		return err;
	chunk = find(o->table, o->slots, number);
	*out = chunk;
	if (chunk->number)
		return 0;
	memset(o->scratch, 0, CHUNK);
	if (size < whole)
		err = device_read(o->lower, daddr_of(number << CHUNK_LOG), o->scratch, whole);
	if (!err)
		err = chunk_place(o, &fresh);
	if (!err)
		err = chunk_write(o, &fresh, 0, o->scratch, CHUNK);
	if (err)
		return err; /* a slot in the spill file may be lost, no more */
	*chunk = fresh;
	o->used++;
	return 0;
}

static int check_range(struct device *dev, struct daddr at, size_t size)
{
	if (at.v > dev->size || size > dev->size - at.v)
		return fail(-ENXIO, "%s: %zu bytes at %llu are beyond the end at %llu", dev->name,
			    size, (unsigned long long)at.v, (unsigned long long)dev->size);
	return 0;
}

static int overlay_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct overlay *o = overlay_of(dev);
	int err = check_range(dev, at, size);
	const u8 *next = from;

	if (err || !size)
		return err;
	o->env->lock_take(o->lock);
	atomic_store(&o->dirty, true);
	while (!err && size) {
		u32 into = (u32)(at.v & (CHUNK - 1));
		size_t step = (size_t)min_u64(CHUNK - into, size);
		struct chunk *chunk = NULL;

		err = chunk_for_write(o, at.v >> CHUNK_LOG, step, &chunk);
		if (!err)
			err = chunk_write(o, chunk, into, next, step);
		next += step;
		at.v += step;
		size -= step;
	}
	o->env->lock_drop(o->lock);
	return err;
}

/* The next piece at `at`: copied when it was written; otherwise *below is how many bytes are to be
 * read from the lower device. */
static int read_piece(struct overlay *o, u64 at, u8 *to, size_t size, size_t *moved, size_t *below)
{
	u64 number = at >> CHUNK_LOG;
	u32 from = (u32)(at & (CHUNK - 1));
	size_t step = (size_t)min_u64(CHUNK - from, size);
	int err = 0;

	*moved = *below = 0;
	o->env->lock_take(o->lock);
	if (present(o, number)) {
		err = chunk_read(o, find(o->table, o->slots, number), from, to, step);
		*moved = step;
	} else {
		do {
			*below += step;
			step = (size_t)min_u64(CHUNK, size - *below);
		} while (step && !present(o, ++number));
	}
	o->env->lock_drop(o->lock);
	return err;
}

static int overlay_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	struct overlay *o = overlay_of(dev);
	int err = check_range(dev, at, size);
	u8 *next = to;

	if (!err && !atomic_load(&o->dirty))
		return device_read(o->lower, at, to, size);
	while (!err && size) {
		size_t moved, below;

		err = read_piece(o, at.v, next, size, &moved, &below);
		if (!err && below) {
			err = device_read(o->lower, at, next, below);
			moved = below;
		}
		next += moved;
		at.v += moved;
		size -= moved;
	}
	return err;
}

static int overlay_flush(struct device *dev)
{
	(void)dev;
	return 0;
}

static void overlay_will_read(struct device *dev, struct daddr at, u64 size)
{
	struct device *lower = overlay_of(dev)->lower;

	if (lower->will_read)
		lower->will_read(lower, at, size);
}

static void overlay_free(struct overlay *o)
{
	for (u64 i = 0; o->table && i < o->slots; i++)
		env_free(o->env, o->table[i].bytes);
	if (o->spill)
		o->env->spill_close(o->spill);
	if (o->lock)
		o->env->lock_destroy(o->env, o->lock);
	env_free(o->env, o->table);
	env_free(o->env, o->scratch);
	env_free(o->env, o);
}

static void overlay_close(struct device *dev)
{
	struct overlay *o = overlay_of(dev);
	struct device *lower = o->lower;

	if (atomic_fetch_sub(&o->holds, 1) > 1)
		return;
	overlay_free(o);
	device_close(lower);
}

int device_open_overlay(struct env *env, struct device *lower, size_t memory, struct device **out)
{
	struct overlay *o = env_alloc(env, sizeof(*o));

	*out = NULL;
	if (!o)
		return fail(-ENOMEM, "overlay: out of memory");
	o->env = env;
	o->lower = lower;
	o->memory = memory;
	o->slots = SLOTS_FIRST;
	atomic_store(&o->holds, 1);
	o->table = env_array(env, o->slots, sizeof(*o->table));
	o->scratch = env_alloc(env, CHUNK);
	o->lock = env->lock_create(env);
	o->dev = (struct device){
	    .name = lower->name,
	    .size = lower->size,
	    .read = overlay_read,
	    .write = overlay_write,
	    .flush = overlay_flush,
	    .will_read = overlay_will_read,
	    .close = overlay_close,
	};
	if (!o->table || !o->scratch || !o->lock) {
		overlay_free(o); /* the lower device stays the caller's */
		return fail(-ENOMEM, "overlay: out of memory");
	}
	*out = &o->dev;
	return 0;
}

int device_cover(struct env *env, size_t memory, struct device **device)
{
	struct device *overlay;
	int err = *device ? device_open_overlay(env, *device, memory, &overlay) : 0;

	if (!err && *device)
		*device = overlay;
	return err;
}

struct device *device_overlay_hold(struct device *overlay)
{
	atomic_fetch_add(&overlay_of(overlay)->holds, 1);
	return overlay;
}

bool device_overlay_dirty(const struct device *overlay)
{
	return atomic_load(&((const struct overlay *)overlay)->dirty);
}
