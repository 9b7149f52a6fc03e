/* A name of which one byte has changed, found again by what is known of it; for salvage. */
#ifndef MENDFS_META_ONE_BYTE_H
#define MENDFS_META_ONE_BYTE_H

#include "base/types.h"

/* Changes the one byte with which right(arg, name, length) becomes true. Where there is none, or
 * more than one, the name stays as it is: false. Zero bytes are never tried. */
bool one_byte_find(u8 *name, u32 length, bool (*right)(void *arg, const u8 *name, u32 length),
		   void *arg);

#endif
