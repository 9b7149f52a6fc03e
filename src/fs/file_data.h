/*
 * The content of files, for reading: bytes, and where data and holes are.
 *
 * What is not mapped, and what is mapped but unwritten, reads as zeroes and counts as a hole.
 * -EUCLEAN when the map leads outside the device; -EIO when the blocks are on a realtime device
 * that was not given.
 */
#ifndef MENDFS_FS_FILE_DATA_H
#define MENDFS_FS_FILE_DATA_H

#include "fs/inode.h"

/* Fills [off, off + size) of the file, which lies below its size. */
int file_read(struct vol *vol, const struct inode *inode, u64 off, u64 size, u8 *to);
/* Where the next data (or hole) is, from off on: below or at the size. -ENXIO, without a trail,
 * when there is none, or off is not below the size. */
s64 file_seek(struct vol *vol, const struct inode *inode, u64 off, bool data);

#endif
