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
	u64 count;
	u32 longest; /* of them, in blocks: how far back one may begin that reaches here */
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

int claims_sort(struct claims *c, bool *known)
{
	u64 room = sorter_count(c->sorter);
	int err = sorter_sort(c->sorter), more = 0;

	*known = !err && room <= CLAIMS_MAX;
	if (!*known)
		return err;
	c->claim = env_array(c->vol->env, room + 1, sizeof(*c->claim));
	if (!c->claim)
		return fail(-ENOMEM, "claims of blocks: out of memory");
	while (c->count < room && (more = sorter_next(c->sorter, &c->claim[c->count])) > 0) {
		c->longest = (u32)max_u64(c->longest, be32_get(c->claim[c->count].blocks));
		c->count++;
	}
	return more < 0 ? more : 0;
}

static u64 place_of(const struct claim_record *r)
{
	return (u64)be32_get(r->ag) << 32 | be32_get(r->start);
}

/* The first claim that begins at `place` or behind it. */
static u64 find(const struct claims *c, u64 place)
{
	u64 low = 0, high = c->count;

	while (low < high) {
		u64 middle = low + (high - low) / 2;

		if (place_of(&c->claim[middle]) < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

u64 claims_of_others(const struct claims *c, u64 ino, u64 fsblock, u64 count, s64 *owner)
{
	const struct geometry *g = &c->vol->geo;
	u32 ag = fsblock_ag(g, fsblock_of(fsblock));
	u64 from = fsblock_bno(g, fsblock_of(fsblock)), end = from + count, done = from, sum = 0;
	u64 first = from > c->longest ? from - c->longest : 0;

	for (u64 i = find(c, (u64)ag << 32 | first); i < c->count; i++) {
		const struct claim_record *r = &c->claim[i];
		u64 start = be32_get(r->start), stop = start + be32_get(r->blocks);

		if (be32_get(r->ag) != ag || start >= end)
			break;
		start = max_u64(start, done);
		stop = min_u64(stop, end);
		if (be64_get(r->owner) == ino || start >= stop)
			continue;
		sum += stop - start;
		done = stop;
		*owner = (s64)be64_get(r->owner);
	}
	return sum;
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
