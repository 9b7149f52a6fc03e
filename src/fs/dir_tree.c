/*
 * The hash index of a directory with many blocks: leaves of (hash, address), and nodes above them.
 *
 * An entry that goes leaves a stale one (address 0), as in XFS: so nodes, which say the greatest
 * hash below each child, need no change, and no leaf is ever empty.  The next entry that comes
 * takes a stale one's place.  A full leaf is split in the middle; the root stays at its offset, and
 * what was in it moves when it is split.
 */
#include "base/mutate.h"
#include "base/trail.h"
#include "fs/dir_impl.h"

#include <errno.h>

static u32 leaf_max(const struct da_op *op)
{
	return (op->g->dir_block_size - (u32)sizeof(struct dir_leaf)) /
	       (u32)sizeof(struct dir_leaf_entry);
}

static struct dir_leaf_entry *leaf_entries(struct txn_buf *buf)
{
	return (struct dir_leaf_entry *)((struct dir_leaf *)buf->data + 1);
}

/* What others call a leaf directory: one leaf that has the best runs, too. */
static int from_leaf1(struct da_op *op)
{
	u64 root = op->g->dir_leaf_off;
	struct dir_index index;
	struct txn_buf *buf;
	u16 *bests;
	u32 count;
	int err = da_block_get(op, META_DIRLEAF, root, &buf);

	if (err)
		return err;
	if (!dir_index_open(buf->data, buf->size, &index) ||
	    index.best_count != index.raw_best_count)
		return fail(-EUCLEAN, "directory %llu: its leaf makes no sense",
			    (unsigned long long)op->ino.v);
	count = index.best_count;
	bests = env_array(op->vol->env, count + 1, sizeof(*bests));
	if (!bests)
		return fail(-ENOMEM, "out of memory");
	for (u32 i = 0; i < count; i++)
		bests[i] = be16_get(index.bests[i].best);
	memset(leaf_entries(buf) + index.count, 0,
	       buf->size - sizeof(struct dir_leaf) - index.count * sizeof(struct dir_leaf_entry));
	da_block_retype(op, buf, META_DIRLEAFN);
	for (u32 i = 0; i < count && !err; i++)
		if (bests[i] != DIR_NO_BEST)
			err = dir_free_set(op, i, bests[i]);
	env_free(op->vol->env, bests);
	return err;
}

static int root_magic(struct da_op *op, u16 *magic)
{
	struct inode inode;
	struct buf *buf;
	int err;

	da_parse(op, &inode);
	err = da_read_any(&op->view, &inode, FORK_DATA, op->g->dir_leaf_off, &buf);
	if (err)
		return err;
	*magic = da_magic(buf->data);
	cache_put(op->view.cache, buf);
	return 0;
}

static int prepare(struct da_op *op)
{
	u16 magic = 0;
	int err = root_magic(op, &magic);

	return !err && magic == DIR_LEAF1_MAGIC ? from_leaf1(op) : err;
}

/* ---- finding ---- */

static int match(struct da_op *op, u32 address, const struct dir_name *name)
{
	u64 off = dir_address_block(op->g, address) * op->g->dir_fsblocks;
	struct dir_slot slot;
	struct inode inode;
	struct buf *buf;
	int err;

	da_parse(op, &inode);
	err = da_read(&op->view, &inode, FORK_DATA, META_DIRDATA, off, &buf);
	if (err)
		return err == -ENOENT ? fail(-EUCLEAN, "directory %llu: address %u is in a hole",
					     (unsigned long long)op->ino.v, address)
				      : err;
	if (!dir_data_slot(op->g, buf->data, dir_data_end(buf->data, buf->size),
			   dir_address_offset(op->g, address), &slot) ||
	    slot.free)
		err = fail(-EUCLEAN, "directory %llu: no entry at address %u",
			   (unsigned long long)op->ino.v, address);
	else
		err = slot.length == name->length && !memcmp(slot.name, name->bytes, name->length)
			  ? 0
			  : -ENOENT;
	cache_put(op->view.cache, buf);
	return err;
}

/* In one leaf; -EAGAIN: the hash may go on in the next. */
static int find_in(struct da_op *op, const struct buf *buf, const struct dir_name *name,
		   struct dir_spot *spot)
{
	struct dir_index index;
	u32 i;

	if (!dir_index_open(buf->data, buf->size, &index))
		return fail(-EUCLEAN, "directory %llu: no leaf", (unsigned long long)op->ino.v);
	for (i = dir_index_find(&index, name->hash);
	     i < index.count && be32_get(index.entries[i].hashval) == name->hash; i++) {
		int err;

		spot->index = i;
		spot->address = be32_get(index.entries[i].address);
		err = spot->address ? match(op, spot->address, name) : -ENOENT;
		if (err != -ENOENT)
			return err;
	}
	return i == index.count ? -EAGAIN : -ENOENT;
}

