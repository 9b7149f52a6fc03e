/*
 * The AGs of a new filesystem: what is in use in each, and from that its headers, its free list and
 * its trees, of which each is one root block.
 *
 * What is in use is told once, as a list of runs; free space, the reverse map and all counters
 * follow from it, so they cannot disagree.
 */
#include "base/trail.h"
#include "format/ag.h"
#include "format/btree.h"
#include "format/inode.h"
#include "format/levels.h"
#include "format/verify.h"
#include "fs/mkfs_build.h"

#include <errno.h>

int maker_seal(const struct maker *m, enum meta_id id, struct where where, void *object, u32 size)
{
	const struct meta_type *type = m->types->type[id];
	struct first_finding first = {0};
	struct verdict v = {.raise = raise_first, .where = where, .sink = &first};
	struct le32 crc = le32_make(verify_crc(object, size, type->crc_offset));

	memcpy((u8 *)object + type->crc_offset, &crc, sizeof(crc));
	v.where.type = type->name;
	verify(&v, type, m->g, object, size);
	return first.err ? fail_in(first.err, "mkfs would not read this back") : 0;
}

/* Keeps the list in order; runs of one owner that touch become one. */
static int use(struct ag_model *ag, u32 start, u32 count, s64 owner)
{
	u32 at = ag->count;

	while (at && ag->used[at - 1].start > start)
		at--;
	if ((u64)start + count > ag->length ||
	    (at && ag->used[at - 1].start + ag->used[at - 1].count > start) ||
	    (at < ag->count && start + count > ag->used[at].start))
		return fail(-ENOSPC, "AG %u: no room for %u blocks at block %u", ag->number, count,
			    start);
	if (at && ag->used[at - 1].owner == owner &&
	    ag->used[at - 1].start + ag->used[at - 1].count == start) {
		ag->used[at - 1].count += count;
		return 0;
	}
	if (ag->count == AG_USED_MAX)
		return fail(-ENOSPC, "AG %u: space is in too many pieces", ag->number);
	memmove(&ag->used[at + 1], &ag->used[at], (ag->count - at) * sizeof(ag->used[0]));
	ag->used[at] = (struct used){start, count, owner};
	ag->count++;
	return 0;
}

bool ag_model_free(const struct ag_model *ag, u32 *at, struct used *run)
{
	for (u32 i = 0; i <= ag->count; i++) {
		u32 end = i < ag->count ? ag->used[i].start : ag->length;

		if (end > *at) {
			*run = (struct used){*at, end - *at, 0};
			*at = end;
			return true;
		}
		if (i < ag->count && ag->used[i].start + ag->used[i].count > *at)
			*at = ag->used[i].start + ag->used[i].count;
	}
	return false;
}

/* Where `count` blocks of the free list come from: the shortest run that has them, or else the
 * longest. */
static struct used choose_run(const struct ag_model *ag, u32 count)
{
	struct used run, best = {0};
	u32 at = 0;

	while (ag_model_free(ag, &at, &run)) {
		bool fits = run.count >= count, best_fits = best.count >= count;

		if (fits ? !best_fits || run.count < best.count
			 : !best_fits && run.count > best.count)
			best = run;
	}
	return best;
}

static u32 free_blocks(const struct ag_model *ag)
{
	u32 free = ag->length;

	for (u32 i = 0; i < ag->count; i++)
		free -= ag->used[i].count;
	return free;
}

/* All of it or none: where a log leaves less than that in its AG, nothing will be allocated. */
static int fill_list(const struct maker *m, struct ag_model *ag)
{
	u32 wanted = free_list_least(m->g);

	if (free_blocks(ag) < wanted)
		return 0;
	while (ag->list_count < wanted) {
		struct used run = choose_run(ag, wanted - ag->list_count);
		u32 count = (u32)min_u64(run.count, wanted - ag->list_count);
		int err = use(ag, run.start, count, RMAP_OWN_AG);

		if (err)
			return err;
		for (u32 i = 0; i < count; i++)
			ag->list[ag->list_count++] = run.start + i;
	}
	return 0;
}

