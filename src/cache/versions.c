/*
 * Versions of what has been committed; see versions.h.
 *
 * 1. A unit is in `table` by (at, size), and its stakes in `grid` by each granule that it touches.
 * 2. unit->newest leads to older versions with falling numbers. Number 0 is what lay at home before
 *    the first commit of the unit.
 * 3. A version is one of: content (buf), content in the spill file, gone (freed at that commit), or
 *    at home (the device has it and no buffer is held). Only the newest is at home, or none.
 * 4. A unit is on `pending` exactly when it has changed since the last freeze, on `frozen` between
 *    freeze and thaw when it had changed before the freeze.
 * 5. unit->logged: the log has a version of it that is not home, or was being written home.
 *
 * What a pin needs of a unit is the newest version that is not above its number.  The journal pins
 * `durable`, the number that the log has, until the next one is there, since it may be written home
 * at any time, and `freezing` while that is on its way to the log.
 */
#include "cache/versions_impl.h"

#include "base/trail.h"

#include <errno.h>
#include <stdlib.h>

#define PRUNE_AT_ONCE 64u /* units */

u64 version_mix(u64 key)
{
	return key * 0x9e3779b97f4a7c15ull >> 20;
}

void versions_lock(struct versions *v)
{
	v->env->lock_take(v->lock);
}

void versions_unlock(struct versions *v)
{
	v->env->lock_drop(v->lock);
}

/* ---- units ---- */

struct unit *version_unit_find(const struct versions *v, u64 at, u32 size)
{
	struct unit *unit = v->table[version_mix(at) & (v->slots - 1)];

	while (unit && (unit->at != at || unit->size != size))
		unit = unit->chain;
	return unit;
}

static u32 stakes_of(u64 at, u32 size)
{
	return (u32)(((at + size - 1) >> GRANULE_LOG) - (at >> GRANULE_LOG)) + 1;
}

static void unit_link(struct versions *v, struct unit *unit)
{
	struct unit **chain = &v->table[version_mix(unit->at) & (v->slots - 1)];

	unit->chain = *chain;
	*chain = unit;
	for (u32 i = 0; i < stakes_of(unit->at, unit->size); i++) {
		struct stake *stake = &unit->stake[i], **cell;

		stake->granule = (unit->at >> GRANULE_LOG) + i;
		stake->unit = unit;
		cell = &v->grid[version_mix(stake->granule) & (v->slots - 1)];
		stake->next = *cell;
		*cell = stake;
	}
	v->units++;
}

struct unit *version_unit_add(struct versions *v, u64 at, u32 size)
{
	struct unit *unit =
	    env_alloc(v->env, sizeof(*unit) + stakes_of(at, size) * sizeof(struct stake));

	if (!unit)
		return NULL;
	unit->at = at;
	unit->size = size;
	unit_link(v, unit);
	return unit;
}

static void unit_unlink(struct versions *v, struct unit *unit)
{
	struct unit **chain = &v->table[version_mix(unit->at) & (v->slots - 1)];

	while (*chain != unit)
		chain = &(*chain)->chain;
	*chain = unit->chain;
	for (u32 i = 0; i < stakes_of(unit->at, unit->size); i++) {
		struct stake *stake = &unit->stake[i],
			     **cell = &v->grid[version_mix(stake->granule) & (v->slots - 1)];

		while (*cell != stake)
			cell = &(*cell)->next;
		*cell = stake->next;
	}
	v->units--;
}

/* Twice the slots when there are as many units; without memory the chains only grow longer. */
static void grow(struct versions *v)
{
	u64 slots = v->slots * 2, old_slots = v->slots;
	struct unit **table, **old = v->table;
	struct stake **grid;

	if (v->units < v->slots)
		return;
	table = env_array(v->env, slots, sizeof(struct unit *));
	grid = env_array(v->env, slots, sizeof(struct stake *));
	if (!table || !grid) {
		env_free(v->env, table);
		env_free(v->env, grid);
		return;
	}
	env_free(v->env, v->grid);
	v->table = table;
	v->grid = grid;
	v->slots = slots;
	v->units = 0;
	for (u64 i = 0; i < old_slots; i++)
		for (struct unit *unit = old[i], *next; unit; unit = next) {
			next = unit->chain;
			unit_link(v, unit);
		}
	env_free(v->env, old);
}

