/* Free space by size. */
#include "format/ag.h"
#include "meta/alloc_common.h"
#include "meta/rebuild.h"

static void cntbt_key(const void *record, struct btree_key *key)
{
	const struct alloc_rec *r = record;

	*key = (struct btree_key){{be32_get(r->blockcount), be32_get(r->startblock), 0}};
}

static const struct btree_schema schema = {
    .name = "cntbt",
    .record_size = sizeof(struct alloc_rec),
    .key_size = sizeof(struct alloc_rec),
    .ptr_size = 4,
    .record_key = cntbt_key,
    .key_load = cntbt_key,
    .record_layout = &alloc_rec_layout,
    .key_layout = &alloc_rec_layout,
};

static void cntbt_parts(const struct geometry *g, const void *block, u32 len,
			struct part_sink *sink)
{
	(void)g;
	btree_parts(&schema, block, len, sink);
}

static void cntbt_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	tree_rules(v, g, &schema, block, len);
	alloc_rules(v, g, &schema, block, len);
}

/* ref->arg[0]: the longest free extent, as the AGF has it; the last record of the tree is it. */
static int cntbt_leaf(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
{
	u32 ag = ref->where.ag, longest = 0;

	for (u32 i = 0; i < b->count; i++) {
		const struct alloc_rec *r = btree_record(b, i);
		u32 start = be32_get(r->startblock), blocks = be32_get(r->blockcount);
		const struct fact free = {{ag, start, blocks, 0}};

		longest = blocks;
		sweep_post(sweep, ACCOUNT_FREE, SIDE_RIGHT, &free, 1);
	}
	if (ref->right == NULL64 && longest != ref->arg[0])
		raise_u64(sweep->verdict, FOUND(CNTBT_LONGEST), NULL, longest, ref->arg[0]);
	return 0;
}

static int cntbt_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	static const struct tree_use use = {(u64)RMAP_OWN_AG, COUNTER_COUNT, true, cntbt_leaf};

	return tree_post(sweep, ref, block, len, &use);
}

const struct meta_type meta_cntbt = {
    .id = META_CNTBT,
    .name = "cntbt",
    .title = "free space by size",
    .scope = SCOPE_AG,
    .class = CLASS_SECONDARY,
    .magic = CNTBT_MAGIC,
    .magic_width = 4,
    TREE_SHORT_OFFSETS,
    .size = tree_block_size,
    .layout = &btree_short_layout,
    .parts = cntbt_parts,
    .rules = cntbt_rules,
    .post = cntbt_post,
    .btree = &schema,
    .root = {META_AGF, "roots", AGF_CNT},
    .needs_check = 1ull << META_AGF,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .kernel_scrub = "xchk_allocbt",
};