/* Where the roots are, in the order in which they lie. 0: there is none. */
struct roots {
	u32 bno, cnt, ino, free_ino, rmap, refcount;
};

static struct roots roots_of(const struct geometry *g)
{
	struct roots r = {.bno = geometry_ag_header_blocks(g)};
	u32 next = r.bno + 3;

	r.cnt = r.bno + 1;
	r.ino = r.bno + 2;
	if (geometry_has(g, FEATURE_FINOBT))
		r.free_ino = next++;
	if (geometry_has(g, FEATURE_RMAPBT))
		r.rmap = next++;
	if (geometry_has(g, FEATURE_REFLINK))
		r.refcount = next++;
	return r;
}

static int use_roots(const struct maker *m, struct ag_model *ag)
{
	struct roots r = roots_of(m->g);
	int err = use(ag, 0, r.bno, RMAP_OWN_FS);

	if (!err)
		err = use(ag, r.bno, 2, RMAP_OWN_AG);
	if (!err)
		err = use(ag, r.ino, r.free_ino ? 2 : 1, RMAP_OWN_INOBT);
	if (!err && r.rmap)
		err = use(ag, r.rmap, 1, RMAP_OWN_AG);
	if (!err && r.refcount)
		err = use(ag, r.refcount, 1, RMAP_OWN_REFC);
	return err;
}

int ag_model_init(const struct maker *m, u32 number, struct ag_model *ag)
{
	const struct geometry *g = m->g;
	struct fsblock log = fsblock_of(g->log_start);
	struct used run;
	u32 at = 0;
	int err;

	*ag = (struct ag_model){.number = number, .length = geometry_ag_blocks(g, number)};
	err = use_roots(m, ag);
	if (!err && g->log_internal && fsblock_ag(g, log) == number)
		err = use(ag, fsblock_bno(g, log), g->log_blocks, RMAP_OWN_LOG);
	if (!err && !number)
		err = use(ag, m->root_block, g->chunk_blocks, RMAP_OWN_INODES);
	if (!err)
		err = fill_list(m, ag);
	for (u32 i = 0; !err && i < m->rt_count; i++)
		if (m->rt[i].ag == number)
			err = use(ag, m->rt[i].start, m->rt[i].count,
				  (s64)(g->root_ino + 1 + m->rt[i].summary));
	if (err)
		return err;
	ag->free = free_blocks(ag);
	while (ag_model_free(ag, &at, &run))
		ag->longest = (u32)max_u64(ag->longest, run.count);
	return 0;
}

/* --- blocks --- */

static struct where where_of(const struct ag_model *ag, u64 daddr)
{
	return (struct where){.ag = ag->number, .ino = NO_INO, .daddr = daddr, .owner = ag->number};
}

/* An empty root at block `bno` of the AG, in the buffer. */
static struct btree_short *root_begin(struct maker *m, enum meta_id id, const struct ag_model *ag,
				      u32 bno)
{
	struct btree_short *h =
	    (struct btree_short *)(m->buffer + ((size_t)bno << m->g->block_log));

	h->magic = be32_make(m->types->type[id]->magic);
	h->leftsib = h->rightsib = be32_make(NULL32);
	h->blkno = be64_make(agblock_daddr(m->g, ag->number, bno).v / 512);
	memcpy(h->uuid, m->g->meta_uuid.b, sizeof(h->uuid));
	h->owner = be32_make(ag->number);
	return h;
}

static int root_end(struct maker *m, enum meta_id id, const struct ag_model *ag, u32 bno, u32 count)
{
	struct btree_short *h =
	    (struct btree_short *)(m->buffer + ((size_t)bno << m->g->block_log));

	h->numrecs = be16_make((u16)count);
	return maker_seal(m, id, where_of(ag, agblock_daddr(m->g, ag->number, bno).v), h,
			  m->g->block_size);
}

