/* Symbolic links, inline and remote. */
#ifndef MENDFS_FS_SYMLINK_H
#define MENDFS_FS_SYMLINK_H

#include "format/symlink.h"
#include "fs/inode.h"

/* Copies the target, terminated; returns its length. */
int symlink_read(struct vol *vol, const struct inode *inode, char target[SYMLINK_MAX + 1]);

#endif
