/* The AG inode header: rules, the inode trees, and the lists of unlinked inodes. */
#include "base/trail.h"
#include "format/ag.h"
#include "fs/inode.h"
#include "meta/findings.h"
#include "meta/inobt_common.h"
#include "meta/rebuild.h"
#include "meta/tree.h"

#include <errno.h>
#include <stdio.h>

static u32 agi_size(const struct geometry *g)
{
	return g->sector_size;
}

static struct daddr agi_place(const struct geometry *g, u32 ag)
{
	return ag_header_daddr(g, ag, 2);
}

static void check_root(struct verdict *v, const struct geometry *g, const char *field, u32 root,
		       u32 levels)
{
	if (root < geometry_ag_header_blocks(g) || root >= geometry_ag_blocks(g, v->where.ag))
		raise_value(v, FOUND(AGI_ROOT), field, root);
	if (!levels || levels > BTREE_LEVELS_MAX)
		raise_value(v, FOUND(AGI_LEVEL), field, levels);
}

static void check_hints(struct verdict *v, const struct geometry *g, const struct agi *agi)
{
	u32 newino = be32_get(agi->newino), dirino = be32_get(agi->dirino);
	/* Chunks begin where a block does; of large blocks, each holds several. */
	u32 chunk = (u32)min_u64(g->inodes_per_block, INODES_PER_CHUNK);

	if (newino != NULL32 && !agino_valid(g, v->where.ag, newino))
		raise_value(v, FOUND(AGI_NEWINO), "newino", newino);
	else if (newino != NULL32 && newino % chunk)
		raise_value(v, FOUND(AGI_NEWINO_MIDDLE), "newino", newino);
	if (dirino != NULL32)
		raise_value(v, FOUND(AGI_DIRINO), "dirino", dirino);
	if (be32_get(agi->pad32))
		raise_value(v, FOUND(AGI_PAD), "pad32", be32_get(agi->pad32));
}

static void check_buckets(struct verdict *v, const struct geometry *g, const struct agi *agi)
{
	for (u32 i = 0; i < AGI_BUCKETS; i++) {
		u32 agino = be32_get(agi->unlinked[i]);
		char field[24];

		if (agino == NULL32 ||
		    (agino_valid(g, v->where.ag, agino) && agino % AGI_BUCKETS == i))
			continue;
		snprintf(field, sizeof(field), "unlinked[%u]", i);
		raise_value(v, FOUND(AGI_UNLINKED), field, agino);
	}
}

static void agi_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct agi *agi = block;
	u32 ag = v->where.ag, length = geometry_ag_blocks(g, ag);
	u32 count = be32_get(agi->count), free = be32_get(agi->freecount);

	(void)len;
	if (be32_get(agi->versionnum) != AG_VERSION)
		raise_u64(v, FOUND(AGI_VERSION), "versionnum", be32_get(agi->versionnum),
			  AG_VERSION);
	if (be32_get(agi->seqno) != ag)
		raise_u64(v, FOUND(AGI_SEQNO), "seqno", be32_get(agi->seqno), ag);
	if (be32_get(agi->length) != length)
		raise_u64(v, FOUND(AGI_LENGTH), "length", be32_get(agi->length), length);
	check_root(v, g, "root", be32_get(agi->root), be32_get(agi->level));
	if (geometry_has(g, FEATURE_FINOBT))
		check_root(v, g, "free_root", be32_get(agi->free_root), be32_get(agi->free_level));
	else if (be32_get(agi->free_root) || be32_get(agi->free_level))
		raise_text(v, FOUND(AGI_UNUSED), "free_root", NULL, NULL);
	if (!geometry_has(g, FEATURE_INOBTCOUNT) &&
	    (be32_get(agi->iblocks) || be32_get(agi->fblocks)))
		raise_text(v, FOUND(AGI_UNUSED), "iblocks", NULL, NULL);
	if (count > (u64)length << g->inopb_log)
		raise_u64(v, FOUND(AGI_COUNT), "count", count, (u64)length << g->inopb_log);
	if (free > count)
		raise_u64(v, FOUND(AGI_FREECOUNT), "freecount", free, count);
	check_hints(v, g, agi);
	check_buckets(v, g, agi);
}