void version_release(struct versions *v, struct version *old)
{
	if (old->buf)
		v->memory -= old->size;
	if (old->spilled)
		v->spilled_count--;
	if (!v->spilled_count)
		v->spill_end = 0;
	cache_put(v->cache, old->buf);
	env_free(v->env, old);
}

void version_unit_free(struct versions *v, struct unit *unit)
{
	while (unit->newest) {
		struct version *old = unit->newest;

		unit->newest = old->older;
		version_release(v, old);
	}
	env_free(v->env, unit);
}

/* ---- versions of a unit ---- */

static bool needed(const struct versions *v, u64 number, u64 next)
{
	if ((number <= v->durable && v->durable < next) ||
	    (v->freezing && number <= v->freezing && v->freezing < next))
		return true;
	for (const struct snapshot *s = v->snapshots; s; s = s->next)
		if (number <= s->number && s->number < next)
			return true;
	return false;
}

/* Lets go of what nobody needs. */
static void prune(struct versions *v, struct unit *unit)
{
	u64 next = unit->newest->number;

	for (struct version **link = &unit->newest->older; *link;) {
		struct version *old = *link;

		if (needed(v, old->number, next)) {
			next = old->number;
			link = &old->older;
			continue;
		}
		*link = old->older;
		version_release(v, old);
	}
}

/* A unit with old versions is on the list of those, so that they are found when a pin goes. */
void versions_note_many(struct versions *v, struct unit *unit)
{
	if (!unit->newest->older || unit->many)
		return;
	unit->many = true;
	unit->next_many = v->many;
	v->many = unit;
}

/* Nothing has to be said about the unit to anybody any more. */
static bool finished(const struct unit *unit)
{
	return !unit->newest->older && !unit->pending && !unit->frozen && !unit->logged &&
	       (unit->newest->at_home || unit->newest->gone);
}

void versions_unit_settle(struct versions *v, struct unit *unit)
{
	if (unit->many || !finished(unit))
		return;
	unit_unlink(v, unit);
	version_unit_free(v, unit);
}

/* There may be many, each with a chain to let go, and commits wait for the lock: it is let go now
 * and then. Units that are on `units` here are on nobody's list, and stay since they say `many`. */
void versions_prune_all(struct versions *v)
{
	struct unit *units = v->many;

	v->many = NULL;
	for (u32 i = 1; units; i++) {
		struct unit *unit = units;

		units = unit->next_many;
		prune(v, unit);
		unit->many = false;
		if (unit->newest->older)
			versions_note_many(v, unit);
		else
			versions_unit_settle(v, unit);
		if (i % PRUNE_AT_ONCE)
			continue;
		versions_unlock(v);
		if (v->env->pause)
			v->env->pause(v->env);
		versions_lock(v);
	}
}

/* Only a snapshot needs it, and there are too many of those: to the spill file. */
static void spill(struct versions *v, struct version *old)
{
	const u8 *bytes = old->buf->data + old->offset;

	if (!v->spill)
		v->spill = v->env->spill_open(v->env);
	if (!v->spill || v->env->spill_write(v->spill, v->spill_end, bytes, old->size))
		old->lost = true;
	old->spilled = true;
	old->place = v->spill_end;
	v->spill_end += old->size;
	v->spilled_count++;
	v->memory -= old->size;
	cache_put(v->cache, old->buf);
	old->buf = NULL;
}

static bool for_snapshots_alone(const struct versions *v, const struct version *old, u64 next)
{
	return !(old->number <= v->durable && v->durable < next) &&
	       !(v->freezing && old->number <= v->freezing && v->freezing < next);
}

static void spill_old(struct versions *v, struct unit *unit)
{
	u64 next = unit->newest->number;

	for (struct version *old = unit->newest->older; old; old = old->older) {
		if (old->buf && v->memory > v->memory_max && for_snapshots_alone(v, old, next))
			spill(v, old);
		next = old->number;
	}
}

/* ---- commits ---- */

/* What a commit needs of memory, so that it cannot fail half-way. */
struct prepared {
	struct unit *there; /* the unit that it changes, or NULL */
	struct unit *unit;  /* a new one, or NULL */
	struct version *version, *first;
};

