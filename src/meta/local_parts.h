/* The parts of what lies inside an inode's fork, for parts() of the inode: `at` is where the fork
 * begins in the inode, `size` its bytes. Hostile bytes, as always. */
#ifndef MENDFS_META_LOCAL_PARTS_H
#define MENDFS_META_LOCAL_PARTS_H

#include "format/type.h"

void dir_short_parts(const struct geometry *g, const u8 *fork, u32 size, u32 at,
		     struct part_sink *sink);
void attr_short_parts(const struct geometry *g, const u8 *fork, u32 size, u32 at,
		      struct part_sink *sink);

#endif
