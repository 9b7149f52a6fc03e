/*
 * libmendfs: XFS V5 filesystems in userspace, without a kernel and without trust.
 *
 * An image or device is opened read-only, but to make a filesystem; a dirty log is replayed in
 * memory.  Any number of threads may use one struct mendfs at a time.  Functions return 0 or more,
 * or a negative errno; then mendfs_error() says, for this thread, in words what went wrong and
 * where.  -EUCLEAN is a corrupt structure, -EBADMSG a wrong checksum, -EIO a device that fails.
 *
 * Names are bytes, at most 255 of them, without a terminator where a length is given.
 */
#ifndef MENDFS_H
#define MENDFS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mendfs;

/* What to open. Zeroes are the defaults. */
struct mendfs_options {
	const char *log_device; /* an external log */
	const char *rt_device;	/* a realtime section */
	size_t memory;		/* for the cache of metadata, bytes */
	unsigned flags;		/* MENDFS_OPEN_* */
};
/* Look at the disk as it is, without the log, whose state mendfs_info() tells. */
#define MENDFS_OPEN_NO_RECOVERY 1u
#define MENDFS_OPEN_ACCEPT_LOSS 2u /* of a damaged log replay what is whole */

/* The log as it was found. */
enum mendfs_log {
	MENDFS_LOG_UNKNOWN, /* on a device that was not given, without recovery */
	MENDFS_LOG_CLEAN,
	MENDFS_LOG_DIRTY, /* has changes that are not on the disk */
	MENDFS_LOG_DAMAGED,
};

/* options may be NULL. */
int mendfs_open(const char *image, const struct mendfs_options *options, struct mendfs **out);
void mendfs_close(struct mendfs *fs);
const char *mendfs_error(void);
const char *mendfs_version(void);

struct mendfs_info {
	uint8_t uuid[16];
	char label[13];
	uint32_t block_size, sector_size, inode_size, dir_block_size;
	uint32_t ag_count, ag_blocks;
	uint64_t blocks, free_blocks, inodes, free_inodes;
	uint64_t rt_extents, free_rt_extents;
	uint64_t root_ino;
	int replayed; /* the log was dirty, and has been replayed in memory */
	/* Dirty or damaged, and not replayed: all that is read is the disk without what the log
	 * has. Damaged, and replayed: without what was behind the damage. */
	enum mendfs_log log;
};
int mendfs_info(struct mendfs *fs, struct mendfs_info *info);

/* --- make --- */

#define MENDFS_FEATURE_FINOBT 0x001u
#define MENDFS_FEATURE_SPARSE 0x002u
#define MENDFS_FEATURE_INOBTCOUNT 0x004u
#define MENDFS_FEATURE_RMAPBT 0x008u
#define MENDFS_FEATURE_REFLINK 0x010u
#define MENDFS_FEATURE_BIGTIME 0x020u
#define MENDFS_FEATURE_NREXT64 0x040u
#define MENDFS_FEATURE_PARENT 0x080u
#define MENDFS_FEATURE_EXCHANGE 0x100u

#define MENDFS_MKFS_FORCE 1u	  /* whatever is there already */
#define MENDFS_MKFS_NO_DISCARD 2u /* of what was there */

/* Zeroes choose, by the rules of mkfs.xfs. Sizes in bytes. */
struct mendfs_mkfs_options {
	uint64_t size; /* of an image file, which is made, or made longer; 0: what is there */
	uint32_t block_size, sector_size, inode_size, dir_block_size, ag_count;
	uint64_t log_size, stripe_unit, stripe_width;
	const char *label;   /* at most 12 bytes */
	const uint8_t *uuid; /* 16 bytes; NULL: random */
	const char *log_device, *rt_device;
	unsigned features_on, features_off; /* MENDFS_FEATURE_*, over the defaults */
	unsigned flags;			    /* MENDFS_MKFS_* */
	/* Called for what is odd, but possible. NULL: nobody is told. */
	void (*warning)(void *arg, const char *text);
	void *arg;
};
/* Makes a filesystem; options may be NULL. -EEXIST: something is there already. When it fails
 * later, there is none. */
