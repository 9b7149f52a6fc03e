/*
 * Transactions; see txn.h.
 *
 * 1. Each object of the transaction is in the hash table, by its address, and on the list `newest`.
 *    Parts are on the list of their whole instead, and their data lie in its data.
 * 2. A dropped object is in neither, but on `dropped`, so that pointers to it stay good.
 * 3. A part is dirty only when its whole is.
 * 4. Dirty objects do not overlap when they are written (commit checks it).
 * 5. What differs in a whole lies in its dirty parts.
 */
#include "log/txn.h"

#include "base/sanitized.h"
#include "base/trail.h"
#include "format/verify.h"
#include "log/journal.h"

#include <errno.h>
#include <stdlib.h>

#define CHAINS 256
#define KEEP_ROOM 256 /* elements of an array that a transaction keeps for the next */
#define KEEP_OBJECTS 64

/* The changed objects in the order of the disk. A piece is one range of one. */
struct piece {
	struct txn_buf *buf;
	u32 offset; /* in its data */
	struct cache_range range;
};

struct changes {
	struct piece *piece;
	struct version_change *change; /* the same, for the journal */
	u32 count, room;
};

struct txn {
	struct env *env;
	struct cache *cache;
	struct device *dev;
	const struct geometry *g;
	struct cache_front front;
	struct cache *view;
	struct txn_buf *chain[CHAINS];
	struct txn_buf *newest, *dropped;
	u64 objects; /* on `newest` */
	u64 memory, memory_max;
	struct journal *journal; /* NULL: commits go to the device */
	struct txn_guard *guard; /* NULL: none */
	bool giving, forced;
	struct version_freed *freed;
	u32 freed_count, freed_room;
	struct changes changes; /* in a commit */
	struct txn_buf *idle;	/* of one range, for the next ones; by `older` */
	u32 idle_count;
	struct txn **waits; /* where it waits to be begun again; NULL: nowhere */
};

static struct txn_buf **chain_of(struct txn *txn, u64 at)
{
	return &txn->chain[(at >> 9) * 0x9e3779b97f4a7c15ull >> 40 & (CHAINS - 1)];
}

static struct txn_buf *find(struct txn *txn, struct daddr at)
{
	struct txn_buf *buf = *chain_of(txn, at.v);

	while (buf && buf->at.v != at.v)
		buf = buf->chain;
	return buf;
}

static int in_use(const struct txn_buf *buf, const struct meta_type *type)
{
	return fail(-EUCLEAN, "byte %llu: in use as %s, and as %s", (unsigned long long)buf->at.v,
		    buf->type->name, type ? type->name : "something else");
}

/* What a reader through the view finds here. */
static int front_find(struct cache_front *front, const struct meta_type *type, struct daddr at,
		      u32 size, struct buf **out)
{
	struct txn *txn = (struct txn *)((char *)front - offsetof(struct txn, front));
	struct txn_buf *buf = find(txn, at);

	*out = NULL;
	if (!buf)
		return 0;
	if (buf->size != size || (type && type != buf->type))
		return in_use(buf, type);
	*out = &buf->seen;
	return 0;
}

int txn_begin(struct env *env, struct cache *cache, struct device *dev, const struct geometry *g,
	      struct txn **out)
{
	struct txn *txn = env_alloc(env, sizeof(*txn));
	int err;

	*out = NULL;
	if (!txn)
		return fail(-ENOMEM, "a transaction: out of memory");
	txn->env = env;
	txn->cache = cache;
	txn->dev = dev;
	txn->g = g;
	txn->memory_max = TXN_MEMORY_MAX;
	txn->front.find = front_find;
	err = cache_open_view(cache, &txn->front, &txn->view);
	if (err)
		env_free(env, txn);
	else
		*out = txn;
	return err;
}

void txn_use_journal(struct txn *txn, struct journal *journal)
{
	txn->journal = journal;
	txn->memory_max = journal_txn_max(journal);
}

void txn_wait_in(struct txn *txn, struct txn **place)
{
	txn->waits = place;
}

void txn_use_guard(struct txn *txn, struct txn_guard *guard)
{
	txn->guard = guard;
}

