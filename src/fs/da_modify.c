/*
 * Blocks and nodes of a hash btree that is being changed; see da_modify.h.
 *
 * Nodes are split from the root down, so that each finds room in its parent.
 */
#include "fs/da_modify.h"

#include "base/trail.h"
#include "format/attr.h"

#include <errno.h>

#define ATTR_OFF_END \
	(1ull << 31) /* offsets of attribute forks have 31 bits, as blocks of the tree */

static struct da_node_entry *node_entries(struct txn_buf *buf)
{
	return (struct da_node_entry *)((struct da_node *)buf->data + 1);
}

static struct da_info *info_of(struct txn_buf *buf)
{
	return (struct da_info *)buf->data;
}

static struct da_node *node_of(struct txn_buf *buf)
{
	return (struct da_node *)buf->data;
}

int da_op_open(struct da_op *op, struct vol *vol, struct txn *txn, struct inum ino,
	       enum fork_id which)
{
	const struct geometry *g = &vol->geo;
	bool dir = which == FORK_DATA;
	int err;

	*op = (struct da_op){.vol = vol,
			     .view = vol_in(vol, txn),
			     .txn = txn,
			     .g = g,
			     .ino = ino,
			     .which = which,
			     .blocks = da_block_count(g, which),
			     .size = dir ? g->dir_block_size : g->block_size,
			     .root = dir ? g->dir_leaf_off : 0,
			     .end = dir ? g->dir_free_off : ATTR_OFF_END,
			     .node = dir ? META_DIRNODE : META_ATTRNODE,
			     .leaf = dir ? META_DIRLEAFN : META_ATTRLEAF};
	err = inode_edit(vol, txn, ino, &op->buf);
	if (err)
		return err;
	op->d = (struct dinode *)op->buf->data;
	fork_edit_open(&op->fork, vol, txn, ino, op->buf, which);
	return 0;
}

/* ---- blocks ---- */

int da_block_get(struct da_op *op, enum meta_id id, u64 off, struct txn_buf **out)
{
	const struct meta_type *type = vol_type(op->vol, id);
	struct da_place place;
	struct inode inode;
	struct where where;
	int err;

	da_parse(op, &inode);
	err = da_place_at(&op->view, &inode, op->which, off, &place);
	if (err)
		return err;
	if (!place.blocks)
		return -ENOENT;
	if (place.blocks != op->blocks)
		return fail(-EUCLEAN, "inode %llu: a part of block %llu is missing",
			    (unsigned long long)op->ino.v, (unsigned long long)off);
	where = da_where(op->g, &inode, type, &place);
	err = txn_get_ranges(op->txn, type, &where, place.range, place.count, out);
	if (!err)
		txn_dirty(op->txn, *out);
	return err;
}

static void write_header(struct da_op *op, struct txn_buf *buf, enum meta_id id)
{
	const struct meta_type *type = vol_type(op->vol, id);
	struct be64 blkno = be64_make(buf->at.v / 512), owner = be64_make(op->ino.v);
	struct be32 magic = be32_make(type->magic);
	struct be16 magic16 = be16_make((u16)type->magic);

	if (type->magic_width == 2)
		memcpy(buf->data + type->magic_offset, magic16.b, sizeof(magic16));
	else
		memcpy(buf->data + type->magic_offset, magic.b, sizeof(magic));
	memcpy(buf->data + type->blkno_offset, blkno.b, sizeof(blkno));
	memcpy(buf->data + type->owner_offset, owner.b, sizeof(owner));
	memcpy(buf->data + type->uuid_offset, op->g->meta_uuid.b, 16);
}

int da_block_new(struct da_op *op, enum meta_id id, u64 off, struct txn_buf **out)
{
	const struct meta_type *type = vol_type(op->vol, id);
	struct da_place place;
	struct inode inode;
	struct where where;
	u64 near = NULL64;
	int err = 0;

	for (u32 i = 0; i < op->blocks && !err; i++)
		err = fork_add_block(&op->fork, off + i, near == NULL64 ? near : near + 1, &near);
	if (err)
		return err;
	da_parse(op, &inode);
	err = da_place_at(&op->view, &inode, op->which, off, &place);
	if (!err && place.blocks != op->blocks)
		err = fail(-EUCLEAN, "inode %llu: its map does not show block %llu, which is new",
			   (unsigned long long)op->ino.v, (unsigned long long)off);
	if (err)
		return err;
	where = da_where(op->g, &inode, type, &place);
	err = txn_new_ranges(op->txn, type, &where, place.range, place.count, out);
	if (!err)
		write_header(op, *out, id);
	return err;
}

void da_block_retype(struct da_op *op, struct txn_buf *buf, enum meta_id id)
{
	buf->type = vol_type(op->vol, id);
	buf->where.type = buf->type->name;
	txn_dirty(op->txn, buf);
	write_header(op, buf, id);
}

