/* The parts of what lies inside an inode's fork, for parts() of the inode: `at` is where the fork
 * begins in the inode, `size` its bytes. Hostile bytes, as always. */
#ifndef MENDFS_META_LOCAL_PARTS_H
#define MENDFS_META_LOCAL_PARTS_H

#include "format/attr.h"
#include "format/bytes.h"
#include "format/dir.h"

/* What parts there can be. */
/* clang-format off */
#define DIR_SHORT_KINDS                                                                  \
	{"sfdir", &dir_short_layout}, {"parent", &dir_ino4_layout},                      \
	{"parent", &dir_ino8_layout}, {"entry", &dir_short_entry_layout},                \
	{"name", &name_short_layout}, {"type", &dir_ftype_layout},                       \
	{"inumber", &dir_ino4_layout}, {"inumber", &dir_ino8_layout}
#define ATTR_SHORT_KINDS                                                                 \
	{"sfattr", &attr_short_layout}, {"attr", &attr_short_entry_layout},              \
	{"attr_name", &name_short_layout}, {"attr_parent", &attr_parent_layout},         \
	{"attr_value", &bytes_short_layout}
/* clang-format on */

void dir_short_parts(const struct geometry *g, const u8 *fork, u32 size, u32 at,
		     struct part_sink *sink);
void attr_short_parts(const struct geometry *g, const u8 *fork, u32 size, u32 at,
		      struct part_sink *sink);

#endif
