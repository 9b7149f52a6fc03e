/*
 * How high the trees may grow; see levels.h.  Sizes and features only; nothing fails.
 */
#include "format/levels.h"

#include "format/btree.h"
#include "format/inode.h"

/* Of a tree whose blocks all hold the least that they may: levels over so many records. */
static u32 levels_over(u64 records, u32 leaf_min, u32 node_min)
{
	u64 blocks = div_up_u64(records, leaf_min);
	u32 levels = 1;

	for (; blocks > 1; levels++)
		blocks = div_up_u64(blocks, node_min);
	return levels;
}

/* The same, of a tree that cannot have more blocks than the AG. */
static u32 levels_within(u64 blocks, u32 node_min)
{
	u64 level_blocks = node_min, left = blocks - 1;
	u32 levels = 1;

	for (; level_blocks < left; levels++) {
		left -= level_blocks;
		level_blocks *= node_min;
	}
	return levels;
}

/* Half of what fits. */
static u32 least(const struct geometry *g, size_t entry)
{
	return (u32)((g->block_size - sizeof(struct btree_short)) / entry / 2);
}

static u32 rmap_levels(const struct geometry *g)
{
	const size_t pointer = sizeof(struct btree_ptr_short);
	u32 node_min = least(g, 2 * sizeof(struct rmap_key) + pointer);

	if (!geometry_has(g, FEATURE_RMAPBT))
		return 0;
	if (!geometry_has(g, FEATURE_REFLINK))
		return levels_over(g->ag_blocks, least(g, sizeof(struct rmap_rec)), node_min);
	return levels_within(g->ag_blocks, node_min);
}

struct tree_levels tree_levels_max(const struct geometry *g)
{
	const size_t pointer = sizeof(struct btree_ptr_short);
	struct tree_levels l = {
	    .alloc = levels_over((g->ag_blocks + 1ull) / 2, least(g, sizeof(struct alloc_rec)),
				 least(g, sizeof(struct alloc_rec) + pointer)),
	    .rmap = rmap_levels(g),
	    .inobt = levels_over(max_u64((1ull << g->agino_log) / INODES_PER_CHUNK, 1),
				 least(g, sizeof(struct inobt_rec)),
				 least(g, sizeof(struct inobt_key) + pointer)),
	    .data = bmap_levels_max(g, FORK_DATA),
	    .attr = bmap_levels_max(g, FORK_ATTR),
	};

	if (geometry_has(g, FEATURE_REFLINK))
		l.refcount = levels_over(g->ag_blocks, least(g, sizeof(struct refcount_rec)),
					 least(g, sizeof(struct refcount_key) + pointer));
	return l;
}

/* A root that splits: its new brother, and the block above both. */
static u32 one_change(u32 levels_max)
{
	return levels_max > 1 ? 2 : 0;
}

u32 free_list_least(const struct geometry *g)
{
	struct tree_levels l = tree_levels_max(g);

	return 2 * one_change(l.alloc) + one_change(l.rmap);
}