void txn_set_giving(struct txn *txn)
{
	txn->giving = true;
}

bool txn_giving(const struct txn *txn)
{
	return txn->giving;
}

void txn_set_forced(struct txn *txn)
{
	txn->forced = true;
}

bool txn_forced(const struct txn *txn)
{
	return txn->forced;
}

struct cache *txn_view(struct txn *txn)
{
	return txn->view;
}

static void free_list(struct txn *txn, struct txn_buf *buf)
{
	while (buf) {
		struct txn_buf *older = buf->older;

		free_list(txn, buf->parts); /* parts have none */
		cache_put(txn->cache, buf->made);
		cache_put(txn->cache, buf->before);
		/* the address sanitizer is to see who uses one that is gone */
		if (buf->count == 1 && txn->idle_count < KEEP_OBJECTS && !SANITIZED_ADDRESS) {
			buf->older = txn->idle;
			txn->idle = buf;
			txn->idle_count++;
		} else {
			env_free(txn->env, buf);
		}
		buf = older;
	}
}

static struct txn_buf *new_object(struct txn *txn, u32 ranges)
{
	struct txn_buf *buf = txn->idle;

	if (ranges != 1 || !buf)
		return env_alloc_bytes(txn->env, sizeof(*buf) + ranges * sizeof(*buf->range));
	txn->idle = buf->older;
	txn->idle_count--;
	return buf;
}

void txn_free(struct txn *txn)
{
	if (!txn)
		return;
	while (txn->idle) {
		struct txn_buf *buf = txn->idle;

		txn->idle = buf->older;
		env_free(txn->env, buf);
	}
	cache_close(txn->view);
	env_free(txn->env, txn->freed);
	env_free(txn->env, txn->changes.piece);
	env_free(txn->env, txn->changes.change);
	env_free(txn->env, txn);
}

/* As it was when it was begun. Room for what it collects stays, unless there was much. */
static void make_new(struct txn *txn)
{
	memset(txn->chain, 0, sizeof(txn->chain));
	txn->newest = txn->dropped = NULL;
	txn->objects = txn->memory = 0;
	txn->guard = NULL;
	txn->giving = txn->forced = false;
	txn->freed_count = txn->changes.count = 0;
}

void txn_rollback(struct txn *txn)
{
	bool waits = txn && txn->waits && !*txn->waits && txn->freed_room <= KEEP_ROOM &&
		     txn->changes.room <= KEEP_ROOM;

	if (!txn)
		return;
	free_list(txn, txn->newest);
	free_list(txn, txn->dropped);
	if (!waits) {
		txn_free(txn);
		return;
	}
	make_new(txn);
	*txn->waits = txn;
}

static bool same(const struct txn_buf *buf, const struct meta_type *type, u32 size,
		 const struct where *where)
{
	return buf->type == type && buf->size == size && buf->where.owner == where->owner;
}

/* The object, if the transaction has it already; 0 with NULL if not. */
static int known(struct txn *txn, const struct meta_type *type, const struct where *where,
		 struct daddr at, u32 size, struct txn_buf **out)
{
	struct txn_buf *buf = find(txn, at);

	*out = buf;
	if (!buf || same(buf, type, size, where))
		return 0;
	*out = NULL;
	return in_use(buf, type);
}

static u32 size_of(const struct cache_range *ranges, u32 count)
{
	u32 size = 0;

	for (u32 i = 0; i < count; i++)
		size += ranges[i].size;
	return size;
}

/* data: those of a whole, or NULL for a buffer of its own, zeroed where it is a new object. */
static int make(struct txn *txn, const struct meta_type *type, const struct where *where,
		const struct cache_range *ranges, u32 count, u8 *data, bool fresh,
		struct txn_buf **out)
{
	u32 size = size_of(ranges, count), room = data ? 0 : size;
	struct buf *made = NULL;
	struct txn_buf *buf;
	int err = 0;

