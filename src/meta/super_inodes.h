/* What the superblock says of the filesystem's own inodes, found again. */
#ifndef MENDFS_META_SUPER_INODES_H
#define MENDFS_META_SUPER_INODES_H

#include "fs/vol.h"

/* The inode with the records of this type: the one that is said to be it, or one of the first
 * inodes. NULL64: there is none. */
u64 super_quota_inode(struct vol *vol, u32 type, u64 said);
/* Free extents of the realtime section, by its bitmap. */
int super_count_rt(struct vol *vol, u64 *free);

#endif
