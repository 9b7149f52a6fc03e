/* The exchange of file contents by ioctl; private to src/fuse. */
#ifndef MENDFS_FUSE_EXCHANGE_H
#define MENDFS_FUSE_EXCHANGE_H

#include "fuse/request.h"

#include <linux/ioctl.h>

/* XFS_IOC_EXCHANGE_RANGE, XFS_IOC_START_COMMIT, XFS_IOC_COMMIT_RANGE. */
#define IOC_EXCHANGE_RANGE ((unsigned)_IOC(_IOC_WRITE, 'X', 129, 40))
#define IOC_START_COMMIT ((unsigned)_IOC(_IOC_READ, 'X', 130, 88))
#define IOC_COMMIT_RANGE ((unsigned)_IOC(_IOC_WRITE, 'X', 131, 88))

/* Of a session that is mounted on `directory`, before it is served; nothing for a volume that is
 * only read. */
int exchanges_open(struct server *server, struct fuse_session *session, const char *directory);
/* Ends what has been asked; more is refused. Until it comes back the session must be served, or
 * dead already. Once more is as once. */
void exchanges_close(struct server *server);
void exchanges_free(struct server *server);
void exchange_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, const void *in, size_t in_size,
		    size_t out_size);

#endif
