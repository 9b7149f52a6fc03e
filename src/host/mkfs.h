/*
 * Making a filesystem on real devices: what they are like, what is on them already, and then
 * fs/mkfs.h.
 */
#ifndef MENDFS_HOST_MKFS_H
#define MENDFS_HOST_MKFS_H

#include "fs/mkfs.h"

struct host_mkfs {
	const char *data, *log, *rt; /* log and rt may be NULL */
	bool create; /* data is a file of options.data_size bytes at least, to be made when there is
			none */
	bool force;  /* whatever is there already */
	bool dry;    /* nothing is written */
	struct mkfs_options options; /* the time is filled in */
	/* What it will be, before it is written. NULL: nobody asks. */
	void (*planned)(void *arg, const struct geometry *g);
	void *arg;
};

/* -EEXIST when something is there already, -EBUSY when a device is in use. */
int host_mkfs(struct env *env, struct host_mkfs *what);

#endif
