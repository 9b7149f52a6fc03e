/*
 * What speaks against a geometry: the headers that should be where it says, and are not, or say
 * something else.
 */
#ifndef MENDFS_FS_SUPER_DOUBT_H
#define MENDFS_FS_SUPER_DOUBT_H

#include "device/device.h"
#include "format/geometry.h"

/* How many things speak against it; 0: what was looked at agrees. Reads a few headers, the root
 * inode and the start of the log. block: room for the largest sector. */
u32 super_doubts(struct device *dev, const struct geometry *g, u8 *block);

#endif
