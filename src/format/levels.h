/*
 * How high the trees of a filesystem may grow: what the kernel reserves space and log for.
 */
#ifndef MENDFS_FORMAT_LEVELS_H
#define MENDFS_FORMAT_LEVELS_H

#include "format/geometry.h"

/* 0: there is no such tree. data and attr: block maps, the root in the inode included. */
struct tree_levels {
	u32 alloc, rmap, refcount, inobt, data, attr;
};
struct tree_levels tree_levels_max(const struct geometry *g);

/* The blocks that the free list of an AG without any other block in its trees must have. */
u32 free_list_least(const struct geometry *g);

#endif
