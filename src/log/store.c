/*
 * Items of a transaction until it commits; see replay.h.
 *
 * One stream of bytes: the first MEMORY bytes in chunks, what follows in a spill file.  An item is
 * a struct stored, the ends of its regions, their bytes.  All sizes come from what has been read
 * from the log, so a store is never larger than the log.
 */
#include "base/trail.h"
#include "log/replay.h"

#include <errno.h>

#define CHUNK (16u << 10)
#define CHUNKS 512
#define MEMORY ((u64)CHUNK * CHUNKS)

struct stored {
	u64 lsn;
	u32 block;
	u32 type, regions;
	u32 bytes;
};

struct log_store {
	struct env *env;
	u8 *chunk[CHUNKS];
	struct env_spill *spill;
	u64 size;
	u8 *bytes;			 /* of the item at hand */
	u32 largest, room;		 /* item; that fits into bytes */
	u32 region_end[LOG_REGIONS_MAX]; /* of it */
};

int log_store_open(struct env *env, struct log_store **out)
{
	*out = env_alloc(env, sizeof(**out));
	if (!*out)
		return fail(-ENOMEM, "a transaction of the log: out of memory");
	(*out)->env = env;
	return 0;
}

void log_store_close(struct log_store *store)
{
	if (!store)
		return;
	for (u32 i = 0; i < CHUNKS; i++)
		env_free(store->env, store->chunk[i]);
	if (store->spill)
		store->env->spill_close(store->spill);
	env_free(store->env, store->bytes);
	env_free(store->env, store);
}

static int chunk_ready(struct log_store *store, u64 number)
{
	if (!store->chunk[number])
		store->chunk[number] = env_alloc(store->env, CHUNK);
	return store->chunk[number] ? 0 : fail(-ENOMEM, "a transaction of the log: out of memory");
}

static int spill_ready(struct log_store *store)
{
	if (!store->spill)
		store->spill = store->env->spill_open(store->env);
	return store->spill ? 0 : -EIO;
}

static int append(struct log_store *store, const void *from, size_t size)
{
	const u8 *next = from;
	int err = 0;

	while (size && !err) {
		u64 into = store->size % CHUNK;
		size_t step = (size_t)min_u64(size, CHUNK - into);

		if (store->size < MEMORY) {
			err = chunk_ready(store, store->size / CHUNK);
			if (!err)
				memcpy(store->chunk[store->size / CHUNK] + into, next, step);
		} else {
			step = size;
			err = spill_ready(store);
			if (!err)
				err = store->env->spill_write(store->spill, store->size - MEMORY,
							      next, step);
		}
		next += step;
		size -= step;
		store->size += step;
	}
	return err;
}

static int fetch(struct log_store *store, u64 at, void *to, size_t size)
{
	u8 *next = to;

	while (size && at < MEMORY) {
		u64 from = at % CHUNK;
		size_t step = (size_t)min_u64(size, CHUNK - from);

		memcpy(next, store->chunk[at / CHUNK] + from, step);
		next += step;
		at += step;
		size -= step;
	}
	return size ? store->env->spill_read(store->spill, at - MEMORY, next, size) : 0;
}

int log_store_add(struct log_store *store, const struct log_item *item)
{
	struct stored stored = {item->lsn, item->block, item->type, item->regions,
				item->region_end[item->regions - 1]};
	int err = append(store, &stored, sizeof(stored));

	if (stored.bytes > store->largest)
		store->largest = stored.bytes;
	if (!err)
		err = append(store, item->region_end, item->regions * sizeof(u32));
	return err ? err : append(store, item->bytes, stored.bytes);
}

static int fetch_item(struct log_store *store, u64 *at, struct log_item *item)
{
	struct stored stored;
	int err = fetch(store, *at, &stored, sizeof(stored));

	if (err)
		return err;
	*at += sizeof(stored);
	err = fetch(store, *at, store->region_end, stored.regions * sizeof(u32));
	*at += stored.regions * sizeof(u32);
	if (!err)
		err = fetch(store, *at, store->bytes, stored.bytes);
	*at += stored.bytes;
	*item = (struct log_item){.lsn = stored.lsn,
				  .block = stored.block,
				  .type = (u16)stored.type,
				  .regions = stored.regions,
				  .bytes = store->bytes,
				  .region_end = store->region_end};
	return err;
}

/* Most transactions are small: as much as is needed, and no more. */
static int item_ready(struct log_store *store)
{
	if (store->bytes && store->room >= store->largest)
		return 0;
	env_free(store->env, store->bytes);
	store->room = store->largest;
	store->bytes = env_alloc(store->env, store->room + 1);
	return store->bytes ? 0 : fail(-ENOMEM, "a transaction of the log: out of memory");
}

int log_store_each(struct log_store *store, int (*fn)(void *arg, const struct log_item *item),
		   void *arg)
{
	struct log_item item;
	int err = item_ready(store);

	for (u64 at = 0; at < store->size && !err;) {
		err = fetch_item(store, &at, &item);
		if (!err)
			err = fn(arg, &item);
	}
	return err;
}
