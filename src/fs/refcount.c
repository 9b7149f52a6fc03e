/*
 * Looking up how often blocks are shared, by the refcountbt; see refcount.h.
 *
 * Callers ask along a file, so the leaf that answered last is tried first.
 */
#include "fs/refcount.h"

#include "base/trail.h"
#include "btree/seek.h"
#include "format/ag.h"

#include <errno.h>

static int find_tree(struct vol *vol, u32 ag, struct btree_tree *tree)
{
	const struct meta_type *agf_type = vol_type(vol, META_AGF);
	struct daddr at = agf_type->place(&vol->geo, ag);
	const struct where where = {
	    .type = agf_type->name, .ag = ag, .ino = NO_INO, .daddr = at.v, .owner = NO_OWNER};
	const struct agf *agf;
	struct buf *buf;
	int err = cache_get(vol->cache, agf_type, &where, at, vol->geo.sector_size, &buf);

	if (err)
		return err;
	agf = (const struct agf *)buf->data;
	*tree = (struct btree_tree){
	    .cache = vol->cache,
	    .g = &vol->geo,
	    .type = vol_type(vol, META_REFCOUNTBT),
	    .ag = ag,
	    .owner = ag,
	    .root = be32_get(agf->refcount_root),
	    .levels = be32_get(agf->refcount_level),
	};
	cache_put(vol->cache, buf);
	return 0;
}

static const struct refcount_rec *record_at(const struct btree_block *b, u32 index)
{
	return btree_record(b, index);
}

/* Within one leaf: the first extent that ends behind bno; count if there is none. */
static u32 first_behind(const struct btree_block *b, u32 bno)
{
	u32 low = 0, high = b->count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		const struct refcount_rec *r = record_at(b, middle);

		if ((u64)be32_get(r->startblock) + be32_get(r->blockcount) > bno)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* True when the leaf at hand is sure to hold the answer. */
static bool answers(const struct btree_block *b, u32 bno, u32 *index)
{
	if (!b->count || be32_get(record_at(b, 0)->startblock) > bno)
		return false;
	*index = first_behind(b, bno);
	return *index < b->count;
}

static int give(const struct btree_block *b, u32 index, struct refcount_record *out)
{
	const struct refcount_rec *r = record_at(b, index);

	if (be32_get(r->startblock) & REFCOUNT_COW)
		return 0; /* the shared domain ends here */
	*out = (struct refcount_record){be32_get(r->startblock), be32_get(r->blockcount),
					be32_get(r->refcount)};
	return 0;
}

int refcount_next(struct vol *vol, struct refcount_hint *hint, u32 ag, u32 bno,
		  struct refcount_record *out)
{
	const struct btree_schema *schema = vol_type(vol, META_REFCOUNTBT)->btree;
	const struct btree_key key = {{bno, 0, 0}};
	struct btree_at at = {.buf = NULL};
	struct btree_tree tree;
	struct btree_block b;
	u32 index;
	int err;

	*out = (struct refcount_record){.blocks = 0};
	if (hint->buf && hint->ag == ag) {
		b = btree_block_of(schema, hint->buf->data, hint->buf->size);
		if (answers(&b, bno, &index))
			return give(&b, index, out);
	}
	err = find_tree(vol, ag, &tree);
	if (!err)
		err = btree_seek(&tree, &key, &at);
	if (err)
		return err == -ENOENT ? 0 : err;
	b = btree_at_block(&tree, &at);
	index = first_behind(&b, bno);
	if (index == b.count) {
		at.index = b.count - 1;
		err = btree_step(&tree, &at);
		if (!err) {
			b = btree_at_block(&tree, &at);
			index = at.index;
		}
	}
	/* Keys of nodes may lie. An answer that lies before the question would lead a caller who
	 * goes on behind it in circles. */
	if (!err && first_behind(&b, bno) > index)
		err = fail(-EUCLEAN, "refcountbt %u: leaves out of order at block %u", ag, bno);
	if (!err)
		err = give(&b, index, out);
	refcount_hint_drop(vol, hint);
	hint->buf = at.buf;
	hint->ag = ag;
	return err == -ENOENT ? 0 : err;
}

void refcount_hint_drop(struct vol *vol, struct refcount_hint *hint)
{
	cache_put(vol->cache, hint->buf);
	hint->buf = NULL;
}
