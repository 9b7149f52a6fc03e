/* The exchange of file contents by ioctl; private to src/fuse. */
#ifndef MENDFS_FUSE_EXCHANGE_H
#define MENDFS_FUSE_EXCHANGE_H

#include "fuse/request.h"

#include <linux/ioctl.h>

/* XFS_IOC_EXCHANGE_RANGE, XFS_IOC_START_COMMIT, XFS_IOC_COMMIT_RANGE. */
#define IOC_EXCHANGE_RANGE ((unsigned)_IOC(_IOC_WRITE, 'X', 129, 40))
#define IOC_START_COMMIT ((unsigned)_IOC(_IOC_READ, 'X', 130, 88))
#define IOC_COMMIT_RANGE ((unsigned)_IOC(_IOC_WRITE, 'X', 131, 88))

/* Before the session is mounted on `directory`; nothing for a volume that is only read. */
int exchanges_open(struct server *server, const char *directory);
/* When it is mounted on `directory`. */
int exchanges_start(struct server *server, const char *directory);
/* When it is served no more. */
void exchanges_stop(struct server *server);
/* When it is unmounted. */
void exchanges_close(struct server *server);
/* The kernel writes all that it has of all files, while requests are served. */
struct patience;
int exchanges_flush_all(struct server *server, const struct patience *patience);
/* A fallocate of the process that only wants the kernel's cache flushed: nothing is to be done. */
bool exchanges_flush_asks(const struct server *server, fuse_req_t req);
void exchange_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, const void *in, size_t in_size,
		    size_t out_size);

#endif
