/*
 * Directories of one block: entries from the front, the sorted index from the back.
 *
 * Index entries are taken out at once, so there are no stale ones but those that others have left;
 * they go with the first change.
 */
#include "base/trail.h"
#include "fs/dir_impl.h"

#include <errno.h>
#include <stdlib.h>

static struct dir_block_tail *tail_of(const struct txn_buf *buf)
{
	return (struct dir_block_tail *)(buf->data + buf->size - sizeof(struct dir_block_tail));
}

static u32 count_of(const struct txn_buf *buf)
{
	return be32_get(tail_of(buf)->count);
}

static struct dir_leaf_entry *entries_of(const struct txn_buf *buf)
{
	return (struct dir_leaf_entry *)tail_of(buf) - count_of(buf);
}

static u32 end_of(const struct txn_buf *buf)
{
	return (u32)((u8 *)entries_of(buf) - buf->data);
}

static int get(struct da_op *op, struct txn_buf **buf)
{
	int err = da_block_get(op, META_DIRBLOCK, 0, buf);

	if (err == -ENOENT)
		return fail(-EUCLEAN, "directory %llu: its block is not mapped",
			    (unsigned long long)op->ino.v);
	return err;
}

static int by_hash(const void *a, const void *b)
{
	const struct dir_leaf_entry *x = a, *y = b;
	u32 p = be32_get(x->hashval), q = be32_get(y->hashval);

	if (p != q)
		return p < q ? -1 : 1;
	p = be32_get(x->address);
	q = be32_get(y->address);
	return (p > q) - (p < q);
}

/* Index of `count` entries at the end; what it no longer needs is free for entries. */
static void set_count(struct da_op *op, struct txn_buf *buf, u32 count)
{
	u32 old = end_of(buf), now;

	tail_of(buf)->count = be32_make(count);
	tail_of(buf)->stale = be32_make(0);
	now = end_of(buf);
	dir_data_grow(op, buf, old, now);
}

static void drop_index_entry(struct da_op *op, struct txn_buf *buf, u32 i)
{
	struct dir_leaf_entry *e = entries_of(buf);
	u32 count = count_of(buf);

	memmove(e + 1, e, i * sizeof(*e));
	set_count(op, buf, count - 1);
}

static void drop_stale(struct da_op *op, struct txn_buf *buf)
{
	u32 i = 0;

	if (!be32_get(tail_of(buf)->stale))
		return;
	while (i < count_of(buf))
		if (be32_get(entries_of(buf)[i].address))
			i++;
		else
			drop_index_entry(op, buf, i);
}

struct build {
	struct da_op *op;
	struct txn_buf *buf;
	u32 end, index;
};

static int put(struct build *b, u32 offset, u64 ino, u8 type, const void *name, u32 length)
{
	u32 size = dir_entry_size(b->op->g, length);

	if (!offset || offset % DIR_ALIGN)
		offset = dir_data_find(b->buf, b->end, size);
	if (!offset || offset + size > b->end)
		return fail(-EUCLEAN, "directory %llu: its entries do not fit into a block",
			    (unsigned long long)b->op->ino.v);
	dir_data_put(b->op, b->buf, b->end, offset, ino, type, name, length);
	entries_of(b->buf)[b->index++] = (struct dir_leaf_entry){be32_make(da_hash(name, length)),
								 be32_make(offset / DIR_ALIGN)};
	return 0;
}

/* A run of free bytes that nothing will be in before the next entry. */
static void skip_to(struct build *b, u32 *at, u32 offset)
{
	if (offset <= *at)
		return;
	dir_data_skip(b->op, b->buf, b->end, *at, offset);
	*at = offset;
}

int dir_block_build(struct da_op *op, const struct dir_list *list, struct txn_buf *buf)
{
	struct build b = {.op = op, .buf = buf};
	u32 at = dir_first_offset(op->g);
	bool rising = true;
	int err;

	tail_of(buf)->count = be32_make(list->count + 2);
	b.end = end_of(buf);
	if (b.end < at || b.end > buf->size)
		return fail(-EUCLEAN, "directory %llu: its index does not fit into a block",
			    (unsigned long long)op->ino.v);
	for (u32 i = 0; i < list->count; i++) {
		rising =
		    rising && list->entry[i].offset >= at && list->entry[i].offset % DIR_ALIGN == 0;
		at = list->entry[i].offset + dir_entry_size(op->g, list->entry[i].length);
	}
	rising = rising && at <= b.end;
	dir_data_init(buf, b.end);
	err = put(&b, DIR_DOT_OFFSET, op->ino.v, DIR_FT_DIR, ".", 1);
	if (!err)
		err = put(&b, dir_dotdot_offset(op->g), list->parent, DIR_FT_DIR, "..", 2);
	at = dir_first_offset(op->g);
	for (u32 i = 0; i < list->count && !err; i++) {
		const struct dir_short_entry_copy *e = &list->entry[i];
		u32 offset = rising ? e->offset : at;

		skip_to(&b, &at, offset);
		err = put(&b, offset, e->ino, e->type, list->names + e->name, e->length);
		at += dir_entry_size(op->g, e->length);
	}
	qsort(entries_of(buf), b.index, sizeof(struct dir_leaf_entry), by_hash);
	return err;
}