int dir_hash_find(struct da_op *op, const struct dir_name *name, struct dir_spot *spot)
{
	struct da_path path;
	struct inode inode;
	int err;

	da_parse(op, &inode);
	err = da_descend(&op->view, &inode, FORK_DATA, op->g->dir_leaf_off, name->hash, &path);
	while (!err) {
		spot->leaf = path.off;
		err = find_in(op, path.buf, name, spot);
		if (err != -EAGAIN) {
			cache_put(op->view.cache, path.buf);
			return err;
		}
		err = da_forward(&op->view, &inode, FORK_DATA, &path);
	}
	return err;
}

int dir_hash_delete(struct da_op *op, const struct dir_spot *spot)
{
	struct dir_leaf *leaf;
	struct txn_buf *buf;
	int err = da_block_get(op, META_DIRLEAFN, spot->leaf, &buf);

	if (err)
		return err;
	leaf = (struct dir_leaf *)buf->data;
	if (MUTATE(HASH_NOT_REMOVED))
		return 0;
	leaf_entries(buf)[spot->index].address = be32_make(0);
	leaf->stale = be16_make((u16)(be16_get(leaf->stale) + 1));
	return 0;
}

/* ---- growing ---- */

/* The leaf is full: its upper half goes to a new one, which gets an entry in the node above. */
static int split_leaf(struct da_op *op, struct da_way *way, u32 hash)
{
	struct txn_buf *left, *right;
	u64 right_off = 0;
	int err = da_leaf_room(op, way);

	if (!err)
		err = da_block_get(op, META_DIRLEAFN, way->leaf, &left);
	if (!err)
		err = da_block_split(op, left, way->leaf, &right_off, &right);
	if (!err)
		err = da_leaf_enter(op, way, left, right, right_off);
	if (err)
		return err;
	for (u32 side = 0; side < 2; side++) {
		struct dir_leaf *leaf = (struct dir_leaf *)(side ? right : left)->data;
		u32 stale = 0;

		for (u32 i = 0; i < be16_get(leaf->count); i++)
			stale += !be32_get(leaf_entries(side ? right : left)[i].address);
		leaf->stale = be16_make((u16)stale);
	}
	if (hash > da_last_hash(left)) {
		way->leaf = right_off;
		way->step[way->depth - 1].index++;
	}
	return 0;
}

/* Into a leaf with room, or with a stale entry, whose place is taken. */
static void put_entry(struct txn_buf *buf, u32 hash, u32 address)
{
	struct dir_leaf *leaf = (struct dir_leaf *)buf->data;
	struct dir_leaf_entry *e = leaf_entries(buf);
	const struct dir_index index = {.entries = e, .count = be16_get(leaf->count)};
	u32 count = index.count, at = dir_index_find(&index, hash), stale;

	if (!be16_get(leaf->stale)) {
		memmove(e + at + 1, e + at, (count - at) * sizeof(*e));
		leaf->count = be16_make((u16)(count + 1));
	} else {
		for (stale = at; stale < count && be32_get(e[stale].address);)
			stale++;
		if (stale < count) {
			memmove(e + at + 1, e + at, (stale - at) * sizeof(*e));
		} else {
			for (stale = at; stale && be32_get(e[stale - 1].address);)
				stale--;
			at--;
			memmove(e + stale - 1, e + stale, (at - stale + 1) * sizeof(*e));
		}
		leaf->stale = be16_make((u16)(be16_get(leaf->stale) - 1));
	}
	e[at] = (struct dir_leaf_entry){be32_make(hash), be32_make(address)};
}

int dir_hash_insert(struct da_op *op, u32 hash, u32 address)
{
	struct dir_leaf *leaf;
	struct txn_buf *buf;
	struct da_way way;
	int err = da_way_down(op, hash, &way);

	if (!err)
		err = da_block_get(op, META_DIRLEAFN, way.leaf, &buf);
	if (err)
		return err;
	leaf = (struct dir_leaf *)buf->data;
	if (be16_get(leaf->count) >= leaf_max(op) && !be16_get(leaf->stale)) {
		err = split_leaf(op, &way, hash);
		if (!err)
			err = da_block_get(op, META_DIRLEAFN, way.leaf, &buf);
		if (err)
			return err;
	}
	put_entry(buf, hash, address);
	return da_fix_up(op, &way, way.depth, da_last_hash(buf));
}

/* ---- entries ---- */