	*out = NULL;
	if (txn->memory + room > txn->memory_max)
		return fail(-EFBIG, "a transaction of more than %llu KiB",
			    (unsigned long long)txn->memory_max >> 10);
	buf = new_object(txn, count);
	if (!buf)
		return fail(-ENOMEM, "a transaction: out of memory");
	if (!data)
		err = cache_make(txn->cache, ranges, count, fresh, &made);
	if (err) {
		env_free(txn->env, buf);
		return err;
	}
	*buf = (struct txn_buf){.at = ranges[0].at,
				.size = size,
				.data = data ? data : cache_made_bytes(made),
				.type = type,
				.where = *where,
				.fresh = fresh,
				.made = made,
				.count = count};
	buf->seen = (struct buf){.at = buf->at, .size = size, .data = buf->data, .in_front = true};
	memcpy(buf->range, ranges, count * sizeof(*ranges));
	txn->memory += room;
	*out = buf;
	return 0;
}

static int add(struct txn *txn, const struct meta_type *type, const struct where *where,
	       const struct cache_range *ranges, u32 count, bool fresh, struct txn_buf **out)
{
	int err = make(txn, type, where, ranges, count, NULL, fresh, out);
	struct txn_buf **chain;

	if (err)
		return err;
	chain = chain_of(txn, ranges[0].at.v);
	(*out)->chain = *chain;
	(*out)->older = txn->newest;
	*chain = *out;
	txn->newest = *out;
	txn->objects++;
	return 0;
}

/* `verified` is what the cache is to verify it as: NULL for wholes. */
static int get(struct txn *txn, const struct meta_type *type, const struct meta_type *verified,
	       const struct where *where, const struct cache_range *ranges, u32 count,
	       struct txn_buf **out)
{
	int err = known(txn, type, where, ranges[0].at, size_of(ranges, count), out);
	struct buf *buf;

	if (err || *out)
		return err;
	err = cache_get_ranges(txn->cache, verified, where, ranges, count, &buf);
	if (err)
		return err;
	err = add(txn, type, where, ranges, count, false, out);
	if (err) {
		cache_put(txn->cache, buf);
		return err;
	}
	memcpy((*out)->data, buf->data, buf->size);
	(*out)->before = buf;
	(*out)->was = type;
	return 0;
}

int txn_get_ranges(struct txn *txn, const struct meta_type *type, const struct where *where,
		   const struct cache_range *ranges, u32 count, struct txn_buf **out)
{
	return get(txn, type, type, where, ranges, count, out);
}

int txn_get(struct txn *txn, const struct meta_type *type, const struct where *where,
	    struct daddr at, u32 size, struct txn_buf **out)
{
	const struct cache_range range = {at, size};

	return get(txn, type, type, where, &range, 1, out);
}

int txn_get_whole(struct txn *txn, const struct meta_type *type, const struct where *where,
		  struct daddr at, u32 size, struct txn_buf **out)
{
	const struct cache_range range = {at, size};
	int err = get(txn, type, NULL, where, &range, 1, out);

	if (!err)
		(*out)->of_parts = true;
	return err;
}

struct txn_buf *txn_known_part(const struct txn_buf *whole, u32 offset)
{
	struct txn_buf *part = whole->parts;

	while (part && part->at.v != whole->at.v + offset)
		part = part->older;
	return part;
}

int txn_part(struct txn *txn, struct txn_buf *whole, const struct meta_type *type,
	     const struct where *where, u32 offset, u32 size, struct txn_buf **out)
{
	const struct cache_range range = {daddr_of(whole->at.v + offset), size};
	int err;

	*out = txn_known_part(whole, offset);
	if (*out)
		return same(*out, type, size, where) ? 0 : in_use(*out, type);
	err = make(txn, type, where, &range, 1, whole->data + offset, false, out);
	if (err)
		return err;
	(*out)->whole = whole;
	(*out)->was = whole->before ? type : NULL;
	(*out)->older = whole->parts;
	whole->parts = *out;
	return 0;
}

int txn_new_ranges(struct txn *txn, const struct meta_type *type, const struct where *where,
		   const struct cache_range *ranges, u32 count, struct txn_buf **out)
{
	struct txn_buf *there = find(txn, ranges[0].at);
	int err;

	*out = NULL;
	if (there)
		return in_use(there, type);
	err = add(txn, type, where, ranges, count, true, out);
	if (!err)
		txn_dirty(txn, *out);
	return err;
}

