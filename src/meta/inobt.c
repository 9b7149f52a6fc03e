/*
 * The inode btree: which chunks of inodes there are.
 *
 * Each allocated piece of a chunk is pushed as an object of type `inodes`:
 * ref.arg[0] first agino of the piece, [1] mask of its inodes, [2] agino of the record, [3] free
 * mask of the record.
 */
#include "base/trail.h"
#include "fs/inode.h"
#include "meta/inobt_common.h"
#include "meta/rebuild.h"

static void inobt_parts(const struct geometry *g, const void *block, u32 len,
			struct part_sink *sink)
{
	(void)g;
	btree_parts(&inobt_schema, block, len, sink);
}

static void rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	inobt_rules(v, g, &inobt_schema, block, len);
}

/* Inodes [first, first + count) of the record are there, without a hole. */
static int push_piece(struct sweep *sweep, u32 ag, const struct inode_record *r, u32 first,
		      u32 count)
{
	const struct geometry *g = sweep->g;
	u32 agino = r->startino + first, bno = agino_bno(g, agino);
	u64 mask = (count == 64 ? NULL64 : (1ull << count) - 1) << first;
	const struct meta_type *type = vol_type(sweep->vol, META_INODES);
	const struct fact used = {{ag, r->startino, mask & ~r->free, 0}};
	struct ref ref = {
	    .type = type, .once = true, .level = -1, .arg = {agino, mask, r->startino, r->free}};

	if (!agino_valid(g, ag, agino) || !agino_valid(g, ag, agino + count - 1))
		return 0; /* the record's rules have said so */
	sweep_post(sweep, ACCOUNT_INODES, SIDE_LEFT, &used, 1);
	/* Where a block holds more inodes than a record, the first record of the block owns it. */
	if (!(agino & (g->inodes_per_block - 1)))
		sweep_own(sweep, ag, bno, (u32)div_up_u64(count, g->inodes_per_block),
			  (u64)RMAP_OWN_INODES, 0);
	ref.at = agblock_daddr(g, ag, bno);
	ref.at.v += (u64)(agino & (g->inodes_per_block - 1)) << g->inode_log;
	ref.size = count << g->inode_log;
	ref.where = (struct where){
	    .type = type->name, .ag = ag, .ino = NO_INO, .daddr = ref.at.v, .owner = NO_OWNER};
	return sweep_push(sweep, &ref);
}

static int push_chunk(struct sweep *sweep, u32 ag, const struct inode_record *r)
{
	for (u32 first = 0; first < CHUNK_INODES;) {
		u32 count = 0;
		int err;

		if (r->holes >> first & 1) {
			first++;
			continue;
		}
		while (first + count < CHUNK_INODES && !(r->holes >> (first + count) & 1))
			count++;
		err = push_piece(sweep, ag, r, first, count);
		if (err)
			return err;
		first += count;
	}
	return 0;
}

int inobt_push_found(struct sweep *sweep, u32 ag)
{
	const struct found_chunks *found = &sweep->found[ag];
	int err = 0;

	for (u32 i = 0; i < found->count && !err; i++) {
		struct inode_record r = {.startino = found->chunk[i].startino,
					 .holes = found->chunk[i].holes,
					 .free = found->chunk[i].holes};

		err = push_chunk(sweep, ag, &r);
	}
	return err;
}