/* From an inode to the one that follows on the list; NULL32 at its end or where it cannot be
 * followed. */
static int next_unlinked(struct sweep *sweep, u32 ag, u32 bucket, u32 *agino)
{
	struct inum ino = inum_make(sweep->g, ag, *agino);
	struct verdict *v = sweep->verdict;
	struct inode inode;
	char field[24];
	int err = inode_get(sweep->vol, ino, &inode);
	u32 next;

	*agino = NULL32;
	if (err == -ENOMEM)
		return err;
	if (err) {
		snprintf(field, sizeof(field), "unlinked[%u]", bucket);
		raise_text(v, FOUND(UNLINKED_BROKEN), field,
			   err == -ENOENT ? "an inode that is free" : trail_text(), NULL);
		return 0;
	}
	next = inode.next_unlinked;
	inode_put(sweep->vol, &inode);
	if (next == NULL32 || (agino_valid(sweep->g, ag, next) && next % AGI_BUCKETS == bucket)) {
		*agino = next;
		return 0;
	}
	snprintf(field, sizeof(field), "unlinked[%u]", bucket);
	raise_value(v, FOUND(UNLINKED_NEXT), field, next);
	return 0;
}

/* Walked, not summed: a ring that hangs off no bucket would balance. Rings are found by Brent's
 * method. */
static int walk_bucket(struct sweep *sweep, u32 ag, u32 bucket, u32 agino)
{
	u64 power = 1, steps = 0;
	u32 mark = agino;
	int err;

	while (agino != NULL32 && agino_valid(sweep->g, ag, agino)) {
		const struct fact listed = {{inum_make(sweep->g, ag, agino).v, 0, 0, 0}};

		sweep_post(sweep, ACCOUNT_UNLINKED, SIDE_LEFT, &listed, 1);
		err = next_unlinked(sweep, ag, bucket, &agino);
		if (err)
			return err;
		if (agino == mark) {
			raise_value(sweep->verdict, FOUND(UNLINKED_RING), NULL, agino);
			return 0;
		}
		if (++steps == power) {
			mark = agino;
			power *= 2;
			steps = 0;
		}
	}
	return 0;
}

static void post_counters(struct sweep *sweep, const struct agi *agi, u32 ag)
{
	s64 count = be32_get(agi->count), free = be32_get(agi->freecount);

	tree_count(sweep, COUNTER_AGI_COUNT, ag, SIDE_RIGHT, count);
	tree_count(sweep, COUNTER_AGI_FREECOUNT, ag, SIDE_RIGHT, free);
	if (geometry_has(sweep->g, FEATURE_INOBTCOUNT)) {
		tree_count(sweep, COUNTER_AGI_IBLOCKS, ag, SIDE_RIGHT, be32_get(agi->iblocks));
		tree_count(sweep, COUNTER_AGI_FBLOCKS, ag, SIDE_RIGHT, be32_get(agi->fblocks));
	}
	if (super_counts(sweep->vol)) {
		tree_count(sweep, COUNTER_ICOUNT, NO_AG, SIDE_LEFT, count);
		tree_count(sweep, COUNTER_IFREE, NO_AG, SIDE_LEFT, free);
	}
}

static int agi_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	const struct agi *agi = block;
	u32 ag = ref->where.ag;
	bool found = sweep->found && sweep->found[ag].chunk;
	int err = found ? inobt_push_found(sweep, ag) : 0;

	(void)len;
	if (err || be32_get(agi->magicnum) != AGI_MAGIC)
		return err;
	post_counters(sweep, agi, ag);
	for (u32 i = 0; i < AGI_BUCKETS && !err; i++)
		if (be32_get(agi->unlinked[i]) % AGI_BUCKETS == i)
			err = walk_bucket(sweep, ag, i, be32_get(agi->unlinked[i]));
	if (!err && !found)
		err = tree_push_root(sweep, META_INOBT, ag, be32_get(agi->root),
				     be32_get(agi->level), 0);
	if (!err)
		err = tree_push_root(sweep, META_FINOBT, ag, be32_get(agi->free_root),
				     be32_get(agi->free_level), 0);
	return err;
}

