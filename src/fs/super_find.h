/*
 * Which geometry to believe: the primary superblock's, or that of its copies.
 *
 * The primary is believed when a copy at the place that it gives agrees with it, or when there is
 * nothing better.  Otherwise the device is searched for copies: a copy counts when its checksum is
 * good and it lies where an AG of its own geometry begins.  It is taken instead of a primary that
 * cannot be used, or when less speaks against it (fs/super_doubt.h); where that is the same, when
 * its own checksum is wrong or two copies agree against it.
 */
#ifndef MENDFS_FS_SUPER_FIND_H
#define MENDFS_FS_SUPER_FIND_H

#include "device/device.h"
#include "format/geometry.h"

/*
 * primary: the first bytes of the device, `size` of them (at least one sector).  0 with *from,
 * where the superblock believed is (0: the primary); or the error of the primary, with its trail,
 * when no copy helps.  -EOPNOTSUPP is overruled by a copy of the same uuid alone.
 */
int super_find(struct env *env, struct device *dev, const void *primary, u32 size,
	       struct geometry *g, struct daddr *from);

#endif
