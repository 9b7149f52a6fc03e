/* What a sweep saw, kept for a rebuild; see evidence.h. Postings come one at a time. */
#include "meta/evidence.h"

#include "base/order.h"
#include "base/trail.h"
#include "format/btree.h"

#include <errno.h>

#define CLAIMS_MEMORY (16u << 20)
#define OTHERS_MEMORY (2u << 20)

struct gathering {
	struct evidence *ev;
	const struct sick_inodes *sick;
};

static bool is_sick(const struct sick_inodes *sick, u64 ino)
{
	return sick && order_has(sick->ino, sick->count, ino);
}

/* The reverse map is believed about inodes that cannot speak for themselves, and else is what is
 * to be rebuilt. */
static bool claim_counts(const struct gathering *g, const struct sweep_posting *p)
{
	u64 owner = p->fact->w[1];

	if (p->side == SIDE_LEFT)
		return true;
	return (s64)owner >= 0 && is_sick(g->sick, owner) &&
	       !g->ev->wanted[p->fact->w[0]].rmaps_sick;
}

static int add_claim(struct gathering *g, const struct sweep_posting *p)
{
	struct evidence *ev = g->ev;
	u64 ag = p->fact->w[0], owner = p->fact->w[1], word = p->fact->w[2];
	u64 flags = word & (OWNER_ATTR | OWNER_BMBT | OWNER_UNWRITTEN);
	bool mapping = (s64)owner >= 0 && !(flags & OWNER_BMBT);
	struct claim claim = {
	    .ag = be32_make((u32)ag),
	    .owner = be64_make(owner),
	    .flags = be64_make(flags),
	    .start = be32_make((u32)p->start),
	    .offset = be64_make(mapping ? (word + p->start) & RMAP_OFFSET_MASK : 0),
	    .blocks = be32_make((u32)p->length),
	};

	if (ag >= ev->g->ag_count || !ev->wanted[ag].space || !p->length ||
	    p->start + p->length > geometry_ag_blocks(ev->g, (u32)ag) || !claim_counts(g, p))
		return 0;
	return sorter_add(ev->claims, &claim);
}

static int add_chunk(struct evidence *ev, const struct sweep_posting *p)
{
	const struct chunk_use use = {be32_make((u32)p->fact->w[0]), be32_make((u32)p->fact->w[1]),
				      be64_make(p->fact->w[2])};

	if (p->side != SIDE_RIGHT || !ev->wanted[p->fact->w[0]].inodes)
		return 0;
	return sorter_add(ev->chunks, &use);
}

static int add_unlinked(struct evidence *ev, const struct sweep_posting *p)
{
	const struct unlinked_inode orphan = {be64_make(p->fact->w[0])};
	u32 ag = inum_ag(ev->g, inum_of(p->fact->w[0]));

	if (p->side != SIDE_RIGHT || !ev->wanted[ag].inodes)
		return 0;
	return sorter_add(ev->unlinked, &orphan);
}

static void on_posting(void *arg, const struct sweep_posting *p)
{
	struct gathering *g = arg;
	struct evidence *ev = g->ev;
	int err = p->account == ACCOUNT_OWNERS	 ? add_claim(g, p)
		  : p->account == ACCOUNT_INODES ? add_chunk(ev, p)
						 : add_unlinked(ev, p);

	if (err && !ev->err)
		ev->err = err;
}

static int open_sorters(struct evidence *ev)
{
	int err = sorter_open(ev->env, sizeof(struct claim), sizeof(struct claim), CLAIMS_MEMORY,
			      &ev->claims);

	if (!err)
		err = sorter_open(ev->env, sizeof(struct chunk_use), sizeof(struct chunk_use),
				  OTHERS_MEMORY, &ev->chunks);
	if (!err)
		err = sorter_open(ev->env, sizeof(struct unlinked_inode),
				  sizeof(struct unlinked_inode), OTHERS_MEMORY, &ev->unlinked);
	return err;
}

