/*
 * What the kernel has of two files in its cache is written, and forgotten; or what it has of all
 * files is written. Private to src/fuse.
 *
 * A process of its own asks for it.  For two files: a fallocate of the whole file, which the server
 * takes for nothing, but before which the kernel writes all that it has, and after which it drops
 * all of it, what is mapped too.  For all: syncfs(2).  It must be another process.  The kernel
 * waits in the middle of that for answers of the server, and who waits cannot be killed: a thread
 * of the server would keep the connection alive by waiting, and the connection's end is what ends
 * the waiting.  A notification by the server itself does the same as the fallocate, and hangs for
 * ever when the server is killed meanwhile.
 *
 * One order at a time: who has the turn sends it, and waits for the answer.
 */
#ifndef MENDFS_FUSE_EXCHANGE_FLUSH_H
#define MENDFS_FUSE_EXCHANGE_FLUSH_H

#include "base/types.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct flusher {
	int socket; /* -1: there is none */
	pid_t pid;
	pthread_mutex_t turn;
	atomic_bool stop; /* who waits for the process gives up: -ENODEV */
};

/* Files that a program has open, by their descriptors there; fd -1: none. */
struct flush_files {
	pid_t pid;
	int fd[2];
	dev_t device; /* that they are on, or nothing is done: the program may have others by now */
};

/* Of who waits; is looked at several times a second. */
struct patience {
	bool (*is_over)(void *arg);
	void *arg;
};

/* Starts the process; before the session is mounted on `directory`, an absolute path, and without
 * threads. */
int flusher_open(struct flusher *f, const char *directory);
/* When the connection to the kernel has ended. */
void flusher_close(struct flusher *f);
/* Flushes for the first time: opens the files. To be ended by flusher_end() if it succeeds. */
int flusher_begin(struct flusher *f, const struct flush_files *files);
int flusher_again(struct flusher *f);
void flusher_end(struct flusher *f);
/* All files of the mount, whose device it is. -ETIMEDOUT: patience is over; nothing more can be
 * asked then. */
int flusher_all(struct flusher *f, dev_t device, const struct patience *patience);

#endif
