/*
 * Bulk loading; see bulk.h.
 *
 * One level at a time: the entries of a level (for leaves the caller's records, for nodes keys and
 * pointers of the level below) are spread evenly over its blocks, so that each has the minimum
 * whenever the level has two blocks or more.
 */
#include "btree/bulk.h"

#include "base/trail.h"
#include "btree/bnode.h"
#include "format/inode.h"

#include <assert.h>
#include <errno.h>

/* What a node says of a block below it. */
struct child {
	u8 keys[BTREE_ENTRY_MAX];
	u64 ptr;
};

/* How many blocks take `entries`, of which max fit into one. */
static u64 blocks_for(u64 entries, u32 max, u32 percent)
{
	u32 least = max / 2;
	u64 each = max_u64(1, (u64)max * percent / 100);
	u64 count = div_up_u64(entries, each);

	if (!max || entries <= max)
		return 1;
	if (least && count > entries / least)
		count = entries / least;
	return max_u64(count, div_up_u64(entries, max));
}

/* Levels until one has no more than `most` blocks. */
static void shape_up_to(const struct btree_schema *schema, u32 block_size, u64 records, u32 percent,
			u64 most, struct bulk_shape *out)
{
	u32 leaf = btree_max_records(schema, block_size), node = btree_max_ptrs(schema, block_size);
	u64 entries = records;

	*out = (struct bulk_shape){0};
	do {
		u64 blocks = blocks_for(entries, out->levels ? node : leaf, percent);

		out->blocks[out->levels++] = blocks;
		out->total += blocks;
		entries = blocks;
	} while (entries > most && out->levels < BTREE_LEVELS_MAX);
}

void bulk_shape(const struct btree_schema *schema, u32 block_size, u64 records, u32 percent,
		struct bulk_shape *out)
{
	shape_up_to(schema, block_size, records, percent, 1, out);
}

/* Pointers that fit into a root in a fork. */
static u32 root_room(u32 size)
{
	return (size - (u32)sizeof(struct bmdr)) / (u32)BMDR_ENTRY_SIZE;
}

void bulk_shape_inode(const struct btree_schema *schema, u32 block_size, u64 records, u32 size,
		      u32 percent, struct bulk_shape *out)
{
	shape_up_to(schema, block_size, records, percent, root_room(size), out);
}

struct level {
	struct bulk *bulk;
	const struct child *below; /* NULL for leaves */
	struct child *made;
	u32 number;
	u64 entries, next; /* of the level, and how many have been put */
};

static int put_entries(struct level *l, struct bnode *n, u64 count)
{
	struct bulk *b = l->bulk;
	u8 record[BTREE_ENTRY_MAX];

	for (u64 i = 0; i < count; i++, l->next++) {
		const u8 *entry = record;
		u64 ptr = NULL64;
		int err = 0;

		if (l->below) {
			entry = l->below[l->next].keys;
			ptr = l->below[l->next].ptr;
		} else {
			err = b->record(b->arg, record);
		}
		if (err)
			return err;
		bnode_put(b->tree, n, (u32)i, entry, ptr);
	}
	return 0;
}

static int build_level(struct level *l)
{
	struct bulk *b = l->bulk;
	u64 blocks = b->shape->blocks[l->number], left = NULL64, ptr, next = NULL64;
	int err = b->block(b->arg, &ptr);

	for (u64 i = 0; i < blocks && !err; i++) {
		u64 count = l->entries / blocks + (i < l->entries % blocks);
		struct bnode n;

		if (i + 1 < blocks)
			err = b->block(b->arg, &next);
		if (!err)
			err = bnode_new(b->tree, ptr, l->number, &n);
		if (!err)
			err = put_entries(l, &n, count);
		if (err)
			return err;
		bnode_set_sibling(b->tree, &n, false, left);
		bnode_set_sibling(b->tree, &n, true, i + 1 < blocks ? next : NULL64);
		l->made[i].ptr = ptr;
		if (count)
			bnode_keys(b->tree, &n, l->made[i].keys);
		left = ptr;
		ptr = next;
		if (b->pause)
			err = b->pause(b->arg, b->tree);
	}
	return err;
}

/* All levels; *top: what the highest leads to, to be freed. */
static int build_levels(struct bulk *b, struct child **top)
{
	struct child *below = NULL;
	u64 entries = b->records;
	int err = 0;

	assert(b->shape->levels); /* an empty tree has a root, too */
	for (u32 i = 0; i < b->shape->levels && !err; i++) {
		struct level l = {
		    .bulk = b,
		    .below = below,
		    .number = i,
		    .entries = entries,
		    .made = env_array(b->env, b->shape->blocks[i], sizeof(struct child)),
		};

		err = l.made ? build_level(&l) : fail(-ENOMEM, "building a tree: out of memory");
		env_free(b->env, below);
		below = l.made;
		entries = b->shape->blocks[i];
	}
	*top = below;
	return err;
}

int bulk_build(struct bulk *b)
{
	struct child *top;
	int err = build_levels(b, &top);

	if (!err && top) {
		b->tree->root = top[0].ptr;
		b->tree->levels = b->shape->levels;
	}
	env_free(b->env, top);
	return err;
}

int bulk_build_inode(struct bulk *b, u8 *fork, u32 size)
{
	u32 levels = b->shape->levels, count = (u32)b->shape->blocks[levels - 1];
	struct bmdr *root = (struct bmdr *)fork;
	struct bmbt_key *keys = (struct bmbt_key *)(root + 1);
	struct be64 *ptrs = (struct be64 *)(keys + root_room(size));
	struct child *top;
	int err = build_levels(b, &top);

	if (!err && top) {
		root->level = be16_make((u16)levels);
		root->numrecs = be16_make((u16)count);
		for (u32 i = 0; i < count; i++) {
			memcpy(&keys[i], top[i].keys, sizeof(keys[i]));
			ptrs[i] = be64_make(top[i].ptr);
		}
	}
	env_free(b->env, top);
	return err;
}
