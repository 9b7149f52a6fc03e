/*
 * What the journal does with the versions: freeze, log, thaw, and write home.
 *
 * One thread at a time is in here; commits and readers go on meanwhile.  What is frozen or written
 * home is pinned, so its bytes are read outside the lock.
 */
#include "cache/versions_impl.h"

#include "base/trail.h"

#include <errno.h>
#include <stdlib.h>

#define RUN_MAX (256u << 10) /* bytes written home at once */

void versions_pending(struct versions *v, u64 *bytes, u64 *units)
{
	versions_lock(v);
	*bytes = v->pending_bytes;
	*units = v->pending_units;
	versions_unlock(v);
}

u64 versions_memory(struct versions *v)
{
	u64 memory;

	versions_lock(v);
	memory = v->memory;
	versions_unlock(v);
	return memory;
}

static void freeze_unit(struct versions *v, struct unit *unit)
{
	memcpy(unit->frozen_map, unit->map, sizeof(unit->map));
	memset(unit->map, 0, sizeof(unit->map));
	unit->whole = false;
	unit->pending = false;
	unit->frozen = true;
	unit->next_frozen = v->frozen;
	v->frozen = unit;
}

int versions_freeze(struct versions *v, u64 *number)
{
	versions_lock(v);
	if (v->freezing || v->frozen)
		__builtin_trap();
	v->freezing = v->number;
	for (struct unit *unit = v->pending; unit; unit = unit->next_pending)
		freeze_unit(v, unit);
	v->pending = NULL;
	v->pending_units = v->pending_bytes = 0;
	*number = v->freezing;
	versions_unlock(v);
	return 0;
}

int versions_frozen_each(struct versions *v, int (*fn)(void *arg, const struct version_item *item),
			 void *arg)
{
	int err = 0;

	/* The list is the journal's alone; what hangs on it, not. */
	for (struct unit *unit = v->frozen; unit && !err; unit = unit->next_frozen) {
		struct version_item item = {.range = {daddr_of(unit->at), unit->size}};
		struct version *version;

		versions_lock(v);
		version = version_at(unit, v->freezing);
		item.logged = unit->logged;
		item.pieces = unit->pieces;
		memcpy(item.map, unit->frozen_map, sizeof(item.map));
		if (!version->gone && !version->born)
			item.bytes = version->buf->data + version->offset;
		versions_unlock(v);
		err = fn(arg, &item);
	}
	return err;
}

static void thaw_unit(struct versions *v, struct unit *unit, bool logged)
{
	unit->frozen = false;
	if (logged) {
		unit->logged = true;
		return;
	}
	for (u32 i = 0; i < VERSION_MAP_WORDS; i++)
		unit->map[i] |= unit->frozen_map[i];
	if (unit->pending)
		return;
	unit->pending = true;
	unit->next_pending = v->pending;
	v->pending = unit;
	v->pending_units++;
	v->pending_bytes += unit->size;
}

void versions_thaw(struct versions *v, bool logged)
{
	versions_lock(v);
	for (struct unit *unit = v->frozen, *next; unit; unit = next) {
		next = unit->next_frozen;
		thaw_unit(v, unit, logged);
	}
	v->frozen = NULL;
	if (logged)
		v->durable = v->freezing;
	v->freezing = 0;
	versions_prune_all(v);
	versions_unlock(v);
}

/* ---- home ---- */

struct going {
	struct unit *unit;
	struct version *version; /* NULL: nothing to write */
};

struct home_run {
	struct going *going;
	u32 count;
	u8 *bounce;
};

/* What the snapshot sees in the place of this unit lies at home alone, and home is to be written.
 */
static bool must_keep(const struct versions *v, const struct unit *unit, const struct snapshot *s)
{
	const struct version *version = version_at(unit, s->number);

	return s->number < v->durable && (!version || version->at_home || version->gone);
}

static bool any_must_keep(const struct versions *v, const struct unit *unit)
{
	for (const struct snapshot *s = v->snapshots; s; s = s->next)
		if (must_keep(v, unit, s))
			return true;
	return false;
}

/* The version that shall hold it: the one that has no content yet, or a new one at the end. */
static struct version *kept_for(struct versions *v, struct unit *unit, const struct snapshot *s)
{
	struct version *kept = version_at(unit, s->number), *last = unit->newest;

	if (kept)
		return kept;
	kept = env_alloc(v->env, sizeof(*kept));
	if (!kept)
		return NULL;
	kept->size = unit->size;
	while (last->older)
		last = last->older;
	last->older = kept;
	versions_note_many(v, unit);
	return kept;
}

/* Its bytes at home, for all snapshots that need them. */
static int record(struct versions *v, struct unit *unit, const u8 *bytes)
{
	bool lost;
	int err = 0;

	if (!v->spill)
		v->spill = v->env->spill_open(v->env);
	lost = !v->spill || v->env->spill_write(v->spill, v->spill_end, bytes, unit->size) != 0;
	v->kept++;
	for (const struct snapshot *s = v->snapshots; s && !err; s = s->next) {
		struct version *kept = must_keep(v, unit, s) ? kept_for(v, unit, s) : NULL;

		if (kept) {
			kept->at_home = kept->gone = false;
			kept->spilled = true;
			kept->lost = lost;
			kept->place = v->spill_end;
			kept->born = v->kept;
			v->spilled_count++;
		} else if (must_keep(v, unit, s)) {
			err = fail(-ENOMEM, "keeping what a snapshot needs: out of memory");
		}
	}
	v->spill_end += unit->size;
	return err;
}

