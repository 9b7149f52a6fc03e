/*
 * Nodes of a btree that is being changed; see bnode.h.
 *
 * Blocks have passed the rules of their type when they came into the transaction, so their counts
 * fit. What those rules cannot know, the level that the parent expects and that a node is not
 * empty, is checked when the block is reached.
 */
#include "btree/bnode.h"

#include "base/trail.h"
#include "format/inode.h"

#include <errno.h>

#define DADDR_UNIT 512

static const struct btree_schema *schema_of(const struct btree *t)
{
	return t->type->btree;
}

static u32 key_stride(const struct btree_schema *s)
{
	return s->key_size * (s->overlapping ? 2 : 1);
}

static int locate(const struct btree *t, u64 ptr, struct where *where)
{
	struct daddr at;

	*where =
	    (struct where){.type = t->type->name, .ag = t->ag, .ino = NO_INO, .owner = t->owner};
	if (schema_of(t)->long_format) {
		if (!fsblock_valid(t->g, fsblock_of(ptr), 1))
			return fail(-EUCLEAN, "%s: block %llu is outside the filesystem",
				    t->type->name, (unsigned long long)ptr);
		at = fsblock_daddr(t->g, fsblock_of(ptr));
		where->ino = t->owner;
		where->offset = t->offset;
		where->ag = fsblock_ag(t->g, fsblock_of(ptr));
	} else {
		if (ptr < geometry_ag_header_blocks(t->g) || ptr >= geometry_ag_blocks(t->g, t->ag))
			return fail(-EUCLEAN, "%s %u: block %llu is outside the AG", t->type->name,
				    t->ag, (unsigned long long)ptr);
		at = agblock_daddr(t->g, t->ag, (u32)ptr);
	}
	where->daddr = at.v;
	return 0;
}

static void bnode_shape(const struct btree *t, struct bnode *n)
{
	const struct btree_schema *s = schema_of(t);

	n->at = 0;
	n->entries = btree_header_size(s);
	n->stride = n->level ? key_stride(s) : s->record_size;
	n->max = n->level ? btree_max_ptrs(s, n->buf->size) : btree_max_records(s, n->buf->size);
	n->ptrs = n->entries + n->max * n->stride;
}

int bnode_read(struct btree *t, u64 ptr, u32 level, struct bnode *out)
{
	struct where where;
	int err = locate(t, ptr, &where);

	*out = (struct bnode){.ptr = ptr, .level = level};
	if (!err)
		err = txn_get(t->txn, t->type, &where, daddr_of(where.daddr), t->g->block_size,
			      &out->buf);
	if (err)
		return err;
	if (be16_get(((const struct btree_short *)out->buf->data)->level) != level)
		return fail(-EUCLEAN, "%s: block %llu is not at level %u", t->type->name,
			    (unsigned long long)ptr, level);
	bnode_shape(t, out);
	if (bnode_count(out) > out->max || (!bnode_count(out) && (level || ptr != t->root)))
		return fail(-EUCLEAN, "%s: block %llu has %u entries", t->type->name,
			    (unsigned long long)ptr, bnode_count(out));
	return 0;
}

int bnode_new(struct btree *t, u64 ptr, u32 level, struct bnode *out)
{
	struct btree_short *h;
	struct where where;
	int err = locate(t, ptr, &where);

	*out = (struct bnode){.ptr = ptr, .level = level};
	if (!err)
		err = txn_new(t->txn, t->type, &where, daddr_of(where.daddr), t->g->block_size,
			      &out->buf);
	if (err)
		return err;
	/* magic, level and numrecs lie alike in both headers */
	h = (struct btree_short *)out->buf->data;
	h->magic = be32_make(t->type->magic);
	h->level = be16_make((u16)level);
	if (schema_of(t)->long_format) {
		struct btree_long *l = (struct btree_long *)out->buf->data;

		l->leftsib = l->rightsib = be64_make(NULL64);
		l->blkno = be64_make(where.daddr / DADDR_UNIT);
		memcpy(l->uuid, t->g->meta_uuid.b, sizeof(l->uuid));
		l->owner = be64_make(t->owner);
	} else {
		h->leftsib = h->rightsib = be32_make(NULL32);
		h->blkno = be64_make(where.daddr / DADDR_UNIT);
		memcpy(h->uuid, t->g->meta_uuid.b, sizeof(h->uuid));
		h->owner = be32_make((u32)t->owner);
	}
	bnode_shape(t, out);
	return 0;
}

static int inode_root(struct btree *t, struct bnode *out)
{
	u32 room;

	*out = (struct bnode){.buf = t->root_buf, .ptr = NULL64, .at = t->root_at};
	room = t->root_size < sizeof(struct bmdr)
		   ? 0
		   : (t->root_size - (u32)sizeof(struct bmdr)) / (u32)BMDR_ENTRY_SIZE;
	out->level = t->levels - 1;
	out->entries = t->root_at + (u32)sizeof(struct bmdr);
	out->stride = sizeof(struct bmbt_key);
	out->max = room;
	out->ptrs = out->entries + room * out->stride;
	if (!out->level || bnode_count(out) > room || !bnode_count(out))
		return fail(-EUCLEAN, "inode %llu: the root of the block map has %u entries",
			    (unsigned long long)t->owner, room ? bnode_count(out) : 0);
	return 0;
}

int bnode_root(struct btree *t, struct bnode *out)
{
	if (t->root_buf)
		return inode_root(t, out);
	return bnode_read(t, t->root, t->levels - 1, out);
}

