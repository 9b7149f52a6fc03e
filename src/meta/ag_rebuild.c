/*
 * Rebuilding the trees and headers of an AG; see rebuild.h.
 *
 * What is built:
 * 1. From the evidence, what is used (ag_usage.h); how many blocks the new trees and the free list
 *    need follows from the counts alone.
 * 2. Those blocks are taken from room in which neither anything that stays nor an old tree lies,
 * the longest runs first.  They become part of what the new trees tell.
 * 3. The trees are written there, in transactions of bounded size.  Until now nobody has seen any
 * of it; a crash leaves the AG as it was.
 * 4. One transaction writes the headers.  All that is free now was freed by it, the old trees
 *    included.
 *
 * Fails with -ENOSPC when there is no room beside the old trees, -EUCLEAN when two owners claim the
 * same blocks.
 */
#include "base/trail.h"
#include "format/ag.h"
#include "fs/ialloc.h"
#include "fs/space.h"
#include "meta/ag_rebuild_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define UNLINKED_AT_ONCE 256

struct tree_source {
	enum meta_id id;
	int (*record)(void *arg, void *record);
};
static const struct tree_source source[TREES] = {
    [TREE_BNO] = {META_BNOBT, ag_free_record},	 [TREE_CNT] = {META_CNTBT, ag_size_record},
    [TREE_RMAP] = {META_RMAPBT, ag_rmap_record}, [TREE_REFC] = {META_REFCOUNTBT, ag_share_record},
    [TREE_INO] = {META_INOBT, ag_chunk_record},	 [TREE_FINO] = {META_FINOBT, ag_free_chunk_record},
};

void repair_say(struct repair *r, const char *format, ...)
{
	char line[256];
	va_list args;

	if (!r->say)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	r->say(r->arg, line);
}

static const struct btree_schema *schema_of(const struct rebuild *b, u32 tree)
{
	return vol_type(b->r->vol, source[tree].id)->btree;
}

/* ---- how much, and where ---- */

static void plan_shapes(struct rebuild *b, u64 gaps, u64 owns)
{
	const u64 records[TREES] = {gaps,
				    gaps,
				    b->usage.rmap_count + owns,
				    b->usage.share_count,
				    b->tree[TREE_INO].records,
				    b->tree[TREE_FINO].records};

	for (u32 i = 0; i < TREES; i++) {
		b->tree[i].records = records[i];
		if (b->tree[i].wanted)
			bulk_shape(schema_of(b, i), b->g->block_size, records[i],
				   BULK_LOOSE_PERCENT, &b->tree[i].shape);
	}
}

static u64 tree_blocks(const struct rebuild *b)
{
	u64 total = 0;

	for (u32 i = 0; i < TREES; i++)
		if (b->tree[i].wanted)
			total += b->tree[i].shape.total;
	return total;
}

/* Twice what one change of each tree may need, as space_prepare() keeps it. */
static u32 list_wanted(const struct rebuild *b)
{
	u32 want = 2 * (b->tree[TREE_BNO].shape.levels + b->tree[TREE_CNT].shape.levels + 2);

	if (b->tree[TREE_RMAP].wanted)
		want += 2 * (b->tree[TREE_RMAP].shape.levels + 1);
	return (u32)min_u64(want, agfl_slots(b->g));
}

