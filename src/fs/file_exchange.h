/*
 * The atomic exchange of the content of two files, or of two ranges of one: their mappings change
 * places, in one transaction, so a crash leaves all of it or nothing. No block is copied, and no
 * feature of the filesystem is needed: what comes out is two files like any other.
 *
 * The caller keeps both files from being written to meanwhile (a plan of file_write.h must not be
 * on its way in either).
 */
#ifndef MENDFS_FS_FILE_EXCHANGE_H
#define MENDFS_FS_FILE_EXCHANGE_H

#include "fs/names.h"

/* What tells whether a file has changed since. */
struct file_stamp {
	u64 ino, gen, change;
	struct names_time mtime, ctime;
};
struct file_stamp file_stamp_of(const struct inode *inode);

/* From the offsets to the ends, which change places, too; `bytes` is not looked at. */
#define FILE_EXCHANGE_TO_EOF 0x1u
/* Only where the first file has written blocks. */
#define FILE_EXCHANGE_WRITTEN 0x2u
/* -EOPNOTSUPP when a file would get another size. */
#define FILE_EXCHANGE_SAME_SIZES 0x4u
/* The bits for setuid and setgid stay; otherwise they go, as with a write. */
#define FILE_EXCHANGE_KEEP_PRIVILEGES 0x8u

struct file_exchange {
	struct inum first, second;
	u64 first_at, second_at, bytes;
	u32 flags;
	const struct file_stamp
	    *stamp; /* -EBUSY unless the second file still has it; NULL: no matter
		     */
	struct names_time now;
};

/*
 * -EINVAL: no regular file; an offset that is not that of a block, or behind the end; a range that
 * is not whole blocks, unless it ends where both files do; ranges of one file that overlap, or that
 * reach to its end.  -EPERM: a file is immutable, or may only grow.  -EOPNOTSUPP: realtime.
 * -EFBIG: more extents than one transaction takes (an eighth of the log, 64 MiB at most).
 */
int file_exchange(struct vol *vol, struct txn *txn, const struct file_exchange *exchange);

#endif