static int prepare(struct versions *v, const struct version_change *c, struct prepared *p)
{
	u32 stakes = stakes_of(c->range.at.v, c->range.size);

	if (c->range.size > VERSION_CHUNK * 32 * VERSION_MAP_WORDS)
		return fail(-EINVAL, "a change of %u bytes in one piece", c->range.size);
	p->there = version_unit_find(v, c->range.at.v, c->range.size);
	if (!p->there) {
		p->unit = env_alloc(v->env, sizeof(*p->unit) + stakes * sizeof(struct stake));
		if (c->before && v->snapshots)
			p->first = env_alloc(v->env, sizeof(*p->first));
	}
	p->version = env_alloc_bytes(v->env, sizeof(*p->version));
	if (!p->version || (!p->unit && !p->there) ||
	    (p->unit && c->before && v->snapshots && !p->first))
		return fail(-ENOMEM, "committing a transaction: out of memory");
	return 0;
}

static void push(struct versions *v, struct unit *unit, struct version *version)
{
	version->older = unit->newest;
	unit->newest = version;
	if (version->buf)
		v->memory += version->size;
}

/* The content before is kept where a pin needs it and the chain does not have it. */
static void keep_before(struct versions *v, struct unit *unit, const struct version_change *c,
			struct version *first)
{
	struct version *newest = unit->newest;

	if (!c->before) {
		env_free(v->env, first);
		return;
	}
	if (newest && newest->at_home) {
		newest->at_home = false;
	} else if (!newest && first) {
		*first = (struct version){.size = unit->size, .born = ++v->kept};
		newest = unit->newest = first;
	} else {
		env_free(v->env, first);
		return;
	}
	newest->buf = c->before;
	newest->offset = c->offset;
	cache_hold(v->cache, c->before);
	v->memory += newest->size;
}

void version_mark_all(u32 *map, u32 size)
{
	u32 chunks = size / VERSION_CHUNK, words = chunks / 32;

	memset(map, 0xff, words * sizeof(*map));
	if (chunks % 32)
		map[words] |= (1u << chunks % 32) - 1;
}

/* The chunks that are known to differ, of a unit of `chunks` that begins at chunk `at` of its
 * object. */
static void mark_known(struct unit *unit, const u32 *known, u32 at, u32 chunks)
{
	for (u32 i = 0; at % 32 == 0 && i < chunks; i += 32)
		unit->map[i / 32] |=
		    known[(at + i) / 32] & (chunks - i < 32 ? (1u << (chunks - i)) - 1 : NULL32);
	for (u32 i = 0; at % 32 && i < chunks; i++)
		unit->map[i / 32] |= (known[(at + i) / 32] >> (at + i) % 32 & 1) << i % 32;
}

/* Which chunks differ; all of them when the log shall have them all. */
static void mark(struct unit *unit, const struct version_change *c)
{
	const u8 *new = c->buf->data + c->offset,
		 *old = c->before ? c->before->data + c->offset : NULL;

	if ((!unit->logged && !unit->frozen) || unit->whole || !old) {
		version_mark_all(unit->map, unit->size);
		return;
	}
	if (c->map)
		mark_known(unit, c->map, c->offset / VERSION_CHUNK, unit->size / VERSION_CHUNK);
	else
		version_map_differences(old, new, 0, unit->size, unit->map);
}

static void queue(struct versions *v, struct unit *unit)
{
	if (unit->pending)
		return;
	unit->pending = true;
	unit->next_pending = v->pending;
	v->pending = unit;
	v->pending_units++;
	v->pending_bytes += unit->size;
}

static void apply(struct versions *v, const struct version_change *c, struct prepared *p,
		  u64 number)
{
	struct unit *unit = p->there;

	if (!unit) {
		unit = p->unit;
		p->unit = NULL;
		unit->at = c->range.at.v;
		unit->size = c->range.size;
		unit_link(v, unit);
	}
	keep_before(v, unit, c, p->first);
	mark(unit, c);
	unit->pieces = c->range.size != c->buf->size;
	*p->version = (struct version){
	    .number = number, .size = unit->size, .buf = c->buf, .offset = c->offset};
	cache_hold(v->cache, c->buf);
	push(v, unit, p->version);
	prune(v, unit);
	versions_note_many(v, unit);
	spill_old(v, unit);
	queue(v, unit);
	env_free(v->env, p->unit);
}

