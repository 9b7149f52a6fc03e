/*
 * What a sweep saw, kept for a rebuild: the other side of the entries.
 *
 * Gathered from the postings of one sweep over a snapshot, sorted, and spilled when there is much
 * of it; read once, AG by AG in rising order.  Claims are who owns which blocks, by what hangs on
 * inodes and by the inode chunks; the AG trees' claims to their own blocks are there as well (OLD),
 * since a rebuild leaves those blocks alone until it is switched in.
 */
#ifndef MENDFS_META_EVIDENCE_H
#define MENDFS_META_EVIDENCE_H

#include "base/sorter.h"
#include "ledger/sweep.h"

/* In the order in which neighbours of one owner can be joined. offset: as in the reverse map, for
 * inodes' mappings the file's. */
struct claim {
	struct be32 ag;
	struct be64 owner;
	struct be64 flags; /* RMAP_OFFSET_ATTR, _BMBT, _UNWRITTEN */
	struct be32 start;
	struct be64 offset;
	struct be32 blocks;
};

/* Inodes of one chunk that are in use, or one without links. */
struct chunk_use {
	struct be32 ag, startino;
	struct be64 used;
};
struct unlinked_inode {
	struct be64 ino;
};

struct evidence {
	struct env *env;
	struct geometry geo; /* of the snapshot, which is closed by then */
	const struct geometry *g;
	const struct evidence_ag *wanted; /* by AG */
	struct sorter *claims, *chunks, *unlinked;
	/* The next of each, when has_ is set. */
	struct claim claim;
	struct chunk_use chunk;
	struct unlinked_inode orphan;
	bool has_claim, has_chunk, has_orphan;
	int err; /* that gathering met */
};

/* What is wanted of an AG. */
struct evidence_ag {
	bool space;  /* claims of the AG */
	bool inodes; /* which inodes are in use, and which have no links */
	/* found.chunk: where chunks are, when the inobt cannot be asked. */
	struct found_chunks found;
	bool rmaps_sick; /* the reverse map has been seen to be damaged */
};

/* Inodes whose mappings could not be followed: what the reverse map says of them counts. Sorted. */
struct sick_inodes {
	const u64 *ino;
	u32 count;
};

/* memory: of the cache that the sweep reads through. one_thread: as in struct sweep_options. */
int evidence_gather(struct vol *vol, size_t memory, const struct evidence_ag *wanted,
		    const struct sick_inodes *sick, bool one_thread, struct evidence **out);
void evidence_free(struct evidence *ev);

/* 1 and the next of this AG, 0 at its end, or a negative errno. AGs in rising order. */
int evidence_claim(struct evidence *ev, u32 ag, struct claim *out);
/* All inodes in use of one chunk. */
int evidence_chunk(struct evidence *ev, u32 ag, struct chunk_use *out);
int evidence_unlinked(struct evidence *ev, u32 ag, u64 *ino);

#endif
