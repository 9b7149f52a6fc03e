/* The free inode btree: the chunks that have free inodes, again. */
#include "meta/inobt_common.h"
#include "meta/rebuild.h"

static bool finobt_present(const struct geometry *g)
{
	return geometry_has(g, FEATURE_FINOBT);
}

static void finobt_parts(const struct geometry *g, const void *block, u32 len,
			 struct part_sink *sink)
{
	(void)g;
	btree_parts(&finobt_schema, block, len, sink);
}

static void finobt_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	inobt_rules(v, g, &finobt_schema, block, len);
}

static void post_record(struct sweep *sweep, u32 ag, const void *record)
{
	struct inode_record r;
	struct fact fact;

	inode_record_load(sweep->g, record, &r);
	fact = free_inode_fact(ag, &r);
	sweep_post(sweep, ACCOUNT_FREE_INODES, SIDE_RIGHT, &fact, 1);
}

static int finobt_leaf(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
{
	for (u32 i = 0; i < b->count; i++)
		post_record(sweep, ref->where.ag, btree_record(b, i));
	return 0;
}

static void changed(struct sweep *sweep, const struct txn_change *c, const void *before,
		    const void *after)
{
	guard_both(sweep, c->where->ag, before, after, post_record);
}

static struct tree_use use_of(const struct sweep *sweep)
{
	return (struct tree_use){(u64)RMAP_OWN_INOBT,
				 geometry_has(sweep->g, FEATURE_INOBTCOUNT) ? COUNTER_AGI_FBLOCKS
									    : COUNTER_COUNT,
				 false, finobt_leaf, changed};
}

static int finobt_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	const struct tree_use use = use_of(sweep);

	return tree_post(sweep, ref, block, len, &use);
}

static int finobt_change(struct sweep *sweep, const struct txn_change *c)
{
	const struct tree_use use = use_of(sweep);

	return tree_change(sweep, c, &use);
}

const struct meta_type meta_finobt = {
    .id = META_FINOBT,
    .name = "finobt",
    .title = "free inode btree",
    .scope = SCOPE_AG,
    .class = CLASS_SECONDARY,
    .magic = FINOBT_MAGIC,
    .magic_width = 4,
    .present = finobt_present,
    TREE_SHORT_OFFSETS,
    .size = tree_block_size,
    .layout = &btree_short_layout,
    .parts = finobt_parts,
    .rules = finobt_rules,
    .post = finobt_post,
    .change = finobt_change,
    .btree = &finobt_schema,
    .root = {META_AGI, "free_root", 0},
    .needs_check = 1ull << META_AGI,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(FINOBT),
    .rebuilt_from = "the inobt",
    .else_from = "the inodes in the blocks",
    .kernel_scrub = "xchk_iallocbt",
};
