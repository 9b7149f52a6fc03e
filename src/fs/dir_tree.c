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

/* The way down to a leaf. */
struct step {
	u64 off;
	u32 index; /* of the child that is gone down to */
};
struct way {
	struct step step[DA_LEVELS_MAX];
	u32 depth; /* nodes above the leaf */
	u64 leaf;
};

static u32 leaf_max(const struct dir_op *op)
{
	return (op->g->dir_block_size - (u32)sizeof(struct dir_leaf)) /
	       (u32)sizeof(struct dir_leaf_entry);
}

static struct dir_leaf_entry *leaf_entries(struct txn_buf *buf)
{
	return (struct dir_leaf_entry *)((struct dir_leaf *)buf->data + 1);
}

static struct da_node_entry *node_entries(struct txn_buf *buf)
{
	return (struct da_node_entry *)((struct da_node *)buf->data + 1);
}

/* What others call a leaf directory: one leaf that has the best runs, too. */
static int from_leaf1(struct dir_op *op)
{
	u64 root = op->g->dir_leaf_off;
	struct dir_index index;
	struct txn_buf *buf;
	u16 *bests;
	u32 count;
	int err = dir_block_get(op, META_DIRLEAF, root, &buf);

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
	dir_block_retype(op, buf, META_DIRLEAFN);
	for (u32 i = 0; i < count && !err; i++)
		if (bests[i] != DIR_NO_BEST)
			err = dir_free_set(op, i, bests[i]);
	env_free(op->vol->env, bests);
	return err;
}

static int root_magic(struct dir_op *op, u16 *magic)
{
	struct inode inode;
	struct buf *buf;
	int err;

	dir_parse(op, &inode);
	err = da_read_any(&op->view, &inode, FORK_DATA, op->g->dir_leaf_off, &buf);
	if (err)
		return err;
	*magic = da_magic(buf->data);
	cache_put(op->view.cache, buf);
	return 0;
}

static int prepare(struct dir_op *op)
{
	u16 magic = 0;
	int err = root_magic(op, &magic);

	return !err && magic == DIR_LEAF1_MAGIC ? from_leaf1(op) : err;
}

static int descend(struct dir_op *op, u32 hash, struct way *way)
{
	struct inode inode;
	u64 off = op->g->dir_leaf_off;

	dir_parse(op, &inode);
	for (way->depth = 0; way->depth <= DA_LEVELS_MAX; way->depth++) {
		struct buf *buf;
		u32 count, i;
		int err = da_read_any(&op->view, &inode, FORK_DATA, off, &buf);

		if (err)
			return err;
		if (da_magic(buf->data) != DA_NODE_MAGIC) {
			cache_put(op->view.cache, buf);
			way->leaf = off;
			return 0;
		}
		count = da_node_count(buf->data, buf->size);
		i = count ? da_node_find(da_node_entries(buf->data), count, hash) : 0;
		if (count && way->depth < DA_LEVELS_MAX) {
			way->step[way->depth] = (struct step){off, i};
			off = be32_get(da_node_entries(buf->data)[i].before);
		}
		cache_put(op->view.cache, buf);
		if (!count)
			break;
	}
	return fail(-EUCLEAN, "directory %llu: its index is too deep, or has an empty node",
		    (unsigned long long)op->ino.v);
}

/* ---- finding ---- */

