/*
 * Changing btrees; see modify.h.
 *
 * A change works along the path from the leaf to the root.  Whatever it does to a node, it leaves
 * the keys that the nodes above have for it right before it goes on: set_keys() for the parent
 * alone, keys_up() all the way.
 *
 *	insert: full? -> root: raise it -> neighbour has room: even out -> split, and insert the new
 *	        node one level up
 *	delete: too empty? -> join with a neighbour, and delete one node one level up -> or take
 *	        from it; a root with one child gives way to it
 */
#include "btree/modify.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "btree/bnode.h"
#include "format/inode.h"

#include <errno.h>

static u32 least(const struct bnode *n)
{
	return n->max / 2;
}

static bool is_root(const struct path *p, u32 level)
{
	return level + 1 == p->levels;
}

/* What the parent has as keys of its child `index`. True when that changed something. */
static bool set_keys(struct btree *t, struct bnode *parent, u32 index, const struct bnode *child)
{
	u8 keys[BTREE_ENTRY_MAX];
	u8 *there = bnode_entry(parent, index);

	bnode_keys(t, child, keys);
	if (!memcmp(there, keys, parent->stride))
		return false;
	txn_dirty(t->txn, parent->buf);
	memcpy(there, keys, parent->stride);
	return true;
}

static void keys_up(struct btree *t, struct path *p, u32 level)
{
	while (!is_root(p, level) &&
	       set_keys(t, &p->at[level + 1].node, p->at[level + 1].index, &p->at[level].node))
		level++;
}

static int set_root(struct btree *t, u64 ptr, u32 levels)
{
	if (levels > BTREE_LEVELS_MAX)
		return fail(-EUCLEAN, "%s: more than %u levels", t->type->name, BTREE_LEVELS_MAX);
	t->root = ptr;
	t->levels = levels;
	if (t->store->root_set)
		return t->store->root_set(t);
	return 0;
}

int btree_root_new(struct btree *t, u64 ptr)
{
	struct bnode n;
	int err = bnode_new(t, ptr, 0, &n);

	return err ? err : set_root(t, ptr, 1);
}

static void set_inode_root(struct btree *t, struct bnode *root, u32 level)
{
	struct bmdr *header = (struct bmdr *)(root->buf->data + root->at);

	txn_dirty(t->txn, root->buf);
	header->level = be16_make((u16)level);
	root->level = level;
	t->levels = level + 1;
}

/* The block's content does not matter any more. */
static int release(struct btree *t, struct bnode *n)
{
	u64 ptr = n->ptr;

	txn_drop(t->txn, n->buf);
	return t->store->release(t, ptr);
}

int btree_inline_root_new(struct btree *t, u64 ptr, const void *records, u32 count)
{
	struct bmdr *header = (struct bmdr *)(t->root_buf->data + t->root_at);
	u8 keys[BTREE_ENTRY_MAX];
	struct bnode leaf, root;
	int err = bnode_new(t, ptr, 0, &leaf);

	if (err)
		return err;
	if (!count || count > leaf.max || t->root_size < sizeof(*header) + BMDR_ENTRY_SIZE)
		return fail(-EUCLEAN, "%s: %u records do not make a tree", t->type->name, count);
	memcpy(bnode_entry(&leaf, 0), records, (size_t)count * leaf.stride);
	bnode_set_count(t, &leaf, count);
	t->levels = 2;
	txn_dirty(t->txn, t->root_buf);
	header->level = be16_make(1);
	header->numrecs = be16_make(1);
	err = bnode_root(t, &root);
	if (err)
		return err;
	bnode_keys(t, &leaf, keys);
	bnode_set_count(t, &root, 0);
	bnode_put(t, &root, 0, keys, ptr);
	return 0;
}

int btree_inline_root_end(struct btree *t, void *records, u32 room, u32 *count)
{
	struct bnode leaf, root;
	int err = bnode_root(t, &root);

	if (!err && (root.level != 1 || bnode_count(&root) != 1))
		err = fail(-EUCLEAN, "%s: the tree has more leaves than its records need",
			   t->type->name);
	if (!err)
		err = bnode_read(t, bnode_ptr(t, &root, 0), 0, &leaf);
	if (err)
		return err;
	*count = bnode_count(&leaf);
	if (*count > room)
		return fail(-EUCLEAN, "%s: %u records", t->type->name, *count);
	memcpy(records, bnode_entry(&leaf, 0), (size_t)*count * leaf.stride);
	return release(t, &leaf);
}

