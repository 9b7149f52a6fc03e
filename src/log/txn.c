/*
 * Transactions; see txn.h.
 *
 * 1. Each object of the transaction is in the hash table, by its address, and on the list `newest`.
 * 2. A dropped object is in neither, but on `dropped`, so that pointers to it stay good.
 * 3. Dirty objects do not overlap when they are written (commit checks it).
 */
#include "log/txn.h"

#include "base/trail.h"
#include "format/verify.h"

#include <errno.h>
#include <stdlib.h>

#define CHAINS 256

struct txn {
	struct env *env;
	struct cache *cache;
	struct device *dev;
	const struct geometry *g;
	struct txn_buf *chain[CHAINS];
	struct txn_buf *newest, *dropped;
	u64 memory;
};

static struct txn_buf **chain_of(struct txn *txn, u64 at)
{
	return &txn->chain[(at >> 9) * 0x9e3779b97f4a7c15ull >> 40 & (CHAINS - 1)];
}

int txn_begin(struct env *env, struct cache *cache, struct device *dev, const struct geometry *g,
	      struct txn **out)
{
	struct txn *txn = env_alloc(env, sizeof(*txn));

	*out = txn;
	if (!txn)
		return fail(-ENOMEM, "a transaction: out of memory");
	txn->env = env;
	txn->cache = cache;
	txn->dev = dev;
	txn->g = g;
	return 0;
}

static void free_list(struct txn *txn, struct txn_buf *buf)
{
	while (buf) {
		struct txn_buf *older = buf->older;

		env_free(txn->env, buf);
		buf = older;
	}
}

void txn_rollback(struct txn *txn)
{
	if (!txn)
		return;
	free_list(txn, txn->newest);
	free_list(txn, txn->dropped);
	env_free(txn->env, txn);
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
		    buf->type->name, type->name);
}

/* The object, if the transaction has it already; 0 with NULL if not. */
static int known(struct txn *txn, const struct meta_type *type, const struct where *where,
		 struct daddr at, u32 size, struct txn_buf **out)
{
	struct txn_buf *buf = find(txn, at);

	*out = buf;
	if (!buf || (buf->type == type && buf->size == size && buf->where.owner == where->owner))
		return 0;
	*out = NULL;
	return in_use(buf, type);
}

static int add(struct txn *txn, const struct meta_type *type, const struct where *where,
	       struct daddr at, u32 size, struct txn_buf **out)
{
	struct txn_buf *buf, **chain = chain_of(txn, at.v);

	*out = NULL;
	if (txn->memory + size > TXN_MEMORY_MAX)
		return fail(-EFBIG, "a transaction of more than %u MiB", TXN_MEMORY_MAX >> 20);
	buf = env_alloc(txn->env, sizeof(*buf) + size);
	if (!buf)
		return fail(-ENOMEM, "a transaction: out of memory");
	*buf = (struct txn_buf){.at = at,
				.size = size,
				.data = (u8 *)(buf + 1),
				.type = type,
				.where = *where,
				.chain = *chain,
				.older = txn->newest};
	*chain = buf;
	txn->newest = buf;
	txn->memory += size;
	*out = buf;
	return 0;
}

int txn_get(struct txn *txn, const struct meta_type *type, const struct where *where,
	    struct daddr at, u32 size, struct txn_buf **out)
{
	struct buf *buf;
	int err = known(txn, type, where, at, size, out);

	if (err || *out)
		return err;
	err = cache_get(txn->cache, type, where, at, size, &buf);
	if (err)
		return err;
	err = txn_adopt(txn, type, where, at, buf->data, size, out);
	cache_put(txn->cache, buf);
	return err;
}

int txn_adopt(struct txn *txn, const struct meta_type *type, const struct where *where,
	      struct daddr at, const void *bytes, u32 size, struct txn_buf **out)
{
	int err = known(txn, type, where, at, size, out);

	if (err || *out)
		return err;
	err = add(txn, type, where, at, size, out);
	if (!err)
		memcpy((*out)->data, bytes, size);
	return err;
}

int txn_new(struct txn *txn, const struct meta_type *type, const struct where *where,
	    struct daddr at, u32 size, struct txn_buf **out)
{
	struct txn_buf *there = find(txn, at);
	int err;

