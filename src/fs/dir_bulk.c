/*
 * The indexes of a directory, built from its data blocks; see dir_remake.h.
 *
 * Leaves and nodes are filled to FILL_PERCENT, one level after the other. With one leaf, that is
 * the root.  In a series of transactions the new blocks lie behind all old ones in the fork, and
 * the root, which must be at its offset, is written in the last: with it comes the free index.
 */
#include "fs/dir_remake.h"

#include "base/sorter.h"
#include "base/trail.h"

#include <errno.h>

#define FILL_PERCENT 80
#define SORT_MEMORY (4u << 20)
#define NEIGHBOURS_MAX 1024 /* names with one hash that are compared */

struct pair {
	struct be32 hash, address;
};

/* A block of the level below. */
struct child {
	u32 hash, off;
};

struct bulk {
	struct dir_remake *m;
	const struct geometry *g;
	struct sorter *pairs;
	u64 count;
	u32 levels, blocks[DA_LEVELS_MAX + 1]; /* by level, leaves first */
	u64 total;
	u64 base, next; /* offsets of new blocks */
	bool series;
	struct child *child; /* of the level below */
	u32 children;
	/* Addresses of what has the same hash. */
	u32 hash, same, address[NEIGHBOURS_MAX];
	void (*twice)(void *arg, const struct dir_slot *slot);
	void *arg;
	int err;
};

/* ---- what the data blocks have ---- */

static int add_pair(struct bulk *b, u64 block, const struct dir_slot *slot)
{
	struct pair pair = {be32_make(da_hash(slot->name, slot->length)),
			    be32_make(dir_address(b->g, block, slot->offset))};

	return sorter_add(b->pairs, &pair);
}

static int read_data(struct bulk *b, u64 off, struct buf **out)
{
	struct inode inode;

	da_parse(&b->m->op, &inode);
	return da_read(&b->m->op.view, &inode, FORK_DATA, META_DIRDATA, off, out);
}

static int collect_block(void *arg, const struct da_place *place)
{
	struct bulk *b = arg;
	struct dir_slot slot;
	struct buf *buf;

	b->err = read_data(b, place->off, &buf);
	if (b->err)
		return 1;
	for (u32 at = sizeof(struct dir_data);
	     !b->err && at < buf->size && dir_data_slot(b->g, buf->data, buf->size, at, &slot);
	     at += slot.size)
		if (!slot.free)
			b->err = add_pair(b, place->off / b->g->dir_fsblocks, &slot);
	cache_put(b->m->op.view.cache, buf);
	return b->err != 0;
}

static int each_data(struct bulk *b, int (*fn)(void *arg, const struct da_place *place))
{
	struct inode inode;
	int err;

	da_parse(&b->m->op, &inode);
	b->err = 0;
	err = da_place_each(&b->m->op.view, &inode, FORK_DATA, 0, b->g->dir_leaf_off, fn, b);
	return b->err ? b->err : err < 0 ? err : 0;
}

static int collect(struct bulk *b)
{
	int err;

	sorter_close(b->pairs);
	b->pairs = NULL;
	err = sorter_open(b->m->vol->env, sizeof(struct pair), sizeof(struct pair), SORT_MEMORY,
			  &b->pairs);
	if (!err)
		err = each_data(b, collect_block);
	if (!err)
		b->count = sorter_count(b->pairs);
	return err ? err : sorter_sort(b->pairs);
}

/* ---- names that are there twice ---- */

struct name {
	u8 bytes[DIR_NAME_MAX];
	u32 length;
};

/* slot: of the block that *out holds. */
static int entry_at(struct bulk *b, u32 address, struct dir_slot *slot, struct buf **out)
{
	int err = read_data(b, dir_address_block(b->g, address) * b->g->dir_fsblocks, out);

	if (err)
		return err;
	if (dir_data_slot(b->g, (*out)->data, (*out)->size, dir_address_offset(b->g, address),
			  slot) &&
	    !slot->free)
		return 0;
	cache_put(b->m->op.view.cache, *out);
	return fail(-EUCLEAN, "directory %llu: an entry is gone", (unsigned long long)b->m->ino.v);
}

static int get_name(struct bulk *b, u32 address, struct name *name)
{
	struct dir_slot slot;
	struct buf *buf;
	int err = entry_at(b, address, &slot, &buf);

	if (err)
		return err;
	name->length = slot.length;
	memcpy(name->bytes, slot.name, slot.length);
	cache_put(b->m->op.view.cache, buf);
	return 0;
}

static int take_out(struct bulk *b, u32 address)
{
	u64 off = dir_address_block(b->g, address) * b->g->dir_fsblocks;
	struct dir_slot slot;
	struct txn_buf *buf;
	int err = dir_remake_room(b->m, b->g->dir_block_size);

	if (!err)
		err = da_block_get(&b->m->op, META_DIRDATA, off, &buf);
	if (err)
		return err;
	dir_data_slot(b->g, buf->data, buf->size, dir_address_offset(b->g, address), &slot);
	if (b->twice)
		b->twice(b->arg, &slot);
	return dir_data_take(&b->m->op, buf, buf->size, slot.offset);
}