int txn_new(struct txn *txn, const struct meta_type *type, const struct where *where,
	    struct daddr at, u32 size, struct txn_buf **out)
{
	const struct cache_range range = {at, size};

	return txn_new_ranges(txn, type, where, &range, 1, out);
}

int txn_new_whole(struct txn *txn, const struct meta_type *type, const struct where *where,
		  struct daddr at, u32 size, struct txn_buf **out)
{
	int err = txn_new(txn, type, where, at, size, out);

	if (!err)
		(*out)->of_parts = true;
	return err;
}

struct txn_buf *txn_known(struct txn *txn, struct daddr at)
{
	return find(txn, at);
}

void txn_dirty(struct txn *txn, struct txn_buf *buf)
{
	(void)txn;
	buf->dirty = true;
	if (buf->whole)
		buf->whole->dirty = true;
}

void txn_drop(struct txn *txn, struct txn_buf *buf)
{
	struct txn_buf **link = chain_of(txn, buf->at.v);

	if (buf->gone)
		return;
	while (*link != buf)
		link = &(*link)->chain;
	*link = buf->chain;
	for (link = &txn->newest; *link != buf;)
		link = &(*link)->older;
	*link = buf->older;
	buf->older = txn->dropped;
	buf->gone = true;
	txn->dropped = buf;
	txn->objects--;
}

/* Objects begin where blocks do. Looks for each block of the range, or at all objects where those
 * are fewer. */
static void drop_inside(struct txn *txn, u64 at, u64 size)
{
	struct txn_buf *buf, *older;

	if (size >> txn->g->block_log <= txn->objects) {
		for (u64 block = at; block < at + size; block += txn->g->block_size) {
			buf = find(txn, daddr_of(block));
			if (buf)
				txn_drop(txn, buf);
		}
		return;
	}
	for (buf = txn->newest; buf; buf = older) {
		older = buf->older;
		if (buf->at.v >= at && buf->at.v < at + size)
			txn_drop(txn, buf);
	}
}

/* What lies there may become something else in this very transaction. Neighbours that are freed
 * one after the other are kept as one. */
int txn_freed(struct txn *txn, struct daddr at, u64 size, bool data)
{
	struct version_freed *last = txn->freed_count ? &txn->freed[txn->freed_count - 1] : NULL;
	u32 room = txn->freed_room ? txn->freed_room * 2 : 16;
	struct version_freed *more;

	drop_inside(txn, at.v, size);
	if (last && last->at + last->size == at.v && last->data == data) {
		last->size += size;
		return 0;
	}
	if (!txn->freed || txn->freed_count == txn->freed_room) {
		more = env_grow(txn->env, txn->freed, txn->freed_count, room, sizeof(*more));
		if (!more)
			return fail(-ENOMEM, "a transaction: out of memory");
		txn->freed = more;
		txn->freed_room = room;
	}
	txn->freed[txn->freed_count++] = (struct version_freed){at.v, size, data};
	return 0;
}

const struct version_freed *txn_freed_ranges(const struct txn *txn, u32 *count)
{
	*count = txn->freed_count;
	return txn->freed;
}

/* ---- what a commit changes ---- */

const u8 *txn_before(const struct txn_buf *buf)
{
	const struct txn_buf *whole = buf->whole ? buf->whole : buf;

	return whole->before ? whole->before->data + (buf->at.v - whole->at.v) : NULL;
}

#define LINE 64

/* Is it to be known what differs? For the guard, and then for the log, which asks the same. Of a
 * whole most parts are not touched, so it is known soon. */
static bool wants_map(const struct txn *txn, const struct txn_buf *b)
{
	return b->dirty && b->before && (txn->guard || b->of_parts) &&
	       b->size <= VERSION_MAP_WORDS * 32 * VERSION_CHUNK;
}

/* The content before has not been looked at for a while. */
static void fetch_before(const struct txn_buf *b)
{
	for (u32 i = 0; i < b->size; i += LINE)
		__builtin_prefetch(b->before->data + i);
}

struct each_change {
	int (*fn)(void *arg, const struct txn_change *change);
	void *arg;
};