/* ---- in a commit ---- */

static void change_counters(struct sweep *sweep, u32 ag, const struct agi *was,
			    const struct agi *is)
{
	u32 count[2] = {be32_get(was->count), be32_get(is->count)};
	u32 free[2] = {be32_get(was->freecount), be32_get(is->freecount)};

	tree_change_count(sweep, COUNTER_AGI_COUNT, ag, SIDE_RIGHT, count[0], count[1]);
	tree_change_count(sweep, COUNTER_AGI_FREECOUNT, ag, SIDE_RIGHT, free[0], free[1]);
	tree_change_count(sweep, COUNTER_ICOUNT, NO_AG, SIDE_LEFT, count[0], count[1]);
	tree_change_count(sweep, COUNTER_IFREE, NO_AG, SIDE_LEFT, free[0], free[1]);
	tree_change_count(sweep, COUNTER_AGI_IBLOCKS, ag, SIDE_RIGHT, be32_get(was->iblocks),
			  be32_get(is->iblocks));
	tree_change_count(sweep, COUNTER_AGI_FBLOCKS, ag, SIDE_RIGHT, be32_get(was->fblocks),
			  be32_get(is->fblocks));
}

/* The lists as their links say them: who is named there, or by an inode (inode_change.c), is on a
 * list. */
static void change_bucket(struct sweep *sweep, u32 ag, struct be32 bucket, s64 times)
{
	const struct fact listed = {{inum_make(sweep->g, ag, be32_get(bucket)).v, 0, 0, 0}};

	if (be32_get(bucket) != NULL32)
		sweep_post(sweep, ACCOUNT_UNLINKED, SIDE_LEFT, &listed, times);
}

static int agi_change(struct sweep *sweep, const struct txn_change *c)
{
	const struct agi *was = (const struct agi *)c->before, *is = (const struct agi *)c->after;
	const u32 lists = offsetof(struct agi, unlinked), size = sizeof(is->unlinked[0]);
	u32 ag = c->where->ag, from, end;

	if (!was || !is)
		return 0;
	change_counters(sweep, ag, was, is);
	from = txn_first_difference(c, lists, lists + AGI_BUCKETS * size);
	end = txn_last_difference(c, from, lists + AGI_BUCKETS * size);
	for (u32 i = (from - lists) / size; i * size + lists < end; i++) {
		if (be32_get(was->unlinked[i]) == be32_get(is->unlinked[i]))
			continue;
		change_bucket(sweep, ag, was->unlinked[i], -1);
		change_bucket(sweep, ag, is->unlinked[i], 1);
	}
	tree_change_root(sweep, META_INOBT, ag, (u32[]){be32_get(was->root), be32_get(is->root)},
			 (u32[]){be32_get(was->level), be32_get(is->level)});
	tree_change_root(sweep, META_FINOBT, ag,
			 (u32[]){be32_get(was->free_root), be32_get(is->free_root)},
			 (u32[]){be32_get(was->free_level), be32_get(is->free_level)});
	sweep->times = 1;
	return 0;
}

const struct meta_type meta_agi = {
    .id = META_AGI,
    .name = "agi",
    .title = "AG inode header",
    .scope = SCOPE_AG,
    .class = CLASS_PRIMARY,
    .magic = AGI_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct agi, crc),
    .uuid_offset = offsetof(struct agi, uuid),
    .lsn_offset = offsetof(struct agi, lsn),
    .size = agi_size,
    .place = agi_place,
    .layout = &agi_layout,
    .rules = agi_rules,
    .post = agi_post,
    .change = agi_change,
    .needs_check = 1ull << META_SUPERBLOCK,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(AGI),
    .rebuilt_from = "the chunks of inodes",
    .else_from = "what is in the blocks",
    .kernel_scrub = "xchk_agi",
};
