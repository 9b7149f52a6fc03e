/*
 * Free space of an AG, changed inside a transaction: the two free space trees, the free list, the
 * reverse map's side of it, and the counters.
 */
#ifndef MENDFS_FS_SPACE_H
#define MENDFS_FS_SPACE_H

#include "fs/ag.h"
#include "format/btree.h"

/* Who owns space, as the reverse map has it. offset: of the file, with RMAP_OFFSET_* flags. */
struct owner {
	u64 owner, offset;
};
/* The reverse map is somebody else's business; and for space_free() alone, the owner is not known,
 * and whatever the reverse map has goes. */
#define OWNER_ELSEWHERE (-1ll)
#define OWNER_UNKNOWN (-2ll)

/* Fills or trims the free list to what one change of each tree may need. To be called before the
 * reverse map is changed; the functions below do it themselves. */
int space_prepare(struct ag *ag);
/* -EUCLEAN when any of it is free already, or the owner is another. */
int space_free(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner);
/* One block, the next free one from `near` on or from the start; -ENOSPC. */
int space_alloc(struct ag *ag, u32 near, const struct owner *owner, u32 *bno);

#endif