static int tell_change(const struct each_change *e, const struct txn_buf *buf, bool stays)
{
	struct txn_change c = {.type = buf->type,
			       .where = &buf->where,
			       .before = txn_before(buf),
			       .after = stays ? buf->data : NULL,
			       .size = buf->size};
	const struct txn_buf *whole = buf->whole ? buf->whole : buf;
	const u8 *after = c.after;
	int err;

	if (c.before && c.after && whole->mapped) {
		c.map = whole->map;
		c.at = (u32)(buf->at.v - whole->at.v);
	}
	if (!c.before && !c.after)
		return 0;
	if (!c.before || buf->was == buf->type)
		return e->fn(e->arg, &c);
	c.type = buf->was;
	c.map = NULL;
	c.after = NULL;
	err = e->fn(e->arg, &c);
	c.type = buf->type;
	c.before = NULL;
	c.after = after;
	return err || !after ? err : e->fn(e->arg, &c);
}

/* An object that stays, or its parts, as far as they are dirty; all of one that goes. */
static int tell_changes(const struct each_change *e, const struct txn_buf *buf, bool stays)
{
	int err = 0;

	for (; buf && !err; buf = buf->older)
		if (buf->of_parts)
			err = tell_changes(e, buf->parts, stays);
		else if (buf->dirty || !stays)
			err = tell_change(e, buf, stays);
	return err;
}

int txn_each_change(struct txn *txn, int (*fn)(void *arg, const struct txn_change *change),
		    void *arg)
{
	const struct each_change e = {fn, arg};
	int err = tell_changes(&e, txn->newest, true);

	return err ? err : tell_changes(&e, txn->dropped, false);
}

static int by_address(const void *a, const void *b)
{
	u64 x = ((const struct piece *)a)->range.at.v, y = ((const struct piece *)b)->range.at.v;

	return (x > y) - (x < y);
}

#define FEW 24u

/* Most transactions change few objects. */
static void sort_pieces(struct changes *c)
{
	for (u32 i = 1; i < c->count && c->count <= FEW; i++) {
		const struct piece piece = c->piece[i];
		u32 at = i;

		for (; at && by_address(&piece, &c->piece[at - 1]) < 0; at--)
			c->piece[at] = c->piece[at - 1];
		c->piece[at] = piece;
	}
	if (c->count > FEW)
		qsort(c->piece, c->count, sizeof(*c->piece), by_address);
}

static void collect_pieces(struct changes *c, struct txn_buf *buf)
{
	u32 offset = 0;

	for (u32 i = 0; i < buf->count; i++) {
		c->piece[c->count++] = (struct piece){buf, offset, buf->range[i]};
		offset += buf->range[i].size;
	}
}

static int make_room(struct txn *txn, struct changes *c, u32 pieces)
{
	if (pieces <= c->room)
		return 0;
	env_free(txn->env, c->piece);
	env_free(txn->env, c->change);
	c->room = 0;
	c->piece = env_array(txn->env, pieces, sizeof(*c->piece));
	c->change = env_array(txn->env, pieces, sizeof(*c->change));
	if (!c->piece || !c->change)
		return fail(-ENOMEM, "committing a transaction: out of memory");
	c->room = pieces;
	return 0;
}

static int collect(struct txn *txn, struct changes *c)
{
	u32 pieces = 0;
	int err;

	for (struct txn_buf *b = txn->newest; b; b = b->older)
		if (b->dirty)
			pieces += b->count;
	err = make_room(txn, c, pieces);
	if (err)
		return err;
	c->count = 0;
	for (struct txn_buf *b = txn->newest; b; b = b->older)
		if (b->dirty)
			collect_pieces(c, b);
	sort_pieces(c);
	for (u32 i = 1; i < c->count; i++) {
		const struct cache_range *range = &c->piece[i - 1].range;

		if (range->at.v + range->size > c->piece[i].range.at.v)
			return in_use(c->piece[i - 1].buf, c->piece[i].buf->type);
	}
	return 0;
}