int da_block_free(struct da_op *op, u64 off, struct txn_buf *buf)
{
	txn_drop(op->txn, buf);
	return fork_release(&op->fork, off, op->blocks);
}

/* What the transaction holds of them must not be written. */
static int drop_one(void *arg, const struct da_place *place)
{
	struct da_op *op = arg;
	struct txn_buf *buf = txn_known(op->txn, place->range[0].at);

	if (buf)
		txn_drop(op->txn, buf);
	return 0;
}

int da_blocks_free(struct da_op *op, u64 off, u64 end)
{
	struct inode inode;
	int err;

	da_parse(op, &inode);
	err = da_place_each(&op->view, &inode, op->which, off, end, drop_one, op);
	return err ? err : fork_release(&op->fork, off, end - off);
}

int da_place_new(struct da_op *op, u32 count, u64 *off)
{
	u64 at = op->root;

	while (at < op->end) {
		struct extent e;
		int err = fork_extent(&op->fork, at, op->end, &e);

		if (err)
			return err;
		if (e.start == NULL64 && e.off + e.count - at >= (u64)count * op->blocks) {
			*off = at;
			return 0;
		}
		at = op->root + div_up_u64(e.off + e.count - op->root, op->blocks) * op->blocks;
	}
	return fail(-ENOSPC, "inode %llu: its index is full", (unsigned long long)op->ino.v);
}

/* ---- the way down ---- */

int da_way_down(struct da_op *op, u32 hash, struct da_way *way)
{
	struct inode inode;
	u64 off = op->root;

	da_parse(op, &inode);
	for (way->depth = 0; way->depth <= DA_LEVELS_MAX; way->depth++) {
		struct buf *buf;
		u32 count, i;
		int err = da_read_any(&op->view, &inode, op->which, off, &buf);

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
			way->step[way->depth] = (struct da_step){off, i};
			off = be32_get(da_node_entries(buf->data)[i].before);
		}
		cache_put(op->view.cache, buf);
		if (!count)
			break;
	}
	return fail(-EUCLEAN, "inode %llu: its index is too deep, or has an empty node",
		    (unsigned long long)op->ino.v);
}

int da_way_next(struct da_op *op, struct da_way *way)
{
	struct inode inode;
	u32 depth = way->depth;
	u64 off = 0;

	da_parse(op, &inode);
	while (depth && !off) {
		struct da_step *s = &way->step[--depth];
		struct buf *buf;
		int err = da_read_any(&op->view, &inode, op->which, s->off, &buf);

		if (err)
			return err;
		if (da_magic(buf->data) == DA_NODE_MAGIC &&
		    s->index + 1 < da_node_count(buf->data, buf->size))
			off = be32_get(da_node_entries(buf->data)[++s->index].before);
		cache_put(op->view.cache, buf);
	}
	if (!off)
		return -ENOENT;
	while (++depth < way->depth) {
		struct buf *buf;
		int err = da_read_any(&op->view, &inode, op->which, off, &buf);

		if (err)
			return err;
		way->step[depth] = (struct da_step){off, 0};
		off = da_magic(buf->data) == DA_NODE_MAGIC && da_node_count(buf->data, buf->size)
			  ? be32_get(da_node_entries(buf->data)->before)
			  : 0;
		cache_put(op->view.cache, buf);
		if (!off)
			return fail(-EUCLEAN, "inode %llu: its index is of uneven depth",
				    (unsigned long long)op->ino.v);
	}
	way->leaf = off;
	return 0;
}

u32 da_last_hash(const struct txn_buf *buf)
{
	/* the count lies behind the common header in all of them, and the hash is first in an entry
	 */
	u32 header =
	    buf->type->id == META_ATTRLEAF ? sizeof(struct attr_leaf) : sizeof(struct da_node);
	u32 count = be16_get(((const struct da_node *)buf->data)->count);
	const u8 *last = buf->data + header + (count - 1u) * sizeof(struct da_node_entry);

	return be32_get(((const struct da_node_entry *)last)->hashval);
}

/* The greatest hash below a child has changed: its parents say so. */
int da_fix_up(struct da_op *op, const struct da_way *way, u32 depth, u32 hash)
{
	while (depth--) {
		const struct da_step *s = &way->step[depth];
		struct txn_buf *buf;
		struct da_node *node;
		int err = da_block_get(op, op->node, s->off, &buf);

		if (err)
			return err;
		node = node_of(buf);
		if (s->index >= be16_get(node->count))
			return fail(-EUCLEAN, "inode %llu: its index changes under our hands",
				    (unsigned long long)op->ino.v);
		node_entries(buf)[s->index].hashval = be32_make(hash);
		if (s->index + 1u < be16_get(node->count))
			return 0;
	}
	return 0;
}

