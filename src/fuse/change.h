/*
 * What the files of the writing server share; private to src/fuse.
 *
 * A request that changes something is one transaction, or a few that each leave a sound filesystem.
 * An inode's data are written under one of a fixed number of locks, by its number, so that two
 * writers of one file do not meet; that lock comes before the writer's lock of the volume.
 *
 * Inodes that have lost their last name are remembered until the kernel forgets them, which it does
 * when nobody has them open any more; then they are taken apart, several small ones at a time.
 */
#ifndef MENDFS_FUSE_CHANGE_H
#define MENDFS_FUSE_CHANGE_H

#include "fs/names.h"
#include "fuse/request.h"

#define FILE_LOCKS 64
#define ORPHAN_CHAINS 256
#define CHANGE_COUNTERS 16384

struct orphan;

struct changer {
	struct vol *vol;
	struct env_lock *file[FILE_LOCKS];
	struct env_lock *lock; /* of the orphans, see orphan.c */
	struct orphan *waiting[ORPHAN_CHAINS], *ready, *fenced;
	u32 ready_count;
	u64 releases; /* the background's: of AGs, when it has looked for fenced ones last */
	struct discards *discards; /* NULL: what is freed is not discarded */
	bool sync;		   /* a request is durable when it is answered */
	struct heal *heal;
	atomic_uint changes[CHANGE_COUNTERS];
};

/* NULL for a volume that is only read. */
int changer_open(struct vol *vol, struct changer **out);
/* Takes all orphans apart first. */
void changer_close(struct changer *c);
/* Those that a crash has left; to be called once, before the first request: later ones may be open.
 */
int changer_recover(struct changer *c);

struct names_time time_now(void);
int change_once(struct changer *c, int (*step)(struct vol *vol, struct txn *txn, void *arg),
		void *arg);
/* A transaction, durable with -o sync; when only space that was just freed is left, the log is
 * forced and the step done again; so it is when orphans still have space. */
int change(struct changer *c, int (*step)(struct vol *vol, struct txn *txn, void *arg), void *arg);
/* The same until *more is false. As far as the steps move arg on (so many bytes of it), it is in
 * the end where the last commit has brought it. */
#define SERIES_ARG_MAX 512
int change_series(struct changer *c,
		  int (*step)(struct vol *vol, struct txn *txn, void *arg, bool *more), void *arg,
		  size_t moves);
void file_lock(struct changer *c, struct inum ino);
void file_unlock(struct changer *c, struct inum ino);
/* The content of a file has changed; for who has it locked. */
void file_changed(struct changer *c, struct inum ino);
/* How often since the mount, or more often: some files are counted together. */
u32 file_changes(struct changer *c, struct inum ino);
/* Two at a time, in the one order; they may be the same. */
void files_lock(struct changer *c, struct inum a, struct inum b);
void files_unlock(struct changer *c, struct inum a, struct inum b);

/* Content of a file that is locked; *done is how much of it was written. */
int data_write(struct server *server, struct inum ino, u64 off, const u8 *bytes, u64 len,
	       u64 *done);
int data_grow(struct server *server, struct inum ino, u64 size);
/* It has been written to now. */
int data_touch(struct server *server, struct inum ino);

void orphan_add(struct changer *c, struct inum ino);
/* The kernel has forgotten it. */
void orphan_forget(struct changer *c, struct inum ino);
/* Takes apart what is gathered. False: there was nothing. */
bool orphans_flush(struct changer *c);
/* Those that lay in what was damaged, if an AG has been released since; from the background. */
void orphans_retry(struct changer *c);
/* The kernel is gone. */
void orphans_close(struct changer *c);

/* With -o discard: from here on, what is freed and durable is discarded by discards_work(). */
int discards_open(struct changer *c);
void discards_close(struct changer *c);
void discards_work(struct changer *c);

void do_copy_file_range(fuse_req_t req, fuse_ino_t node, off_t off, struct fuse_file_info *fi,
			fuse_ino_t to_node, off_t to_off, struct fuse_file_info *to_fi, size_t len,
			int flags);
/* Adds what changes things to the operations. */
void change_ops(struct fuse_lowlevel_ops *ops);
void write_ops(struct fuse_lowlevel_ops *ops);

#endif
