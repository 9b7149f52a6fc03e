/* Finding a record in a btree of blocks; see seek.h. */
#include "btree/seek.h"

#include "base/trail.h"

#include <errno.h>

static int get_block(const struct btree_tree *t, u64 ptr, u32 level, struct buf **out)
{
	const struct btree_schema *s = t->type->btree;
	struct where where = {.type = t->type->name, .ag = t->ag, .ino = NO_INO, .owner = t->owner};
	struct daddr at;
	int err;

	if (s->long_format) {
		if (!fsblock_valid(t->g, fsblock_of(ptr), 1))
			return fail(-EUCLEAN, "%s: block %llu is outside the filesystem",
				    t->type->name, (unsigned long long)ptr);
		at = fsblock_daddr(t->g, fsblock_of(ptr));
		where.ino = t->owner;
		where.ag = NO_AG;
	} else {
		if (ptr >= geometry_ag_blocks(t->g, t->ag))
			return fail(-EUCLEAN, "%s %u: block %llu is outside the AG", t->type->name,
				    t->ag, (unsigned long long)ptr);
		at = agblock_daddr(t->g, t->ag, (u32)ptr);
	}
	where.daddr = at.v;
	err = cache_get(t->cache, t->type, &where, at, t->g->block_size, out);
	if (err)
		return err;
	if (be16_get(((const struct btree_short *)(*out)->data)->level) == level)
		return 0;
	cache_put(t->cache, *out);
	*out = NULL;
	return fail(-EUCLEAN, "%s: block %llu is not at level %u", t->type->name,
		    (unsigned long long)ptr, level);
}

static void load_key(const struct btree_block *b, u32 index, struct btree_key *key)
{
	if (b->level)
		b->schema->key_load(btree_key_at(b, index, false), key);
	else
		b->schema->record_key(btree_record(b, index), key);
}

/* The last index whose key is not above `key`; 0 if all are. */
static u32 search(const struct btree_block *b, const struct btree_key *key)
{
	u32 low = 0, high = b->count;

	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;
		struct btree_key k;

		load_key(b, middle, &k);
		if (btree_key_compare(&k, key) <= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int btree_seek(const struct btree_tree *t, const struct btree_key *key, struct btree_at *at)
{
	u64 ptr = t->root;
	u32 level = t->levels;

	if (!level || level > BTREE_LEVELS_MAX)
		return fail(-EUCLEAN, "%s %u: %u levels", t->type->name, t->ag, level);
	btree_leave(t, at);
	for (;;) {
		struct btree_block b;
		struct buf *buf;
		int err = get_block(t, ptr, --level, &buf);

		if (err)
			return err;
		b = btree_block_of(t->type->btree, buf->data, buf->size);
		if (!b.count) {
			cache_put(t->cache, buf);
			return -ENOENT;
		}
		at->index = search(&b, key);
		if (!level) {
			at->buf = buf;
			return 0;
		}
		ptr = btree_ptr(&b, at->index);
		cache_put(t->cache, buf);
	}
}

int btree_step(const struct btree_tree *t, struct btree_at *at)
{
	struct btree_block b = btree_at_block(t, at);
	struct buf *next;
	u64 right;
	int err;

	if (at->index + 1 < b.count) {
		at->index++;
		return 0;
	}
	right = btree_right(&b);
	if (right == NULL64)
		return -ENOENT;
	err = get_block(t, right, 0, &next);
	if (err)
		return err;
	btree_leave(t, at);
	at->buf = next;
	at->index = 0;
	b = btree_at_block(t, at);
	return b.count ? 0 : -ENOENT;
}

struct btree_block btree_at_block(const struct btree_tree *t, const struct btree_at *at)
{
	return btree_block_of(t->type->btree, at->buf->data, at->buf->size);
}

void btree_leave(const struct btree_tree *t, struct btree_at *at)
{
	cache_put(t->cache, at->buf);
	at->buf = NULL;
}
