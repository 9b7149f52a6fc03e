/* What others say of inodes; see inode_facts.h. Postings come one at a time. */
#include "meta/inode_facts.h"

#include "base/order.h"
#include "base/sorter.h"
#include "base/trail.h"
#include "format/btree.h"
#include "ledger/sweep.h"
#include "meta/space_claims.h"

#include <errno.h>

#define OWNED_MEMORY (16u << 20)
#define NAMES_MEMORY (2u << 20)
#define FREE_MAX (1u << 20)    /* free extents that are kept */
#define EXTENTS_MAX (1u << 20) /* of one fork: 32 MiB */

struct owned {
	struct be64 ino;
	u8 seen, attr, map;
	struct be64 off;
	struct be32 ag, start, blocks;
	u8 unwritten;
};
struct named {
	struct be64 ino;
	u8 ftype;
	struct be64 times;
};
#define NAMED_KEY offsetof(struct named, times)
struct free_run {
	struct be32 ag, start, blocks;
};

struct facts {
	struct vol *vol;
	const struct facts_options *options;
	struct sorter *owned, *names, *frees;
	struct claims *claims; /* NULL: not wanted */
	bool claims_known;
	struct free_run *run; /* by place; NULL: not known */
	u32 runs;
	struct owned next;
	struct named name;
	bool has_next, has_name;
	u32 at; /* in the list */
	struct inode_facts now;
	int err;
};

static bool listed(const struct facts *f, u64 ino)
{
	return order_has(f->options->ino, f->options->count, ino);
}

/* Are its forks, and what the reverse map has of them, to be known? */
static bool asked_for(const struct facts *f, u64 ino)
{
	const struct facts_options *o = f->options;

	return o->all || listed(f, ino) || order_has(o->odd, o->odd_count, ino);
}

/* Of what it would add nothing; asked by any number of threads. */
static bool wanted(void *arg, const struct sweep_posting *p)
{
	const struct facts *f = arg;

	if (p->account == ACCOUNT_LINKS)
		return p->side == SIDE_LEFT && listed(f, p->fact->w[0]);
	if (p->account == ACCOUNT_FREE)
		return p->side == SIDE_LEFT;
	return f->options->claims || asked_for(f, p->fact->w[1]);
}

static int add_owned(struct facts *f, const struct sweep_posting *p)
{
	u64 owner = p->fact->w[1], word = p->fact->w[2], ag = p->fact->w[0];
	bool map = word & OWNER_BMBT;
	const struct owned o = {
	    .ino = be64_make(owner),
	    .seen = p->side == SIDE_RIGHT,
	    .attr = (word & OWNER_ATTR) != 0,
	    .map = map,
	    .off = be64_make(map ? 0 : (word + p->start) & RMAP_OFFSET_MASK),
	    .ag = be32_make((u32)ag),
	    .start = be32_make((u32)p->start),
	    .blocks = be32_make((u32)p->length),
	    .unwritten = (word & OWNER_UNWRITTEN) != 0,
	};

	if ((s64)owner < 0 || !p->length || !asked_for(f, owner))
		return 0;
	return sorter_add(f->owned, &o);
}

static int add_free(struct facts *f, const struct sweep_posting *p)
{
	const struct free_run run = {be32_make((u32)p->fact->w[0]), be32_make((u32)p->fact->w[1]),
				     be32_make((u32)p->fact->w[2])};

	return p->side == SIDE_LEFT ? sorter_add(f->frees, &run) : 0;
}

static int add_name(struct facts *f, const struct sweep_posting *p)
{
	const struct named n = {be64_make(p->fact->w[0]), (u8)p->fact->w[1],
				be64_make((u64)p->times)};

	if (p->side != SIDE_LEFT || !listed(f, p->fact->w[0]))
		return 0;
	return sorter_add(f->names, &n);
}

static void on_posting(void *arg, const struct sweep_posting *p)
{
	struct facts *f = arg;
	int err = p->account == ACCOUNT_OWNERS ? add_owned(f, p)
		  : p->account == ACCOUNT_FREE ? add_free(f, p)
					       : add_name(f, p);

	if (!err && f->claims && p->account != ACCOUNT_LINKS)
		err = claims_post(f->claims, p);

	if (err && !f->err)
		f->err = err;
}