/* The unit is no more from this commit on. */
static void kill(struct versions *v, struct unit *unit, struct version *spare, u64 number)
{
	*spare = (struct version){.number = number, .size = unit->size, .gone = true};
	push(v, unit, spare);
	prune(v, unit);
	versions_note_many(v, unit);
	queue(v, unit);
}

/* Units that a commit frees: those that the caller has room for are in `unit`. */
struct found {
	struct unit **unit;
	u32 count, room;
};

static void consider(struct found *f, struct unit *unit, const struct version_freed *range)
{
	if (unit->newest->gone || unit->at < range->at ||
	    unit->at + unit->size > range->at + range->size)
		return;
	if (f->count < f->room)
		f->unit[f->count] = unit;
	f->count++;
}

/* Looks at the granules of the range, or at all units where those are fewer. */
static void find_freed(struct versions *v, const struct version_freed *range, struct found *f)
{
	u64 first = range->at >> GRANULE_LOG, last = (range->at + range->size - 1) >> GRANULE_LOG;

	if (last - first >= v->slots) {
		for (u64 i = 0; i < v->slots; i++)
			for (struct unit *u = v->table[i]; u; u = u->chain)
				consider(f, u, range);
		return;
	}
	for (u64 g = first; g <= last; g++)
		for (struct stake *s = v->grid[version_mix(g) & (v->slots - 1)]; s; s = s->next)
			if (s->granule == g && s == &s->unit->stake[0])
				consider(f, s->unit, range);
}

static int prepare_freed(struct versions *v, const struct version_freed *freed, u32 count,
			 struct found *f, struct version ***spares)
{
	for (u32 i = 0; i < count; i++)
		find_freed(v, &freed[i], f);
	f->room = f->count;
	f->unit = env_array(v->env, f->room + 1u, sizeof(*f->unit));
	*spares = env_array(v->env, f->room + 1u, sizeof(**spares));
	if (!f->unit || !*spares)
		return fail(-ENOMEM, "committing a transaction: out of memory");
	f->count = 0;
	for (u32 i = 0; i < count; i++)
		find_freed(v, &freed[i], f);
	for (u32 i = 0; i < f->room; i++) {
		(*spares)[i] = env_alloc(v->env, sizeof(struct version));
		if (!(*spares)[i])
			return fail(-ENOMEM, "committing a transaction: out of memory");
	}
	return 0;
}

static void drop_prepared(struct versions *v, struct prepared *p, u32 count)
{
	for (u32 i = 0; p && i < count; i++) {
		env_free(v->env, p[i].unit);
		env_free(v->env, p[i].version);
		env_free(v->env, p[i].first);
	}
}

static int commit(struct versions *v, const struct version_change *changes, u32 count,
		  const struct version_freed *freed, u32 freed_count, struct prepared *p)
{
	struct version **spares = NULL;
	struct found f = {0};
	int err = 0;

	for (u32 i = 0; i < count && !err; i++)
		err = prepare(v, &changes[i], &p[i]);
	if (!err && freed_count)
		err = prepare_freed(v, freed, freed_count, &f, &spares);
	if (err) {
		drop_prepared(v, p, count);
	} else {
		v->number++;
		for (u32 i = 0; i < count; i++)
			apply(v, &changes[i], &p[i], v->number);
		for (u32 i = 0; i < f.room; i++)
			if (f.unit[i]->newest->number != v->number) {
				kill(v, f.unit[i], spares[i], v->number);
				spares[i] = NULL;
			}
		grow(v);
	}
	for (u32 i = 0; spares && i < f.room; i++)
		env_free(v->env, spares[i]);
	env_free(v->env, f.unit);
	env_free(v->env, spares);
	return err;
}

int versions_commit(struct versions *v, const struct version_change *changes, u32 count,
		    const struct version_freed *freed, u32 freed_count, u64 *number)
{
	struct prepared *p = env_array(v->env, count + 1u, sizeof(*p));
	int err;

	if (!p)
		return fail(-ENOMEM, "committing a transaction: out of memory");
	versions_lock(v);
	err = commit(v, changes, count, freed, freed_count, p);
	*number = v->number;
	versions_unlock(v);
	env_free(v->env, p);
	return err;
}

u64 versions_number(struct versions *v)
{
	u64 number;

	versions_lock(v);
	number = v->number;
	versions_unlock(v);
	return number;
}
