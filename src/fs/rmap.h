/*
 * Asking the reverse map of an AG.
 */
#ifndef MENDFS_FS_RMAP_H
#define MENDFS_FS_RMAP_H

#include "fs/vol.h"

/* Who has this block, or one of those who share it. False: nobody, or the reverse map cannot tell;
 * the trail is clear. */
bool rmap_owner_at(struct vol *view, struct txn *txn, struct fsblock at, u64 *owner);
/* How many have this block; 0 also when the reverse map cannot tell. The trail is clear. */
u32 rmap_owners_at(struct vol *view, struct txn *txn, struct fsblock at);

#endif
