/*
 * Looking for inode chunks; see chunks.h.
 *
 * One sweep gathers what reverse map and bnobt say of the AGs in question; of each AG in turn that
 * becomes a bitmap of blocks that may hold inodes.
 */
#include "scrub/chunks.h"

#include "base/sorter.h"
#include "base/trail.h"
#include "format/btree.h"

#include <errno.h>

#define RUNS_MEMORY (8u << 20)

/* Blocks that hold inodes, or that are free. */
struct run {
	struct be32 ag, start, blocks;
	u8 inodes;
};

struct look {
	struct vol *vol;
	const struct survey *survey;
	struct evidence_ag *wanted;
	struct sorter *runs;
	u8 *may; /* of the AG at hand: a bit a block */
	int err;
};

static bool sound(const struct look *l, u32 ag, enum meta_id id)
{
	const struct meta_type *type = vol_type(l->vol, id);

	return (!type->present || type->present(&l->vol->geo)) &&
	       !(l->survey->corrupt[ag] >> id & 1) && !(l->survey->corrupt[ag] >> META_AGF & 1);
}

static void on_posting(void *arg, const struct sweep_posting *p)
{
	struct look *l = arg;
	u64 ag = p->fact->w[0];
	struct run run = {.ag = be32_make((u32)ag)};
	int err;

	if (ag >= l->vol->geo.ag_count || !l->wanted[ag].inodes)
		return;
	if (p->account == ACCOUNT_OWNERS) {
		if (p->side != SIDE_RIGHT || (s64)p->fact->w[1] != RMAP_OWN_INODES)
			return;
		run.start = be32_make((u32)p->start);
		run.blocks = be32_make((u32)p->length);
		run.inodes = 1;
	} else {
		if (p->side != SIDE_LEFT)
			return;
		run.start = be32_make((u32)p->fact->w[1]);
		run.blocks = be32_make((u32)p->fact->w[2]);
	}
	err = sorter_add(l->runs, &run);
	if (err && !l->err)
		l->err = err;
}

static int gather(struct look *l)
{
	const struct sweep_options options = {
	    .posted = on_posting,
	    .posted_arg = l,
	    .posted_accounts = 1u << ACCOUNT_OWNERS | 1u << ACCOUNT_FREE,
	};
	int err = sweep_gather(l->vol, 0, &options);

	if (!err)
		err = l->err;
	return err ? err : sorter_sort(l->runs);
}

static void mark(struct look *l, u32 ag, const struct run *run, bool may)
{
	u64 start = be32_get(run->start),
	    end = min_u64(start + be32_get(run->blocks), geometry_ag_blocks(&l->vol->geo, ag));

	for (u64 bno = start; bno < end; bno++) {
		if (may)
			l->may[bno / 8] |= (u8)(1u << bno % 8);
		else
			l->may[bno / 8] &= (u8) ~(1u << bno % 8);
	}
}

static bool candidate(void *arg, u32 bno)
{
	const struct look *l = arg;

	return l->may[bno / 8] >> bno % 8 & 1;
}

/* The runs of this AG, from *run on; *has when *run is the next AG's. */
static int look_in(struct look *l, u32 ag, struct run *run, bool *has)
{
	struct env *env = l->vol->env;
	const struct chunk_find find = {l->vol, ag, candidate, l};
	bool rmap = sound(l, ag, META_RMAPBT), bno = !rmap && sound(l, ag, META_BNOBT);
	size_t bytes = geometry_ag_blocks(&l->vol->geo, ag) / 8 + 1;
	int err = 0;

	l->may = env_alloc(env, bytes);
	if (!l->may)
		return fail(-ENOMEM, "looking for inodes: out of memory");
	memset(l->may, rmap ? 0 : 0xff, bytes);
	while (!err && *has && be32_get(run->ag) <= ag) {
		if (be32_get(run->ag) == ag && (run->inodes ? rmap : bno))
			mark(l, ag, run, run->inodes);
		err = sorter_take(l->runs, run, has);
	}
	if (!err)
		err = chunk_find(&find, &l->wanted[ag].found);
	env_free(env, l->may);
	return err;
}

int chunks_look(struct vol *vol, const struct survey *survey, struct evidence_ag *wanted)
{
	struct look l = {.vol = vol, .survey = survey, .wanted = wanted};
	struct run run;
	bool has = false;
	int err = sorter_open(vol->env, sizeof(run), sizeof(run), RUNS_MEMORY, &l.runs);

	if (!err)
		err = gather(&l);
	if (!err)
		err = sorter_take(l.runs, &run, &has);
	for (u32 ag = 0; ag < vol->geo.ag_count && !err; ag++)
		if (wanted[ag].inodes)
			err = look_in(&l, ag, &run, &has);
	sorter_close(l.runs);
	return err;
}

void chunks_free(struct vol *vol, struct evidence_ag *wanted)
{
	for (u32 ag = 0; ag < vol->geo.ag_count; ag++)
		env_free(vol->env, wanted[ag].found.chunk);
}
