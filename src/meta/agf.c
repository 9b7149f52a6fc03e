/* The AG free space header: rules, and the trees that it roots. */
#include "format/ag.h"
#include "meta/agfl.h"
#include "meta/findings.h"
#include "meta/rebuild.h"
#include "meta/tree.h"

static u32 agf_size(const struct geometry *g)
{
	return g->sector_size;
}

static struct daddr agf_place(const struct geometry *g, u32 ag)
{
	return ag_header_daddr(g, ag, 1);
}

static void check_root(struct verdict *v, const struct geometry *g, const char *field, u32 root,
		       u32 levels)
{
	if (root < geometry_ag_header_blocks(g) || root >= geometry_ag_blocks(g, v->where.ag))
		raise_value(v, FOUND(AGF_ROOT), field, root);
	if (!levels || levels > BTREE_LEVELS_MAX)
		raise_value(v, FOUND(AGF_LEVEL), field, levels);
}

static void check_freelist(struct verdict *v, const struct geometry *g, const struct agf *agf)
{
	u32 slots = agfl_slots(g), first = be32_get(agf->flfirst), last = be32_get(agf->fllast);
	u32 count = be32_get(agf->flcount), active;

	if (first >= slots)
		raise_u64(v, FOUND(AGF_FREELIST_INDEX), "flfirst", first, slots);
	if (last >= slots)
		raise_u64(v, FOUND(AGF_FREELIST_INDEX), "fllast", last, slots);
	if (count > slots)
		raise_u64(v, FOUND(AGF_FREELIST_INDEX), "flcount", count, slots);
	if (first >= slots || last >= slots || count > slots)
		return;
	active = !count ? 0 : last >= first ? last - first + 1 : slots - first + last + 1;
	if (count != active)
		raise_u64(v, FOUND(AGF_FREELIST_COUNT), "flcount", count, active);
}

static void check_spare(struct verdict *v, const struct geometry *g, const struct agf *agf)
{
	for (u32 i = 0; i < ARRAY_COUNT(agf->spare64); i++)
		if (be64_get(agf->spare64[i]))
			raise_value(v, FOUND(AGF_SPARE), "spare64", be64_get(agf->spare64[i]));
	if (be32_get(agf->spare2))
		raise_value(v, FOUND(AGF_SPARE), "spare2", be32_get(agf->spare2));
	if (!geometry_has(g, FEATURE_RMAPBT) &&
	    (be32_get(agf->roots[AGF_RMAP]) || be32_get(agf->levels[AGF_RMAP]) ||
	     be32_get(agf->rmap_blocks)))
		raise_text(v, FOUND(AGF_UNUSED), "rmap", NULL, NULL);
	if (!geometry_has(g, FEATURE_REFLINK) &&
	    (be32_get(agf->refcount_root) || be32_get(agf->refcount_level) ||
	     be32_get(agf->refcount_blocks)))
		raise_text(v, FOUND(AGF_UNUSED), "refcount", NULL, NULL);
}

static void agf_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct agf *agf = block;
	u32 ag = v->where.ag, length = geometry_ag_blocks(g, ag);

	(void)len;
	if (be32_get(agf->versionnum) != AG_VERSION)
		raise_u64(v, FOUND(AGF_VERSION), "versionnum", be32_get(agf->versionnum),
			  AG_VERSION);
	if (be32_get(agf->seqno) != ag)
		raise_u64(v, FOUND(AGF_SEQNO), "seqno", be32_get(agf->seqno), ag);
	if (be32_get(agf->length) != length)
		raise_u64(v, FOUND(AGF_LENGTH), "length", be32_get(agf->length), length);
	check_root(v, g, "bno", be32_get(agf->roots[AGF_BNO]), be32_get(agf->levels[AGF_BNO]));
	check_root(v, g, "cnt", be32_get(agf->roots[AGF_CNT]), be32_get(agf->levels[AGF_CNT]));
	if (geometry_has(g, FEATURE_RMAPBT))
		check_root(v, g, "rmap", be32_get(agf->roots[AGF_RMAP]),
			   be32_get(agf->levels[AGF_RMAP]));
	if (geometry_has(g, FEATURE_REFLINK))
		check_root(v, g, "refcount", be32_get(agf->refcount_root),
			   be32_get(agf->refcount_level));
	check_freelist(v, g, agf);
	check_spare(v, g, agf);
	if (be32_get(agf->freeblks) > length)
		raise_u64(v, FOUND(AGF_FREEBLKS), "freeblks", be32_get(agf->freeblks), length);
	if (be32_get(agf->longest) > be32_get(agf->freeblks))
		raise_u64(v, FOUND(AGF_LONGEST), "longest", be32_get(agf->longest),
			  be32_get(agf->freeblks));
}