/* A neighbour below the same parent. *out->buf is NULL where there is none. */
static int neighbour(struct btree *t, const struct path *p, u32 level, bool right,
		     struct bnode *out)
{
	const struct bnode *parent = &p->at[level + 1].node;
	u32 index = p->at[level + 1].index;
	int err;

	out->buf = NULL;
	if (right ? index + 1 >= bnode_count(parent) : !index)
		return 0;
	err = bnode_read(t, bnode_ptr(t, parent, right ? index + 1 : index - 1), level, out);
	if (!err && out->ptr == p->at[level].node.ptr)
		err = fail(-EUCLEAN, "%s: a node points to block %llu twice", t->type->name,
			   (unsigned long long)out->ptr);
	return err;
}

/* ---- growing ---- */

/* All entries of one node to an empty one of the same level, which may be shaped otherwise. */
static void move_all(struct btree *t, struct bnode *from, struct bnode *to)
{
	u32 count = bnode_count(from);

	bnode_shift_left(t, to, from, count);
}

/* The root inside the inode is full: its entries go to a block, and it points to that. */
static int push_down(struct btree *t, struct path *p)
{
	u32 level = p->levels - 1;
	struct bnode *root = &p->at[level].node, child;
	u8 keys[BTREE_ENTRY_MAX];
	u64 ptr;
	int err = p->levels == BTREE_LEVELS_MAX
		      ? fail(-EUCLEAN, "%s: more than %u levels", t->type->name, BTREE_LEVELS_MAX)
		      : t->store->alloc(t, NULL64, &ptr);

	if (!err)
		err = bnode_new(t, ptr, level, &child);
	if (err)
		return err;
	move_all(t, root, &child);
	bnode_keys(t, &child, keys);
	set_inode_root(t, root, level + 1);
	bnode_put(t, root, 0, keys, ptr);
	p->at[level + 1].node = *root;
	p->at[level + 1].index = 0;
	p->at[level].node = child;
	p->levels++;
	return 0;
}

/* A new root block above the old one. */
static int raise_root(struct btree *t, struct path *p)
{
	const struct bnode *old = &p->at[p->levels - 1].node;
	u8 keys[BTREE_ENTRY_MAX];
	u64 ptr;
	int err;

	if (t->root_buf)
		return push_down(t, p);
	if (p->levels == BTREE_LEVELS_MAX)
		return fail(-EUCLEAN, "%s: more than %u levels", t->type->name, BTREE_LEVELS_MAX);
	err = t->store->alloc(t, old->ptr, &ptr);
	if (!err)
		err = bnode_new(t, ptr, p->levels, &p->at[p->levels].node);
	if (err)
		return err;
	bnode_keys(t, old, keys);
	bnode_put(t, &p->at[p->levels].node, 0, keys, old->ptr);
	p->at[p->levels].index = 0;
	p->levels++;
	return set_root(t, ptr, p->levels);
}

/* Half of a neighbour's room for entries of the full node at this level; then the path leads to
 * where the new entry goes. Does nothing when both neighbours are full, too. */
static int even_out(struct btree *t, struct path *p, u32 level)
{
	struct bnode *n = &p->at[level].node, *parent = &p->at[level + 1].node, other;
	u32 *index = &p->at[level].index, move, there;
	int err = neighbour(t, p, level, true, &other);

	if (!err && other.buf && bnode_count(&other) + 2 <= other.max) {
		move = (other.max - bnode_count(&other)) / 2;
		bnode_shift_right(t, n, &other, move);
		if (*index > bnode_count(n)) {
			*index -= bnode_count(n);
			set_keys(t, parent, p->at[level + 1].index, n);
			*n = other;
			p->at[level + 1].index++;
			return 0;
		}
		set_keys(t, parent, p->at[level + 1].index + 1, &other);
		return 0;
	}
	if (!err)
		err = neighbour(t, p, level, false, &other);
	if (err || !other.buf || bnode_count(&other) + 2 > other.max)
		return err;
	there = bnode_count(&other);
	move = (other.max - there) / 2;
	bnode_shift_left(t, &other, n, move);
	if (*index > move) {
		*index -= move;
		set_keys(t, parent, p->at[level + 1].index - 1, &other);
		return 0;
	}
	*index += there;
	set_keys(t, parent, p->at[level + 1].index, n);
	*n = other;
	p->at[level + 1].index--;
	return 0;
}

