/* Free space by block. */
#include "format/ag.h"
#include "meta/alloc_common.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

static void bnobt_key(const void *record, struct btree_key *key)
{
	const struct alloc_rec *r = record;

	*key = (struct btree_key){{be32_get(r->startblock), be32_get(r->blockcount), 0}};
}

static u64 bnobt_end(const void *record)
{
	const struct alloc_rec *r = record;

	return (u64)be32_get(r->startblock) + be32_get(r->blockcount);
}

static bool bnobt_mergeable(const void *left, const void *right)
{
	const struct alloc_rec *r = right;

	return bnobt_end(left) == be32_get(r->startblock);
}

static const struct btree_schema schema = {
    .name = "bnobt",
    .record_size = sizeof(struct alloc_rec),
    .key_size = sizeof(struct alloc_rec),
    .ptr_size = 4,
    .record_key = bnobt_key,
    .key_load = bnobt_key,
    .record_end = bnobt_end,
    .mergeable = bnobt_mergeable,
    .merge = FOUND(FREE_MERGE),
    .record_layout = &alloc_rec_layout,
    .key_layout = &alloc_rec_layout,
};

static void bnobt_parts(const struct geometry *g, const void *block, u32 len,
			struct part_sink *sink)
{
	(void)g;
	btree_parts(&schema, block, len, sink);
}

static void bnobt_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	tree_rules(v, g, &schema, block, len);
	alloc_rules(v, g, &schema, block, len);
}

static void post_record(struct sweep *sweep, u32 ag, const void *record)
{
	const struct alloc_rec *r = record;
	u32 start = be32_get(r->startblock), blocks = be32_get(r->blockcount);
	const struct fact space = {{ag, 0, 0, 0}}, free = {{ag, start, blocks, 0}};

	sweep_post_range(sweep, ACCOUNT_SPACE, SIDE_LEFT, &space, start, blocks, 1);
	sweep_post(sweep, ACCOUNT_FREE, SIDE_LEFT, &free, 1);
}

static int bnobt_leaf(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
{
	u32 ag = ref->where.ag;
	s64 total = 0;

	for (u32 i = 0; i < b->count; i++) {
		const struct alloc_rec *r = btree_record(b, i);

		total += be32_get(r->blockcount);
		post_record(sweep, ag, r);
	}
	tree_count(sweep, COUNTER_AGF_FREEBLKS, ag, SIDE_LEFT, total);
	return 0;
}

static void changed(struct sweep *sweep, const struct txn_change *c, const void *before,
		    const void *after)
{
	const struct alloc_rec *was = before, *is = after;

	guard_both(sweep, c->where->ag, before, after, post_record);
	tree_change_count(sweep, COUNTER_AGF_FREEBLKS, c->where->ag, SIDE_LEFT,
			  was ? be32_get(was->blockcount) : 0, is ? be32_get(is->blockcount) : 0);
}

static const struct tree_use use = {(u64)RMAP_OWN_AG, COUNTER_COUNT, true, bnobt_leaf, changed};

static int bnobt_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	return tree_post(sweep, ref, block, len, &use);
}

static int bnobt_change(struct sweep *sweep, const struct txn_change *c)
{
	return tree_change(sweep, c, &use);
}

const struct meta_type meta_bnobt = {
    .id = META_BNOBT,
    .name = "bnobt",
    .title = "free space by block",
    .scope = SCOPE_AG,
    .class = CLASS_PRIMARY,
    .magic = BNOBT_MAGIC,
    .magic_width = 4,
    TREE_SHORT_OFFSETS,
    .size = tree_block_size,
    .layout = &btree_short_layout,
    .parts = bnobt_parts,
    .rules = bnobt_rules,
    .post = bnobt_post,
    .change = bnobt_change,
    .btree = &schema,
    .root = {META_AGF, "roots", AGF_BNO},
    .needs_check = 1ull << META_AGF,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(BNOBT),
    .rebuilt_from = "what inodes, headers and trees own: the rest is free",
    .else_from = "the reverse map, for inodes that cannot be read",
    .kernel_scrub = "xchk_allocbt",
};