static void post_counters(struct sweep *sweep, const struct agf *agf, u32 ag)
{
	tree_count(sweep, COUNTER_AGF_FREEBLKS, ag, SIDE_RIGHT, be32_get(agf->freeblks));
	tree_count(sweep, COUNTER_AGF_BTREEBLKS, ag, SIDE_RIGHT, be32_get(agf->btreeblks));
	if (geometry_has(sweep->g, FEATURE_RMAPBT))
		tree_count(sweep, COUNTER_AGF_RMAP_BLOCKS, ag, SIDE_RIGHT,
			   be32_get(agf->rmap_blocks));
	if (geometry_has(sweep->g, FEATURE_REFLINK))
		tree_count(sweep, COUNTER_AGF_REFCOUNT_BLOCKS, ag, SIDE_RIGHT,
			   be32_get(agf->refcount_blocks));
	if (super_counts(sweep->vol))
		tree_count(sweep, COUNTER_FDBLOCKS, NO_AG, SIDE_LEFT,
			   (s64)be32_get(agf->freeblks) + be32_get(agf->flcount) +
			       be32_get(agf->btreeblks));
}

static int agf_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	const struct agf *agf = block;
	u32 ag = ref->where.ag;
	int err;

	(void)len;
	if (be32_get(agf->magicnum) != AGF_MAGIC)
		return 0;
	post_counters(sweep, agf, ag);
	err = tree_push_root(sweep, META_BNOBT, ag, be32_get(agf->roots[AGF_BNO]),
			     be32_get(agf->levels[AGF_BNO]), 0);
	if (!err)
		err = tree_push_root(sweep, META_CNTBT, ag, be32_get(agf->roots[AGF_CNT]),
				     be32_get(agf->levels[AGF_CNT]), be32_get(agf->longest));
	if (!err)
		err = tree_push_root(sweep, META_RMAPBT, ag, be32_get(agf->roots[AGF_RMAP]),
				     be32_get(agf->levels[AGF_RMAP]), 0);
	if (!err)
		err = tree_push_root(sweep, META_REFCOUNTBT, ag, be32_get(agf->refcount_root),
				     be32_get(agf->refcount_level), 0);
	return err;
}

/* ---- in a commit ---- */

static void change_roots(struct sweep *sweep, u32 ag, const struct agf *was, const struct agf *is)
{
	static const enum meta_id id[] = {
	    [AGF_BNO] = META_BNOBT, [AGF_CNT] = META_CNTBT, [AGF_RMAP] = META_RMAPBT};
	const u32 shared[2] = {be32_get(was->refcount_root), be32_get(is->refcount_root)};
	const u32 shared_levels[2] = {be32_get(was->refcount_level), be32_get(is->refcount_level)};

	for (u32 i = 0; i < ARRAY_COUNT(id); i++) {
		const u32 root[2] = {be32_get(was->roots[i]), be32_get(is->roots[i])};
		const u32 levels[2] = {be32_get(was->levels[i]), be32_get(is->levels[i])};

		tree_change_root(sweep, id[i], ag, root, levels);
	}
	tree_change_root(sweep, META_REFCOUNTBT, ag, shared, shared_levels);
	sweep->times = 1;
}

static void change_counter(struct sweep *sweep, enum counter counter, u32 ag, struct be32 was,
			   struct be32 is)
{
	tree_change_count(sweep, counter, ag, SIDE_RIGHT, be32_get(was), be32_get(is));
}

static u64 free_blocks(const struct agf *agf)
{
	return (u64)be32_get(agf->freeblks) + be32_get(agf->flcount) + be32_get(agf->btreeblks);
}

static int agf_change(struct sweep *sweep, const struct txn_change *c)
{
	const struct agf *was = (const struct agf *)c->before, *is = (const struct agf *)c->after;
	u32 ag = c->where->ag;

	if (!was || !is)
		return 0;
	change_roots(sweep, ag, was, is);
	change_counter(sweep, COUNTER_AGF_FREEBLKS, ag, was->freeblks, is->freeblks);
	change_counter(sweep, COUNTER_AGF_BTREEBLKS, ag, was->btreeblks, is->btreeblks);
	change_counter(sweep, COUNTER_AGF_RMAP_BLOCKS, ag, was->rmap_blocks, is->rmap_blocks);
	change_counter(sweep, COUNTER_AGF_REFCOUNT_BLOCKS, ag, was->refcount_blocks,
		       is->refcount_blocks);
	tree_change_count(sweep, COUNTER_FDBLOCKS, NO_AG, SIDE_LEFT, free_blocks(was),
			  free_blocks(is));
	for (u32 i = 0; i < 2 && be32_get(was->longest) != be32_get(is->longest); i++) {
		const struct fact fact = {{ag, be32_get(i ? is->longest : was->longest), 0, 0}};

		sweep_post(sweep, ACCOUNT_LONGEST, SIDE_LEFT, &fact, i ? 1 : -1);
	}
	return agfl_change_list(sweep, ag);
}

const struct meta_type meta_agf = {
    .id = META_AGF,
    .name = "agf",
    .title = "AG free space header",
    .scope = SCOPE_AG,
    .class = CLASS_PRIMARY,
    .magic = AGF_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct agf, crc),
    .uuid_offset = offsetof(struct agf, uuid),
    .lsn_offset = offsetof(struct agf, lsn),
    .size = agf_size,
    .place = agf_place,
    .layout = &agf_layout,
    .rules = agf_rules,
    .post = agf_post,
    .change = agf_change,
    .needs_check = 1ull << META_SUPERBLOCK,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(AGF),
    .rebuilt_from = "what owns the blocks of the AG",
    .else_from = "the reverse map, for inodes that cannot be read",
    .kernel_scrub = "xchk_agf",
};