/* Puts `right` behind n in the chain of its level. */
static int link_right(struct btree *t, struct bnode *n, struct bnode *right)
{
	u64 after = bnode_sibling(t, n, true);
	struct bnode next;
	int err;

	bnode_set_sibling(t, right, false, n->ptr);
	bnode_set_sibling(t, right, true, after);
	bnode_set_sibling(t, n, true, right->ptr);
	if (after == NULL64)
		return 0;
	err = bnode_read(t, after, n->level, &next);
	if (!err && !MUTATE(SIBLING))
		bnode_set_sibling(t, &next, false, right->ptr);
	return err;
}

/* Puts the entry into one half of a full node; *entry and *ptr are then the other half's, for the
 * level above. */
static int split(struct btree *t, struct path *p, u32 level, u8 *entry, u64 *ptr)
{
	struct bnode *n = &p->at[level].node, right;
	u32 index = p->at[level].index;
	u64 block;
	int err = t->store->alloc(t, n->ptr, &block);

	if (!err)
		err = bnode_new(t, block, level, &right);
	if (!err)
		err = link_right(t, n, &right);
	if (err)
		return err;
	bnode_shift_right(t, n, &right, bnode_count(n) / 2);
	if (index <= bnode_count(n))
		bnode_put(t, n, index, entry, *ptr);
	else
		bnode_put(t, &right, index - bnode_count(n), entry, *ptr);
	if (!level && MUTATE(RECORD_LOST))
		bnode_take(t, &right, bnode_count(&right) - 1);
	set_keys(t, &p->at[level + 1].node, p->at[level + 1].index, n);
	bnode_keys(t, &right, entry);
	*ptr = block;
	return 0;
}

static bool full(const struct bnode *n)
{
	return bnode_count(n) >= n->max;
}

static int insert_at(struct btree *t, struct path *p, const void *record)
{
	u8 entry[BTREE_ENTRY_MAX];
	u64 ptr = NULL64;
	int err = 0;

	memcpy(entry, record, t->type->btree->record_size);
	for (u32 level = 0;; level++) {
		struct bnode *n = &p->at[level].node;

		if (full(n) && is_root(p, level))
			err = raise_root(t, p);
		if (!err && full(n))
			err = even_out(t, p, level);
		if (err)
			return err;
		if (!full(n)) {
			bnode_put(t, n, p->at[level].index, entry, ptr);
			keys_up(t, p, level);
			return 0;
		}
		err = split(t, p, level, entry, &ptr);
		if (err)
			return err;
		p->at[level + 1].index++;
	}
}

int btree_insert(struct btree *t, const void *record)
{
	struct btree_key key, there;
	struct path p;
	u32 index;
	int err;

	t->type->btree->record_key(record, &key);
	err = path_find(t, &key, &p);
	if (err)
		return err;
	index = p.at[0].index;
	if (index) {
		bnode_load_key(t, &p.at[0].node, index - 1, &there);
		if (!btree_key_compare(&there, &key))
			return fail(-EUCLEAN, "%s: there is a record of this key already: %llu",
				    t->type->name, (unsigned long long)key.w[0]);
	}
	return insert_at(t, &p, record);
}

/* ---- shrinking ---- */

/* The only child's entries fit into the root inside the inode, and are no records. */
static int pull_up(struct btree *t, struct bnode *root)
{
	struct bnode child;
	int err;

	while (root->level > 1 && bnode_count(root) == 1) {
		err = bnode_read(t, bnode_ptr(t, root, 0), root->level - 1, &child);
		if (err || bnode_count(&child) > root->max)
			return err;
		bnode_set_count(t, root, 0);
		set_inode_root(t, root, child.level);
		move_all(t, &child, root);
		err = release(t, &child);
		if (err)
			return err;
	}
	return 0;
}