/* ---- growing ---- */

int da_block_behind(struct da_op *op, struct txn_buf *left, u64 left_off, u64 *off,
		    struct txn_buf **out)
{
	enum meta_id id = left->type->id;
	u64 forw = be32_get(info_of(left)->forw);
	struct txn_buf *next;
	int err = da_place_new(op, 1, off);

	if (!err)
		err = da_block_new(op, id, *off, out);
	if (err)
		return err;
	info_of(*out)->back = be32_make((u32)left_off);
	info_of(*out)->forw = be32_make((u32)forw);
	info_of(left)->forw = be32_make((u32)*off);
	if (!forw)
		return 0;
	err = da_block_get(op, id, forw, &next);
	if (!err)
		info_of(next)->back = be32_make((u32)*off);
	return err == -ENOENT ? fail(-EUCLEAN, "inode %llu: block %llu of its index is missing",
				     (unsigned long long)op->ino.v, (unsigned long long)forw)
			      : err;
}

int da_block_split(struct da_op *op, struct txn_buf *left, u64 left_off, u64 *right_off,
		   struct txn_buf **right)
{
	u32 size = sizeof(struct da_node_entry), header = sizeof(struct da_node), keep, move;
	int err = da_block_behind(op, left, left_off, right_off, right);

	if (err)
		return err;
	keep = be16_get(node_of(left)->count) / 2;
	move = be16_get(node_of(left)->count) - keep;
	memcpy((*right)->data + header, left->data + header + keep * size, move * size);
	memset(left->data + header + keep * size, 0, move * size);
	node_of(left)->count = be16_make((u16)keep);
	node_of(*right)->count = be16_make((u16)move);
	if (left->type->id == op->node)
		node_of(*right)->level = node_of(left)->level;
	return 0;
}

/* The root, full, gets a level: what was in it moves to a block of its own, its only child. */
static int grow_root(struct da_op *op, struct da_way *way)
{
	u64 root = op->root, off = 0;
	enum meta_id id = way->depth ? op->node : op->leaf;
	struct da_node_entry *entry;
	struct txn_buf *old, *child;
	struct da_node *node;
	u32 level = 1, hash;
	int err = da_block_get(op, id, root, &old);

	if (!err && way->depth == DA_LEVELS_MAX)
		return fail(-ENOSPC, "inode %llu: its index is full",
			    (unsigned long long)op->ino.v);
	if (!err)
		err = da_place_new(op, 1, &off);
	if (!err)
		err = da_block_new(op, id, off, &child);
	if (err)
		return err;
	if (id == op->node)
		level = be16_get((node_of(old))->level) + 1u;
	memcpy(child->data + sizeof(struct da_info), old->data + sizeof(struct da_info),
	       old->size - sizeof(struct da_info));
	hash = da_last_hash(child);
	memset(old->data, 0, old->size);
	da_block_retype(op, old, op->node);
	node = node_of(old);
	node->count = be16_make(1);
	node->level = be16_make((u16)level);
	entry = node_entries(old);
	*entry = (struct da_node_entry){be32_make(hash), be32_make((u32)off)};
	memmove(&way->step[1], &way->step[0], way->depth * sizeof(way->step[0]));
	way->step[0] = (struct da_step){root, 0};
	if (way->depth)
		way->step[1].off = off;
	else
		way->leaf = off;
	way->depth++;
	return 0;
}

/* `right` behind its neighbour, the child `index`; the node has room. */
static void enter(struct txn_buf *node, u32 index, const struct txn_buf *left,
		  const struct txn_buf *right, u64 right_off)
{
	struct da_node_entry *e = node_entries(node) + index;
	u32 count = be16_get(node_of(node)->count);

	memmove(e + 2, e + 1, (count - index - 1u) * sizeof(*e));
	node_of(node)->count = be16_make((u16)(count + 1));
	e[0].hashval = be32_make(da_last_hash(left));
	e[1] = (struct da_node_entry){be32_make(da_last_hash(right)), be32_make((u32)right_off)};
}

/* A node behind the one at `depth` of the way, with the upper half of it; its parent has room. */
static int split_node(struct da_op *op, struct da_way *way, u32 depth)
{
	struct da_step *s = &way->step[depth], *above = s - 1;
	struct txn_buf *buf, *right, *up;
	u64 right_off = 0;
	u32 keep;
	int err = da_block_get(op, op->node, s->off, &buf);

	if (!err)
		err = da_block_split(op, buf, s->off, &right_off, &right);
	if (!err)
		err = da_block_get(op, op->node, above->off, &up);
	if (err)
		return err;
	keep = be16_get(node_of(buf)->count);
	enter(up, above->index, buf, right, right_off);
	if (s->index >= keep) {
		s->index -= keep;
		s->off = right_off;
		above->index++;
	}
	return 0;
}

