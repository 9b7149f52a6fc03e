/* Data blocks of directories, written anew; see dir_remake.h. */
#include "fs/dir_remake.h"

#include "base/trail.h"

#include <errno.h>
#include <stdlib.h>

/* ---- transactions ---- */

static int reopen(struct dir_remake *m)
{
	int err = vol_begin(m->vol, &m->view, &m->txn);

	m->changed = 0;
	return err ? err : dir_open(m->vol, m->txn, m->ino, &m->op);
}

int dir_remake_begin(struct vol *vol, struct inum ino, struct dir_remake *m)
{
	u64 most = vol->journal ? journal_txn_max(vol->journal) : TXN_MEMORY_MAX;

	*m = (struct dir_remake){.vol = vol, .ino = ino, .most = most / 4};
	return reopen(m);
}

int dir_remake_room(struct dir_remake *m, u64 bytes)
{
	int err = 0;

	if (!m->hold && m->changed && m->changed + bytes > m->most) {
		err = dir_remake_end(m, 0);
		if (!err)
			err = reopen(m);
	}
	m->changed += bytes;
	return err;
}

int dir_remake_end(struct dir_remake *m, int err)
{
	if (m->txn)
		err = vol_end(m->vol, m->txn, err);
	m->txn = NULL;
	return err;
}

/* ---- data blocks ---- */

static int block_anew(struct dir_remake *m, enum meta_id id, u64 off, bool new,
		      struct txn_buf **out)
{
	const struct meta_type *type = vol_type(m->vol, id);
	struct da_op *op = &m->op;
	struct da_place place;
	struct inode inode;
	struct where where;
	int err = dir_remake_room(m, op->g->dir_block_size);

	if (err || new)
		return err ? err : da_block_new(op, id, off, out);
	da_parse(op, &inode);
	err = da_place_at(&op->view, &inode, FORK_DATA, off, &place);
	if (err)
		return err;
	if (place.blocks != op->g->dir_fsblocks)
		return fail(-EUCLEAN, "directory %llu: block %llu is not mapped",
			    (unsigned long long)m->ino.v, (unsigned long long)off);
	where = da_where(op->g, &inode, type, &place);
	err = txn_new_ranges(op->txn, type, &where, place.range, place.count, out);
	if (!err)
		da_block_retype(op, *out, id);
	return err;
}

static void put_entries(struct dir_remake *m, struct txn_buf *buf, u32 end,
			const struct dir_kept *kept, u32 count)
{
	u32 at = sizeof(struct dir_data);

	dir_data_init(buf, end);
	for (u32 i = 0; i < count; i++) {
		const struct dir_kept *k = &kept[i];

		if (k->offset > at)
			dir_data_skip(&m->op, buf, end, at, k->offset);
		dir_data_put(&m->op, buf, end, k->offset, k->ino, k->type, k->name, k->length);
		at = k->offset + dir_entry_size(m->op.g, k->length);
	}
}

int dir_remake_data(struct dir_remake *m, u64 off, bool new, const struct dir_kept *kept, u32 count)
{
	struct txn_buf *buf;
	int err = block_anew(m, META_DIRDATA, off, new, &buf);

	if (!err)
		put_entries(m, buf, buf->size, kept, count);
	return err;
}

static u32 block_end(const struct geometry *g, u32 count)
{
	u32 index = (u32)sizeof(struct dir_block_tail) + count * (u32)sizeof(struct dir_leaf_entry);

	return g->dir_block_size > index ? g->dir_block_size - index : 0;
}

bool dir_remake_fits_block(const struct geometry *g, const struct dir_kept *kept, u32 count)
{
	const struct dir_kept *last = count ? &kept[count - 1] : NULL;

	return last && last->offset + dir_entry_size(g, last->length) <= block_end(g, count);
}

static int by_hash(const void *a, const void *b)
{
	const struct dir_leaf_entry *x = a, *y = b;
	u32 p = be32_get(x->hashval), q = be32_get(y->hashval);

	if (p == q) {
		p = be32_get(x->address);
		q = be32_get(y->address);
	}
	return (p > q) - (p < q);
}

int dir_remake_block(struct dir_remake *m, bool new, const struct dir_kept *kept, u32 count)
{
	u32 end = block_end(m->op.g, count);
	struct dir_leaf_entry *entry;
	struct txn_buf *buf;
	int err = block_anew(m, META_DIRBLOCK, 0, new, &buf);

	if (err)
		return err;
	entry = (struct dir_leaf_entry *)(buf->data + end);
	*(struct dir_block_tail *)(entry + count) =
	    (struct dir_block_tail){.count = be32_make(count)};
	put_entries(m, buf, end, kept, count);
	for (u32 i = 0; i < count; i++)
		entry[i] = (struct dir_leaf_entry){be32_make(da_hash(kept[i].name, kept[i].length)),
						   be32_make(kept[i].offset / DIR_ALIGN)};
	qsort(entry, count, sizeof(*entry), by_hash);
	dir_set_size(&m->op, m->op.g->dir_block_size);
	return 0;
}
