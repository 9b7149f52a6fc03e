/*
 * Names for inodes: from inode numbers to paths, for reports.
 *
 * Parent pointers where the filesystem has them, else one walk over the directories from the root,
 * which ends when all are found.  Either reads only what is asked for, never fails on damage (an
 * inode without a way to the root has no path), and is bounded: in memory, in depth, and in names
 * looked at.
 */
#ifndef MENDFS_SCRUB_PATHS_H
#define MENDFS_SCRUB_PATHS_H

#include "fs/vol.h"

#define PATHS_MEMORY (32u << 20) /* what a report may spend: 100,000 paths of usual length */

struct paths;

/* inos: any order, repeats allowed. Takes at most `memory` bytes, and room for a copy of inos.
 * -ENOMEM. */
int paths_find(struct vol *vol, const u64 *inos, u32 count, size_t memory, struct paths **out);
/* How many of the inodes have no path because the memory was used up. */
u32 paths_left(const struct paths *paths);
/* NULL: none is known. Starts with /; bytes are as on the disk, but for control characters, which
 * are escaped. */
const char *paths_get(const struct paths *paths, u64 ino);
void paths_free(struct paths *paths);

#endif