static int keep_free(struct facts *f)
{
	u64 count = sorter_count(f->frees);
	int err = sorter_sort(f->frees), more = 0;

	if (err || count > FREE_MAX)
		return err;
	f->run = env_array(f->vol->env, count + 1, sizeof(*f->run));
	if (!f->run)
		return fail(-ENOMEM, "facts about inodes: out of memory");
	while (f->runs < count && (more = sorter_next(f->frees, &f->run[f->runs])) > 0)
		f->runs++;
	return more < 0 ? more : 0;
}

static int next_owned(struct facts *f)
{
	return sorter_take(f->owned, &f->next, &f->has_next);
}

static int next_name(struct facts *f)
{
	return sorter_take(f->names, &f->name, &f->has_name);
}

static int prepare(struct facts *f)
{
	const struct sweep_options options = {
	    .posted = on_posting,
	    .posted_wanted = wanted,
	    .posted_arg = f,
	    .posted_accounts = 1u << ACCOUNT_OWNERS | 1u << ACCOUNT_LINKS | 1u << ACCOUNT_FREE,
	    .gather = true,
	};
	struct env *env = f->vol->env;
	struct sweep_stats stats;
	int err =
	    sorter_open(env, sizeof(struct owned), sizeof(struct owned), OWNED_MEMORY, &f->owned);

	if (!err && f->options->claims)
		err = claims_open(f->vol, &f->claims);
	if (!err)
		err = sorter_open(env, sizeof(struct named), NAMED_KEY, NAMES_MEMORY, &f->names);
	if (!err)
		err = sorter_open(env, sizeof(struct free_run), sizeof(struct free_run),
				  NAMES_MEMORY, &f->frees);
	if (!err)
		err = sweep_run(f->vol, &options, &stats);
	if (!err)
		err = f->err;
	if (!err)
		err = keep_free(f);
	if (!err && f->claims)
		err = claims_sort(f->claims, &f->claims_known);
	if (!err)
		err = sorter_sort(f->owned);
	if (!err)
		err = sorter_sort(f->names);
	if (!err)
		err = next_owned(f);
	return err ? err : next_name(f);
}

int facts_gather(struct vol *snapshot, const struct facts_options *options, struct facts **out)
{
	struct facts *f = env_alloc(snapshot->env, sizeof(*f));
	int err = f ? 0 : fail(-ENOMEM, "facts about inodes: out of memory");

	*out = NULL;
	if (!err) {
		*f = (struct facts){.vol = snapshot, .options = options};
		err = prepare(f);
	}
	if (err)
		facts_free(f);
	else
		*out = f;
	return err;
}

static void drop(struct facts *f)
{
	for (u32 i = 0; i < 2; i++) {
		env_free(f->vol->env, f->now.said[i].extent);
		env_free(f->vol->env, f->now.seen[i].extent);
	}
	f->now = (struct inode_facts){0};
}

void facts_free(struct facts *f)
{
	if (!f)
		return;
	drop(f);
	sorter_close(f->owned);
	sorter_close(f->names);
	sorter_close(f->frees);
	claims_close(f->claims);
	env_free(f->vol->env, f->run);
	env_free(f->vol->env, f);
}

/* ---- one inode ---- */

static bool continues(const struct geometry *g, const struct extent *a, const struct extent *b)
{
	return a->off + a->count == b->off && a->start + a->count == b->start &&
	       a->unwritten == b->unwritten && a->count + b->count <= EXTENT_COUNT_MAX &&
	       fsblock_ag(g, fsblock_of(a->start)) == fsblock_ag(g, fsblock_of(b->start));
}

int mapped_add(struct env *env, const struct geometry *g, struct mapped *m, const struct extent *e)
{
	struct extent *grown;

	m->blocks += e->count;
	if (m->count && continues(g, &m->extent[m->count - 1], e)) {
		m->extent[m->count - 1].count += e->count;
		return 0;
	}
	if (m->count == m->room) {
		u32 room = m->room ? m->room * 2 : 16;

		if (room > EXTENTS_MAX)
			return fail(-EFBIG, "a fork of too many extents to be made anew");
		grown = env_grow(env, m->extent, m->count, room, sizeof(*grown));
		if (!grown)
			return fail(-ENOMEM, "facts about inodes: out of memory");
		m->extent = grown;
		m->room = room;
	}
	m->extent[m->count++] = *e;
	return 0;
}