static int compare_size(const struct alloc_rec *a, const struct alloc_rec *b)
{
	u32 x = be32_get(a->blockcount), y = be32_get(b->blockcount);

	return x != y ? (x < y ? -1 : 1) : 0;
}

static int write_space(struct maker *m, const struct ag_model *ag, u32 bno, bool by_size)
{
	enum meta_id id = by_size ? META_CNTBT : META_BNOBT;
	struct alloc_rec *recs = (struct alloc_rec *)(root_begin(m, id, ag, bno) + 1);
	u32 count = 0, at = 0;
	struct used run;

	while (ag_model_free(ag, &at, &run)) {
		struct alloc_rec rec = {be32_make(run.start), be32_make(run.count)};
		u32 to = count++;

		for (; by_size && to && compare_size(&recs[to - 1], &rec) > 0; to--)
			recs[to] = recs[to - 1];
		recs[to] = rec;
	}
	return root_end(m, id, ag, bno, count);
}

static int write_rmap(struct maker *m, const struct ag_model *ag, u32 bno)
{
	struct rmap_rec *recs = (struct rmap_rec *)(root_begin(m, META_RMAPBT, ag, bno) + 1);

	for (u32 i = 0; i < ag->count; i++)
		recs[i] = (struct rmap_rec){.startblock = be32_make(ag->used[i].start),
					    .blockcount = be32_make(ag->used[i].count),
					    .owner = be64_make((u64)ag->used[i].owner)};
	return root_end(m, META_RMAPBT, ag, bno, ag->count);
}

/* Inodes of AG 0: the first three are in use. Both trees have all chunks, since all have free
 * inodes. */
static int write_inode_tree(struct maker *m, const struct ag_model *ag, u32 bno, enum meta_id id)
{
	struct inobt_rec *recs = (struct inobt_rec *)(root_begin(m, id, ag, bno) + 1);
	u32 chunks = ag->number ? 0 : maker_inodes(m->g) / INODES_PER_CHUNK;
	u32 first = m->root_block << m->g->inopb_log;
	bool sparse = geometry_has(m->g, FEATURE_SPARSE);

	for (u32 i = 0; i < chunks; i++) {
		u32 used = i ? 0 : MKFS_INODES_USED;

		recs[i] = (struct inobt_rec){
		    .startino = be32_make(first + i * INODES_PER_CHUNK),
		    .count = sparse ? INODES_PER_CHUNK : 0,
		    .freecount = (u8)(INODES_PER_CHUNK - used),
		    .free = be64_make(NULL64 << used),
		};
	}
	return root_end(m, id, ag, bno, chunks);
}

static int write_agf(struct maker *m, const struct ag_model *ag, const struct roots *r)
{
	const struct geometry *g = m->g;
	struct agf *agf = (struct agf *)(m->buffer + g->sector_size);

	agf->magicnum = be32_make(AGF_MAGIC);
	agf->versionnum = be32_make(AG_VERSION);
	agf->seqno = be32_make(ag->number);
	agf->length = be32_make(ag->length);
	agf->roots[AGF_BNO] = be32_make(r->bno);
	agf->roots[AGF_CNT] = be32_make(r->cnt);
	agf->levels[AGF_BNO] = agf->levels[AGF_CNT] = be32_make(1);
	if (r->rmap) {
		agf->roots[AGF_RMAP] = be32_make(r->rmap);
		agf->levels[AGF_RMAP] = agf->rmap_blocks = be32_make(1);
	}
	if (r->refcount) {
		agf->refcount_root = be32_make(r->refcount);
		agf->refcount_level = agf->refcount_blocks = be32_make(1);
	}
	/* the list begins in the second slot, as everybody's does */
	agf->flfirst = be32_make(1);
	agf->fllast = be32_make(ag->list_count);
	agf->flcount = be32_make(ag->list_count);
	agf->freeblks = be32_make(ag->free);
	agf->longest = be32_make(ag->longest);
	memcpy(agf->uuid, g->meta_uuid.b, sizeof(agf->uuid));
	return maker_seal(m, META_AGF, where_of(ag, ag_header_daddr(g, ag->number, 1).v), agf,
			  g->sector_size);
}