static int keep_home(struct versions *v, struct unit *unit, u8 *bytes)
{
	int err = device_read(v->home, daddr_of(unit->at), bytes, unit->size);

	if (err)
		return err;
	versions_lock(v);
	err = record(v, unit, bytes);
	versions_unlock(v);
	return err;
}

/* The unit is one that is no more, so that what it keeps is for older snapshots alone. */
static int keep_free(struct versions *v, u64 at, u32 size, const u8 *bytes)
{
	struct version *gone = NULL;
	struct unit *unit = version_unit_find(v, at, size);
	int err = 0;

	if (!v->snapshots)
		return 0;
	if (!unit || unit->newest->number != v->number)
		gone = env_alloc(v->env, sizeof(*gone));
	if (!unit && gone)
		unit = version_unit_add(v, at, size);
	if (!unit || (!gone && unit->newest->number != v->number)) {
		env_free(v->env, gone);
		return fail(-ENOMEM, "keeping what a snapshot needs: out of memory");
	}
	if (gone) {
		*gone = (struct version){
		    .older = unit->newest, .number = v->number, .size = size, .gone = true};
		unit->newest = gone;
	}
	if (any_must_keep(v, unit))
		err = record(v, unit, bytes);
	versions_note_many(v, unit);
	versions_unit_settle(v, unit);
	return err;
}

/* Nobody writes home there meanwhile: no version of it is live. */
int versions_keep(struct versions *v, u64 at, u64 size, u32 block)
{
	u8 *bytes = env_alloc(v->env, block);
	int err = bytes ? 0 : fail(-ENOMEM, "keeping what a snapshot needs: out of memory");

	for (u64 done = 0; done < size && !err; done += block) {
		err = device_read(v->home, daddr_of(at + done), bytes, block);
		versions_lock(v);
		if (!err)
			err = keep_free(v, at + done, block, bytes);
		versions_unlock(v);
	}
	env_free(v->env, bytes);
	return err;
}

static int by_place(const void *a, const void *b)
{
	u64 x = ((const struct going *)a)->unit->at, y = ((const struct going *)b)->unit->at;

	return (x > y) - (x < y);
}

/* Of a commit: not what was kept from home for snapshots, which is gone or lies there.
 */
static bool is_content(const struct version *version)
{
	return !version->gone && !version->at_home && !version->born;
}

/* All that the log has. From here on their changes are logged whole. */
static int gather(struct versions *v, struct home_run *run)
{
	versions_lock(v);
	run->going = env_array(v->env, v->units + 1, sizeof(*run->going));
	for (u64 i = 0; run->going && i < v->slots; i++)
		for (struct unit *unit = v->table[i]; unit; unit = unit->chain) {
			struct version *version = version_at(unit, v->durable);

			if (!unit->logged)
				continue;
			if (unit->pending)
				version_mark_all(unit->map, unit->size);
			else
				unit->whole = true;
			if (version && !is_content(version))
				version = NULL;
			run->going[run->count++] = (struct going){unit, version};
		}
	versions_unlock(v);
	run->bounce = env_alloc(v->env, RUN_MAX);
	if (!run->going || !run->bounce)
		return fail(-ENOMEM, "writing home: out of memory");
	qsort(run->going, run->count, sizeof(*run->going), by_place);
	return 0;
}

static int keep_for_snapshots(struct versions *v, struct home_run *run)
{
	int err = 0;

	for (u32 i = 0; i < run->count && !err; i++) {
		bool keep;

		versions_lock(v);
		keep = run->going[i].version && any_must_keep(v, run->going[i].unit);
		versions_unlock(v);
		if (keep)
			err = keep_home(v, run->going[i].unit, run->bounce);
	}
	return err;
}

static int write_units(struct versions *v, struct home_run *run)
{
	u64 at = 0;
	u32 used = 0;
	int err = 0;

	for (u32 i = 0; i < run->count && !err; i++) {
		const struct version *version = run->going[i].version;

		if (!version)
			continue;
		if (used &&
		    (run->going[i].unit->at != at + used || used + version->size > RUN_MAX)) {
			err = device_write(v->home, daddr_of(at), run->bounce, used);
			used = 0;
		}
		if (!used)
			at = run->going[i].unit->at;
		memcpy(run->bounce + used, version->buf->data + version->offset, version->size);
		used += version->size;
	}
	if (!err && used)
		err = device_write(v->home, daddr_of(at), run->bounce, used);
	return err ? err : device_flush(v->home);
}

static void settle(struct versions *v, struct home_run *run)
{
	versions_lock(v);
	v->settled++;
	for (u32 i = 0; i < run->count; i++) {
		struct unit *unit = run->going[i].unit;
		struct version *version = run->going[i].version;

		unit->logged = false;
		if (version && version == unit->newest) {
			v->memory -= version->size;
			cache_put(v->cache, version->buf);
			version->buf = NULL;
			version->at_home = true;
		}
		versions_unit_settle(v, unit);
	}
	versions_unlock(v);
}

int versions_write_home(struct versions *v)
{
	struct home_run run = {0};
	int err = gather(v, &run);

	if (!err)
		err = keep_for_snapshots(v, &run);
	if (!err)
		err = write_units(v, &run);
	if (!err)
		settle(v, &run);
	env_free(v->env, run.going);
	env_free(v->env, run.bounce);
	return err;
}
