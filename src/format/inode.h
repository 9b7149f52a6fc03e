/*
 * Inodes on disk, and their decoded form.
 * Source: XFS_Filesystem_Structure, "On-disk Inode", "Data Extents".
 */
#ifndef MENDFS_FORMAT_INODE_H
#define MENDFS_FORMAT_INODE_H

#include "base/types.h"
#include "format/geometry.h"
#include "format/layout.h"

enum fork_id { FORK_DATA, FORK_ATTR };
enum fork_format { FORMAT_DEV = 0, FORMAT_LOCAL = 1, FORMAT_EXTENTS = 2, FORMAT_BTREE = 3 };

struct buf;

struct extent {
	u64 off;   /* first file block */
	u64 start; /* fsblock; rt block for realtime files; NULL64 for a hole */
	u64 count; /* blocks */
	bool unwritten;
};

struct fork {
	const u8 *data; /* inside the inode */
	u32 size;	/* bytes of the literal area that it may use */
	enum fork_format format;
	u64 extents; /* as the inode counts them */
};

/* Times in ns since the epoch, both formats decoded. */
struct inode {
	struct inum ino;
	const u8 *raw;
	struct buf *buf; /* held by inode_get(); NULL when parsed in place */
	u16 mode;
	u32 uid, gid, projid, nlink, gen, next_unlinked;
	u64 size, nblocks, rdev;
	s64 atime, mtime, ctime, crtime; /* seconds */
	u32 atime_ns, mtime_ns, ctime_ns, crtime_ns;
	u16 flags;  /* di_flags */
	u64 flags2; /* di_flags2 */
	u32 extsize, cowextsize;
	u32 forkoff; /* bytes; 0: no attribute fork */
	u64 change, lsn;
	struct fork fork[2];
};

#endif
