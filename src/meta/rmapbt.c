/*
 * The reverse map: who owns each block.
 *
 * Keys order by (start, owner, offset with its fork and btree flags); the unwritten flag is no part
 * of a key, and old kernels left it in the keys of nodes.
 */
#include "format/ag.h"
#include "meta/findings.h"
#include "meta/rebuild.h"
#include "meta/tree.h"

#include <stdio.h>

static bool rmapbt_present(const struct geometry *g)
{
	return geometry_has(g, FEATURE_RMAPBT);
}

static void low_key(const void *record, struct btree_key *key)
{
	const struct rmap_rec *r = record;

	*key = (struct btree_key){{be32_get(r->startblock), be64_get(r->owner),
				   be64_get(r->offset) & ~RMAP_OFFSET_UNWRITTEN}};
}

static void key_load(const void *at, struct btree_key *key)
{
	const struct rmap_key *k = at;

	*key = (struct btree_key){{be32_get(k->startblock), be64_get(k->owner),
				   be64_get(k->offset) & ~RMAP_OFFSET_UNWRITTEN}};
}

/* The key of the last block that the record covers. */
static void high_key(const void *record, struct btree_key *key)
{
	const struct rmap_rec *r = record;
	u64 last = be32_get(r->blockcount) - 1u;

	low_key(record, key);
	key->w[0] += last;
	if ((s64)be64_get(r->owner) >= 0 && !(be64_get(r->offset) & RMAP_OFFSET_BMBT))
		key->w[2] += last;
}

static u64 record_end(const void *record)
{
	const struct rmap_rec *r = record;

	return (u64)be32_get(r->startblock) + be32_get(r->blockcount);
}

/* Of one owner and one state, and in one line on the disk as in the file. */
static bool mergeable(const void *left, const void *right)
{
	const struct rmap_rec *l = left, *r = right;
	u64 owner = be64_get(l->owner), offset = be64_get(l->offset);

	if ((s64)owner >= 0 && !(offset & RMAP_OFFSET_BMBT))
		offset += be32_get(l->blockcount);
	return record_end(left) == be32_get(r->startblock) && owner == be64_get(r->owner) &&
	       offset == be64_get(r->offset);
}

static void key_of(const void *record, void *low, void *high)
{
	const struct rmap_rec *r = record;
	struct rmap_key *l = low, *h = high;
	struct btree_key key;

	*l = (struct rmap_key){r->startblock, r->owner,
			       be64_make(be64_get(r->offset) & ~RMAP_OFFSET_UNWRITTEN)};
	high_key(record, &key);
	*h = (struct rmap_key){be32_make((u32)key.w[0]), r->owner, be64_make(key.w[2])};
}

static const struct btree_schema schema = {
    .name = "rmapbt",
    .overlapping = true,
    .record_size = sizeof(struct rmap_rec),
    .key_size = sizeof(struct rmap_key),
    .ptr_size = 4,
    .record_key = low_key,
    .key_load = key_load,
    .record_high = high_key,
    .key_of = key_of,
    .record_end = record_end,
    .mergeable = mergeable,
    .merge = FOUND(RMAP_MERGE),
    .record_layout = &rmap_rec_layout,
    .key_layout = &rmap_key_layout,
};

static void rmapbt_parts(const struct geometry *g, const void *block, u32 len,
			 struct part_sink *sink)
{
	(void)g;
	btree_parts(&schema, block, len, sink);
}

static bool owner_valid(const struct geometry *g, u64 owner)
{
	if ((s64)owner < 0)
		return (s64)owner <= RMAP_OWN_FS && (s64)owner >= RMAP_OWN_COW;
	return inum_valid(g, inum_of(owner));
}

static void check_record(struct verdict *v, const struct geometry *g, u32 index,
			 const struct rmap_rec *r)
{
	u64 owner = be64_get(r->owner), offset = be64_get(r->offset);
	u32 bno = be32_get(r->startblock), blocks = be32_get(r->blockcount);
	bool inode = (s64)owner >= 0, bmbt = offset & RMAP_OFFSET_BMBT,
	     attr = offset & RMAP_OFFSET_ATTR;
	char field[FIELD_INDEX_TEXT];

	/* The headers of the AG are owned too, so block 0 is valid for them alone. */
	if ((s64)owner != RMAP_OWN_FS)
		tree_extent_rule(v, g, index, bno, blocks, FOUND(RMAP_EXTENT));
	else if (bno || blocks != geometry_ag_header_blocks(g))
		raise_u64(v, FOUND(RMAP_HEADERS), field_index(field, "recs", index), blocks,
			  geometry_ag_header_blocks(g));
	if (!owner_valid(g, owner))
		raise_hex(v, FOUND(RMAP_OWNER), field_index(field, "recs", index), owner, 0);
	if (offset &
	    ~(RMAP_OFFSET_ATTR | RMAP_OFFSET_BMBT | RMAP_OFFSET_UNWRITTEN | RMAP_OFFSET_MASK))
		raise_hex(v, FOUND(RMAP_RESERVED), field_index(field, "recs", index), offset,
			  offset & RMAP_OFFSET_MASK);
	if ((!inode && offset) || (bmbt && offset & (RMAP_OFFSET_UNWRITTEN | RMAP_OFFSET_MASK)) ||
	    (attr && offset & RMAP_OFFSET_UNWRITTEN))
		raise_hex(v, FOUND(RMAP_FLAGS), field_index(field, "recs", index), offset, 0);
}

static void rmapbt_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	struct btree_block b = btree_block_of(&schema, block, len);

	tree_rules(v, g, &schema, block, len);
	for (u32 i = 0; !b.level && i < b.count; i++)
		check_record(v, g, i, btree_record(&b, i));
}

static void post_record(struct sweep *sweep, u32 ag, const void *record)
{
	const struct rmap_rec *r = record;
	u32 bno = be32_get(r->startblock);
	struct fact owns = owner_fact(ag, bno, be64_get(r->owner), be64_get(r->offset));

	sweep_post_range(sweep, ACCOUNT_OWNERS, SIDE_RIGHT, &owns, bno, be32_get(r->blockcount), 1);
}

static int rmapbt_leaf(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
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

static const struct tree_use use = {(u64)RMAP_OWN_AG, COUNTER_AGF_RMAP_BLOCKS, true, rmapbt_leaf,
				    changed};

static int rmapbt_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	return tree_post(sweep, ref, block, len, &use);
}

static int rmapbt_change(struct sweep *sweep, const struct txn_change *c)
{
	return tree_change(sweep, c, &use);
}

const struct meta_type meta_rmapbt = {
    .id = META_RMAPBT,
    .name = "rmapbt",
    .title = "reverse map btree",
    .scope = SCOPE_AG,
    .class = CLASS_SECONDARY,
    .magic = RMAPBT_MAGIC,
    .magic_width = 4,
    .present = rmapbt_present,
    TREE_SHORT_OFFSETS,
    .size = tree_block_size,
    .layout = &btree_short_layout,
    .parts = rmapbt_parts,
    .rules = rmapbt_rules,
    .post = rmapbt_post,
    .change = rmapbt_change,
    .btree = &schema,
    .root = {META_AGF, "roots", AGF_RMAP},
    .needs_check = 1ull << META_AGF,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(RMAPBT),
    .rebuilt_from = "what inodes, headers and trees own",
    .kernel_scrub = "xchk_rmapbt",
};
