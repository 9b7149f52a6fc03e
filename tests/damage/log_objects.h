/*
 * What can be damaged in the log of an image: the fields of its records, of their operations, and
 * of the items in them, from the tail to the head.
 *
 * Places are in the record as its writer made it, before the cycle words went in.  The content of
 * logged buffers is not among them: after the replay it is a structure on the disk like any other.
 */
#ifndef MENDFS_TESTS_LOG_OBJECTS_H
#define MENDFS_TESTS_LOG_OBJECTS_H

#include "objects.h"

/* As objects_collect(); an internal log. */
int log_objects_collect(struct world *world, const struct world_images *images, u32 per_group,
			u64 seed, struct objects *out);
/* A record as its writer had it; and what is to be stored of it when it has been changed. */
void log_object_open(const struct object *object, u8 *bytes);
void log_object_store(struct world *world, const struct objects *objects,
		      const struct object *object, struct image *image, const u8 *before, u8 *now,
		      bool fix_crc);
/* All structures that are in use after the replay, as a number; 0 when it comes to none. */
u64 log_replay_digest(struct world *world, const struct world_images *images);

#endif