static int take_owned(struct facts *f)
{
	const struct geometry *g = &f->vol->geo;
	const struct owned *o = &f->next;
	struct mapped *m = o->seen ? &f->now.seen[o->attr] : &f->now.said[o->attr];
	u32 ag = be32_get(o->ag), blocks = be32_get(o->blocks);
	const struct extent e = {
	    .off = be64_get(o->off),
	    .start = fsblock_make(g, ag, be32_get(o->start)).v,
	    .count = blocks,
	    .unwritten = o->unwritten,
	};

	if (o->map) {
		m->map_blocks += blocks;
		return 0;
	}
	return mapped_add(f->vol->env, g, m, &e);
}

static int take_names(struct facts *f)
{
	u64 best = 0;
	int err = 0;

	while (!err && f->has_name && be64_get(f->name.ino) < f->now.ino)
		err = next_name(f);
	for (u64 sum = 0, last = 0; !err && f->has_name && be64_get(f->name.ino) == f->now.ino;
	     err = next_name(f)) {
		sum =
		    f->name.ftype == last ? sum + be64_get(f->name.times) : be64_get(f->name.times);
		last = f->name.ftype;
		f->now.names += be64_get(f->name.times);
		if (sum > best) {
			best = sum;
			f->now.ftype = (u8)last;
		}
	}
	return err;
}

static bool same(const struct mapped *a, const struct mapped *b)
{
	bool same =
	    a->count == b->count && a->blocks == b->blocks && a->map_blocks == b->map_blocks;

	for (u32 i = 0; same && i < a->count; i++)
		same = a->extent[i].off == b->extent[i].off &&
		       a->extent[i].start == b->extent[i].start &&
		       a->extent[i].count == b->extent[i].count &&
		       a->extent[i].unwritten == b->extent[i].unwritten;
	return same;
}

static int take_inode(struct facts *f, u64 ino)
{
	int err = 0;

	drop(f);
	f->now.ino = ino;
	f->now.rmaps = f->options->rmaps;
	f->now.named = !f->options->names;
	f->now.claims = f->claims_known ? f->claims : NULL;
	while (!err && f->has_next && be64_get(f->next.ino) == ino) {
		err = take_owned(f);
		if (!err)
			err = next_owned(f);
	}
	return err ? err : take_names(f);
}

/* Does anybody else claim some of it? */
static bool contested(const struct facts *f)
{
	for (u32 which = 0; f->now.claims && which < 2; which++)
		for (u32 i = 0; i < f->now.said[which].count; i++) {
			const struct extent *e = &f->now.said[which].extent[i];
			s64 owner;

			if (claims_of_others(f->now.claims, f->now.ino, e->start, e->count, &owner))
				return true;
		}
	return false;
}

int facts_next(struct facts *f, struct inode_facts **out)
{
	for (;;) {
		bool more = f->at < f->options->count;
		u64 ino = more ? f->options->ino[f->at] : NULL64;
		int err;

		if (!more && !f->has_next)
			return 0;
		if (f->has_next)
			ino = min_u64(ino, be64_get(f->next.ino));
		more = more && ino == f->options->ino[f->at];
		f->at += more;
		err = take_inode(f, ino);
		if (err)
			return err;
		f->now.wanted = more;
		*out = &f->now;
		if (more)
			return 1;
		if (f->now.rmaps && (!same(&f->now.said[0], &f->now.seen[0]) ||
				     !same(&f->now.said[1], &f->now.seen[1])))
			return 1;
		if (contested(f))
			return 1;
	}
}

u64 facts_free_blocks(const struct facts *f, u64 fsblock, u64 count, bool *known)
{
	const struct geometry *g = &f->vol->geo;
	u32 ag = fsblock_ag(g, fsblock_of(fsblock)), low = 0, high = f->runs;
	u64 from = fsblock_bno(g, fsblock_of(fsblock)), end = from + count, sum = 0;

	*known = f->run != NULL;
	if (!f->run)
		return 0;
	while (low < high) {
		u32 middle = low + (high - low) / 2;
		const struct free_run *r = &f->run[middle];

		if (be32_get(r->ag) < ag || (be32_get(r->ag) == ag &&
					     (u64)be32_get(r->start) + be32_get(r->blocks) <= from))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < f->runs && be32_get(f->run[low].ag) == ag; low++) {
		u64 start = be32_get(f->run[low].start),
		    stop = start + be32_get(f->run[low].blocks);

		if (start >= end)
			break;
		sum += min_u64(stop, end) - max_u64(start, from);
	}
	return sum;
}
