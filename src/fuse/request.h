/*
 * What the files that answer requests share; private to src/fuse.
 */
#ifndef MENDFS_FUSE_REQUEST_H
#define MENDFS_FUSE_REQUEST_H

#include "fs/inode.h"
#include "fuse/ending.h"
#include "fuse/server.h"

#include <stdatomic.h>

struct node_cache;
struct changer;
struct scrub;
struct exchanges;
struct ending;
struct behind;

#define NOTES_REMEMBERED 1024

/* A reply's memory, kept for the next one. */
struct scratch {
	struct scratch *next;
	size_t size;
	u8 bytes[];
};

struct server {
	struct vol *vol;
	struct server_options options;
	struct node_cache *nodes;
	struct changer *changer; /* NULL: read-only */
	struct heal *heal;	 /* NULL: read-only */
	struct scrub *scrub;	 /* items that are asked for by ioctl */
	struct background *background;
	struct exchanges *exchanges;  /* NULL: read-only */
	struct fuse_session *session; /* NULL: not yet */
	struct ending *ending;
	struct behind *behind; /* NULL: read-only */
	struct writes writes;
	bool no_open, no_opendir; /* the kernel can do without open requests */
	atomic_bool down;	  /* shut down: nothing is answered any more but EIO */
	struct env_lock *lock;	  /* of what follows */
	struct scratch *scratches;
	u64 noted[NOTES_REMEMBERED]; /* hashes of lines that have been noted */
};

static inline struct server *server_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}
struct inum node_inum(const struct server *server, fuse_ino_t node);
fuse_ino_t inum_node(const struct server *server, struct inum ino);

/* Answers a request that failed: the errno to the program, the trail (with `what` and the node in
 * front) to the person, if it tells of damage. */
void reply_failure(fuse_req_t req, int err, const char *what, fuse_ino_t node);
/* An error found where nobody waits for it. */
void note_failure(struct server *server, int err);

/* At least `size` bytes, not zeroed; NULL without memory. */
struct scratch *scratch_take(struct server *server, size_t size);
void scratch_drop(struct server *server, struct scratch *scratch);

/* The geometry with the counts and the label of the superblock as it is now. */
void geometry_now(struct server *server, struct geometry *g);
/* A program of the superuser. */
static inline bool request_is_root(fuse_req_t req)
{
	return !fuse_req_ctx(req)->uid;
}
/* A program with the powers of who administers this mount. */
bool request_is_admin(fuse_req_t req);

/* The background has work, now. arg: a server. */
void server_wake(void *arg);

/* What every open file is: of the device's failed flushes it remembers how many there were. */
void opened(struct server *server, struct fuse_file_info *fi);

/* stat.c */
void stat_fill(const struct geometry *g, const struct inode *inode, struct stat *st);
void statfs_fill(const struct geometry *g, struct statvfs *st);
/* In a directory whose files get its project: as if the limits were the filesystem's. */
struct dquot;
void statfs_limit(const struct dquot *d, struct statvfs *st);

/* The stored attribute that a name of Linux means; name NULL if none can. */
struct wanted {
	const char *name;
	u8 flags;
	bool acl;
};
struct wanted wanted_of(const char *name);

/* Requests, by file. */
void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void do_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi);
void do_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		    struct fuse_file_info *fi);
void do_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi);
void do_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence, struct fuse_file_info *fi);
void do_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size);
void do_listxattr(fuse_req_t req, fuse_ino_t node, size_t size);
void do_ioctl(fuse_req_t req, fuse_ino_t node, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in_buf, size_t in_size,
	      size_t out_size);

/* Nothing changes but through the kernel, so it may keep what it knows for as long as it likes. */
#define KEEP_SECONDS (365.0 * 24 * 3600)
void entry_fill(const struct server *server, const struct inode *inode, struct fuse_entry_param *e);

#endif