static int seal_one(struct txn *txn, struct txn_buf *buf)
{
	struct first_finding first = {0};
	struct verdict v = {
	    .raise = raise_first, .where = buf->where, .unsealed = true, .sink = &first};

	/* what it is now need not be found to be so */
	if (buf->type->crc_offset != CRC_NONE) {
		struct le32 crc =
		    le32_make(verify_crc(buf->data, buf->size, buf->type->crc_offset));

		memcpy(buf->data + buf->type->crc_offset, &crc, sizeof(crc));
	}
	v.where.daddr = buf->at.v;
	verify(&v, buf->type, txn->g, buf->data, buf->size);
	return first.err ? fail_in(first.err, "not committed") : 0;
}

static int seal(struct txn *txn)
{
	int err = 0;

	for (struct txn_buf *b = txn->newest; b && !err; b = b->older) {
		bool map = wants_map(txn, b);

		if (map && !b->of_parts)
			fetch_before(b);
		if (b->dirty && !b->of_parts)
			err = seal_one(txn, b);
		for (struct txn_buf *part = b->parts; part && !err; part = part->older)
			if (part->dirty)
				err = seal_one(txn, part);
		if (map)
			txn_map_changes(b);
	}
	return err;
}

/* ---- to the device ---- */

/* What of the pieces is on the device, one behind the other. */
static int read_before(struct txn *txn, const struct changes *c, u8 **before)
{
	size_t bytes = 0;
	u8 *to;
	int err = 0;

	for (u32 i = 0; i < c->count; i++)
		bytes += c->piece[i].range.size;
	*before = to = env_alloc(txn->env, bytes);
	if (!to)
		return fail(-ENOMEM, "committing a transaction: out of memory");
	for (u32 i = 0; i < c->count && !err; i++) {
		err = device_read(txn->dev, c->piece[i].range.at, to, c->piece[i].range.size);
		to += c->piece[i].range.size;
	}
	return err;
}

/* All of them, or none as far as the device lets us. */
static int write_all(struct txn *txn, const struct changes *c)
{
	struct cache_range *range = env_array(txn->env, c->count + 1u, sizeof(*range));
	u8 *bytes = NULL;
	const u8 *before;
	u32 done = 0;
	int err = range ? read_before(txn, c, &bytes)
			: fail(-ENOMEM, "committing a transaction: out of memory");

	before = bytes;
	for (; done < c->count && !err; done++) {
		range[done] = c->piece[done].range;
		err = device_write(txn->dev, range[done].at,
				   c->piece[done].buf->data + c->piece[done].offset,
				   range[done].size);
	}
	for (u32 i = 0; err && i < done; i++) {
		device_write(txn->dev, range[i].at, before, range[i].size);
		before += range[i].size;
	}
	if (done)
		cache_forget(txn->cache, range, done);
	if (!err)
		txn_publish(txn);
	env_free(txn->env, bytes);
	env_free(txn->env, range);
	return err;
}

/* ---- to the journal ---- */

static int to_journal(struct txn *txn, const struct changes *c)
{
	for (u32 i = 0; i < c->count; i++)
		c->change[i] = (struct version_change){
		    .range = c->piece[i].range,
		    .buf = c->piece[i].buf->made,
		    .offset = c->piece[i].offset,
		    .before = c->piece[i].buf->before,
		    .map = c->piece[i].buf->mapped ? c->piece[i].buf->map : NULL};
	return journal_commit(txn->journal, txn, c->change, c->count);
}

void txn_publish(struct txn *txn)
{
	for (struct txn_buf *b = txn->newest; b; b = b->older) {
		if (!b->dirty)
			continue;
		/* parts that are dirty have passed when they were sealed */
		if (b->of_parts && b->before)
			cache_parts_as(b->made, b->before);
		cache_publish(txn->cache, b->made, b->of_parts ? NULL : b->type, b->where.owner);
	}
}

int txn_commit(struct txn *txn)
{
	struct changes *c = &txn->changes;
	int err = collect(txn, c);
	bool checked;

	if (!err)
		err = seal(txn);
	if (!err && __builtin_expect(txn->guard != NULL, true))
		err = txn->guard->check(txn->guard, txn);
	checked = !err && txn->guard;
	if (!err && (c->count || txn->freed_count))
		err = txn->journal ? to_journal(txn, c) : write_all(txn, c);
	if (checked)
		txn->guard->ended(txn->guard, !err);
	txn_rollback(txn);
	return err;
}