static int compare_run(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The longest rooms, as runs that may be taken. */
static int read_rooms(struct rebuild *b)
{
	struct room room;
	int err = sorter_sort(b->usage.rooms), more = 0;

	while (!err && b->rooms < RUNS_MAX && (more = sorter_next(b->usage.rooms, &room)) > 0)
		b->room[b->rooms++] = room;
	return err ? err : more < 0 ? more : 0;
}

/* Runs of b->need blocks together, and how many gaps there are without them. */
static int choose_runs(struct rebuild *b, u64 *gaps)
{
	u64 left = b->need;

	b->runs = 0;
	*gaps = b->usage.gap_count;
	for (u32 i = 0; i < b->rooms && left; i++) {
		const struct room *room = &b->room[i];
		u32 blocks = ~be32_get(room->not_blocks), take = (u32)min_u64(blocks, left);

		b->run[b->runs++] = (struct run){be32_get(room->start), take};
		/* one where room of an old tree is cut open, none or one fewer in a gap */
		*gaps = *gaps + 1 - room->at_start - (room->at_end && take == blocks);
		left -= take;
	}
	if (left)
		return fail(-ENOSPC, "AG %u: no room for %llu blocks of new trees beside the old",
			    b->ag, (unsigned long long)b->need);
	qsort(b->run, b->runs, sizeof(b->run[0]), compare_run);
	return 0;
}

/* The runs' blocks in order are divided among three owners. */
static void add_owns(struct rebuild *b, u64 *left, s64 owner, u32 *run, u32 *offset)
{
	while (*left) {
		const struct run *r = &b->run[*run];
		u32 take = (u32)min_u64(*left, r->blocks - *offset);

		b->own[b->owns++] = (struct mapping){.start = be32_make(r->start + *offset),
						     .owner = be64_make((u64)owner),
						     .blocks = be32_make(take)};
		*left -= take;
		*offset += take;
		if (*offset == r->blocks) {
			(*run)++;
			*offset = 0;
		}
	}
}

static void divide(struct rebuild *b)
{
	u64 refc = b->tree[TREE_REFC].wanted ? b->tree[TREE_REFC].shape.total : 0, inobt = 0, ag;
	u32 run = 0, offset = 0;

	for (u32 i = TREE_INO; i <= TREE_FINO; i++)
		if (b->tree[i].wanted)
			inobt += b->tree[i].shape.total;
	ag = b->need - refc - inobt;
	b->owns = 0;
	add_owns(b, &ag, RMAP_OWN_AG, &run, &offset);
	add_owns(b, &refc, RMAP_OWN_REFC, &run, &offset);
	add_owns(b, &inobt, RMAP_OWN_INOBT, &run, &offset);
}

/*
 * How many records the trees have depends on where their blocks are, and how many blocks there are
 * on the records: first as many as there may be, more if that was not enough, and what turns out
 * to be too much goes to the free list.
 */
static int plan_space(struct rebuild *b)
{
	u64 gaps, slots = agfl_slots(b->g);
	int err = read_rooms(b);

	for (u64 extra = 8; !err && extra <= 4 * RUNS_MAX; extra *= 2) {
		plan_shapes(b, b->usage.gap_count + extra, extra);
		b->need = tree_blocks(b) + list_wanted(b);
		err = choose_runs(b, &gaps);
		if (err)
			return err;
		divide(b);
		if (gaps > b->usage.gap_count + extra || b->owns > extra)
			continue;
		plan_shapes(b, gaps, b->owns);
		b->list_count = (u32)min_u64(b->need - tree_blocks(b), slots + 1);
		divide(b);
		if (b->list_count <= slots)
			return 0;
	}
	return err ? err : fail(-ENOSPC, "AG %u: free space is in too many pieces", b->ag);
}

/* The blocks of the list lie behind those of the other trees of RMAP_OWN_AG. */
static u32 next_block(struct rebuild *b)
{
	const struct run *run = &b->run[b->at_run];
	u32 bno = run->start + b->at_block++;

	if (b->at_block == run->blocks) {
		b->at_run++;
		b->at_block = 0;
	}
	return bno;
}

/* ---- transactions ---- */

/* What lay in the runs before is nobody's, whatever the log may have of it. */
static int free_runs(struct rebuild *b)
{
	int err = 0;

	for (u32 i = 0; i < b->runs && !err; i++)
		err = txn_freed(b->txn, agblock_daddr(b->g, b->ag, b->run[i].start),
				(u64)b->run[i].blocks << b->g->block_log, false);
	return err;
}

static int begin(struct rebuild *b)
{
	b->changed = 0;
	return vol_begin(b->r->vol, &b->view, &b->txn);
}

static int end(struct rebuild *b, int err)
{
	if (b->txn)
		err = vol_end(b->r->vol, b->txn, err);
	b->txn = NULL;
	return err;
}

static int pause_build(void *arg, struct btree *tree)
{
	struct rebuild *b = arg;
	u64 most = b->r->vol->journal ? journal_txn_max(b->r->vol->journal) : TXN_MEMORY_MAX;
	int err;

	if ((u64)++b->changed << b->g->block_log < most / 4)
		return 0;
	err = end(b, 0);
	if (!err)
		err = begin(b);
	tree->txn = b->txn;
	return err;
}

/* ---- the trees ---- */

static int take_block(void *arg, u64 *ptr)
{
	*ptr = next_block(arg);
	return 0;
}

static int build_tree(struct rebuild *b, u32 i)
{
	struct tree_plan *plan = &b->tree[i];
	struct btree tree = {
	    .txn = b->txn,
	    .g = b->g,
	    .type = vol_type(b->r->vol, source[i].id),
	    .ag = b->ag,
	    .owner = b->ag,
	};
	struct bulk bulk = {
	    .tree = &tree,
	    .env = b->r->vol->env,
	    .shape = &plan->shape,
	    .records = plan->records,
	    .record = source[i].record,
	    .block = take_block,
	    .pause = pause_build,
	    .arg = b,
	};
	int err = bulk_build(&bulk);

	plan->root = (u32)tree.root;
	plan->levels = tree.levels;
	return err ? fail_in(err, "building the %s of AG %u", tree.type->name, b->ag) : 0;
}

static int build_trees(struct rebuild *b)
{
	int err = begin(b);

	if (!err)
		err = free_runs(b);
	for (u32 i = 0; i < TREES && !err; i++) {
		/* The list's blocks lie behind the last tree of RMAP_OWN_AG. */
		for (u32 n = 0; i == TREE_REFC && n < b->list_count; n++)
			b->list[n] = next_block(b);
		if (b->tree[i].wanted)
			err = build_tree(b, i);
	}
	return end(b, err);
}

/* ---- the switch ---- */

static int new_header(struct rebuild *b, enum meta_id id, struct txn_buf **out)
{
	const struct meta_type *type = vol_type(b->r->vol, id);
	struct daddr at = type->place(b->g, b->ag);
	const struct where where = {
	    .type = type->name, .ag = b->ag, .ino = NO_INO, .daddr = at.v, .owner = NO_OWNER};

	return txn_new(b->txn, type, &where, at, b->g->sector_size, out);
}

static int reset_lsn(struct rebuild *b, enum meta_id id)
{
	const struct meta_type *type = vol_type(b->r->vol, id);
	const struct where where = {.type = type->name,
				    .ag = b->ag,
				    .ino = NO_INO,
				    .daddr = type->place(b->g, b->ag).v,
				    .owner = NO_OWNER};
	struct txn_buf *buf;
	struct be64 lsn;

	if (txn_get(b->txn, type, &where, type->place(b->g, b->ag), b->g->sector_size, &buf)) {
		trail_clear();
		return 0;
	}
	memcpy(&lsn, buf->data + type->lsn_offset, sizeof(lsn));
	if (!vol_lsn_ahead(b->r->vol, be64_get(lsn)))
		return 0;
	txn_dirty(b->txn, buf);
	memset(buf->data + type->lsn_offset, 0, sizeof(struct be64));
	return 0;
}

/* A header that claims to have been changed behind the end of the log keeps a kernel that recovers
 * from a crash from replaying a new one, but not the trees that the new one leads to. So that is
 * put right, and is home, before anything else. */
static int reset_lsns(struct rebuild *b)
{
	static const enum meta_id id[] = {META_AGF, META_AGFL, META_AGI};
	int err = begin(b);

	for (u32 i = 0; i < ARRAY_COUNT(id) && !err; i++)
		err = reset_lsn(b, id[i]);
	return end(b, err);
}

static u64 blocks_of(const struct rebuild *b, u32 tree)
{
	return b->tree[tree].wanted ? b->tree[tree].shape.total : 0;
}

static int write_agf(struct rebuild *b)
{
	const struct tree_plan *t = b->tree;
	struct txn_buf *buf;
	struct agf *agf;
	int err = new_header(b, META_AGF, &buf);

	if (err)
		return err;
	agf = (struct agf *)buf->data;
	agf->magicnum = be32_make(AGF_MAGIC);
	agf->versionnum = be32_make(AG_VERSION);
	agf->seqno = be32_make(b->ag);
	agf->length = be32_make(geometry_ag_blocks(b->g, b->ag));
	for (u32 i = TREE_BNO; i <= TREE_RMAP; i++) {
		agf->roots[i] = be32_make(t[i].root);
		agf->levels[i] = be32_make(t[i].levels);
	}
	agf->fllast = be32_make(b->list_count - 1);
	agf->flcount = be32_make(b->list_count);
	agf->freeblks = be32_make((u32)b->free);
	agf->longest = be32_make((u32)b->longest);
	/* roots are not counted here */
	agf->btreeblks = be32_make((u32)(blocks_of(b, TREE_BNO) - 1 + blocks_of(b, TREE_CNT) - 1 +
					 blocks_of(b, TREE_RMAP) - t[TREE_RMAP].wanted));
	agf->rmap_blocks = be32_make((u32)blocks_of(b, TREE_RMAP));
	agf->refcount_blocks = be32_make((u32)blocks_of(b, TREE_REFC));
	agf->refcount_root = be32_make(t[TREE_REFC].root);
	agf->refcount_level = be32_make(t[TREE_REFC].levels);
	memcpy(agf->uuid, b->g->meta_uuid.b, sizeof(agf->uuid));
	return 0;
}

static int write_agfl(struct rebuild *b)
{
	struct agfl_slot *slot;
	struct txn_buf *buf;
	struct agfl *agfl;
	int err = new_header(b, META_AGFL, &buf);

	if (err)
		return err;
	agfl = (struct agfl *)buf->data;
	slot = (struct agfl_slot *)(agfl + 1);
	agfl->magicnum = be32_make(AGFL_MAGIC);
	agfl->seqno = be32_make(b->ag);
	memcpy(agfl->uuid, b->g->meta_uuid.b, sizeof(agfl->uuid));
	for (u32 i = 0; i < agfl_slots(b->g); i++)
		slot[i].bno = be32_make(i < b->list_count ? b->list[i] : NULL32);
	return 0;
}

static int write_agi(struct rebuild *b)
{
	const struct tree_plan *t = b->tree;
	struct txn_buf *buf;
	struct agi *agi;
	int err = new_header(b, META_AGI, &buf);

	if (err)
		return err;
	agi = (struct agi *)buf->data;
	agi->magicnum = be32_make(AGI_MAGIC);
	agi->versionnum = be32_make(AG_VERSION);
	agi->seqno = be32_make(b->ag);
	agi->length = be32_make(geometry_ag_blocks(b->g, b->ag));
	agi->count = be32_make((u32)b->inode_count);
	agi->freecount = be32_make((u32)b->free_inodes);
	agi->root = be32_make(t[TREE_INO].root);
	agi->level = be32_make(t[TREE_INO].levels);
	agi->free_root = be32_make(t[TREE_FINO].root);
	agi->free_level = be32_make(t[TREE_FINO].levels);
	agi->newino = agi->dirino = be32_make(NULL32);
	for (u32 i = 0; i < AGI_BUCKETS; i++)
		agi->unlinked[i] = be32_make(NULL32);
	memcpy(agi->uuid, b->g->meta_uuid.b, sizeof(agi->uuid));
	if (geometry_has(b->g, FEATURE_INOBTCOUNT)) {
		agi->iblocks = be32_make((u32)blocks_of(b, TREE_INO));
		agi->fblocks = be32_make((u32)blocks_of(b, TREE_FINO));
	}
	return 0;
}

static int free_old(struct rebuild *b)
{
	struct gap gap;
	int err = sorter_sort(b->usage.olds), more = 0;

	while (!err && (more = sorter_next(b->usage.olds, &gap)) > 0)
		err = txn_freed(b->txn, agblock_daddr(b->g, b->ag, be32_get(gap.start)),
				(u64)be32_get(gap.blocks) << b->g->block_log, false);
	return err ? err : more < 0 ? more : 0;
}

/* Inodes without links onto the new, empty lists. */
static int list_unlinked(struct rebuild *b)
{
	u32 count = 0;
	u64 ino;
	int more = 0, err = 0;

	while (!err && (more = evidence_unlinked(b->r->evidence, b->ag, &ino)) > 0) {
		err = iunlink_renew(&b->view, b->txn, inum_of(ino));
		if (!err && ++count % UNLINKED_AT_ONCE == 0) {
			err = end(b, 0);
			if (!err)
				err = begin(b);
		}
	}
	return err ? err : more < 0 ? more : 0;
}

static int switch_over(struct rebuild *b)
{
	int err = begin(b);

	if (!err)
		err = write_agf(b);
	if (!err)
		err = write_agfl(b);
	if (!err && b->inodes)
		err = write_agi(b);
	if (!err)
		err = free_old(b);
	if (!err && b->inodes)
		err = list_unlinked(b);
	return end(b, err);
}

/* Nothing of what was is to be in the log any more when its blocks get another meaning. */
static int settle(struct rebuild *b)
{
	return b->r->vol->journal ? journal_push(b->r->vol->journal) : 0;
}

static int prepare(struct rebuild *b)
{
	const struct geometry *g = b->g;
	int err = sorter_open(b->r->vol->env, 2 * sizeof(struct be32), 2 * sizeof(struct be32),
			      4u << 20, &b->by_size);

	b->tree[TREE_BNO].wanted = b->tree[TREE_CNT].wanted = true;
	b->tree[TREE_RMAP].wanted = geometry_has(g, FEATURE_RMAPBT);
	b->tree[TREE_REFC].wanted = geometry_has(g, FEATURE_REFLINK);
	b->tree[TREE_INO].wanted = b->inodes;
	b->tree[TREE_FINO].wanted = b->inodes && geometry_has(g, FEATURE_FINOBT);
	if (!err && b->inodes)
		err = ag_chunks_make(b);
	if (!err)
		err = ag_usage_make(b->r, b->ag, !b->inodes, &b->usage);
	if (!err)
		err = plan_space(b);
	return err ? err : ag_records_begin(b);
}

int ag_rebuild(struct repair *r, u32 ag, u64 ino)
{
	struct env *env = r->vol->env;
	struct rebuild *b = env_alloc(env, sizeof(*b));
	int err;

	if (!b)
		return fail(-ENOMEM, "rebuilding AG %u: out of memory", ag);
	(void)ino;
	b->r = r;
	b->g = &r->vol->geo;
	b->ag = ag;
	b->inodes = r->wanted[ag].inodes;
	err = prepare(b);
	if (!err)
		err = reset_lsns(b);
	if (!err)
		err = settle(b);
	if (!err)
		err = build_trees(b);
	if (!err)
		err = switch_over(b);
	if (!err)
		err = settle(b);
	if (!err)
		repair_say(r, "AG %u: rebuilt %s: %llu blocks free, %llu mappings%s", ag,
			   b->inodes ? "all trees and headers" : "its space trees and headers",
			   (unsigned long long)b->free,
			   (unsigned long long)b->usage.rmap_count + b->owns,
			   b->inodes ? ", inodes found by what is in the blocks" : "");
	ag_usage_free(&b->usage);
	sorter_close(b->by_size);
	env_free(env, b->chunk);
	env_free(env, b);
	return err;
}
