/* What the files of the versions share; see versions.h, and the invariants in versions.c. */
#ifndef MENDFS_CACHE_VERSIONS_IMPL_H
#define MENDFS_CACHE_VERSIONS_IMPL_H

#include "cache/versions.h"

#define GRANULE_LOG 12
#define SLOTS_FIRST 1024 /* a power of two */

struct version {
	struct version *older;
	u64 number;
	u64 born; /* of what was kept from home: counts these. 0: content of a commit */
	u32 size;
	bool gone, at_home, spilled, lost;
	struct buf *buf; /* held; the unit's bytes begin at offset */
	u32 offset;
	u64 place; /* in the spill file */
};

struct unit;
/* A unit in one granule of the grid. */
struct stake {
	u64 granule;
	struct unit *unit;
	struct stake *next;
};

struct unit {
	u64 at;
	u32 size;
	struct unit *chain;
	struct version *newest;
	bool pending, frozen, many, logged, pieces;
	bool whole; /* the next change is to be logged with all chunks */
	struct unit *next_pending, *next_frozen, *next_many;
	u32 map[VERSION_MAP_WORDS], frozen_map[VERSION_MAP_WORDS];
	struct stake stake[];
};

struct snapshot {
	struct device dev;
	struct versions *v;
	u64 number;
	struct snapshot *next;
};

struct versions {
	struct env *env;
	struct cache *cache;
	struct device *home;
	struct env_lock *lock; /* over all below */
	struct unit **table;
	struct stake **grid;
	u64 slots, units;
	u64 number, durable, freezing; /* commits; freezing 0: none */
	u64 kept;		       /* versions of number 0 */
	u64 settled;		       /* counts what makes home newer than a read of it */
	struct unit *pending, *frozen, *many;
	u64 pending_units, pending_bytes;
	struct snapshot *snapshots; /* the newest first */
	struct snapshot current;
	size_t memory, memory_max;
	struct env_spill *spill;
	u64 spill_end, spilled_count;
};

u64 version_mix(u64 key);
void versions_lock(struct versions *v);
void versions_unlock(struct versions *v);
struct unit *version_unit_find(const struct versions *v, u64 at, u32 size);
/* One without a version yet; NULL without memory. */
struct unit *version_unit_add(struct versions *v, u64 at, u32 size);
void version_release(struct versions *v, struct version *old);
void version_unit_free(struct versions *v, struct unit *unit);
void version_mark_all(u32 *map, u32 size);
/* Frees the unit when nobody needs it any more. */
void versions_unit_settle(struct versions *v, struct unit *unit);
void versions_note_many(struct versions *v, struct unit *unit);
/* A pin has gone. Lets the lock go meanwhile, and takes it again. */
void versions_prune_all(struct versions *v);

/* The newest version that is not above the number, or NULL. */
static inline struct version *version_at(const struct unit *unit, u64 number)
{
	struct version *found = unit->newest;

	while (found && found->number > number)
		found = found->older;
	return found;
}

#endif
