/*
 * The records of an AG's new trees, in order; see ag_rebuild.c.
 *
 * Free space is read once: while the bnobt is written, its records are sorted by size for the
 * cntbt.
 */
#include "meta/ag_rebuild_impl.h"
#include "base/trail.h"
#include "format/ag.h"

#include <errno.h>

static int next_gap(struct rebuild *b)
{
	return sorter_take(b->usage.gaps, &b->gap, &b->has_gap);
}

/* The gaps without the runs. */
int ag_free_record(void *arg, void *record)
{
	struct rebuild *b = arg;
	struct alloc_rec *rec = record;
	struct be32 by_size[2];
	u32 start, end, stop;
	int err = 0;

	for (;;) {
		if (!b->has_gap)
			return fail(-EUCLEAN, "AG %u: free space has changed", b->ag);
		start = be32_get(b->gap.start);
		end = start + be32_get(b->gap.blocks);
		if (b->gap_run < b->runs && b->run[b->gap_run].start == start) {
			start += b->run[b->gap_run++].blocks;
			b->gap = (struct gap){be32_make(start), be32_make(end - start)};
		}
		if (start < end)
			break;
		err = next_gap(b);
		if (err)
			return err;
	}
	stop =
	    b->gap_run < b->runs && b->run[b->gap_run].start < end ? b->run[b->gap_run].start : end;
	*rec = (struct alloc_rec){be32_make(start), be32_make(stop - start)};
	b->free += stop - start;
	b->longest = max_u64(b->longest, stop - start);
	by_size[0] = rec->blockcount;
	by_size[1] = rec->startblock;
	err = sorter_add(b->by_size, by_size);
	b->gap = (struct gap){be32_make(stop), be32_make(end - stop)};
	return err || stop < end ? err : next_gap(b);
}

int ag_size_record(void *arg, void *record)
{
	struct rebuild *b = arg;
	struct alloc_rec *rec = record;
	struct be32 by_size[2];
	int more;

	if (!b->sorted) {
		int err = sorter_sort(b->by_size);

		if (err)
			return err;
		b->sorted = true;
	}
	more = sorter_next(b->by_size, by_size);
	*rec = (struct alloc_rec){by_size[1], by_size[0]};
	return more > 0 ? 0 : more < 0 ? more : -EUCLEAN;
}

static int next_mapping(struct rebuild *b)
{
	return sorter_take(b->usage.rmaps, &b->mapping, &b->has_mapping);
}

int ag_rmap_record(void *arg, void *record)
{
	struct rebuild *b = arg;
	bool own =
	    b->next_own < b->owns &&
	    (!b->has_mapping || be32_get(b->own[b->next_own].start) < be32_get(b->mapping.start));
	const struct mapping *m = own ? &b->own[b->next_own++] : &b->mapping;

	*(struct rmap_rec *)record = (struct rmap_rec){
	    .startblock = m->start,
	    .blockcount = m->blocks,
	    .owner = m->owner,
	    .offset = be64_make(be64_get(m->offset) | be64_get(m->unwritten)),
	};
	return own ? 0 : next_mapping(b);
}

int ag_share_record(void *arg, void *record)
{
	struct rebuild *b = arg;
	struct share s;
	int more = sorter_next(b->usage.shares, &s);

	*(struct refcount_rec *)record = (struct refcount_rec){s.start, s.blocks, s.count};
	return more > 0 ? 0 : more < 0 ? more : -EUCLEAN;
}

/* ---- inodes ---- */

static struct inobt_rec record_of(const struct geometry *g, const struct found_chunk *c, u64 used)
{
	u64 free = ~used | c->holes;
	u32 count = INODES_PER_CHUNK - (u32)__builtin_popcountll(c->holes);
	u16 mask = 0;

	for (u32 i = 0; i < INODES_PER_CHUNK / HOLEMASK_INODES; i++)
		if (c->holes >> i * HOLEMASK_INODES & 1)
			mask |= (u16)(1u << i);
	return (struct inobt_rec){
	    .startino = be32_make(c->startino),
	    .holemask = be16_make(mask),
	    .count = geometry_has(g, FEATURE_SPARSE) ? (u8)count : 0,
	    .freecount = (u8)__builtin_popcountll(free & ~c->holes),
	    .free = be64_make(free),
	};
}

int ag_chunks_make(struct rebuild *b)
{
	const struct found_chunks *found = &b->r->wanted[b->ag].found;
	struct chunk_use use;
	int more = evidence_chunk(b->r->evidence, b->ag, &use);

	b->chunk = env_array(b->r->vol->env, found->count + 1, sizeof(*b->chunk));
	if (!b->chunk)
		return fail(-ENOMEM, "AG %u: out of memory", b->ag);
	for (u32 i = 0; i < found->count; i++) {
		const struct found_chunk *c = &found->chunk[i];
		u64 used = 0;

		while (more > 0 && be32_get(use.startino) < c->startino)
			more = evidence_chunk(b->r->evidence, b->ag, &use);
		if (more > 0 && be32_get(use.startino) == c->startino)
			used = be64_get(use.used);
		b->chunk[i] = record_of(b->g, c, used & ~c->holes);
		b->inode_count += INODES_PER_CHUNK - (u32)__builtin_popcountll(c->holes);
		b->free_inodes += b->chunk[i].freecount;
		b->tree[TREE_FINO].records += b->chunk[i].freecount != 0;
	}
	b->chunks = found->count;
	b->tree[TREE_INO].records = found->count;
	return more < 0 ? more : 0;
}

int ag_chunk_record(void *arg, void *record)
{
	struct rebuild *b = arg;

	memcpy(record, &b->chunk[b->next_chunk++], sizeof(*b->chunk));
	return 0;
}

int ag_free_chunk_record(void *arg, void *record)
{
	struct rebuild *b = arg;

	while (!b->chunk[b->next_free].freecount)
		b->next_free++;
	memcpy(record, &b->chunk[b->next_free++], sizeof(*b->chunk));
	return 0;
}

int ag_records_begin(struct rebuild *b)
{
	int err = sorter_sort(b->usage.gaps);

	if (!err)
		err = sorter_sort(b->usage.rmaps);
	if (!err)
		err = sorter_sort(b->usage.shares);
	if (!err)
		err = next_gap(b);
	return err ? err : next_mapping(b);
}
