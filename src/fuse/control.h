/*
 * How programs find the server behind a mount: an ioctl on any directory or file of it tells the
 * abstract UNIX socket where the server takes commands (cli/control.h).
 */
#ifndef MENDFS_FUSE_CONTROL_H
#define MENDFS_FUSE_CONTROL_H

#include "base/types.h"

#include <sys/ioctl.h>

#define CONTROL_VERSION 1
#define CONTROL_NAME 60

struct control_address {
	u32 version; /* of what is spoken there */
	char name[CONTROL_NAME];
};
#define CONTROL_IOC_ADDRESS _IOR('m', 0xfd, struct control_address)

#endif
