/*
 * Random writing to files, held against a model of their bytes.
 *
 * The world is an image with a few files, opened below an overlay.  Each round does something to a
 * file with the functions of src/fs/file_*.h, as a mount would, and does the same to an array in
 * memory; both must then be equal.  Now and then a change is abandoned between two of its
 * transactions, as a crash does it.  Free space is full of FILES_STALE, a byte that nobody writes:
 * whoever reads it has been shown what was never written. What is written to file n begins with the
 * bits of n + 1, so that what goes from file to file otherwise than by sharing can be seen, too.
 *
 * Prints what went wrong, with the round, and exits: there is nothing to go on with.
 */
#ifndef MENDFS_TESTS_FILES_H
#define MENDFS_TESTS_FILES_H

#include "world.h"

#define FILES_COUNT 4
#define FILES_STALE 0xa7
#define FILES_MAX (1u << 20) /* bytes of a file */

struct file_model {
	struct inum ino;
	u64 size;
	u8 *bytes; /* FILES_MAX; zeroes behind the size */
};

struct files {
	struct world world;
	struct image image;
	struct vol *vol;
	struct txn *txn;
	struct file_model file[FILES_COUNT];
	u64 seed;
	u32 round;
	const char *doing;
	u32 overwritten;	      /* in place, without a transaction */
	u32 full, abandoned, stepped; /* how often there was no space, no end, and more to do */
	bool apart; /* what is written to a file does not go to another but by sharing */
	bool quiet; /* abandon nothing, and take nothing to spare */
};

/* Makes an image filled with FILES_STALE, of `mib` MiB, with empty files. False: no mkfs.xfs. */
bool files_make(const char *path, u32 mib, const char *mkfs_options);
void files_open(struct files *f, const char *path, u64 seed);
/* The image itself is written to, through its log. */
void files_open_journal(struct files *f, const char *path, u64 seed);
void files_close(struct files *f);
/* Does `rounds` things. */
void files_run(struct files *f, u32 rounds);
/* What a mount after a crash does: staging is freed. */
void files_recover(struct files *f);
/* Every file is what its model says, and a check of the filesystem finds nothing. */
void files_check(struct files *f);
/* Writes what the overlay has to the image. */
void files_flatten(struct files *f, const char *path);

/* One thing. What is beyond FILES_MAX is left out. */
void files_write(struct files *f, u32 file, u64 off, u64 len);
void files_truncate(struct files *f, u32 file, u64 size);
void files_grow(struct files *f, u32 file, u64 size);
/* Every other block of the range is written, and so becomes an extent of its own. */
void files_comb(struct files *f, u32 file, u64 off, u64 len);
void files_punch(struct files *f, u32 file, u64 off, u64 len);
void files_zero(struct files *f, u32 file, u64 off, u64 len);
/* In blocks. */
void files_allocate(struct files *f, u32 file, u64 at, u64 end);
void files_collapse(struct files *f, u32 file, u64 off, u64 count);
void files_insert(struct files *f, u32 file, u64 off, u64 count);
void files_share(struct files *f, u32 from, u32 to, u64 from_at, u64 to_at, u64 blocks);
/* In bytes; `bytes` NULL64: to the ends of both. */
void files_exchange(struct files *f, u32 first, u32 second, u64 first_at, u64 second_at, u64 bytes);
void files_unshare(struct files *f, u32 file, u64 off, u64 len);

/* With some other file, or of one; nothing when `apart`. */
void files_exchange_some(struct files *f, u32 file);

u32 files_draw(struct files *f, u32 below);
/* Ends a step that may find no space; true when it did what it should. */
bool files_stepped(struct files *f, int err);
void files_begin(struct files *f);
void files_commit(struct files *f);
void files_force(struct files *f); /* all is durable */
void files_must(struct files *f, int err);
void files_same(struct files *f, u32 file);

#endif
