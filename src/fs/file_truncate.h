/*
 * Blocks that files give back at their end.
 *
 * In bounded steps, each a transaction of its own: they are repeated while *more is set.  A crash
 * between them leaves blocks behind the end of the file, which nobody can read.
 */
#ifndef MENDFS_FS_FILE_TRUNCATE_H
#define MENDFS_FS_FILE_TRUNCATE_H

#include "fs/inode.h"

/*
 * The file has at most `size` bytes, and no blocks behind them.  The rest of its last block is then
 * to be zeroed: file_zero_prepare() from `size` to the end of the block.  Growing is
 * file_write_prepare() with no bytes at the new size; -EINVAL here.
 *
 * Also for inodes that have no links any more, with size 0: then symbolic links, too, which become
 * regular files by that, since there is no link without a target.
 */
int file_truncate_step(struct vol *vol, struct txn *txn, struct inum ino, u64 size, bool *more);
/* Blocks behind the end go, unless someone has asked for them (fallocate, append-only). */
int file_trim_step(struct vol *vol, struct txn *txn, struct inum ino, bool *more);

#endif
