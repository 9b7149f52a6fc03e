/*
 * What all that changes the blocks of files has in common. Private to src/fs.
 *
 * All space of files comes and goes here: file_take(), file_stage(), file_drop(), and what a block
 * map needs for itself.  Each step has a budget of records that it may touch, so transactions stay
 * small.
 */
#ifndef MENDFS_FS_FILE_IMPL_H
#define MENDFS_FS_FILE_IMPL_H

#include "fs/fork_modify.h"

/* Extents, and records of shared blocks, that one step changes or passes, at most. Fewer where
 * blocks are larger than 1 KiB: in the worst case each touches a leaf of its own in several trees,
 * and a transaction must fit into a small log. */
#define FILE_STEP 256
#define FILE_STEP_MIN 8

/* A file being changed; stays where it is as long as it is used. */
struct file_edit {
	struct fork_edit fork;
	struct vol view;
	bool shares; /* has the reflink flag */
	u32 budget;
	u64 near; /* where the last blocks were taken, behind them; NULL64: none yet */
};

/* -EOPNOTSUPP for realtime files, -EINVAL for what is no regular file. */
int file_edit_begin(struct vol *vol, struct txn *txn, struct inum ino, struct file_edit *f);
u32 file_budget(const struct geometry *g);
struct dinode *file_core(struct file_edit *f); /* to be changed */
u64 file_size(const struct file_edit *f);
void file_set_size(struct file_edit *f, u64 size);
/* Blocks of the file that hold a byte below its size. */
u64 file_blocks(const struct file_edit *f);
static inline bool file_may_go_on(const struct file_edit *f)
{
	return f->budget;
}
static inline void file_spend(struct file_edit *f)
{
	f->budget -= f->budget ? 1 : 0;
}

/* Whether the blocks of an extent are shared; cuts it to those at its start that are alike. */
int file_shared(struct file_edit *f, struct extent *e, bool *shared);
/* At most `want` blocks for offset `off`, mapped nowhere yet; -ENOSPC. */
int file_take(struct file_edit *f, u64 off, u64 want, u64 *start, u64 *count);
/* Blocks for offset `off`, as staging for copy-on-write. */
int file_stage(struct file_edit *f, u64 off, u64 want, u64 *start, u64 *count);
/* The staging of these blocks ends; free: so does their use. */
int file_unstage(struct vol *vol, struct txn *txn, u64 start, u64 count, bool free);
/* A piece of one extent leaves the file; cuts it when the budget does not allow for more. */
int file_drop(struct file_edit *f, struct extent *piece);
/* Drops what is mapped in [*at, end), as far as the budget goes, and moves *at. */
int file_drop_range(struct file_edit *f, u64 *at, u64 end);
/* Drops what is written in [at, end), as far as the budget goes. What is free then has another
 * content until this is durable, so the transaction had better not allocate afterwards. */
int file_drop_written(struct file_edit *f, u64 at, u64 end);
/* Maps unwritten blocks at `at`, where a hole is: at least one, at most up to `end`. */
int file_fill(struct file_edit *f, u64 at, u64 end, struct extent *out);
/* The blocks around [at, end) that the file's hint on extent sizes asks for, inside the hole there.
 */
int file_widen(struct file_edit *f, u64 at, u64 *low, u64 *end);

#endif
