/* Who claims which blocks; see space_claims.h. */
#include "meta/space_claims.h"

#include "base/sorter.h"
#include "base/trail.h"

#include <errno.h>

#define CLAIMS_MEMORY (4u << 20)

struct claim_record {
	struct be32 ag, start, blocks;
	struct be64 owner;
};

struct claims {
	struct vol *vol;
	struct sorter *sorter;
	struct claim_record *claim;
	u64 *reach; /* see build() */
	u64 count;
};

int claims_open(struct vol *vol, struct claims **out)
{
	struct claims *c = env_alloc(vol->env, sizeof(*c));
	int err;

	*out = c;
	if (!c)
		return fail(-ENOMEM, "claims of blocks: out of memory");
	*c = (struct claims){.vol = vol};
	err = sorter_open(vol->env, sizeof(struct claim_record), sizeof(struct claim_record),
			  CLAIMS_MEMORY, &c->sorter);
	return err;
}

void claims_close(struct claims *c)
{
	if (!c)
		return;
	sorter_close(c->sorter);
	env_free(c->vol->env, c->claim);
	env_free(c->vol->env, c->reach);
	env_free(c->vol->env, c);
}

int claims_post(struct claims *c, const struct sweep_posting *p)
{
	bool free = p->account == ACCOUNT_FREE;
	struct claim_record r = {.ag = be32_make((u32)p->fact->w[0])};

	if (p->side != SIDE_LEFT)
		return 0;
	r.start = be32_make((u32)(free ? p->fact->w[1] : p->start));
	r.blocks = be32_make((u32)(free ? p->fact->w[2] : p->length));
	r.owner = be64_make(free ? (u64)CLAIM_FREE : p->fact->w[1]);
	return be32_get(r.blocks) ? sorter_add(c->sorter, &r) : 0;
}

static u64 place_of(const struct claim_record *r)
{
	return (u64)be32_get(r->ag) << 32 | be32_get(r->start);
}

/* Behind its last block; never in another AG. */
static u64 end_of(const struct claim_record *r)
{
	return ((u64)be32_get(r->ag) << 32) +
	       min_u64((u64)be32_get(r->start) + be32_get(r->blocks), NULL32);
}

/* The sorted claims are a tree: the root of some that follow one another is the one in the middle,
 * and reach[] of it is how far any of them reaches. So long claims cost nothing but themselves. */
static u64 build(struct claims *c, u64 low, u64 high)
{
	u64 middle = low + (high - low) / 2, reach;

	if (low == high)
		return 0;
	reach = max_u64(build(c, low, middle), build(c, middle + 1, high));
	return c->reach[middle] = max_u64(reach, end_of(&c->claim[middle]));
}

int claims_sort(struct claims *c, bool *known)
{
	u64 room = sorter_count(c->sorter);
	int err = sorter_sort(c->sorter), more = 0;

	*known = !err && room <= CLAIMS_MAX;
	if (!*known)
		return err;
	c->claim = env_array(c->vol->env, room + 1, sizeof(*c->claim));
	c->reach = env_array(c->vol->env, room + 1, sizeof(*c->reach));
	if (!c->claim || !c->reach)
		return fail(-ENOMEM, "claims of blocks: out of memory");
	while (c->count < room && (more = sorter_next(c->sorter, &c->claim[c->count])) > 0)
		c->count++;
	if (more >= 0)
		build(c, 0, c->count);
	return more < 0 ? more : 0;
}

struct question {
	u64 ino, from, end; /* places */
	u64 done, sum;
	s64 *owner;
};

static void ask(const struct claims *c, u64 low, u64 high, struct question *q)
{
	u64 middle = low + (high - low) / 2, start, stop;
	const struct claim_record *r = &c->claim[middle];

	if (low == high || c->reach[middle] <= q->from)
		return;
	ask(c, low, middle, q);
	if (place_of(r) >= q->end)
		return;
	start = max_u64(place_of(r), q->done);
	stop = min_u64(end_of(r), q->end);
	if (be64_get(r->owner) != q->ino && start < stop) {
		q->sum += stop - start;
		q->done = stop;
		*q->owner = (s64)be64_get(r->owner);
	}
	ask(c, middle + 1, high, q);
}

u64 claims_of_others(const struct claims *c, u64 ino, u64 fsblock, u64 count, s64 *owner)
{
	const struct geometry *g = &c->vol->geo;
	u64 from =
	    (u64)fsblock_ag(g, fsblock_of(fsblock)) << 32 | fsblock_bno(g, fsblock_of(fsblock));
	struct question q = {ino, from, from + count, from, 0, owner};

	ask(c, 0, c->count, &q);
	return q.sum;
}

int claims_each_leak(const struct claims *c, u64 ino, int (*fn)(void *arg, u64 fsblock, u64 count),
		     void *arg)
{
	const struct geometry *g = &c->vol->geo;
	u64 i = 0;
	int stop = 0;

	for (u32 ag = 0; ag < g->ag_count && !stop; ag++) {
		u64 at = geometry_ag_header_blocks(g), length = geometry_ag_blocks(g, ag);

		for (; i < c->count && be32_get(c->claim[i].ag) == ag && !stop; i++) {
			u64 start = min_u64(be32_get(c->claim[i].start), length);

			if (ino != NO_INO && be64_get(c->claim[i].owner) == ino)
				continue;
			if (start > at)
				stop = fn(arg, fsblock_make(g, ag, (u32)at).v, start - at);
			at = max_u64(at, start + be32_get(c->claim[i].blocks));
		}
		if (!stop && at < length)
			stop = fn(arg, fsblock_make(g, ag, (u32)at).v, length - at);
	}
	return stop;
}