static int begin_reading(struct evidence *ev)
{
	int err = sorter_sort(ev->claims);

	if (!err)
		err = sorter_sort(ev->chunks);
	if (!err)
		err = sorter_sort(ev->unlinked);
	if (!err)
		err = sorter_take(ev->claims, &ev->claim, &ev->has_claim);
	if (!err)
		err = sorter_take(ev->chunks, &ev->chunk, &ev->has_chunk);
	if (!err)
		err = sorter_take(ev->unlinked, &ev->orphan, &ev->has_orphan);
	return err;
}

static int sweep_for(struct vol *vol, size_t memory, struct gathering *g,
		     const struct found_chunks *found, bool one_thread)
{
	const struct sweep_options options = {
	    .posted = on_posting,
	    .posted_arg = g,
	    .posted_accounts = 1u << ACCOUNT_OWNERS | 1u << ACCOUNT_INODES | 1u << ACCOUNT_UNLINKED,
	    .found = found,
	    .one_thread = one_thread,
	};
	int err = sweep_gather(vol, memory, &options);

	return err ? err : g->ev->err;
}

int evidence_gather(struct vol *vol, size_t memory, const struct evidence_ag *wanted,
		    const struct sick_inodes *sick, bool one_thread, struct evidence **out)
{
	struct env *env = vol->env;
	struct evidence *ev = env_alloc(env, sizeof(*ev));
	struct found_chunks *found = env_array(env, vol->geo.ag_count, sizeof(*found));
	struct gathering g = {.ev = ev, .sick = sick};
	int err = ev && found ? 0 : fail(-ENOMEM, "gathering evidence: out of memory");

	*out = NULL;
	if (!err) {
		*ev = (struct evidence){.env = env, .geo = vol->geo, .wanted = wanted};
		ev->g = &ev->geo;
		for (u32 ag = 0; ag < vol->geo.ag_count; ag++)
			found[ag] = wanted[ag].found;
		err = open_sorters(ev);
	}
	if (!err)
		err = sweep_for(vol, memory, &g, found, one_thread);
	if (!err)
		err = begin_reading(ev);
	env_free(env, found);
	if (err)
		evidence_free(ev);
	else
		*out = ev;
	return err;
}

void evidence_free(struct evidence *ev)
{
	if (!ev)
		return;
	sorter_close(ev->claims);
	sorter_close(ev->chunks);
	sorter_close(ev->unlinked);
	env_free(ev->env, ev);
}

int evidence_claim(struct evidence *ev, u32 ag, struct claim *out)
{
	int err = 0;

	while (!err && ev->has_claim && be32_get(ev->claim.ag) < ag)
		err = sorter_take(ev->claims, &ev->claim, &ev->has_claim);
	if (err || !ev->has_claim || be32_get(ev->claim.ag) != ag)
		return err;
	*out = ev->claim;
	err = sorter_take(ev->claims, &ev->claim, &ev->has_claim);
	return err ? err : 1;
}

int evidence_chunk(struct evidence *ev, u32 ag, struct chunk_use *out)
{
	u64 used = 0;
	int err = 0;

	while (!err && ev->has_chunk && be32_get(ev->chunk.ag) < ag)
		err = sorter_take(ev->chunks, &ev->chunk, &ev->has_chunk);
	if (err || !ev->has_chunk || be32_get(ev->chunk.ag) != ag)
		return err;
	*out = ev->chunk;
	while (!err && ev->has_chunk && be32_get(ev->chunk.ag) == ag &&
	       be32_get(ev->chunk.startino) == be32_get(out->startino)) {
		used |= be64_get(ev->chunk.used);
		err = sorter_take(ev->chunks, &ev->chunk, &ev->has_chunk);
	}
	out->used = be64_make(used);
	return err ? err : 1;
}

int evidence_unlinked(struct evidence *ev, u32 ag, u64 *ino)
{
	int err = 0;

	while (!err && ev->has_orphan && inum_ag(ev->g, inum_of(be64_get(ev->orphan.ino))) < ag)
		err = sorter_take(ev->unlinked, &ev->orphan, &ev->has_orphan);
	if (err || !ev->has_orphan || inum_ag(ev->g, inum_of(be64_get(ev->orphan.ino))) != ag)
		return err;
	*ino = be64_get(ev->orphan.ino);
	err = sorter_take(ev->unlinked, &ev->orphan, &ev->has_orphan);
	return err ? err : 1;
}
