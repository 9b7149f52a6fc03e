/* mendfs damage --list: every field that can be named, for those who try them all. */
#include "cli/damage.h"

#include "base/trail.h"
#include "cli/object_log.h"
#include "fs/fork.h"
#include "ledger/sweep.h"
#include "meta/inode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static void list_named(void *arg, const char *name, const struct part *part)
{
	char prefix[64] = "";

	(void)arg;

	if (part->repeated)
		snprintf(prefix, sizeof(prefix), "%s[%u].", part->name, part->index);
	else
		snprintf(prefix, sizeof(prefix), "%s.", part->name);
	for (u32 i = 0; i < part->layout->field_count; i++) {
		const struct field *f = &part->layout->fields[i];
		bool one = f->count == 1 || f->kind == FIELD_UUID || f->kind == FIELD_STRING ||
			   f->kind == FIELD_BYTES;

		for (u32 e = 0; e < (one ? 1 : f->count); e++) {
			printf("%s\t%s%s", name, prefix, f->name);
			printf(one ? "\n" : "[%u]\n", e);
		}
	}
}

static void list_part(void *arg, const struct part *part)
{
	list_named(NULL, ((const struct object *)arg)->name, part);
}

void damage_list(const struct object *object)
{
	object_parts(object, list_part, (void *)(uintptr_t)object);
}

struct listing {
	struct vol *vol;
	struct env_lock *lock;
	int err;
};

struct fork_search {
	u64 start, off; /* the block of the disk; where it is in the file */
};

static int search_extent(void *arg, const struct extent *e)
{
	struct fork_search *s = arg;

	if (s->start < e->start || s->start - e->start >= e->count)
		return 0;
	s->off = e->off + (s->start - e->start);
	return 1;
}

/* A block of a directory that lies in pieces is named by its place in the file. */
static bool name_in_file(struct vol *vol, const struct ref *ref, struct object *o)
{
	const struct geometry *g = &vol->geo;
	u64 block = ref->at.v >> g->block_log;
	struct fork_search s = {
	    .start = fsblock_make(g, (u32)(block / g->ag_blocks), (u32)(block % g->ag_blocks)).v};
	struct inode inode;
	bool found;

	if (inode_get(vol, inum_of(ref->where.ino), &inode))
		return false;
	found = fork_each(vol, &inode, FORK_DATA, fileoff_of(0), search_extent, &s) == 1;
	inode_put(vol, &inode);
	if (found)
		snprintf(o->name, sizeof(o->name), "inode %" PRIu64 " data %" PRIu64 " as %s",
			 ref->where.ino, s.off, ref->type->name);
	return found;
}

/* A name by which object_find() finds it again. */
static void name_object(struct vol *vol, const struct ref *ref, struct object *o)
{
	const struct geometry *g = &vol->geo;
	u64 block = ref->at.v >> g->block_log;

	if (ref->range_count && name_in_file(vol, ref, o))
		return;
	if (ref->type->place)
		snprintf(o->name, sizeof(o->name), "%s %u", ref->type->name, ref->where.ag);
	else if (ref->type->id == META_INODE)
		snprintf(o->name, sizeof(o->name), "inode %" PRIu64, ref->where.ino);
	else if (ref->size > g->block_size)
		snprintf(o->name, sizeof(o->name), "block %u:%u+%u as %s",
			 (u32)(block / g->ag_blocks), (u32)(block % g->ag_blocks),
			 ref->size >> g->block_log, ref->type->name);
	else
		snprintf(o->name, sizeof(o->name), "block %u:%u as %s", (u32)(block / g->ag_blocks),
			 (u32)(block % g->ag_blocks), ref->type->name);
}

static void list_object(void *arg, const struct ref *ref)
{
	const struct cache_range whole = {ref->at, ref->size};
	struct listing *listing = arg;
	struct object o;
	int err;

	err = object_at(listing->vol, ref->type, &ref->where, ref->ranges ? ref->ranges : &whole,
			ref->ranges ? ref->range_count : 1, &o);
	if (!err) {
		name_object(listing->vol, ref, &o);
		damage_list(&o);
		object_drop(&o);
	} else if (!listing->err) {
		listing->err = err;
	}
}

/* Of inodes, each by itself: their forks are theirs, and not their chunk's. */
static void list_visited(void *arg, const struct ref *ref)
{
	struct listing *listing = arg;
	struct vol *vol = listing->vol;

	vol->env->lock_take(listing->lock);
	if (ref->type->id == META_INODES)
		inodes_each(vol->types, &vol->geo, ref, list_object, listing);
	else
		list_object(listing, ref);
	vol->env->lock_drop(listing->lock);
}

int damage_list_all(struct vol *vol)
{
	struct listing listing = {.vol = vol};
	struct sweep_options options = {.visited = list_visited, .visited_arg = &listing};
	struct sweep_stats stats;
	int err;

	listing.lock = vol->env->lock_create(vol->env);
	if (!listing.lock)
		return fail(-ENOMEM, "out of memory");
	err = sweep_run(vol, &options, &stats);
	vol->env->lock_destroy(vol->env, listing.lock);
	if (!err)
		err = listing.err;
	return err ? err : object_log_each(vol, list_named, NULL);
}
