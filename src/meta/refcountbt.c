/*
 * The reference count btree: shared blocks, and blocks staged for copy-on-write.
 *
 * A shared extent of n posts itself n times as SHARES, and once as SPACE for all who map it. A
 * staged one is owned by nobody else, so it posts as owner.
 *
 * In a commit, where not all who share are at hand, every mapping posts SPACE, and a record of n
 * takes n - 1 of them back: that is linear, and balances a change of any side by itself.
 */
#include "meta/findings.h"
#include "meta/rebuild.h"
#include "meta/tree.h"

#include <stdio.h>

static bool refcountbt_present(const struct geometry *g)
{
	return geometry_has(g, FEATURE_REFLINK);
}

static void refcount_low(const void *record, struct btree_key *key)
{
	const struct refcount_key *k = record; /* a record begins with its key */

	*key = (struct btree_key){{be32_get(k->startblock), 0, 0}};
}

static u64 record_end(const void *record)
{
	const struct refcount_rec *r = record;

	return (u64)be32_get(r->startblock) + be32_get(r->blockcount);
}

/* Of one domain (the top bit of the start) and one count. */
static bool mergeable(const void *left, const void *right)
{
	const struct refcount_rec *l = left, *r = right;
	u64 blocks = (u64)be32_get(l->blockcount) + be32_get(r->blockcount);

	return record_end(left) == be32_get(r->startblock) && blocks < NULL32 &&
	       be32_get(l->refcount) == be32_get(r->refcount);
}

static const struct btree_schema schema = {
    .name = "refcountbt",
    .record_size = sizeof(struct refcount_rec),
    .key_size = sizeof(struct refcount_key),
    .ptr_size = 4,
    .record_key = refcount_low,
    .key_load = refcount_low,
    .record_end = record_end,
    .mergeable = mergeable,
    .merge = FOUND(REFCOUNT_MERGE),
    .record_layout = &refcount_rec_layout,
    .key_layout = &refcount_key_layout,
};

static void refcountbt_parts(const struct geometry *g, const void *block, u32 len,
			     struct part_sink *sink)
{
	(void)g;
	btree_parts(&schema, block, len, sink);
}

static void check_record(struct verdict *v, const struct geometry *g, u32 index,
			 const struct refcount_rec *r)
{
	u32 start = be32_get(r->startblock), count = be32_get(r->refcount);
	bool cow = start & REFCOUNT_COW;
	char field[FIELD_INDEX_TEXT];

	tree_extent_rule(v, g, index, start & ~REFCOUNT_COW, be32_get(r->blockcount),
			 FOUND(REFCOUNT_EXTENT));
	if (cow && count != 1)
		raise_u64(v, FOUND(REFCOUNT_COW_COUNT), field_index(field, "recs", index), count,
			  1);
	if (!cow && (count < 2 || count > REFCOUNT_MAX))
		raise_value(v, FOUND(REFCOUNT_COUNT), field_index(field, "recs", index), count);
}

static void refcountbt_rules(struct verdict *v, const struct geometry *g, const void *block,
			     u32 len)
{
	struct btree_block b = btree_block_of(&schema, block, len);

	tree_rules(v, g, &schema, block, len);
	for (u32 i = 0; !b.level && i < b.count; i++)
		check_record(v, g, i, btree_record(&b, i));
}

static int refcountbt_leaf(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
{
	u32 ag = ref->where.ag;
	const struct fact space = {{ag, 0, 0, 0}};

	for (u32 i = 0; i < b->count; i++) {
		const struct refcount_rec *r = btree_record(b, i);
		u32 start = be32_get(r->startblock), blocks = be32_get(r->blockcount);
		u32 count = be32_get(r->refcount);
		const struct fact shared = {{ag, count, 0, 0}};

		if (start & REFCOUNT_COW) {
			sweep_own(sweep, ag, start & ~REFCOUNT_COW, blocks, (u64)RMAP_OWN_COW, 0);
			continue;
		}
		sweep_post_range(sweep, ACCOUNT_SHARES, SIDE_RIGHT, &shared, start, blocks, count);
		sweep_post_range(sweep, ACCOUNT_SPACE, SIDE_LEFT, &space, start, blocks, 1);
	}
	return 0;
}

static void take_back(struct sweep *sweep, u32 ag, const void *record)
{
	const struct refcount_rec *r = record;
	u32 start = be32_get(r->startblock), blocks = be32_get(r->blockcount);
	const struct fact space = {{ag, 0, 0, 0}};

	if (start & REFCOUNT_COW)
		sweep_own(sweep, ag, start & ~REFCOUNT_COW, blocks, (u64)RMAP_OWN_COW, 0);
	else
		sweep_post_range(sweep, ACCOUNT_SPACE, SIDE_LEFT, &space, start, blocks,
				 1 - (s64)be32_get(r->refcount));
}

static void changed(struct sweep *sweep, const struct txn_change *c, const void *before,
		    const void *after)
{
	guard_both(sweep, c->where->ag, before, after, take_back);
}

static const struct tree_use use = {(u64)RMAP_OWN_REFC, COUNTER_AGF_REFCOUNT_BLOCKS, false,
				    refcountbt_leaf, changed};

static int refcountbt_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	return tree_post(sweep, ref, block, len, &use);
}

static int refcountbt_change(struct sweep *sweep, const struct txn_change *c)
{
	return tree_change(sweep, c, &use);
}

const struct meta_type meta_refcountbt = {
    .id = META_REFCOUNTBT,
    .name = "refcountbt",
    .title = "reference count btree",
    .scope = SCOPE_AG,
    .class = CLASS_SECONDARY,
    .magic = REFCOUNTBT_MAGIC,
    .magic_width = 4,
    .present = refcountbt_present,
    TREE_SHORT_OFFSETS,
    .size = tree_block_size,
    .layout = &btree_short_layout,
    .parts = refcountbt_parts,
    .rules = refcountbt_rules,
    .post = refcountbt_post,
    .change = refcountbt_change,
    .btree = &schema,
    .root = {META_AGF, "refcount_root", 0},
    .needs_check = 1ull << META_AGF,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(REFCNTBT),
    .rebuilt_from = "the maps of files",
    .else_from = "the reverse map, for inodes that cannot be read",
    .kernel_scrub = "xchk_refcountbt",
};
