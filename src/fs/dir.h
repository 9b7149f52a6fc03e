/*
 * Directories of every form, for reading: short, block, leaf, node.
 */
#ifndef MENDFS_FS_DIR_H
#define MENDFS_FS_DIR_H

#include "format/dir.h"
#include "fs/inode.h"

struct dir_entry {
	struct inum ino;
	const char *name; /* not terminated, valid during the call */
	u32 length;
	u8 type;  /* XFS file type, DIR_FT_*; DIR_FT_UNKNOWN without ftype */
	u64 next; /* cookie that continues behind this entry; stable while the entry exists */
};

/* By hash index, -ENOENT if there is none. `.` and `..` are found too. */
int dir_lookup(struct vol *vol, const struct inode *dir, const char *name, u32 length,
	       struct inum *ino, u8 *type);
/* From cookie (0: start), `.` and `..` included, until fn returns nonzero (returned). Damaged
 * blocks: -EUCLEAN. */
int dir_each(struct vol *vol, const struct inode *dir, u64 cookie,
	     int (*fn)(void *arg, const struct dir_entry *entry), void *arg);

#endif
