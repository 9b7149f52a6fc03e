/* Leaving on a signal; private to src/fuse. */
#ifndef MENDFS_FUSE_LEAVE_H
#define MENDFS_FUSE_LEAVE_H

#include "fuse/request.h"

/* By the thread that is going to serve, before there are others: SIGTERM, SIGINT and SIGHUP are
 * blocked from then on. */
int leave_open(struct server *server, struct fuse_session *session);
/* When the session is served no more. */
void leave_close(struct server *server);

#endif