/* *again: an entry has been taken out. */
static int compare_pair(struct bulk *b, const struct pair *pair, bool *again)
{
	u32 hash = be32_get(pair->hash), address = be32_get(pair->address);
	struct name name, other;
	int err = 0;

	if (!b->same || b->hash != hash)
		b->same = 0;
	b->hash = hash;
	if (b->same)
		err = get_name(b, address, &name);
	for (u32 i = 0; i < b->same && !err; i++) {
		err = get_name(b, b->address[i], &other);
		if (err || name.length != other.length ||
		    memcmp(name.bytes, other.bytes, name.length))
			continue;
		*again = true;
		return take_out(b, address);
	}
	if (!err && b->same < NEIGHBOURS_MAX)
		b->address[b->same++] = address;
	return err;
}

static int drop_twice(struct bulk *b)
{
	struct pair pair;
	bool again = false;
	int err = 0, more;

	b->same = 0;
	while (!err && (more = sorter_next(b->pairs, &pair)) > 0)
		err = compare_pair(b, &pair, &again);
	if (err || more < 0)
		return err ? err : more;
	return collect(b);
}

/* ---- the shape ---- */

static u32 leaf_fill(const struct bulk *b)
{
	return (u32)((b->g->dir_block_size - sizeof(struct dir_leaf)) /
		     sizeof(struct dir_leaf_entry)) *
	       FILL_PERCENT / 100;
}

static u32 node_fill(const struct bulk *b)
{
	return da_node_max(b->g->dir_block_size) * FILL_PERCENT / 100;
}

static int plan(struct bulk *b)
{
	u64 blocks = div_up_u64(b->count, leaf_fill(b));

	if (!b->count)
		return fail(-EUCLEAN, "directory %llu: has no entries",
			    (unsigned long long)b->m->ino.v);
	for (b->levels = 0;; b->levels++) {
		if (b->levels > DA_LEVELS_MAX || blocks > NULL32)
			return fail(-EFBIG, "directory %llu: too many entries",
				    (unsigned long long)b->m->ino.v);
		b->blocks[b->levels] = (u32)blocks;
		b->total += blocks;
		if (blocks == 1)
			break;
		blocks = div_up_u64(blocks, node_fill(b));
	}
	b->series = b->total * b->g->dir_block_size > b->m->most;
	b->child = env_array(b->m->vol->env, b->blocks[0], sizeof(*b->child));
	return b->child ? 0 : fail(-ENOMEM, "a directory's index: out of memory");
}

/* Blocks of [off, end) go, in as many transactions as it takes. */
static int give_back(struct bulk *b, u64 off, u64 end)
{
	int err = 0;

	while (!err && off < end) {
		struct extent e;

		err = fork_piece(&b->m->op.fork, off, end, &e);
		if (err)
			return err;
		if (e.start != NULL64) {
			e.count = min_u64(e.count, 64 * (u64)b->g->dir_fsblocks);
			err = dir_remake_room(b->m, 16u << b->g->block_log);
			if (!err)
				err = da_blocks_free(&b->m->op, e.off, e.off + e.count);
		}
		off = e.off + e.count;
	}
	return err;
}

/* Where new blocks go: behind all that is mapped of the index, or in its place. */
static int choose_base(struct bulk *b)
{
	const struct geometry *g = b->g;
	struct extent e;
	int err = 0;

	b->base = g->dir_leaf_off + g->dir_fsblocks;
	if (b->series)
		err = fork_before(&b->m->op.fork, g->dir_free_off - 1, &e);
	if (err)
		return err;
	if (b->series && e.off + e.count > b->base)
		b->base += div_up_u64(e.off + e.count - b->base, g->dir_fsblocks) * g->dir_fsblocks;
	if (b->base + b->total * g->dir_fsblocks > g->dir_free_off) {
		b->series = false;
		b->base = g->dir_leaf_off + g->dir_fsblocks;
	}
	b->next = b->base;
	if (b->series)
		return 0;
	/* From the first old block that goes to the new root, all in one. */
	err = dir_remake_room(b->m, b->total * g->dir_block_size);
	b->m->hold = true;
	return err ? err : give_back(b, g->dir_leaf_off, g->dir_free_off);
}

/* ---- blocks ---- */

