/*
 * What a filesystem holds for those who use it, taken before and after a repair: every name that
 * can be reached from the root, with the inode that it leads to; every attribute; every byte of a
 * file that is not zero, of a symbolic link's target, of an attribute's value. Metadata such as
 * owner and times is not counted.
 */
#ifndef MENDFS_TESTS_CENSUS_H
#define MENDFS_TESTS_CENSUS_H

#include "world.h"

/* One thing that can be lost. */
struct census_fact {
	u64 digest[2]; /* of what it is, and of what it belongs to */
	u32 names, bytes;
};

struct census {
	struct census_fact *fact; /* sorted */
	u64 count, room;
	u64 names, bytes; /* of all */
};

/* 0, or the error of opening; what cannot be read is not there. census_free() in any case. */
int census_take(struct world *world, const struct world_images *images, struct census *out);
/* What `before` has and `after` does not. */
void census_lost(const struct census *before, const struct census *after, u64 *names, u64 *bytes);
void census_free(struct census *census);

#endif
