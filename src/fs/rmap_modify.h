/*
 * Changing the reverse map inside a transaction.  Without the feature, nothing is done.
 *
 * Each mapping is found by all that it says (block, owner, fork, offset), not by its place among
 * neighbours, so shared blocks and those of one owner are the same here. -EUCLEAN when what is to
 * be changed is not there.  The caller has called space_prepare().
 */
#ifndef MENDFS_FS_RMAP_MODIFY_H
#define MENDFS_FS_RMAP_MODIFY_H

#include "fs/space.h"

/* owner->offset may carry RMAP_OFFSET_UNWRITTEN. */
int rmap_map(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner);
int rmap_unmap(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner);
/* From or to unwritten; owner->offset says what it is now. */
int rmap_convert(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner);
/* Whatever mapping covers these blocks goes: one that covers them all, or there is none. */
int rmap_forget(struct ag *ag, u32 bno, u32 blocks);

#endif
