/* The table of all descriptors, in the order of the build file's list; meta/meson.build makes it.
 */
#ifndef MENDFS_META_TYPES_TABLE_H
#define MENDFS_META_TYPES_TABLE_H

#include "format/type.h"

extern const struct meta_types meta_types;

#endif
