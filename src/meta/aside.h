/*
 * The device below an AG that is built aside: the headers of the AG and the superblock are in
 * memory and never written, blocks of its new trees go to the filesystem's own device, and nothing
 * else is written at all.
 *
 * A read or a write is of one header, whole, or touches none.
 */
#ifndef MENDFS_META_ASIDE_H
#define MENDFS_META_ASIDE_H

#include "fs/space.h"

struct aside_place {
	u32 ag; /* the new trees' AG */
	const struct geometry *g;
	const struct space_run *run; /* sorted: where they are; stays the caller's */
	u32 runs;
};
/* The headers are zeroes at first. `home` stays the caller's. */
int aside_open(struct env *env, struct device *home, const struct meta_types *types,
	       const struct aside_place *place, struct device **out);
/* The bytes of a header; NULL: there is none. */
u8 *aside_header(struct device *dev, struct daddr at);

#endif
