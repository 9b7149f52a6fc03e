/*
 * The devices that show one number of the versions: snapshots, and what was committed last.
 *
 * A read takes what is at home, and puts over it, granule by granule, the versions that the number
 * sees, older ones first: of units that lay over the same place one after the other, the last wins.
 * What was kept from home, before a unit was written over it, is put first; of two of those the one
 * that was kept later goes first, since the other is what lay there before that.
 *
 * While home is read, units may be written home and forgotten; `settled` tells, and the read is
 * done again.
 */
#include "cache/versions_impl.h"

#include "base/trail.h"

#include <errno.h>

static struct snapshot *snapshot_of(struct device *dev)
{
	return (struct snapshot *)dev;
}

/* True when a is to be put over b. */
static bool above(const struct version *a, const struct version *b)
{
	if (!b || !a->born != !b->born)
		return !b || !a->born;
	return a->born ? a->born < b->born : a->number > b->number;
}

/* The lowest version of this granule that lies above `last`. */
static struct unit *next_over(const struct versions *v, u64 granule, u64 number,
			      const struct version *last, struct version **out)
{
	struct unit *found = NULL;

	*out = NULL;
	for (struct stake *s = v->grid[version_mix(granule) & (v->slots - 1)]; s; s = s->next) {
		struct version *version;

		if (s->granule != granule)
			continue;
		version = version_at(s->unit, number);
		if (!version || version->gone || version->at_home || version == last ||
		    !above(version, last) || (*out && !above(*out, version)))
			continue;
		found = s->unit;
		*out = version;
	}
	return found;
}

static int copy(struct versions *v, const struct version *version, u32 from, u8 *to, u32 size)
{
	if (version->lost)
		return fail(-EIO, "a snapshot has lost what it kept: no room in the spill file");
	if (version->spilled)
		return v->env->spill_read(v->spill, version->place + from, to, size);
	memcpy(to, version->buf->data + version->offset + from, size);
	return 0;
}

/* Versions of different units have different numbers unless they are of one commit, and then they
 * do not overlap: equal ones are put in any order, each once. */
static int put_granule(struct versions *v, u64 granule, u64 number, u64 at, u8 *to, size_t size)
{
	u64 begin = granule << GRANULE_LOG, end = begin + (1u << GRANULE_LOG);
	struct version *last = NULL;
	int err = 0;

	begin = begin > at ? begin : at;
	end = min_u64(end, at + size);
	for (;;) {
		struct version *version;
		struct unit *unit = next_over(v, granule, number, last, &version);

		if (!unit || err)
			return err;
		/* all of this number, or of this birth */
		for (struct stake *s = v->grid[version_mix(granule) & (v->slots - 1)]; s && !err;
		     s = s->next) {
			struct version *same =
			    s->granule == granule ? version_at(s->unit, number) : NULL;
			u64 from, until;

			if (!same || same->gone || same->at_home || above(same, version) ||
			    above(version, same))
				continue;
			from = s->unit->at > begin ? s->unit->at : begin;
			until = min_u64(s->unit->at + s->unit->size, end);
			if (from < until)
				err = copy(v, same, (u32)(from - s->unit->at), to + (from - at),
					   (u32)(until - from));
		}
		last = version;
	}
}

static int put_over(struct versions *v, u64 number, u64 at, u8 *to, size_t size)
{
	int err = 0;

	for (u64 g = at >> GRANULE_LOG; g << GRANULE_LOG < at + size && !err; g++)
		err = put_granule(v, g, number, at, to, size);
	return err;
}

static int version_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	struct snapshot *s = snapshot_of(dev);
	struct versions *v = s->v;
	u64 settled;
	bool again;
	int err;

	do {
		versions_lock(v);
		settled = v->settled;
		versions_unlock(v);
		err = device_read(v->home, at, to, size);
		if (err || !size)
			return err;
		versions_lock(v);
		again = settled != v->settled;
		if (!again)
			err = put_over(v, s->number, at.v, to, size);
		versions_unlock(v);
	} while (again);
	return err;
}