/* Where the header has the number of entries. */
static struct be16 *count_of(const struct bnode *n)
{
	u8 *header = n->buf->data + n->at;

	return n->ptr == NULL64 ? &((struct bmdr *)header)->numrecs
				: &((struct btree_short *)header)->numrecs;
}

u32 bnode_count(const struct bnode *n)
{
	return be16_get(*count_of(n));
}

void bnode_set_count(struct btree *t, struct bnode *n, u32 count)
{
	txn_dirty(t->txn, n->buf);
	*count_of(n) = be16_make((u16)count);
}

u8 *bnode_entry(const struct bnode *n, u32 index)
{
	return n->buf->data + n->entries + (size_t)index * n->stride;
}

static u8 *ptr_at(const struct btree *t, const struct bnode *n, u32 index)
{
	return n->buf->data + n->ptrs + (size_t)index * schema_of(t)->ptr_size;
}

u64 bnode_ptr(const struct btree *t, const struct bnode *n, u32 index)
{
	const u8 *at = ptr_at(t, n, index);

	return schema_of(t)->long_format ? be64_get(*(const struct be64 *)at)
					 : be32_get(*(const struct be32 *)at);
}

void bnode_set_ptr(const struct btree *t, const struct bnode *n, u32 index, u64 ptr)
{
	u8 *at = ptr_at(t, n, index);

	if (schema_of(t)->long_format)
		*(struct be64 *)at = be64_make(ptr);
	else
		*(struct be32 *)at = be32_make((u32)ptr);
}

u64 bnode_sibling(const struct btree *t, const struct bnode *n, bool right)
{
	struct btree_block b = {schema_of(t), n->buf->data, n->buf->size, n->level, 0};

	return n->ptr == NULL64 ? NULL64 : right ? btree_right(&b) : btree_left(&b);
}

void bnode_set_sibling(const struct btree *t, struct bnode *n, bool right, u64 ptr)
{
	struct btree_long *l = (struct btree_long *)n->buf->data;
	struct btree_short *s = (struct btree_short *)n->buf->data;

	txn_dirty(t->txn, n->buf);
	if (schema_of(t)->long_format)
		*(right ? &l->rightsib : &l->leftsib) = be64_make(ptr);
	else
		*(right ? &s->rightsib : &s->leftsib) =
		    be32_make(ptr == NULL64 ? NULL32 : (u32)ptr);
}

static void entry_keys(const struct btree *t, const struct bnode *n, u32 index, u8 *keys)
{
	const struct btree_schema *s = schema_of(t);
	const u8 *entry = bnode_entry(n, index);

	if (n->level)
		memcpy(keys, entry, n->stride);
	else if (s->key_of)
		s->key_of(entry, keys, s->overlapping ? keys + s->key_size : NULL);
	else
		memcpy(keys, entry, s->key_size);
}

void bnode_keys(const struct btree *t, const struct bnode *n, u8 *keys)
{
	const struct btree_schema *s = schema_of(t);
	struct btree_key greatest, key;
	u8 other[BTREE_ENTRY_MAX];

	entry_keys(t, n, 0, keys);
	if (!s->overlapping)
		return;
	s->key_load(keys + s->key_size, &greatest);
	for (u32 i = 1; i < bnode_count(n); i++) {
		entry_keys(t, n, i, other);
		s->key_load(other + s->key_size, &key);
		if (btree_key_compare(&key, &greatest) > 0) {
			greatest = key;
			memcpy(keys + s->key_size, other + s->key_size, s->key_size);
		}
	}
}

void bnode_load_key(const struct btree *t, const struct bnode *n, u32 index, struct btree_key *key)
{
	if (n->level)
		schema_of(t)->key_load(bnode_entry(n, index), key);
	else
		schema_of(t)->record_key(bnode_entry(n, index), key);
}

/* Entries and pointers [from, from + count) of one node to another place; they may overlap. */
static void copy(const struct btree *t, const struct bnode *to, u32 to_index,
		 const struct bnode *from, u32 index, u32 count)
{
	u32 ptr_size = schema_of(t)->ptr_size;

	memmove(bnode_entry(to, to_index), bnode_entry(from, index), (size_t)count * from->stride);
	if (from->level)
		memmove(ptr_at(t, to, to_index), ptr_at(t, from, index), (size_t)count * ptr_size);
}

void bnode_put(struct btree *t, struct bnode *n, u32 index, const u8 *entry, u64 ptr)
{
	u32 count = bnode_count(n);

	copy(t, n, index + 1, n, index, count - index);
	memcpy(bnode_entry(n, index), entry, n->stride);
	if (n->level)
		bnode_set_ptr(t, n, index, ptr);
	bnode_set_count(t, n, count + 1);
}

void bnode_take(struct btree *t, struct bnode *n, u32 index)
{
	u32 count = bnode_count(n);

	copy(t, n, index, n, index + 1, count - index - 1);
	bnode_set_count(t, n, count - 1);
}

void bnode_shift_right(struct btree *t, struct bnode *left, struct bnode *right, u32 count)
{
	u32 have = bnode_count(left), there = bnode_count(right);

	copy(t, right, count, right, 0, there);
	copy(t, right, 0, left, have - count, count);
	bnode_set_count(t, left, have - count);
	bnode_set_count(t, right, there + count);
}

void bnode_shift_left(struct btree *t, struct bnode *left, struct bnode *right, u32 count)
{
	u32 have = bnode_count(left), there = bnode_count(right);

	copy(t, left, have, right, 0, count);
	copy(t, right, 0, right, count, there - count);
	bnode_set_count(t, left, have + count);
	bnode_set_count(t, right, there - count);
}