static int match(struct dir_op *op, u32 address, const struct dir_name *name)
{
	u64 off = dir_address_block(op->g, address) * op->g->dir_fsblocks;
	struct dir_slot slot;
	struct inode inode;
	struct buf *buf;
	int err;

	dir_parse(op, &inode);
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
static int find_in(struct dir_op *op, const struct buf *buf, const struct dir_name *name,
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

int dir_hash_find(struct dir_op *op, const struct dir_name *name, struct dir_spot *spot)
{
	struct da_path path;
	struct inode inode;
	int err;

	dir_parse(op, &inode);
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

int dir_hash_delete(struct dir_op *op, const struct dir_spot *spot)
{
	struct dir_leaf *leaf;
	struct txn_buf *buf;
	int err = dir_block_get(op, META_DIRLEAFN, spot->leaf, &buf);

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

/* An unused place for a block of the index. */
static int new_place(struct dir_op *op, u64 *off)
{
	u64 at = op->g->dir_leaf_off, end = op->g->dir_free_off;
	u32 step = op->g->dir_fsblocks;

	while (at < end) {
		struct extent e;
		int err = fork_extent(&op->fork, at, end, &e);

		if (err)
			return err;
		if (e.start == NULL64) {
			*off = at;
			return 0;
		}
		at = op->g->dir_leaf_off +
		     div_up_u64(e.off + e.count - op->g->dir_leaf_off, step) * step;
	}
	return fail(-ENOSPC, "directory %llu: its index is full", (unsigned long long)op->ino.v);
}

static u32 last_hash(struct txn_buf *buf)
{
	if (buf->type->id == META_DIRNODE)
		return be32_get(
		    node_entries(buf)[be16_get(((struct da_node *)buf->data)->count) - 1].hashval);
	return be32_get(
	    leaf_entries(buf)[be16_get(((struct dir_leaf *)buf->data)->count) - 1].hashval);
}

/* The greatest hash below a child has changed: its parents say so. */
static int fix_up(struct dir_op *op, const struct way *way, u32 depth, u32 hash)
{
	while (depth--) {
		const struct step *s = &way->step[depth];
		struct txn_buf *buf;
		struct da_node *node;
		int err = dir_block_get(op, META_DIRNODE, s->off, &buf);

		if (err)
			return err;
		node = (struct da_node *)buf->data;
		if (s->index >= be16_get(node->count))
			return fail(-EUCLEAN, "directory %llu: its index changes under our hands",
				    (unsigned long long)op->ino.v);
		node_entries(buf)[s->index].hashval = be32_make(hash);
		if (s->index + 1u < be16_get(node->count))
			return 0;
	}
	return 0;
}

static struct da_info *info_of(struct txn_buf *buf)
{
	return (struct da_info *)buf->data;
}

/* A new block behind `left`, with the upper half of it. */
static int split_block(struct dir_op *op, struct txn_buf *left, u64 left_off, u64 *right_off,
		       struct txn_buf **right)
{
	enum meta_id id = left->type->id;
	struct be16 *count, *new_count;
	u32 size = sizeof(struct dir_leaf_entry), header = sizeof(struct dir_leaf), keep, move;
	struct txn_buf *next;
	u64 forw = be32_get(info_of(left)->forw);
	int err = new_place(op, right_off);

	if (!err)
		err = dir_block_new(op, id, *right_off, right);
	if (err)
		return err;
	/* leaf and node have their counts and entries in the same places */
	count = &((struct da_node *)left->data)->count;
	new_count = &((struct da_node *)(*right)->data)->count;
	keep = be16_get(*count) / 2;
	move = be16_get(*count) - keep;
	memcpy((*right)->data + header, left->data + header + keep * size, move * size);
	memset(left->data + header + keep * size, 0, move * size);
	*count = be16_make((u16)keep);
	*new_count = be16_make((u16)move);
	if (id == META_DIRNODE)
		((struct da_node *)(*right)->data)->level = ((struct da_node *)left->data)->level;
	info_of(*right)->back = be32_make((u32)left_off);
	info_of(*right)->forw = be32_make((u32)forw);
	info_of(left)->forw = be32_make((u32)*right_off);
	if (!forw)
		return 0;
	err = dir_block_get(op, id, forw, &next);
	if (!err)
		info_of(next)->back = be32_make((u32)*right_off);
	return err;
}

/* The root, full, gets a level: what was in it moves to a block of its own, its only child. */
static int grow_root(struct dir_op *op, struct way *way)
{
	u64 root = op->g->dir_leaf_off, off = 0;
	enum meta_id id = way->depth ? META_DIRNODE : META_DIRLEAFN;
	struct da_node_entry *entry;
	struct txn_buf *old, *child;
	struct da_node *node;
	u32 level = 1, hash;
	int err = dir_block_get(op, id, root, &old);

	if (!err && way->depth == DA_LEVELS_MAX)
		return fail(-ENOSPC, "directory %llu: its index is full",
			    (unsigned long long)op->ino.v);
	if (!err)
		err = new_place(op, &off);
	if (!err)
		err = dir_block_new(op, id, off, &child);
	if (err)
		return err;
	if (id == META_DIRNODE)
		level = be16_get(((struct da_node *)old->data)->level) + 1u;
	memcpy(child->data + sizeof(struct da_info), old->data + sizeof(struct da_info),
	       old->size - sizeof(struct da_info));
	hash = last_hash(child);
	memset(old->data, 0, old->size);
	dir_block_retype(op, old, META_DIRNODE);
	node = (struct da_node *)old->data;
	node->count = be16_make(1);
	node->level = be16_make((u16)level);
	entry = node_entries(old);
	*entry = (struct da_node_entry){be32_make(hash), be32_make((u32)off)};
	memmove(&way->step[1], &way->step[0], way->depth * sizeof(way->step[0]));
	way->step[0] = (struct step){root, 0};
	if (way->depth)
		way->step[1].off = off;
	else
		way->leaf = off;
	way->depth++;
	return 0;
}

/* A node behind the one at `depth` of the way, with the upper half of it; its parent has room. */
static int split_node(struct dir_op *op, struct way *way, u32 depth)
{
	struct step *s = &way->step[depth], *above = s - 1;
	struct txn_buf *buf, *right, *up;
	struct da_node_entry *e;
	struct da_node *parent;
	u64 right_off = 0;
	u32 keep;
	int err = dir_block_get(op, META_DIRNODE, s->off, &buf);

	if (!err)
		err = split_block(op, buf, s->off, &right_off, &right);
	if (!err)
		err = dir_block_get(op, META_DIRNODE, above->off, &up);
	if (err)
		return err;
	keep = be16_get(((struct da_node *)buf->data)->count);
	parent = (struct da_node *)up->data;
	e = node_entries(up) + above->index;
	memmove(e + 2, e + 1, (be16_get(parent->count) - above->index - 1u) * sizeof(*e));
	parent->count = be16_make((u16)(be16_get(parent->count) + 1));
	e[0].hashval = be32_make(last_hash(buf));
	e[1] = (struct da_node_entry){be32_make(last_hash(right)), be32_make((u32)right_off)};
	if (s->index >= keep) {
		s->index -= keep;
		s->off = right_off;
		above->index++;
	}
	return 0;
}

/* Room for one more entry in every node of the way: from the root down, so that each finds it in
 * its parent. */
static int make_room(struct dir_op *op, struct way *way)
{
	u32 most = da_node_max(op->g->dir_block_size);
	struct txn_buf *buf;
	int err = 0;

	for (u32 depth = 0; depth < way->depth && !err; depth++) {
		err = dir_block_get(op, META_DIRNODE, way->step[depth].off, &buf);
		if (err || be16_get(((struct da_node *)buf->data)->count) < most)
			continue;
		if (!depth) {
			err = grow_root(op, way);
			depth = 1;
		}
		if (!err)
			err = split_node(op, way, depth);
	}
	return err;
}

/* The leaf is full: its upper half goes to a new one, which gets an entry in the node above. */
static int split_leaf(struct dir_op *op, struct way *way, u32 hash)
{
	struct txn_buf *left, *right, *up;
	struct da_node_entry *e;
	struct da_node *node;
	u64 right_off = 0;
	u32 index;
	int err = way->depth ? make_room(op, way) : grow_root(op, way);

	if (!err)
		err = dir_block_get(op, META_DIRLEAFN, way->leaf, &left);
	if (!err)
		err = split_block(op, left, way->leaf, &right_off, &right);
	if (!err)
		err = dir_block_get(op, META_DIRNODE, way->step[way->depth - 1].off, &up);
	if (err)
		return err;
	for (u32 side = 0; side < 2; side++) {
		struct dir_leaf *leaf = (struct dir_leaf *)(side ? right : left)->data;
		u32 stale = 0;

		for (u32 i = 0; i < be16_get(leaf->count); i++)
			stale += !be32_get(leaf_entries(side ? right : left)[i].address);
		leaf->stale = be16_make((u16)stale);
	}
	index = way->step[way->depth - 1].index;
	node = (struct da_node *)up->data;
	e = node_entries(up) + index;
	memmove(e + 2, e + 1, (be16_get(node->count) - index - 1u) * sizeof(*e));
	node->count = be16_make((u16)(be16_get(node->count) + 1));
	e[0].hashval = be32_make(last_hash(left));
	e[1] = (struct da_node_entry){be32_make(last_hash(right)), be32_make((u32)right_off)};
	if (hash > last_hash(left)) {
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
	u32 count = be16_get(leaf->count), at = 0, stale;

	while (at < count && be32_get(e[at].hashval) < hash)
		at++;
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

int dir_hash_insert(struct dir_op *op, u32 hash, u32 address)
{
	struct dir_leaf *leaf;
	struct txn_buf *buf;
	struct way way;
	int err = descend(op, hash, &way);

	if (!err)
		err = dir_block_get(op, META_DIRLEAFN, way.leaf, &buf);
	if (err)
		return err;
	leaf = (struct dir_leaf *)buf->data;
	if (be16_get(leaf->count) >= leaf_max(op) && !be16_get(leaf->stale)) {
		err = split_leaf(op, &way, hash);
		if (!err)
			err = dir_block_get(op, META_DIRLEAFN, way.leaf, &buf);
		if (err)
			return err;
	}
	put_entry(buf, hash, address);
	return fix_up(op, &way, way.depth, last_hash(buf));
}

/* ---- entries ---- */

int dir_tree_add(struct dir_op *op, const struct dir_name *name, struct inum ino, u8 type)
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
		err = dir_block_new(op, META_DIRDATA, db * op->g->dir_fsblocks, &buf);
		if (err)
			return err;
		dir_data_init(buf, size);
		err = dir_fit_size(op);
	} else {
		err = dir_block_get(op, META_DIRDATA, db * op->g->dir_fsblocks, &buf);
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
static int shrink(struct dir_op *op)
{
	struct dir_list *list;
	struct txn_buf *buf;
	struct dir_slot slot;
	u32 size = op->g->dir_block_size, bytes = 0;
	bool fits = true;
	int err;

	if (be64_get(op->d->size) != size)
		return 0;
	err = dir_block_get(op, META_DIRDATA, 0, &buf);
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
		err = dir_blocks_free(op, op->g->dir_leaf_off, FILEOFF_END);
		if (!err) {
			memset(buf->data, 0, buf->size);
			dir_block_retype(op, buf, META_DIRBLOCK);
			err = dir_block_build(op, list, buf);
		}
	}
	env_free(op->vol->env, list);
	return err;
}

int dir_tree_remove(struct dir_op *op, const struct dir_name *name)
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
		err = dir_block_get(op, META_DIRDATA, db * op->g->dir_fsblocks, &buf);
	if (!err)
		err = dir_data_take(op, buf, size, dir_address_offset(op->g, spot.address));
	if (err)
		return err;
	if (!db || !dir_data_is_empty(buf, size)) {
		err = dir_free_set(op, db, dir_data_best(buf->data));
	} else {
		err = dir_block_free(op, db * op->g->dir_fsblocks, buf);
		if (!err)
			err = dir_free_set(op, db, DIR_NO_BEST);
		if (!err)
			err = dir_fit_size(op);
	}
	return err ? err : shrink(op);
}

int dir_tree_replace(struct dir_op *op, const struct dir_name *name, struct inum ino, u8 type)
{
	struct dir_spot spot = {0};
	struct txn_buf *buf;
	int err = prepare(op);

	if (!err)
		err = dir_hash_find(op, name, &spot);
	if (!err)
		err = dir_block_get(op, META_DIRDATA,
				    dir_address_block(op->g, spot.address) * op->g->dir_fsblocks,
				    &buf);
	if (err)
		return err;
	dir_data_set(op, buf, dir_address_offset(op->g, spot.address), ino.v, type);
	return 0;
}