/* Room for one more entry in every node of the way: from the root down, so that each finds it in
 * its parent. */
static int make_room(struct da_op *op, struct da_way *way)
{
	u32 most = da_node_max(op->size);
	struct txn_buf *buf;
	int err = 0;

	for (u32 depth = 0; depth < way->depth && !err; depth++) {
		err = da_block_get(op, op->node, way->step[depth].off, &buf);
		if (err || be16_get(node_of(buf)->count) < most)
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

int da_leaf_room(struct da_op *op, struct da_way *way)
{
	return way->depth ? make_room(op, way) : grow_root(op, way);
}

int da_leaf_enter(struct da_op *op, const struct da_way *way, const struct txn_buf *left,
		  const struct txn_buf *right, u64 right_off)
{
	const struct da_step *s = &way->step[way->depth - 1];
	struct txn_buf *up;
	int err = da_block_get(op, op->node, s->off, &up);

	if (!err)
		enter(up, s->index, left, right, right_off);
	return err;
}

/* ---- shrinking ---- */

/* A neighbour of a block that goes: 0 is none. */
static int join_sibling(struct da_op *op, enum meta_id id, u64 off, u64 forw, u64 back, bool right)
{
	struct txn_buf *buf;
	int err = off ? da_block_get(op, id, off, &buf) : 0;

	if (err || !off)
		return err == -ENOENT
			   ? fail(-EUCLEAN, "inode %llu: block %llu of its index is missing",
				  (unsigned long long)op->ino.v, (unsigned long long)off)
			   : err;
	if (right)
		info_of(buf)->back = be32_make((u32)back);
	else
		info_of(buf)->forw = be32_make((u32)forw);
	return 0;
}

static int remove_block(struct da_op *op, struct txn_buf *buf, u64 off)
{
	enum meta_id id = buf->type->id;
	u64 forw = be32_get(info_of(buf)->forw), back = be32_get(info_of(buf)->back);
	int err = join_sibling(op, id, forw, forw, back, true);

	if (!err)
		err = join_sibling(op, id, back, forw, back, false);
	return err ? err : da_block_free(op, off, buf);
}

/* The only child's content becomes that of the root, until it has more than one. */
static int shrink_root(struct da_op *op)
{
	for (u32 levels = 0; levels < DA_LEVELS_MAX; levels++) {
		struct txn_buf *root, *child;
		u64 off;
		u16 magic;
		int err = da_block_get(op, op->node, op->root, &root);

		if (err || be16_get(node_of(root)->count) != 1)
			return err;
		off = be32_get(node_entries(root)->before);
		err = da_block_get(op, be16_get(node_of(root)->level) > 1 ? op->node : op->leaf,
				   off, &child);
		if (err)
			return err == -ENOENT
				   ? fail(-EUCLEAN,
					  "inode %llu: block %llu of its "
					  "index is missing",
					  (unsigned long long)op->ino.v, (unsigned long long)off)
				   : err;
		memcpy(root->data + sizeof(struct da_info), child->data + sizeof(struct da_info),
		       root->size - sizeof(struct da_info));
		da_block_retype(op, root, child->type->id);
		magic = da_magic(root->data);
		err = da_block_free(op, off, child);
		if (err || magic != DA_NODE_MAGIC)
			return err;
	}
	return 0;
}

int da_leaf_remove(struct da_op *op, const struct da_way *way, struct txn_buf *leaf)
{
	int err = remove_block(op, leaf, way->leaf);

	for (u32 depth = way->depth; depth-- && !err;) {
		const struct da_step *s = &way->step[depth];
		struct da_node_entry *e;
		struct txn_buf *buf;
		u32 count;

		err = da_block_get(op, op->node, s->off, &buf);
		if (err)
			return err;
		count = be16_get(node_of(buf)->count);
		if (s->index >= count)
			return fail(-EUCLEAN, "inode %llu: its index changes under our hands",
				    (unsigned long long)op->ino.v);
		e = node_entries(buf) + s->index;
		memmove(e, e + 1, (count - s->index - 1) * sizeof(*e));
		e[count - s->index - 1] = (struct da_node_entry){0};
		node_of(buf)->count = be16_make((u16)(count - 1));
		if (count > 1) {
			if (s->index == count - 1)
				err = da_fix_up(op, way, depth, da_last_hash(buf));
			break;
		}
		if (!depth)
			return fail(-EUCLEAN, "inode %llu: the last leaf of its index would go",
				    (unsigned long long)op->ino.v);
		err = remove_block(op, buf, s->off);
	}
	return err ? err : shrink_root(op);
}