static int write_agi(struct maker *m, const struct ag_model *ag, const struct roots *r)
{
	const struct geometry *g = m->g;
	struct agi *agi = (struct agi *)(m->buffer + 2 * (size_t)g->sector_size);
	u32 inodes = ag->number ? 0 : maker_inodes(g);

	agi->magicnum = be32_make(AGI_MAGIC);
	agi->versionnum = be32_make(AG_VERSION);
	agi->seqno = be32_make(ag->number);
	agi->length = be32_make(ag->length);
	agi->count = be32_make(inodes);
	agi->freecount = be32_make(inodes ? inodes - MKFS_INODES_USED : 0);
	agi->root = be32_make(r->ino);
	agi->level = be32_make(1);
	agi->newino = be32_make(inodes ? m->root_block << g->inopb_log : NULL32);
	agi->dirino = be32_make(NULL32);
	for (u32 i = 0; i < AGI_BUCKETS; i++)
		agi->unlinked[i] = be32_make(NULL32);
	memcpy(agi->uuid, g->meta_uuid.b, sizeof(agi->uuid));
	if (r->free_ino) {
		agi->free_root = be32_make(r->free_ino);
		agi->free_level = be32_make(1);
	}
	if (geometry_has(g, FEATURE_INOBTCOUNT)) {
		agi->iblocks = be32_make(1);
		agi->fblocks = be32_make(1);
	}
	return maker_seal(m, META_AGI, where_of(ag, ag_header_daddr(g, ag->number, 2).v), agi,
			  g->sector_size);
}

static int write_agfl(struct maker *m, const struct ag_model *ag)
{
	const struct geometry *g = m->g;
	struct agfl *agfl = (struct agfl *)(m->buffer + 3 * (size_t)g->sector_size);
	struct agfl_slot *slots = (struct agfl_slot *)(agfl + 1);

	agfl->magicnum = be32_make(AGFL_MAGIC);
	agfl->seqno = be32_make(ag->number);
	memcpy(agfl->uuid, g->meta_uuid.b, sizeof(agfl->uuid));
	for (u32 i = 0; i < agfl_slots(g); i++)
		slots[i].bno = be32_make(i && i <= ag->list_count ? ag->list[i - 1] : NULL32);
	return maker_seal(m, META_AGFL, where_of(ag, ag_header_daddr(g, ag->number, 3).v), agfl,
			  g->sector_size);
}

static int write_trees(struct maker *m, const struct ag_model *ag, const struct roots *r)
{
	int err = write_space(m, ag, r->bno, false);

	if (!err)
		err = write_space(m, ag, r->cnt, true);
	if (!err)
		err = write_inode_tree(m, ag, r->ino, META_INOBT);
	if (!err && r->free_ino)
		err = write_inode_tree(m, ag, r->free_ino, META_FINOBT);
	if (!err && r->rmap)
		err = write_rmap(m, ag, r->rmap);
	if (!err && r->refcount) {
		root_begin(m, META_REFCOUNTBT, ag, r->refcount);
		err = root_end(m, META_REFCOUNTBT, ag, r->refcount, 0);
	}
	return err;
}

int ag_model_write(struct maker *m, const struct ag_model *ag)
{
	const struct geometry *g = m->g;
	size_t size = (size_t)mkfs_fixed_blocks(g) << g->block_log;
	struct roots r = roots_of(g);
	int err;

	memset(m->buffer, 0, size);
	err = write_agf(m, ag, &r);
	if (!err)
		err = write_agi(m, ag, &r);
	if (!err)
		err = write_agfl(m, ag);
	if (!err)
		err = write_trees(m, ag, &r);
	if (err)
		return fail_in(err, "AG %u", ag->number);
	return device_write(m->devices->data, agblock_daddr(g, ag->number, 0), m->buffer, size);
}
