/*
 * Quotas: what users, groups and projects use, and may use.
 *
 * Usage follows from the inodes: quota_settle() looks at every inode that a transaction changes, as
 * it was and as it will be, and brings the records of its owners to it in the same transaction.  So
 * nobody who changes an inode has to think of quotas.  Limits are looked at there, too: a
 * transaction that would exceed one fails as a whole, with -EDQUOT, or for a project -ENOSPC.
 *
 * Only the types count whose usage is kept and has been counted (quota_types_counted()).  A record
 * that is damaged, or is not there where something is charged, is -EUCLEAN.
 */
#ifndef MENDFS_FS_QUOTA_H
#define MENDFS_FS_QUOTA_H

#include "format/quota.h"
#include "fs/vol.h"

/* The one that turns changes of inodes into those of quota records; by vol_end(). */
int quota_settle(struct vol *vol, struct txn *txn);

/* A record in a transaction, to be changed. */
struct quota_record {
	struct txn_buf *buf;
	struct dquot *d;
};
/* make: also where its block is not there yet, which then comes with all its records. -ENOENT,
 * without a trail: it is not there. */
int quota_record_open(struct vol *vol, struct txn *txn, u32 type, u32 id, bool make,
		      struct quota_record *out);
/* It has been changed: timers run where usage is above a limit, and the checksum is right. */
void quota_record_changed(struct vol *vol, struct txn *txn, struct quota_record *record);
/* A copy of one that is there; -ENOENT, without a trail. */
int quota_read(struct vol *vol, u32 type, u32 id, struct dquot *out);

/* Inodes for those of the types that have none, named by the superblock. They are linked by it
 * alone, so it is not for a guarded transaction. */
int quota_make_files(struct vol *vol, struct txn *txn, u32 types);
/* sb_qflags. */
int quota_set_flags(struct vol *vol, struct txn *txn, u32 qflags);

/* A block of unused records, from id `first` on. */
void quota_block_init(const struct geometry *g, u32 type, u64 first, u8 *block);
/* Timers run exactly where usage is above a limit; those that begin end after the times of grace of
 * `defaults`. NULL: of a week. */
void quota_adjust_timers(struct vol *vol, struct dquot *d, const struct dquot *defaults);
/* When the time of grace is over, in seconds since 1970. */
u64 quota_timer(const struct dquot *d, struct be32 timer);
struct be32 quota_timer_make(const struct dquot *d, u64 seconds);
/* The inode of the type; 0: there is none. */
u64 quota_inode_of(const struct geometry *g, u32 type);

#endif