	*out = NULL;
	if (there)
		return in_use(there, type);
	err = add(txn, type, where, at, size, out);
	if (!err)
		txn_dirty(txn, *out);
	return err;
}

void txn_dirty(struct txn *txn, struct txn_buf *buf)
{
	(void)txn;
	buf->dirty = true;
}

void txn_drop(struct txn *txn, struct txn_buf *buf)
{
	struct txn_buf **link = chain_of(txn, buf->at.v);

	while (*link != buf)
		link = &(*link)->chain;
	*link = buf->chain;
	for (link = &txn->newest; *link != buf;)
		link = &(*link)->older;
	*link = buf->older;
	buf->older = txn->dropped;
	txn->dropped = buf;
}

/* The changed objects in the order of the disk. */
struct changes {
	struct txn_buf **buf;
	struct cache_range *range;
	u8 *before; /* their bytes on the device, one behind the other */
	u32 count;
};

static int by_address(const void *a, const void *b)
{
	u64 x = (*(struct txn_buf *const *)a)->at.v, y = (*(struct txn_buf *const *)b)->at.v;

	return (x > y) - (x < y);
}

static int collect(struct txn *txn, struct changes *c)
{
	size_t bytes = 0;

	for (struct txn_buf *b = txn->newest; b; b = b->older)
		if (b->dirty) {
			c->count++;
			bytes += b->size;
		}
	c->buf = env_array(txn->env, c->count + 1, sizeof(*c->buf));
	c->range = env_array(txn->env, c->count + 1, sizeof(*c->range));
	c->before = env_alloc(txn->env, bytes + 1);
	if (!c->buf || !c->range || !c->before)
		return fail(-ENOMEM, "committing a transaction: out of memory");
	c->count = 0;
	for (struct txn_buf *b = txn->newest; b; b = b->older)
		if (b->dirty)
			c->buf[c->count++] = b;
	qsort(c->buf, c->count, sizeof(*c->buf), by_address);
	for (u32 i = 0; i < c->count; i++) {
		c->range[i] = (struct cache_range){c->buf[i]->at, c->buf[i]->size};
		if (i && c->range[i - 1].at.v + c->range[i - 1].size > c->range[i].at.v)
			return in_use(c->buf[i - 1], c->buf[i]->type);
	}
	return 0;
}

static int seal(struct txn *txn, struct txn_buf *buf)
{
	struct first_finding first = {0};
	struct verdict v = {.raise = raise_first, .where = buf->where, .sink = &first};

	if (buf->type->crc_offset != CRC_NONE) {
		struct le32 crc =
		    le32_make(verify_crc(buf->data, buf->size, buf->type->crc_offset));

		memcpy(buf->data + buf->type->crc_offset, &crc, sizeof(crc));
	}
	v.where.daddr = buf->at.v;
	verify(&v, buf->type, txn->g, buf->data, buf->size);
	return first.err ? fail_in(first.err, "not committed") : 0;
}

static int read_before(struct txn *txn, struct changes *c)
{
	u8 *to = c->before;
	int err = 0;

	for (u32 i = 0; i < c->count && !err; i++) {
		err = device_read(txn->dev, c->buf[i]->at, to, c->buf[i]->size);
		to += c->buf[i]->size;
	}
	return err;
}

/* All of them, or none as far as the device lets us. */
static int write_all(struct txn *txn, struct changes *c)
{
	const u8 *before = c->before;
	u32 done = 0;
	int err = 0;

	while (done < c->count && !err) {
		err = device_write(txn->dev, c->buf[done]->at, c->buf[done]->data,
				   c->buf[done]->size);
		done++;
	}
	for (u32 i = 0; err && i < done; i++) {
		device_write(txn->dev, c->buf[i]->at, before, c->buf[i]->size);
		before += c->buf[i]->size;
	}
	cache_forget(txn->cache, c->range, c->count);
	return err;
}

int txn_commit(struct txn *txn)
{
	struct changes c = {0};
	int err = collect(txn, &c);

	for (u32 i = 0; i < c.count && !err; i++)
		err = seal(txn, c.buf[i]);
	if (!err)
		err = read_before(txn, &c);
	if (!err && c.count)
		err = write_all(txn, &c);
	env_free(txn->env, c.buf);
	env_free(txn->env, c.range);
	env_free(txn->env, c.before);
	txn_rollback(txn);
	return err;
}
