/*
 * The namespace: files of all kinds made, linked, renamed and removed. Each is one transaction, or
 * part of one, of the caller's: on any error it is to be rolled back.
 *
 * Names have been split by the caller: none is empty, `.`, `..`, or holds a slash; longer than 255
 * bytes is -ENAMETOOLONG here.  Nobody's permissions are looked at, but for what the inode's own
 * flags forbid to everybody (immutable, append-only: -EPERM).
 *
 * An inode whose last name goes is put on the list of unlinked inodes, and stays until
 * names_inactive_step() has taken it apart: when nobody has it open any more, or after a crash.
 */
#ifndef MENDFS_FS_NAMES_H
#define MENDFS_FS_NAMES_H

#include "fs/inode.h"

struct names_time {
	s64 seconds;
	u32 nanoseconds;
};

struct names_new {
	u16 mode;
	u16 umask;	   /* of the mode, unless the directory has a default ACL instead */
	bool group_of_dir; /* whatever gid says, as if the directory were setgid */
	u32 uid, gid;
	u32 major, minor;   /* devices */
	const char *target; /* symbolic links */
	struct names_time now;
};

struct names_entry {
	struct inum dir;
	const char *name;
	u32 length;
};

/* A file with this name; of a setgid directory it has the group, of a project the id, of a default
 * ACL its ACLs. */
int names_create(struct vol *vol, struct txn *txn, const struct names_entry *at,
		 const struct names_new *new, struct inum *out);
/* Without a name, on the list of unlinked inodes; names_link() gives it one. */
int names_tmpfile(struct vol *vol, struct txn *txn, struct inum dir, const struct names_new *new,
		  struct inum *out);
int names_link(struct vol *vol, struct txn *txn, const struct names_entry *at, struct inum ino,
	       const struct names_time *now);
/* *gone: the inode, when that was its last name; or ino 0. A directory: -EISDIR. */
int names_unlink(struct vol *vol, struct txn *txn, const struct names_entry *at,
		 const struct names_time *now, struct inum *gone);
/* -ENOTDIR, -ENOTEMPTY. */
int names_rmdir(struct vol *vol, struct txn *txn, const struct names_entry *at,
		const struct names_time *now, struct inum *gone);

#define NAMES_NOREPLACE 1u
#define NAMES_EXCHANGE 2u
#define NAMES_WHITEOUT 4u
/* As renameat2(). -EINVAL for a directory into itself or below. */
int names_rename(struct vol *vol, struct txn *txn, const struct names_entry *from,
		 const struct names_entry *to, u32 flags, const struct names_time *now,
		 struct inum *gone);

/* Takes an inode apart that has no name, in bounded transactions, until *more is false: then it is
 * free. */
int names_inactive_step(struct vol *vol, struct txn *txn, struct inum ino, bool *more);

/* What shall be changed of an inode. */
#define SETATTR_MODE 0x01u
#define SETATTR_UID 0x02u
#define SETATTR_GID 0x04u
#define SETATTR_ATIME 0x08u
#define SETATTR_MTIME 0x10u
#define SETATTR_CTIME 0x20u
#define SETATTR_RWX 0x40u   /* of the mode, the nine permissions alone */
#define SETATTR_MEANT 0x80u /* not the consequence of a write, or a touch */
struct names_attr {
	u32 what;
	u16 mode; /* permissions; the kind of file stays */
	u32 uid, gid;
	struct names_time atime, mtime, ctime;
};
/* What users set by ioctls. flags and flags2 are those of the disk. */
struct names_flags {
	u16 flags;
	u64 flags2;
	bool realtime;		 /* asked for: only as it is */
	u64 extsize, cowextsize; /* bytes */
	u32 projid;
};
/* -EINVAL for what the kernel would not set either. */
int names_set_flags(struct vol *vol, struct txn *txn, struct inum ino,
		    const struct names_flags *wanted, const struct names_time *now);

/* -EPERM for what an immutable or append-only inode does not let be changed: of the one all but the
 * times that come with data which are still on their way (MTIME, CTIME), of the other mode, owner
 * and what is MEANT. */
int names_setattr(struct vol *vol, struct txn *txn, struct inum ino, const struct names_attr *attr);

#endif
