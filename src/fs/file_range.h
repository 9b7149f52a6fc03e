/*
 * Ranges of a file: allocated, punched, taken out, put in.
 *
 * All in units of blocks, and in bounded steps, each a transaction of its own, which leaves a
 * consistent filesystem.  What a step has done is in the caller's *at or struct file_shift; a step
 * that is rolled back is begun again with the values from before it.  Callers hold the inode.
 *
 * How fallocate() is made of them, with [off, end) in bytes:
 *
 *	allocate	allocate from off to end, rounded outwards; grow (file_write.h)
 *	punch a hole	file_zero_prepare() for the parts of blocks at either edge; punch the whole
 *			blocks between
 *	zero		as punch; then allocate
 *	collapse	zero the rest of the last block; truncate to the same size; collapse
 *	insert		the same; insert
 *	unshare		file_unshare_prepare() until done
 */
#ifndef MENDFS_FS_FILE_RANGE_H
#define MENDFS_FS_FILE_RANGE_H

#include "fs/inode.h"

/* Holes in [*at, end) get unwritten blocks; done when *at is `end`. -ENOSPC, -EAGAIN as in
 * file_write.h. */
int file_allocate_step(struct vol *vol, struct txn *txn, struct inum ino, u64 *at, u64 end);
/* What is mapped in [*at, end) is given back; done when *at is `end`. */
int file_punch_step(struct vol *vol, struct txn *txn, struct inum ino, u64 *at, u64 end);

/* Everything behind a place moves by whole blocks. */
struct file_shift {
	struct inum ino;
	u64 off, count;
	u64 at; /* the steps' */
	bool begun, done;
};

static inline struct file_shift file_shift_of(struct inum ino, u64 off, u64 count)
{
	return (struct file_shift){.ino = ino, .off = off, .count = count, .at = off};
}
/* The `count` blocks at `off`, which lie below the end, are taken out. In the end the file is
 * shorter by as much. */
int file_collapse_step(struct vol *vol, struct txn *txn, struct file_shift *shift);
/* A hole of `count` blocks is put in at `off`, which lies below the end; the file is longer by as
 * much from the first step on. -EFBIG. */
int file_insert_step(struct vol *vol, struct txn *txn, struct file_shift *shift);

#endif