int mendfs_mkfs(const char *image, const struct mendfs_mkfs_options *options);

/* --- check --- */

enum mendfs_severity {
	MENDFS_CLEAN,
	MENDFS_INCOMPLETE, /* could not be checked */
	MENDFS_WARNING,	   /* odd, but allowed */
	MENDFS_PREEN,	   /* sound, could be better */
	MENDFS_DISAGREES,  /* fine by itself, but another structure says otherwise */
	MENDFS_CORRUPT,
};
#define MENDFS_NO_AG UINT32_MAX
#define MENDFS_NO_INO UINT64_MAX
#define MENDFS_NO_OFFSET UINT64_MAX

/* Valid during the call only. */
struct mendfs_finding {
	const char *id; /* permanent name: "AGI_LENGTH" */
	const char *type;
	enum mendfs_severity severity;
	uint32_t ag;			      /* or MENDFS_NO_AG */
	uint64_t ino;			      /* or MENDFS_NO_INO */
	uint64_t offset;		      /* bytes on the device, or MENDFS_NO_OFFSET */
	const char *field, *found, *expected; /* "" where there is none */
	const char *text;		      /* the whole, for people */
};
/* Checks everything. finding is called for one at a time, from any thread. Returns the worst
 * severity. Without recovery, a log that is not clean is a finding: LOG_NOT_REPLAYED. */
int mendfs_check(struct mendfs *fs,
		 void (*finding)(void *arg, const struct mendfs_finding *finding), void *arg);

/* --- files --- */

struct mendfs_stat {
	uint64_t ino, size, blocks, rdev; /* blocks of 512 bytes; rdev: major << 20 | minor */
	uint32_t mode, uid, gid, project, nlink, generation;
	int64_t atime, mtime, ctime, crtime;
	uint32_t atime_ns, mtime_ns, ctime_ns, crtime_ns;
};

int mendfs_stat(struct mendfs *fs, uint64_t ino, struct mendfs_stat *out);
/* One name in a directory; `.` and `..` too. */
int mendfs_lookup(struct mendfs *fs, uint64_t dir, const char *name, size_t length, uint64_t *ino);
/* A path from the root; symbolic links are not followed. */
int mendfs_resolve(struct mendfs *fs, const char *path, uint64_t *ino);
/* A path of an inode, terminated, into text; -ENOENT if none is known. */
int mendfs_path(struct mendfs *fs, uint64_t ino, char *text, size_t size);

struct mendfs_entry {
	const char *name; /* not terminated */
	size_t length;
	uint64_t ino;
	uint64_t next; /* cookie that continues behind this one */
	unsigned type; /* as in d_type of readdir(3) */
};
/* From cookie (0: the start) until fn returns other than 0, which is returned. */
int mendfs_readdir(struct mendfs *fs, uint64_t dir, uint64_t cookie,
		   int (*fn)(void *arg, const struct mendfs_entry *entry), void *arg);
/* Returns how many bytes were read; 0 at the end. */
int64_t mendfs_read(struct mendfs *fs, uint64_t ino, uint64_t offset, void *to, size_t size);
/* Terminated; returns the length; -ERANGE when it does not fit. */
int mendfs_readlink(struct mendfs *fs, uint64_t ino, char *target, size_t size);
/* name as programs say it: "user.comment". Returns the length of the value; size 0 only asks. */
int64_t mendfs_getxattr(struct mendfs *fs, uint64_t ino, const char *name, void *value,
			size_t size);
/* Calls fn with each name, terminated, until it returns other than 0, which is returned. */
int mendfs_listxattr(struct mendfs *fs, uint64_t ino, int (*fn)(void *arg, const char *name),
		     void *arg);

#ifdef __cplusplus
}
#endif

#endif
