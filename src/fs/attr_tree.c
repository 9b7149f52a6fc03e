/*
 * Changing one attribute of a fork that has leaves; see attr_build.h.
 *
 * A leaf that changes is packed anew: entries by hash, names from the end of the block in the order
 * in which they lay, so what lies behind a hole moves and the rest stays where it was, and there is
 * one free range.  A new name comes in front of all.
 *
 * 1. No leaf is empty but the root, between a removal and what its caller does next.
 * 2. A leaf that does not hold a new attribute is split in two where that is most even, or, where a
 *    large one comes between others, in three.
 * 3. A leaf that is less than half full is joined with a neighbour below the same node, if both
 *    fill no more than three quarters of one.
 */
#include "fs/attr_build.h"

#include "base/trail.h"
#include "format/attr.h"

#include <errno.h>
#include <stdlib.h>

/* An attribute of a leaf, as it lies there. */
struct item {
	u32 hash, size;
	u32 place; /* where it was; 0: new */
	u8 flags;
	const u8 *bytes;
};

/* The attributes of one leaf or two, with room for one more, and the bytes that they lie in. */
struct items {
	struct env *env;
	struct item *item, **by_place;
	u32 count, room;
	u8 *copy, *fresh;
};

/* ---- a leaf ---- */

static u32 capacity(const struct da_op *op)
{
	return op->size - (u32)sizeof(struct attr_leaf);
}

static u32 bytes_of(const struct items *s, u32 from, u32 to)
{
	u32 bytes = (to - from) * (u32)sizeof(struct attr_leaf_entry);

	while (from < to)
		bytes += s->item[from++].size;
	return bytes;
}

static void items_close(struct items *s)
{
	env_free(s->env, s->item);
	env_free(s->env, s->by_place);
	env_free(s->env, s->copy);
	env_free(s->env, s->fresh);
}

static int items_open(struct da_op *op, struct items *s, u32 leaves)
{
	u32 room = leaves * attr_leaf_max(op->size) + 1;

	*s = (struct items){.env = op->vol->env, .room = room};
	s->item = env_array(s->env, room, sizeof(*s->item));
	s->by_place = env_array(s->env, room, sizeof(struct item *));
	s->copy = env_alloc_bytes(s->env, (size_t)leaves * op->size);
	return s->item && s->by_place && s->copy ? 0 : fail(-ENOMEM, "attributes: out of memory");
}

/* Adds those of a leaf behind the ones that are there; `index` says which part of the copy is used.
 */