/* Block i of `count` of a level; the root replaces what was there. */
static int new_block(struct bulk *b, enum meta_id id, u32 i, u32 count, struct txn_buf **buf,
		     u64 *off)
{
	u32 step = b->g->dir_fsblocks;
	struct da_info *info;
	int err = dir_remake_room(b->m, 4 * (u64)b->g->dir_block_size);

	*off = count == 1 ? b->g->dir_leaf_off : b->next;
	if (err)
		return err;
	if (count == 1)
		err = da_blocks_free(&b->m->op, *off, *off + step);
	else
		b->next += step;
	if (!err)
		err = da_block_new(&b->m->op, id, *off, buf);
	if (err)
		return err;
	info = (struct da_info *)(*buf)->data;
	info->back = be32_make(i ? (u32)*off - step : 0);
	info->forw = be32_make(i + 1 < count ? (u32)*off + step : 0);
	return 0;
}

static void add_child(struct bulk *b, u32 i, u32 hash, u64 off)
{
	b->child[i] = (struct child){hash, (u32)off};
}

static int write_leaf(struct bulk *b, u32 i, u64 *left)
{
	u64 blocks = b->blocks[0] - i;
	u32 take = (u32)div_up_u64(*left, blocks); /* all are filled alike */
	struct dir_leaf_entry *entry;
	struct txn_buf *buf;
	u64 off;
	int err = new_block(b, META_DIRLEAFN, i, b->blocks[0], &buf, &off), more = 1;

	if (err)
		return err;
	entry = (struct dir_leaf_entry *)((struct dir_leaf *)buf->data + 1);
	((struct dir_leaf *)buf->data)->count = be16_make((u16)take);
	for (u32 k = 0; k < take && more > 0; k++) {
		struct pair pair;

		more = sorter_next(b->pairs, &pair);
		entry[k] = (struct dir_leaf_entry){pair.hash, pair.address};
	}
	if (more <= 0)
		return more ? more : fail(-EIO, "a directory's index: entries are missing");
	*left -= take;
	add_child(b, i, be32_get(entry[take - 1].hashval), off);
	return 0;
}

static int write_leaves(struct bulk *b)
{
	u64 left = b->count;
	int err = 0;

	for (u32 i = 0; i < b->blocks[0] && !err; i++)
		err = write_leaf(b, i, &left);
	b->children = b->blocks[0];
	return err;
}

static int write_nodes(struct bulk *b, u32 level)
{
	u32 count = b->blocks[level], from = 0;

	for (u32 i = 0; i < count; i++) {
		u32 take = (u32)div_up_u64(b->children - from, count - i);
		struct da_node_entry *entry;
		struct da_node *node;
		struct txn_buf *buf;
		u64 off;
		int err = new_block(b, META_DIRNODE, i, count, &buf, &off);

		if (err)
			return err;
		node = (struct da_node *)buf->data;
		node->count = be16_make((u16)take);
		node->level = be16_make((u16)level);
		entry = (struct da_node_entry *)(node + 1);
		for (u32 k = 0; k < take; k++)
			entry[k] = (struct da_node_entry){be32_make(b->child[from + k].hash),
							  be32_make(b->child[from + k].off)};
		from += take;
		add_child(b, i, be32_get(entry[take - 1].hashval), off);
	}
	b->children = count;
	return 0;
}

static int set_best(void *arg, const struct da_place *place)
{
	struct bulk *b = arg;
	struct buf *buf;
	u32 best;

	b->err = read_data(b, place->off, &buf);
	if (b->err)
		return 1;
	best = dir_data_best(buf->data);
	cache_put(b->m->op.view.cache, buf);
	b->err = dir_free_set(&b->m->op, place->off / b->g->dir_fsblocks, best);
	return b->err != 0;
}

/* In the transaction in which the root has been written. */
static int write_free_index(struct bulk *b)
{
	int err = da_blocks_free(&b->m->op, b->g->dir_free_off, FILEOFF_END);

	if (!err)
		err = each_data(b, set_best);
	return err ? err : dir_fit_size(&b->m->op);
}

static int build(struct bulk *b)
{
	int err = choose_base(b);

	if (!err)
		err = write_leaves(b);
	for (u32 level = 1; level <= b->levels && !err; level++)
		err = write_nodes(b, level);
	if (!err)
		err = write_free_index(b);
	b->m->hold = false;
	if (!err && b->series)
		err = give_back(b, b->g->dir_leaf_off + b->g->dir_fsblocks, b->base);
	return err;
}

int dir_remake_index(struct dir_remake *m, void (*twice)(void *arg, const struct dir_slot *slot),
		     void *arg)
{
	struct env *env = m->vol->env;
	struct bulk *b = env_alloc(env, sizeof(*b));
	int err;

	if (!b)
		return fail(-ENOMEM, "a directory's index: out of memory");
	b->m = m;
	b->g = m->op.g;
	b->twice = twice;
	b->arg = arg;
	err = collect(b);
	if (!err)
		err = drop_twice(b);
	if (!err)
		err = plan(b);
	if (!err)
		err = build(b);
	sorter_close(b->pairs);
	env_free(env, b->child);
	env_free(env, b);
	return err;
}
