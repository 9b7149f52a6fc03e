/*
 * Names for inodes: from inode numbers to paths, for reports.
 *
 * Parent pointers where the filesystem has them, else one walk over the directories from the root,
 * which ends when all are found.  Either reads only what is asked for, never fails on damage (an
 * inode without a way to the root has no path), and is bounded: in inodes, in depth, and in names
 * looked at.
 */
#ifndef MENDFS_SCRUB_PATHS_H
#define MENDFS_SCRUB_PATHS_H

#include "fs/vol.h"

#define PATHS_MAX 10000 /* inodes that are looked for */

struct paths;

/* inos: any order, repeats allowed; those beyond PATHS_MAX different ones are left out. -ENOMEM. */
int paths_find(struct vol *vol, const u64 *inos, u32 count, struct paths **out);
/* NULL: none is known. Starts with /; bytes are as on the disk, but for control characters, which
 * are escaped. */
const char *paths_get(const struct paths *paths, u64 ino);
void paths_free(struct paths *paths);

#endif