static int items_load(struct da_op *op, struct items *s, const struct txn_buf *buf, u32 index)
{
	u8 *copy = s->copy + (size_t)index * op->size;
	u32 count = attr_leaf_count(buf->data, buf->size);

	memcpy(copy, buf->data, op->size);
	for (u32 i = 0; i < count; i++) {
		struct attr_slot slot;

		if (!attr_leaf_slot(copy, op->size, i, &slot))
			return fail(-EUCLEAN, "inode %llu: attribute %u of a leaf does not fit",
				    (unsigned long long)op->ino.v, i);
		s->item[s->count++] = (struct item){.hash = slot.hash,
						    .size = slot.size,
						    .place = slot.offset,
						    .flags = slot.flags,
						    .bytes = copy + slot.offset};
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	return (x->place < y->place) - (x->place > y->place);
}

/* Makes a leaf of [from, to), which fit. */
static void pack(struct da_op *op, struct items *s, u32 from, u32 to, struct txn_buf *buf)
{
	struct attr_leaf *leaf = (struct attr_leaf *)buf->data;
	struct attr_leaf_entry *entry = (struct attr_leaf_entry *)(leaf + 1);
	u32 count = to - from, at = op->size, base;

	memset(buf->data + sizeof(struct da_info), 0, op->size - sizeof(struct da_info));
	for (u32 i = 0; i < count; i++)
		s->by_place[i] = &s->item[from + i];
	qsort(s->by_place, count, sizeof(struct item *), by_place);
	for (u32 i = 0; i < count; i++) {
		const struct item *item = s->by_place[i];

		at -= item->size;
		memcpy(buf->data + at, item->bytes, item->size);
		entry[item - &s->item[from]] =
		    (struct attr_leaf_entry){.hashval = be32_make(item->hash),
					     .nameidx = be16_make((u16)at),
					     .flags = item->flags};
	}
	base = (u32)((u8 *)(entry + count) - buf->data);
	leaf->count = be16_make((u16)count);
	leaf->usedbytes = be16_make((u16)(op->size - at));
	leaf->firstused = be16_make((u16)at);
	leaf->free0_base = be16_make((u16)base);
	leaf->free0_size = be16_make((u16)(at - base));
}

/* ---- finding ---- */

bool attr_tree_is(const struct da_op *op)
{
	struct inode inode;

	da_parse(op, &inode);
	return inode.forkoff && inode.fork[FORK_ATTR].format != FORMAT_LOCAL &&
	       inode.fork[FORK_ATTR].extents;
}

static u32 hash_of(const struct attr *attr)
{
	const struct attr_slot slot = {.flags = attr->flags,
				       .name = (const u8 *)attr->name,
				       .name_length = attr->name_length,
				       .value = attr->value,
				       .value_length = attr->value_length};

	return attr_hash(&slot);
}

static bool is_wanted(const struct attr_slot *slot, const struct attr *attr)
{
	if ((slot->flags ^ attr->flags) & ATTR_INCOMPLETE ||
	    attr_namespace(slot->flags) != attr_namespace(attr->flags) ||
	    slot->name_length != attr->name_length ||
	    memcmp(slot->name, attr->name, slot->name_length))
		return false;
	return !(attr->flags & ATTR_PARENT) ||
	       (slot->value && slot->value_length == attr->value_length &&
		!memcmp(slot->value, attr->value, slot->value_length));
}

/* In one leaf; -EAGAIN: the hash may go on in the next. */
static int find_in(struct da_op *op, const struct txn_buf *buf, const struct attr *attr, u32 hash,
		   u32 *index, struct attr_slot *slot)
{
	u32 count = attr_leaf_count(buf->data, buf->size);

	for (u32 i = attr_leaf_find(buf->data, buf->size, hash); i < count; i++) {
		bool fits = attr_leaf_slot(buf->data, buf->size, i, slot);

		if (slot->hash != hash)
			return -ENODATA;
		if (!fits)
			return fail(-EUCLEAN, "inode %llu: attribute %u of a leaf does not fit",
				    (unsigned long long)op->ino.v, i);
		*index = i;
		if (is_wanted(slot, attr))
			return 0;
	}
	return -EAGAIN;
}

static int leaf_get(struct da_op *op, u64 off, struct txn_buf **out)
{
	int err = da_block_get(op, META_ATTRLEAF, off, out);

	return err == -ENOENT
		   ? fail(-EUCLEAN, "inode %llu: block %llu of its attributes is missing",
			  (unsigned long long)op->ino.v, (unsigned long long)off)
		   : err;
}

/* slot points into the leaf. */
static int find(struct da_op *op, const struct attr *attr, struct da_way *way,
		struct txn_buf **leaf, u32 *index, struct attr_slot *slot)
{
	u32 hash = hash_of(attr);
	int err = da_way_down(op, hash, way);

	while (!err) {
		err = leaf_get(op, way->leaf, leaf);
		if (!err)
			err = find_in(op, *leaf, attr, hash, index, slot);
		if (err != -EAGAIN)
			return err;
		err = da_way_next(op, way);
	}
	return err == -ENOENT ? -ENODATA : err;
}

int attr_tree_find(struct da_op *op, const struct attr *attr)
{
	struct attr_slot slot;
	struct txn_buf *leaf;
	struct da_way way;
	u32 index;

	return find(op, attr, &way, &leaf, &index, &slot);
}

int attr_tree_small(struct da_op *op, bool *small)
{
	struct txn_buf *leaf;
	struct inode inode;
	struct da_way way;
	int err = da_way_down(op, 0, &way);

	*small = false;
	if (err || way.depth)
		return err;
	err = leaf_get(op, way.leaf, &leaf);
	da_parse(op, &inode);
	if (!err)
		*small = be16_get(((struct attr_leaf *)leaf->data)->usedbytes) <=
			 inode.fork[FORK_ATTR].size;
	return err;
}

/* ---- adding ---- */

static int write_remote(struct da_op *op, struct attr_item *item)
{
	u32 blocks = attr_remote_blocks(op->g, item->value_length), room = attr_remote_room(op->g);
	u64 off = 0;
	int err = da_place_new(op, blocks, &off);

	item->value_block = (u32)off;
	for (u32 i = 0; i < blocks && !err; i++) {
		u32 at = i * room, take = (u32)min_u64(room, item->value_length - at);
		struct attr_remote *header;
		struct txn_buf *buf;

		err = da_block_new(op, META_ATTRREMOTE, off + i, &buf);
		if (err)
			break;
		header = (struct attr_remote *)buf->data;
		header->offset = be32_make(at);
		header->bytes = be32_make(take);
		header->lsn = be64_make(NULL64);
		memcpy(header + 1, item->bytes + item->name_length + at, take);
	}
	return err;
}

/* The most even place to cut them in two, or 0 where neither half would fit. */
static u32 middle(const struct da_op *op, const struct items *s)
{
	u32 all = bytes_of(s, 0, s->count), left = 0, best = 0, least = NULL32;

	for (u32 i = 1; i < s->count; i++) {
		u32 right, more;

		left += bytes_of(s, i - 1, i);
		right = all - left;
		more = left > right ? left : right;
		if (more <= capacity(op) && more < least) {
			least = more;
			best = i;
		}
	}
	return best;
}

/* The rest of a split: [from, to) become a leaf behind that of the way, and its way. */
static int add_leaf(struct da_op *op, struct items *s, u32 from, u32 to, struct da_way *way)
{
	struct txn_buf *left, *right;
	u64 off = 0;
	int err = da_leaf_room(op, way);

	if (!err)
		err = leaf_get(op, way->leaf, &left);
	if (!err)
		err = da_block_behind(op, left, way->leaf, &off, &right);
	if (err)
		return err;
	pack(op, s, from, to, right);
	err = da_leaf_enter(op, way, left, right, off);
	way->leaf = off;
	way->step[way->depth - 1].index++;
	return err ? err : da_fix_up(op, way, way->depth, da_last_hash(right));
}

/* `added` is the index of the one that did not fit. */
static int split(struct da_op *op, struct items *s, u32 added, struct txn_buf *leaf,
		 struct da_way *way)
{
	u32 cut = middle(op, s), end = s->count;
	int err;

	if (!cut)
		cut = added, end = added + 1;
	if (!cut || bytes_of(s, 0, cut) > capacity(op) || bytes_of(s, cut, end) > capacity(op) ||
	    bytes_of(s, end, s->count) > capacity(op))
		return fail(-EUCLEAN, "inode %llu: a leaf of attributes cannot be split",
			    (unsigned long long)op->ino.v);
	pack(op, s, 0, cut, leaf);
	err = add_leaf(op, s, cut, end, way);
	if (!err && end < s->count)
		err = add_leaf(op, s, end, s->count, way);
	return err;
}

/* Where the new one goes: in front of those with its hash. */
static int items_insert(struct da_op *op, struct items *s, const struct attr_item *item, u32 *index)
{
	u32 size = attr_item_size(op->g, item), at = 0;

	s->fresh = env_alloc(s->env, size);
	if (!s->fresh)
		return fail(-ENOMEM, "attributes: out of memory");
	attr_item_put(op->g, item, s->fresh);
	while (at < s->count && s->item[at].hash < item->hash)
		at++;
	memmove(s->item + at + 1, s->item + at, (s->count - at) * sizeof(*s->item));
	s->item[at] = (struct item){
	    .hash = item->hash,
	    .size = size,
	    .flags = (u8)(item->flags | (attr_item_remote(op->g, item) ? 0 : ATTR_LOCAL)),
	    .bytes = s->fresh};
	s->count++;
	*index = at;
	return 0;
}

static int add_item(struct da_op *op, struct attr_item *item)
{
	struct items s = {.env = op->vol->env};
	struct txn_buf *leaf;
	struct da_way way;
	u32 index = 0;
	int err = attr_item_remote(op->g, item) ? write_remote(op, item) : 0;

	if (!err)
		err = da_way_down(op, item->hash, &way);
	if (!err)
		err = leaf_get(op, way.leaf, &leaf);
	if (!err)
		err = items_open(op, &s, 1);
	if (!err)
		err = items_load(op, &s, leaf, 0);
	if (!err)
		err = items_insert(op, &s, item, &index);
	if (!err && bytes_of(&s, 0, s.count) > capacity(op)) {
		err = split(op, &s, index, leaf, &way);
	} else if (!err) {
		pack(op, &s, 0, s.count, leaf);
		if (index == s.count - 1)
			err = da_fix_up(op, &way, way.depth, item->hash);
	}
	items_close(&s);
	return err;
}

int attr_tree_add(struct da_op *op, const struct attr *attr)
{
	struct attr_list list;
	int err;

	attr_list_open(op->vol->env, &list);
	err = attr_list_add(&list, attr);
	if (!err)
		err = add_item(op, list.first);
	attr_list_close(&list);
	return err;
}

/* ---- removing ---- */

/* All of `right` to `left`, its neighbour below the same node. */
static int join(struct da_op *op, struct items *s, struct txn_buf *left, struct txn_buf *right,
		struct da_way *way)
{
	int err;

	pack(op, s, 0, s->count, left);
	err = da_fix_up(op, way, way->depth, da_last_hash(left));
	if (err)
		return err;
	way->leaf = be32_get(((struct da_info *)left->data)->forw);
	way->step[way->depth - 1].index++;
	return da_leaf_remove(op, way, right);
}

/* The way to the leaf on one side of that of the way; -ENOENT: there is none below this node. */
static int beside(struct da_op *op, const struct da_way *way, bool right, struct da_way *out)
{
	const struct da_step *s = &way->step[way->depth - 1];
	struct txn_buf *node;
	u32 count, index;
	int err = da_block_get(op, META_ATTRNODE, s->off, &node);

	if (err)
		return err;
	count = da_node_count(node->data, node->size);
	if (right ? s->index + 1 >= count : !s->index)
		return -ENOENT;
	index = right ? s->index + 1 : s->index - 1;
	*out = *way;
	out->step[way->depth - 1].index = index;
	out->leaf = be32_get(da_node_entries(node->data)[index].before);
	return 0;
}

static int join_with(struct da_op *op, struct da_way *way, struct txn_buf *leaf, bool right,
		     bool *done)
{
	struct items s = {.env = op->vol->env};
	struct txn_buf *other, *left, *behind;
	struct da_way there;
	int err = beside(op, way, right, &there);

	if (err == -ENOENT)
		return 0;
	if (!err)
		err = leaf_get(op, there.leaf, &other);
	if (err)
		return err;
	left = right ? leaf : other;
	behind = right ? other : leaf;
	err = items_open(op, &s, 2);
	if (!err)
		err = items_load(op, &s, left, 0);
	if (!err)
		err = items_load(op, &s, behind, 1);
	*done = !err && bytes_of(&s, 0, s.count) <= capacity(op) / 4 * 3;
	if (*done)
		err = join(op, &s, left, behind, right ? way : &there);
	items_close(&s);
	return err;
}

static int remove_item(struct da_op *op, struct da_way *way, struct txn_buf *leaf, u32 index)
{
	struct items s;
	u32 last, rest = 0;
	bool done = false;
	int err = items_open(op, &s, 1);

	if (!err)
		err = items_load(op, &s, leaf, 0);
	if (!err && s.count == 1 && way->depth) {
		items_close(&s);
		return da_leaf_remove(op, way, leaf);
	}
	if (!err) {
		last = --s.count;
		memmove(s.item + index, s.item + index + 1, (last - index) * sizeof(*s.item));
		pack(op, &s, 0, s.count, leaf);
		rest = bytes_of(&s, 0, s.count);
		if (index == last && last)
			err = da_fix_up(op, way, way->depth, da_last_hash(leaf));
	}
	items_close(&s);
	if (err || !way->depth || rest >= capacity(op) / 2)
		return err;
	err = join_with(op, way, leaf, true, &done);
	return err || done ? err : join_with(op, way, leaf, false, &done);
}

int attr_tree_remove(struct da_op *op, const struct attr *attr)
{
	struct attr_slot slot = {0};
	struct txn_buf *leaf;
	struct da_way way;
	u32 index = 0;
	int err = find(op, attr, &way, &leaf, &index, &slot);
	u64 off = slot.value_block;

	if (!err && !attr_is_local(&slot))
		err = da_blocks_free(op, off, off + attr_remote_blocks(op->g, slot.value_length));
	return err ? err : remove_item(op, &way, leaf, index);
}