/* The entry's place in the index; count: it is not there. */
static u32 find(const struct da_op *op, const struct txn_buf *buf, const struct dir_name *name)
{
	const struct dir_leaf_entry *e = entries_of(buf);
	u32 i = 0, count = count_of(buf);

	while (i < count && be32_get(e[i].hashval) < name->hash)
		i++;
	for (; i < count && be32_get(e[i].hashval) == name->hash; i++) {
		u32 offset = be32_get(e[i].address) * DIR_ALIGN;
		struct dir_slot slot;

		if (offset && dir_data_slot(op->g, buf->data, end_of(buf), offset, &slot) &&
		    !slot.free && slot.length == name->length &&
		    !memcmp(slot.name, name->bytes, name->length))
			return i;
	}
	return count;
}

int dir_block_add(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type)
{
	u32 need = dir_entry_size(op->g, name->length), count, end, i = 0, offset;
	struct dir_leaf_entry *e;
	struct txn_buf *buf;
	int err = get(op, &buf);

	if (err)
		return err;
	drop_stale(op, buf);
	count = count_of(buf);
	end = end_of(buf) - (u32)sizeof(*e);
	if (!dir_data_ends_free(op, buf, end_of(buf), sizeof(*e)))
		offset = 0;
	else {
		dir_data_grow(op, buf, end_of(buf), end);
		offset = dir_data_find(buf, end, need);
		if (!offset)
			dir_data_grow(op, buf, end, end_of(buf));
	}
	if (!offset) {
		err = dir_index_begin(op, buf);
		return err ? err : dir_tree_add(op, name, ino, type);
	}
	dir_data_put(op, buf, end, offset, ino.v, type, name->bytes, name->length);
	e = (struct dir_leaf_entry *)(buf->data + end);
	while (i < count && be32_get(e[i + 1].hashval) < name->hash)
		i++;
	memmove(e, e + 1, i * sizeof(*e));
	e[i] = (struct dir_leaf_entry){be32_make(name->hash), be32_make(offset / DIR_ALIGN)};
	tail_of(buf)->count = be32_make(count + 1);
	return 0;
}

/* With few entries left they go into the inode. */
static int shrink(struct da_op *op, struct txn_buf *buf)
{
	struct dir_list *list = env_alloc(op->vol->env, sizeof(*list));
	u32 room = op->g->inode_size - (u32)sizeof(struct dinode);
	struct dir_slot slot;
	int err = 0;

	if (!list)
		return 0; /* a block is as good */
	if (op->d->forkoff)
		room = op->d->forkoff * 8u;
	for (u32 at = sizeof(struct dir_data); at < end_of(buf); at += slot.size) {
		if (!dir_data_slot(op->g, buf->data, end_of(buf), at, &slot) || !slot.size)
			goto out;
		if (slot.free || at == DIR_DOT_OFFSET)
			continue;
		if (at == dir_dotdot_offset(op->g))
			list->parent = slot.ino;
		else if (!dir_list_add(list, slot.ino, slot.type, slot.name, slot.length, at))
			goto out;
	}
	if (dir_list_size(op, list, room)) {
		err = da_blocks_free(op, 0, op->g->dir_leaf_off);
		if (!err)
			dir_list_store(op, list);
	}
out:
	env_free(op->vol->env, list);
	return err;
}

int dir_block_remove(struct da_op *op, const struct dir_name *name)
{
	struct txn_buf *buf;
	int err = get(op, &buf);
	u32 i;

	if (err)
		return err;
	drop_stale(op, buf);
	i = find(op, buf, name);
	if (i == count_of(buf))
		return -ENOENT;
	err = dir_data_take(op, buf, end_of(buf), be32_get(entries_of(buf)[i].address) * DIR_ALIGN);
	if (err)
		return err;
	drop_index_entry(op, buf, i);
	return shrink(op, buf);
}

int dir_block_replace(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type)
{
	struct txn_buf *buf;
	int err = get(op, &buf);
	u32 i;

	if (err)
		return err;
	i = find(op, buf, name);
	if (i == count_of(buf))
		return -ENOENT;
	dir_data_set(op, buf, be32_get(entries_of(buf)[i].address) * DIR_ALIGN, ino.v, type);
	return 0;
}

/* The block keeps its entries; the index gets a leaf, and the block a place in the free index. */
int dir_index_begin(struct da_op *op, struct txn_buf *buf)
{
	u32 count = count_of(buf), end = end_of(buf);
	struct dir_leaf_entry *e = entries_of(buf);
	struct txn_buf *leaf_buf;
	struct dir_leaf *leaf;
	int err = da_block_new(op, META_DIRLEAFN, op->g->dir_leaf_off, &leaf_buf);

	if (err)
		return err;
	leaf = (struct dir_leaf *)leaf_buf->data;
	memcpy(leaf + 1, e, count * sizeof(*e));
	leaf->count = be16_make((u16)count);
	da_block_retype(op, buf, META_DIRDATA);
	dir_data_grow(op, buf, end, buf->size);
	return dir_free_set(op, 0, dir_data_best(buf->data));
}
