/* What the superblock sums up, after a replay.  Private to src/log. */
#ifndef MENDFS_LOG_SUMMARY_H
#define MENDFS_LOG_SUMMARY_H

#include "log/replay.h"

/* The counters of the superblock are written when the filesystem is unmounted, so after a crash
 * they are stale, and added up again from the AG headers. Counts the unlinked inodes, too. */
int log_summary_update(struct log_replay *r);

#endif
