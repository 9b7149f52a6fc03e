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

static void post_record(struct sweep *sweep, u32 ag, const void *record)
{
	const struct alloc_rec *r = record;
	const struct fact free = {{ag, be32_get(r->startblock), be32_get(r->blockcount), 0}};

	sweep_post(sweep, ACCOUNT_FREE, SIDE_RIGHT, &free, 1);
}

/* ref->arg[0]: the longest free extent, as the AGF has it; the last record of the tree is it. */
static int cntbt_leaf(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
{
	u32 ag = ref->where.ag, longest = 0;

	for (u32 i = 0; i < b->count; i++) {
		const struct alloc_rec *r = btree_record(b, i);

		longest = be32_get(r->blockcount);
		post_record(sweep, ag, r);
	}
	if (ref->right == NULL64 && longest != ref->arg[0])
		raise_u64(sweep->verdict, FOUND(CNTBT_LONGEST), NULL, longest, ref->arg[0]);
	return 0;
}

static void changed(struct sweep *sweep, const struct txn_change *c, const void *before,
		    const void *after)
{
	guard_both(sweep, c->where->ag, before, after, post_record);
}

static const struct tree_use use = {(u64)RMAP_OWN_AG, COUNTER_COUNT, true, cntbt_leaf, changed};

static int cntbt_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	return tree_post(sweep, ref, block, len, &use);
}

/* What the last leaf of the tree says is the longest; NULL64 for any other block. */
static u64 longest_of(const u8 *block, u32 len)
{
	struct btree_block b;

	if (!block)
		return NULL64;
	b = btree_block_of(&schema, block, len);
	if (b.level || btree_right(&b) != NULL64)
		return NULL64;
	return b.count
		   ? be32_get(((const struct alloc_rec *)btree_record(&b, b.count - 1))->blockcount)
		   : 0;
}

static int cntbt_change(struct sweep *sweep, const struct txn_change *c)
{
	u64 longest[2] = {longest_of(c->before, c->size), longest_of(c->after, c->size)};

	for (u32 i = 0; i < 2 && longest[0] != longest[1]; i++) {
		const struct fact fact = {{c->where->ag, longest[i], 0, 0}};

		if (longest[i] != NULL64)
			sweep_post(sweep, ACCOUNT_LONGEST, SIDE_RIGHT, &fact, i ? 1 : -1);
	}
	return tree_change(sweep, c, &use);
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
    .change = cntbt_change,
    .btree = &schema,
    .root = {META_AGF, "roots", AGF_CNT},
    .needs_check = 1ull << META_AGF,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(CNTBT),
    .rebuilt_from = "what inodes, headers and trees own: the rest is free",
    .else_from = "the reverse map, for inodes that cannot be read",
    .kernel_scrub = "xchk_allocbt",
};
