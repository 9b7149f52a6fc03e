/*
 * What can be damaged on an image: every field of every structure of every object that a sweep
 * visits, grouped by what it is, with a seeded sample of places for each group.
 */
#ifndef MENDFS_TESTS_OBJECTS_H
#define MENDFS_TESTS_OBJECTS_H

#include "format/damage.h"
#include "cache/cache.h"
#include "log/recover.h"
#include "world.h"

struct object {
	const struct meta_type *type;
	u64 at;
	u32 size;
	struct where where;
	struct cache_range *range; /* of an object in pieces; else NULL */
	u32 ranges;
	struct log_event record; /* of a record of the log; else without blocks */
};

/* One element of one field at one place. */
struct spot {
	u32 object;
	const char *part;
	u32 index; /* of the part */
	u32 offset;
	const struct field *field;
	u32 element;
};

#define GROUP_KEY 96
struct group {
	char key[GROUP_KEY]; /* TYPE[:KIND].PART.FIELD */
	struct spot *spot;
	u32 spots;
	u64 seen;
};

struct objects {
	struct geometry geo;
	struct object *object;
	u32 count, room;
	struct group *group;
	u32 groups, group_room;
	u32 per_group;
	u64 seed;
};

/* Checks the image once, and collects. What the check found is in the world. */
int objects_collect(struct world *world, const struct world_images *images, u32 per_group, u64 seed,
		    struct objects *out);
void objects_free(struct objects *objects);
/* One more place of a field; kept, or not, by lot. */
void objects_add(struct objects *objects, const char *key, const struct spot *spot);
/* Of a part that comes for the nth time (from 1): is it one to look at?  Fewer and fewer are, so
 * that a block full of records does not drown the others. */
static inline bool objects_wanted(u32 nth)
{
	return nth <= 3 || !(nth & (nth - 1));
}
/* Its bytes, out of an image and back. */
void object_read(const struct object *object, const struct image *image, u8 *to);
void object_write(const struct object *object, struct image *image, const u8 *from);

#endif
