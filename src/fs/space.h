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
/* Data of files: the reverse map is somebody else's business; and for space_free() alone, the owner
 * is not known, and whatever the reverse map has goes. */
#define OWNER_ELSEWHERE (-1ll)
#define OWNER_UNKNOWN (-2ll)

/* Fills or trims the free list to what one change of each tree may need. To be called before the
 * reverse map is changed; the functions below do it themselves. */
int space_prepare(struct ag *ag);
/* -EUCLEAN when any of it is free already, or the owner is another. */
int space_free(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner);
/* What an allocation wants, in blocks. */
struct space_want {
	u32 near; /* block of the AG: from here on, if it is free; then what lies nearest behind */
	u32 least, most;
	u32 align;     /* the start is a multiple of it; 0, 1: anywhere */
	u32 low, high; /* inside of [low, high); high 0: anywhere */
	bool leaves;   /* leaves alone what the AG's trees may need (space_for_files()), unless the
			* transaction gives back */
	bool data;     /* of a file: leaves that in any case, and what was freed by a commit that is
			* not durable yet (-EAGAIN when there is nothing else) */
};
/* One extent of at least `least` blocks, to be the owner's; -ENOSPC. */
int space_take(struct ag *ag, const struct space_want *want, const struct owner *owner, u32 *bno,
	       u32 *blocks);
/* Blocks of the AG that files may have, with all that belongs to them. The rest is kept: what is
 * removed may take records of the AG's trees apart before it gives a block back, and then those
 * need more. */
u32 space_for_files(const struct ag *ag);
/* Exactly these blocks; -EUCLEAN when any of them is not free. */
int space_claim(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner);
/* The free extent that holds bno, or the first behind it; *blocks 0: there is none. */
int space_next_free(struct ag *ag, u32 bno, u32 *start, u32 *blocks);

/* Blocks that are free in an AG that is built aside (vol.pool), and nobody else gets. */
struct space_run {
	u32 start, blocks;
};
struct space_pool {
	struct env *env;
	struct space_run *run;
	u32 runs, room;
	u64 blocks; /* of all runs */
};
int space_pool_put(struct space_pool *pool, u32 start, u32 blocks);
/* One block for a tree of the AG, the next free one from `near` on or from the start; -ENOSPC. */
int space_alloc(struct ag *ag, u32 near, const struct owner *owner, u32 *bno);

#endif