static int inobt_leaf(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
{
	u32 ag = ref->where.ag;
	s64 count = 0, free = 0;
	int err = 0;

	for (u32 i = 0; !err && i < b->count; i++) {
		struct inode_record r;

		inode_record_load(sweep->g, btree_record(b, i), &r);
		count += r.count;
		free += r.freecount;
		if (geometry_has(sweep->g, FEATURE_FINOBT) && r.freecount) {
			struct fact fact = free_inode_fact(ag, &r);

			sweep_post(sweep, ACCOUNT_FREE_INODES, SIDE_LEFT, &fact, 1);
		}
		err = push_chunk(sweep, ag, &r);
	}
	tree_count(sweep, COUNTER_AGI_COUNT, ag, SIDE_LEFT, count);
	tree_count(sweep, COUNTER_AGI_FREECOUNT, ag, SIDE_LEFT, free);
	return err;
}

/* ---- in a commit ---- */

/* Each block of the chunk belongs to the inodes when one of it is there. */
static void own_chunk(struct sweep *sweep, u32 ag, const struct inode_record *r)
{
	const struct geometry *g = sweep->g;

	for (u32 i = 0; i < CHUNK_INODES; i += g->inodes_per_block) {
		u32 agino = r->startino + i;

		if (!(r->holes >> i & 1) && !(agino & (g->inodes_per_block - 1)))
			sweep_own(sweep, ag, agino_bno(g, agino), 1, (u64)RMAP_OWN_INODES, 0);
	}
}

static void post_free(struct sweep *sweep, u32 ag, const struct inode_record *r)
{
	struct fact fact;

	if (!geometry_has(sweep->g, FEATURE_FINOBT) || !r->freecount)
		return;
	fact = free_inode_fact(ag, r);
	sweep_post(sweep, ACCOUNT_FREE_INODES, SIDE_LEFT, &fact, 1);
}

/* The inodes of [startino, startino + 64) that were not there before: a record that comes to a
 * block may have been in another one. */
static u64 new_inodes(struct sweep *sweep, u32 ag, const struct inode_record *was,
		      const struct inode_record *is)
{
	u64 made = was->holes & ~is->holes;
	struct inode_record r;
	struct inobt_rec rec;

	if (!made || ~was->holes)
		return made;
	if (inode_chunk(guard_vol(sweep, false), ag, is->startino, &rec)) {
		trail_clear();
		return made;
	}
	inode_record_load(sweep->g, &rec, &r);
	return r.startino == is->startino ? made & r.holes : made;
}

/* An inode that is new must have been made in this transaction. */
static void expect_inode(struct sweep *sweep, u32 ag, u32 agino)
{
	const struct fact there = {{ag, agino, 0, 1}};

	sweep_post(sweep, ACCOUNT_INODES, SIDE_LEFT, &there, 1);
	if (guard_dinode(sweep, inum_make(sweep->g, ag, agino), true))
		sweep_post(sweep, ACCOUNT_INODES, SIDE_RIGHT, &there, 1);
}

/* Inode by inode: inode_change.c does the same. A record that is not there has holes alone. */
static void change_used(struct sweep *sweep, u32 ag, const struct inode_record *was,
			const struct inode_record *is)
{
	u64 before = ~was->free & ~was->holes, after = ~is->free & ~is->holes;

	for (u64 left = before ^ after; left; left &= left - 1) {
		u32 i = (u32)__builtin_ctzll(left);
		const struct fact used = {{ag, is->startino + i, 1, 0}};

		sweep_post(sweep, ACCOUNT_INODES, SIDE_LEFT, &used, after >> i & 1 ? 1 : -1);
	}
	for (u64 left = new_inodes(sweep, ag, was, is); left; left &= left - 1)
		expect_inode(sweep, ag, is->startino + (u32)__builtin_ctzll(left));
}

static void load_or_none(const struct geometry *g, const void *record, struct inode_record *out)
{
	if (record)
		inode_record_load(g, record, out);
	else
		*out = (struct inode_record){.free = NULL64, .holes = NULL64};
}

static void change_record(struct sweep *sweep, u32 ag, const void *before, const void *after)
{
	struct inode_record was, is;

	load_or_none(sweep->g, before, &was);
	load_or_none(sweep->g, after, &is);
	if (!before)
		was.startino = is.startino;
	if (!after)
		is.startino = was.startino;
	for (u32 i = 0; i < 2; i++) {
		sweep->times = i ? 1 : -1;
		if (was.holes != is.holes)
			own_chunk(sweep, ag, i ? &is : &was);
		post_free(sweep, ag, i ? &is : &was);
	}
	change_used(sweep, ag, &was, &is);
	tree_change_count(sweep, COUNTER_AGI_COUNT, ag, SIDE_LEFT, was.count, is.count);
	tree_change_count(sweep, COUNTER_AGI_FREECOUNT, ag, SIDE_LEFT, was.freecount, is.freecount);
}

/* A record that stays where it is has become other; another one in its place has come for it. */
static void changed(struct sweep *sweep, const struct txn_change *c, const void *before,
		    const void *after)
{
	const struct inobt_rec *was = before, *is = after;
	u32 ag = c->where->ag;

	if (!was || !is || be32_get(was->startino) == be32_get(is->startino)) {
		change_record(sweep, ag, before, after);
		return;
	}
	change_record(sweep, ag, before, NULL);
	change_record(sweep, ag, NULL, after);
}

static struct tree_use use_of(const struct sweep *sweep)
{
	return (struct tree_use){(u64)RMAP_OWN_INOBT,
				 geometry_has(sweep->g, FEATURE_INOBTCOUNT) ? COUNTER_AGI_IBLOCKS
									    : COUNTER_COUNT,
				 false, inobt_leaf, changed};
}

static int inobt_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	const struct tree_use use = use_of(sweep);

	return tree_post(sweep, ref, block, len, &use);
}

static int inobt_change(struct sweep *sweep, const struct txn_change *c)
{
	const struct tree_use use = use_of(sweep);

	return tree_change(sweep, c, &use);
}

const struct meta_type meta_inobt = {
    .id = META_INOBT,
    .name = "inobt",
    .title = "inode btree",
    .scope = SCOPE_AG,
    .class = CLASS_PRIMARY,
    .magic = INOBT_MAGIC,
    .magic_width = 4,
    TREE_SHORT_OFFSETS,
    .size = tree_block_size,
    .layout = &btree_short_layout,
    .parts = inobt_parts,
    .rules = rules,
    .post = inobt_post,
    .change = inobt_change,
    .btree = &inobt_schema,
    .root = {META_AGI, "root", 0},
    .needs_check = 1ull << META_AGI,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(INOBT),
    .rebuilt_from = "the inodes in the blocks that the reverse map gives to inodes",
    .else_from = "without it, in all blocks that the bnobt does not say are free",
    .kernel_scrub = "xchk_iallocbt",
};