static int version_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct snapshot *s = snapshot_of(dev);

	if (s->number != NULL64)
		return fail(-EROFS, "%s: a snapshot cannot be written to", dev->name);
	return device_write(s->v->home, at, from, size);
}

static int version_flush(struct device *dev)
{
	struct snapshot *s = snapshot_of(dev);

	return s->number == NULL64 ? device_flush(s->v->home) : 0;
}

static void version_will_read(struct device *dev, struct daddr at, u64 size)
{
	struct device *home = snapshot_of(dev)->v->home;

	if (home->will_read)
		home->will_read(home, at, size);
}

static void version_close(struct device *dev)
{
	struct snapshot *s = snapshot_of(dev), **link;
	struct versions *v = s->v;

	if (s == &v->current)
		return;
	versions_lock(v);
	for (link = &v->snapshots; *link != s;)
		link = &(*link)->next;
	*link = s->next;
	versions_prune_all(v);
	versions_unlock(v);
	env_free(v->env, s);
}

static void open_at(struct versions *v, struct snapshot *s, u64 number)
{
	s->v = v;
	s->number = number;
	s->dev = (struct device){.name = v->home->name,
				 .size = v->home->size,
				 .read_only = number != NULL64,
				 .read = version_read,
				 .write = version_write,
				 .flush = version_flush,
				 .will_read = version_will_read,
				 .close = version_close};
}

int versions_snapshot(struct versions *v, struct device **out)
{
	struct snapshot *s = env_alloc(v->env, sizeof(*s));

	*out = NULL;
	if (!s)
		return fail(-ENOMEM, "a snapshot: out of memory");
	versions_lock(v);
	open_at(v, s, v->number);
	s->next = v->snapshots;
	v->snapshots = s;
	versions_unlock(v);
	*out = &s->dev;
	return 0;
}

u64 versions_oldest(struct versions *v)
{
	u64 oldest = NULL64;

	versions_lock(v);
	for (const struct snapshot *s = v->snapshots; s; s = s->next)
		oldest = min_u64(oldest, s->number);
	versions_unlock(v);
	return oldest;
}

struct device *versions_device(struct versions *v)
{
	return &v->current.dev;
}

void versions_attach(struct versions *v, struct cache *cache)
{
	v->cache = cache;
}

int versions_open(struct env *env, struct device *home, size_t memory, struct versions **out)
{
	struct versions *v = env_alloc(env, sizeof(*v));

	*out = NULL;
	if (!v)
		return fail(-ENOMEM, "the versions: out of memory");
	v->env = env;
	v->home = home;
	v->memory_max = memory;
	v->slots = SLOTS_FIRST;
	v->number = v->durable = 1;
	v->table = env_array(env, v->slots, sizeof(struct unit *));
	v->grid = env_array(env, v->slots, sizeof(struct stake *));
	v->lock = env->lock_create(env);
	open_at(v, &v->current, NULL64);
	if (!v->table || !v->grid || !v->lock) {
		versions_close(v);
		return fail(-ENOMEM, "the versions: out of memory");
	}
	*out = v;
	return 0;
}

/* A snapshot that is still open is a bug of ours. */
void versions_close(struct versions *v)
{
	if (!v)
		return;
	if (v->snapshots)
		__builtin_trap();
	for (u64 i = 0; v->table && i < v->slots; i++)
		for (struct unit *unit = v->table[i], *next; unit; unit = next) {
			next = unit->chain;
			version_unit_free(v, unit);
		}
	if (v->spill)
		v->env->spill_close(v->spill);
	if (v->lock)
		v->env->lock_destroy(v->env, v->lock);
	env_free(v->env, v->table);
	env_free(v->env, v->grid);
	env_free(v->env, v);
}