static int lower_root(struct btree *t, struct path *p)
{
	struct bnode root = p->at[p->levels - 1].node;
	int err = 0;

	if (t->root_buf)
		return pull_up(t, &root);
	while (!err && root.level && bnode_count(&root) == 1) {
		struct bnode child;

		err = bnode_read(t, bnode_ptr(t, &root, 0), root.level - 1, &child);
		if (!err)
			err = set_root(t, child.ptr, root.level);
		if (!err)
			err = release(t, &root);
		root = child;
	}
	return err;
}

/* Takes `right`, which is empty now, out of the chain. */
static int unlink_right(struct btree *t, struct bnode *left, struct bnode *right)
{
	u64 after = bnode_sibling(t, right, true);
	struct bnode next;
	int err;

	bnode_set_sibling(t, left, true, after);
	if (after == NULL64)
		return 0;
	err = bnode_read(t, after, left->level, &next);
	if (!err && !MUTATE(SIBLING_STAYS))
		bnode_set_sibling(t, &next, false, left->ptr);
	return err;
}

/* Joins two neighbours of which `right` is the child `index` of the parent at hand, or evens them
 * out. *joined: `right` is gone, and its entry in the parent is to be taken out. */
static int join(struct btree *t, struct bnode *parent, u32 index, struct bnode *left,
		struct bnode *right, bool *joined)
{
	u32 a = bnode_count(left), b = bnode_count(right);
	int err = 0;

	*joined = a + b <= left->max;
	if (*joined) {
		bnode_shift_left(t, left, right, b);
		err = unlink_right(t, left, right);
		if (!err)
			err = release(t, right);
	} else if (a > b) {
		bnode_shift_right(t, left, right, (a - b) / 2);
	} else {
		bnode_shift_left(t, left, right, (b - a) / 2);
	}
	if (err)
		return err;
	set_keys(t, parent, index - 1, left);
	if (!*joined)
		set_keys(t, parent, index, right);
	return 0;
}

/* The node at `level` has too few entries. *joined as above; then the path's index in the parent is
 * that of the entry to take out. */
static int fill_up(struct btree *t, struct path *p, u32 level, bool *joined)
{
	struct bnode *n = &p->at[level].node, *parent = &p->at[level + 1].node, other;
	u32 *index = &p->at[level + 1].index;
	int err = neighbour(t, p, level, false, &other);

	*joined = false;
	if (!err && other.buf)
		return join(t, parent, *index, &other, n, joined);
	if (!err)
		err = neighbour(t, p, level, true, &other);
	if (!err && other.buf)
		return join(t, parent, ++*index, n, &other, joined);
	if (!err && !bnode_count(n))
		err = fail(-EUCLEAN, "%s: the only block %llu of its parent is empty",
			   t->type->name, (unsigned long long)n->ptr);
	if (!err)
		set_keys(t, parent, *index, n);
	return err;
}

static int delete_at(struct btree *t, struct path *p)
{
	bool joined = true;
	u32 level = 0;
	int err = 0;

	while (joined && !err) {
		struct bnode *n = &p->at[level].node;

		bnode_take(t, n, p->at[level].index);
		if (is_root(p, level))
			return lower_root(t, p);
		joined = false;
		if (bnode_count(n) < least(n))
			err = fill_up(t, p, level, &joined);
		else
			keys_up(t, p, level);
		level++;
	}
	if (err)
		return err;
	keys_up(t, p, level);
	return lower_root(t, p);
}

/* The record of this key, exactly. */
static int find_exact(struct btree *t, const struct btree_key *key, struct path *p)
{
	struct btree_key there;
	int err = path_find(t, key, p);

	if (!err)
		err = path_back(t, p);
	if (err)
		return err;
	bnode_load_key(t, &p->at[0].node, p->at[0].index, &there);
	return btree_key_compare(&there, key) ? -ENOENT : 0;
}

int btree_delete(struct btree *t, const struct btree_key *key)
{
	struct path p;
	int err = find_exact(t, key, &p);

	return err ? err : delete_at(t, &p);
}

int btree_replace(struct btree *t, const struct btree_key *key, const void *record)
{
	struct bnode *n;
	struct path p;
	int err = find_exact(t, key, &p);

	if (err)
		return err;
	n = &p.at[0].node;
	txn_dirty(t->txn, n->buf);
	memcpy(bnode_entry(n, p.at[0].index), record, n->stride);
	keys_up(t, &p, 0);
	return 0;
}
