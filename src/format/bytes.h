/*
 * Layouts of runs of bytes: names, values and other payload whose length is known only from the
 * record before it.
 */
#ifndef MENDFS_FORMAT_BYTES_H
#define MENDFS_FORMAT_BYTES_H

#include "format/type.h"

/* The longest run that one layout describes; also the longest name of XFS. */
#define BYTES_MAX 255

/* The layout of `count` bytes, 1 to BYTES_MAX, as one text field `name` or one hex field `bytes`.
 */
const struct layout *name_layout(u32 count);
const struct layout *bytes_layout(u32 count);
/* Of one byte, for the kinds of parts that a type says it has. */
extern const struct layout name_short_layout, bytes_short_layout;

/* Emits [offset, offset + size) as parts called `name`, of at most BYTES_MAX bytes each, numbered
 * from *index on. */
void bytes_parts(const char *name, u32 offset, u32 size, u32 *index, struct part_sink *sink);

/* Bytes of a name that a terminal would obey instead of show. */
bool name_has_control(const void *name, u32 length);
/* The name with such bytes as \xNN, cut to `size`. */
const char *name_shown(const void *name, u32 length, char *text, size_t size);

#endif
