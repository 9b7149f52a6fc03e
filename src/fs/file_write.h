/*
 * Writing to files, in three phases, so that data move without the writer's lock:
 *
 *	a. file_write_prepare() in a transaction: every block has somewhere to be written to
 *	b. file_write_data(), outside of any
 *	c. file_write_finish() in another one: what was written becomes the content of the file
 *
 * Whoever writes holds the inode from a to c, so that its map and size stay; phase c looks, and
 * says -EAGAIN when they have not.  A plan that does not come to c is ended by file_write_cancel().
 *
 * 1. What a hole gets is mapped as unwritten in a, and becomes written in c.
 * 2. Blocks that another file has, too, are never written to: the new content goes to staging
 *    blocks, which the refcountbt knows of, and which are mapped in c instead of the old ones.
 * 3. Between old and new size the file reads as zeroes.  Whatever is mapped there as written is
 *    what an unfinished truncation has left, and is dropped in a; the block that holds the old end
 *    is zeroed in b.
 * 4. Before c is durable, what b wrote has to be: file_write_flush() between the two, or a log that
 *    flushes the plan's device before it writes.
 *
 * So a crash anywhere leaves the old content or the new, never anybody else's.  What a plan has
 * allocated stays with the file, unwritten; staging is freed by file_cow_cleanup().
 *
 * A plan covers as much of a range as is bounded (FILE_PLAN_PIECES): callers go on with the rest.
 * A file grows (truncate, fallocate) by a plan of no bytes at its new size.  Times are the
 *caller's.
 *
 * -EOPNOTSUPP for realtime files; -EFBIG beyond what XFS can say; -ENOSPC, then less may succeed.
 * -EAGAIN from what allocates: only space is left whose freeing is not durable yet; after a force
 * of the log the same may succeed. If it does not, there is no space.
 */
#ifndef MENDFS_FS_FILE_WRITE_H
#define MENDFS_FS_FILE_WRITE_H

#include "fs/inode.h"

#define FILE_PLAN_PIECES 64
#define FILE_SIZE_MAX ((u64)INT64_MAX)

enum file_plan_kind {
	FILE_PLAN_WRITE,   /* all of the range gets bytes, and the file grows */
	FILE_PLAN_ZERO,	   /* what is written in the range is zeroed, nothing is allocated */
	FILE_PLAN_UNSHARE, /* what is shared in the range is copied */
};

enum file_piece_state {
	FILE_PIECE_IN_PLACE, /* written, and the file's alone */
	FILE_PIECE_UNWRITTEN,
	FILE_PIECE_STAGED, /* goes to new blocks, with what is kept of the old ones */
};

struct file_piece {
	u64 off, count; /* blocks of the file */
	u64 start;	/* where they are written to */
	u64 old;	/* staged: what is mapped, */
	bool old_unwritten;
	enum file_piece_state state;
};

struct file_plan {
	struct device *dev;
	struct inum ino;
	enum file_plan_kind kind;
	u64 off;  /* bytes: where the caller's range begins */
	u64 end;  /* up to where the plan goes; before `off` when it only gets near it */
	u64 zero; /* [zero, off) is to be zeroed: it lies behind the old end */
	u64 size; /* the file's, before */
	u32 count;
	struct file_piece piece[FILE_PLAN_PIECES];
};

/* How many bytes of the caller's range the plan covers. */
static inline u64 file_plan_bytes(const struct file_plan *plan)
{
	return plan->end > plan->off ? plan->end - plan->off : 0;
}
/* Does anything remain, of a range that ends at `end`? */
static inline bool file_plan_ends(const struct file_plan *plan, u64 end)
{
	return plan->end >= end;
}

/* spare: so many blocks behind a file that grows are allocated, too, if they are free. */
int file_write_prepare(struct vol *vol, struct txn *txn, struct inum ino, u64 off, u64 len,
		       u64 spare, struct file_plan *plan);
int file_zero_prepare(struct vol *vol, struct txn *txn, struct inum ino, u64 off, u64 len,
		      struct file_plan *plan);
int file_unshare_prepare(struct vol *vol, struct txn *txn, struct inum ino, u64 off, u64 len,
			 struct file_plan *plan);
/* Without a transaction, for an inode that nobody else may change meanwhile: when all of the range
 * lies below the size, in written blocks of the file's alone, *plan says where, and *can is true.
 * Such a plan ends with file_write_data(): there is nothing to finish. */
int file_overwrite_prepare(struct vol *vol, const struct inode *inode, u64 off, u64 len,
			   struct file_plan *plan, bool *can);
/* A good number of spare blocks for a file of this size, with so many blocks free: they are to be
 * trimmed when nobody writes to it any more (file_trim_step()). */
u64 file_spare(const struct geometry *g, u64 size, u64 free_blocks);

/* bytes: file_plan_bytes(plan) of them; NULL for zeroes, and when nothing is shared any more. */
int file_write_data(struct vol *vol, const struct file_plan *plan, const void *bytes);
static inline int file_write_flush(const struct file_plan *plan)
{
	return device_flush(plan->dev);
}

int file_write_finish(struct vol *vol, struct txn *txn, const struct file_plan *plan);
int file_write_cancel(struct vol *vol, struct txn *txn, const struct file_plan *plan);

#endif
