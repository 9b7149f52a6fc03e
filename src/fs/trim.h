/*
 * Telling the device what is free: FITRIM, and what has just been freed.
 *
 * Blocks are discarded that are free now and were free in the state that a crash would leave, so
 * none that recovery or an open snapshot could still show.  They cannot be taken meanwhile: who
 * calls has the writer's transaction, which changes nothing and is rolled back.
 */
#ifndef MENDFS_FS_TRIM_H
#define MENDFS_FS_TRIM_H

#include "fs/vol.h"

struct trim {
	u64 at, end;   /* bytes of the device; at moves on */
	u64 least;     /* shorter stretches are left alone, bytes */
	u64 discarded; /* bytes, so far */
};

/* Some of the range; all is done when at == end. -EOPNOTSUPP when the device cannot. */
int trim_step(struct vol *vol, struct txn *txn, struct trim *t);
/* All of it, in transactions of its own. */
int trim_run(struct vol *vol, struct trim *t);

#endif
