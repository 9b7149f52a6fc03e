/*
 * Finishing the intents that a log left pending, as the kernel's recovery does after its replay.
 *
 * Each intent is one transaction, in the order of the log: it is carried out in full, with what
 * follows from it, or it stays pending.  What follows, in the order of XFS: changes of a block map
 * bring changes of the reverse map, those are made at once; space that nobody owns any more is
 * freed last of all, as an extent freeing intent of its own at the end of the list, since until
 * then an intent further down may speak of it.
 */
#ifndef MENDFS_FS_FINISH_H
#define MENDFS_FS_FINISH_H

#include "fs/vol.h"

/* Writes to vol->data. What cannot be finished stays in status->pending, and the reason goes to
 * env->note. An error only when memory is short. */
int finish_pending(struct vol *vol, struct log_status *status);

#endif
