/*
 * Finding chunks of inodes by what is in the blocks, where the inobt cannot be asked.
 *
 * The places where a chunk, or a piece of a sparse one, may begin are few, since they are aligned;
 * the first block of each is read.  A piece is believed when one of the inodes in that block says
 * with a sound checksum that it is an inode of this filesystem and of this place.  Chunks without
 * any inode in use are left out: freed chunks look like that.  Freed chunks may as well look full,
 * as their last state need not have been written; so whoever knows which blocks hold inodes, or
 * which are free, should say so.
 */
#ifndef MENDFS_FS_CHUNK_FIND_H
#define MENDFS_FS_CHUNK_FIND_H

#include "fs/vol.h"

/* A chunk as it is found. */
struct found_chunk {
	u32 startino;
	u64 holes; /* inodes that are not there */
};
/* Those of one AG in order. chunk NULL: not looked for. */
struct found_chunks {
	struct found_chunk *chunk;
	u32 count;
};

struct chunk_find {
	struct vol *vol;
	u32 ag;
	/* May the block hold inodes? */
	bool (*candidate)(void *arg, u32 bno);
	void *arg;
};
/* out->chunk is the caller's to free (env_free). Blocks that cannot be read hold none. */
int chunk_find(const struct chunk_find *find, struct found_chunks *out);
/* The record that the chunk of this inode belongs to. */
u32 chunk_record_start(const struct geometry *g, u32 agino);

#endif
