/*
 * Looking up how often blocks are shared.
 */
#ifndef MENDFS_FS_REFCOUNT_H
#define MENDFS_FS_REFCOUNT_H

#include "fs/vol.h"

struct refcount_record {
	u32 start, blocks, count; /* blocks 0: there is none */
};

/* The leaf that answered last; one a thread. Zeroed at the start. */
struct refcount_hint {
	struct buf *buf;
	u32 ag;
};

/* The first shared extent of the AG that holds bno or follows it. */
int refcount_next(struct vol *vol, struct refcount_hint *hint, u32 ag, u32 bno,
		  struct refcount_record *out);
void refcount_hint_drop(struct vol *vol, struct refcount_hint *hint);

#endif
