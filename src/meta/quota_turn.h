/*
 * Quotas turned on and off, and counted when they have to be.
 */
#ifndef MENDFS_META_QUOTA_TURN_H
#define MENDFS_META_QUOTA_TURN_H

#include "fs/vol.h"

/* From now on the usage of these types is kept (DQUOT_USER ...), and the limits of `enforced`, some
 * of them, hold; others are turned off, and have to be counted when they come back.  What is not
 * kept yet gets its inode, and is counted by a sweep over all inodes, during which nobody changes
 * anything.  0 or an error: then the types are off that were not on before.  Where the superblock
 * is damaged, so that nothing can be turned off in it, what is on goes on, and that is no error. */
int quota_turn(struct vol *vol, u32 kept, u32 enforced);

#endif
