/* What the ioctls that tell and those that change share; private to src/fuse. */
#ifndef MENDFS_FUSE_IOCTL_H
#define MENDFS_FUSE_IOCTL_H

#include "fuse/request.h"

#include <linux/fs.h>

#define IOCTL_LABEL_SIZE 256 /* of FS_IOC_GETFSLABEL */

/* The flags of an inode, as FS_IOC_FSGETXATTR and as FS_IOC_GETFLAGS have them. */
struct inode_flag_names {
	u16 flag;
	u32 xflag;
	u32 fl;
};
#define INODE_FLAG_NAMES 14
extern const struct inode_flag_names inode_flag_names[INODE_FLAG_NAMES];

struct fsxattr fsxattr_answer(const struct geometry *g, const struct inode *inode);
u32 flags_answer(const struct inode *inode);

/* All that do_ioctl() does not know; answers ENOTTY to what is none. */
void change_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, const void *user, const void *in,
		  size_t in_size, size_t out_size);

/* XFS_IOC_SCRUB_METADATA. */
#define IOC_SCRUB _IOC(_IOC_READ | _IOC_WRITE, 'X', 60, 64)
int ioctl_scrub_open(struct server *server);
void scrub_ioctl(fuse_req_t req, fuse_ino_t node, const void *in, size_t in_size, size_t out_size);

#endif