int dir_tree_add(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type)
{
	u32 need = dir_entry_size(op->g, name->length), size = op->g->dir_block_size, offset;
	struct txn_buf *buf;
	u64 db = 0;
	int err = prepare(op);

	if (!err)
		err = dir_free_find(op, need, &db);
	if (err && err != -ENOENT)
		return err;
	if (db * size >= DIR_SPACE_BYTES - size)
		return fail(-ENOSPC, "directory %llu: full", (unsigned long long)op->ino.v);
	if (err) {
		err = da_block_new(op, META_DIRDATA, db * op->g->dir_fsblocks, &buf);
		if (err)
			return err;
		dir_data_init(buf, size);
		err = dir_fit_size(op);
	} else {
		err = da_block_get(op, META_DIRDATA, db * op->g->dir_fsblocks, &buf);
	}
	if (err)
		return err == -ENOENT ? fail(-EUCLEAN, "directory %llu: data block %llu is missing",
					     (unsigned long long)op->ino.v, (unsigned long long)db)
				      : err;
	offset = dir_data_find(buf, size, need);
	if (!offset)
		return fail(-EUCLEAN,
			    "directory %llu: data block %llu has less room than its index says",
			    (unsigned long long)op->ino.v, (unsigned long long)db);
	dir_data_put(op, buf, size, offset, ino.v, type, name->bytes, name->length);
	err = dir_free_set(op, db, dir_data_best(buf->data));
	if (MUTATE(HASH_NOT_ADDED))
		return err;
	return err ? err
		   : dir_hash_insert(op, name->hash + MUTATE(HASH_WRONG),
				     dir_address(op->g, db, offset));
}

/* With one data block left whose entries and index fit together: one block again. */
static int shrink(struct da_op *op)
{
	struct dir_list *list;
	struct txn_buf *buf;
	struct dir_slot slot;
	u32 size = op->g->dir_block_size, bytes = 0;
	bool fits = true;
	int err;

	if (be64_get(op->d->size) != size)
		return 0;
	err = da_block_get(op, META_DIRDATA, 0, &buf);
	list = err ? NULL : env_alloc(op->vol->env, sizeof(*list));
	if (!list)
		return err;
	for (u32 at = sizeof(struct dir_data); at < size && fits; at += slot.size) {
		fits = dir_data_slot(op->g, buf->data, size, at, &slot) && slot.size;
		if (!fits || slot.free || at == DIR_DOT_OFFSET)
			continue;
		if (at == dir_dotdot_offset(op->g))
			list->parent = slot.ino;
		else
			fits = dir_list_add(list, slot.ino, slot.type, slot.name, slot.length, at);
		bytes = at + slot.size;
	}
	/* with some room to spare, so that the next name does not bring the tree back */
	fits = fits && bytes + (list->count + 2) * sizeof(struct dir_leaf_entry) +
			       sizeof(struct dir_block_tail) <
			   size - size / 4;
	if (fits) {
		err = da_blocks_free(op, op->g->dir_leaf_off, FILEOFF_END);
		if (!err) {
			memset(buf->data, 0, buf->size);
			da_block_retype(op, buf, META_DIRBLOCK);
			err = dir_block_build(op, list, buf);
		}
	}
	env_free(op->vol->env, list);
	return err;
}

int dir_tree_remove(struct da_op *op, const struct dir_name *name)
{
	u32 size = op->g->dir_block_size;
	struct dir_spot spot = {0};
	struct txn_buf *buf;
	u64 db;
	int err = prepare(op);

	if (!err)
		err = dir_hash_find(op, name, &spot);
	if (err)
		return err;
	db = dir_address_block(op->g, spot.address);
	err = dir_hash_delete(op, &spot);
	if (!err)
		err = da_block_get(op, META_DIRDATA, db * op->g->dir_fsblocks, &buf);
	if (!err)
		err = dir_data_take(op, buf, size, dir_address_offset(op->g, spot.address));
	if (err)
		return err;
	if (!db || !dir_data_is_empty(buf, size)) {
		err = dir_free_set(op, db, dir_data_best(buf->data));
	} else {
		err = da_block_free(op, db * op->g->dir_fsblocks, buf);
		if (!err)
			err = dir_free_set(op, db, DIR_NO_BEST);
		if (!err)
			err = dir_fit_size(op);
	}
	return err ? err : shrink(op);
}

int dir_tree_replace(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type)
{
	struct dir_spot spot = {0};
	struct txn_buf *buf;
	int err = prepare(op);

	if (!err)
		err = dir_hash_find(op, name, &spot);
	if (!err)
		err = da_block_get(op, META_DIRDATA,
				   dir_address_block(op->g, spot.address) * op->g->dir_fsblocks,
				   &buf);
	if (err)
		return err;
	dir_data_set(op, buf, dir_address_offset(op->g, spot.address), ino.v, type);
	return 0;
}
