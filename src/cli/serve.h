/*
 * Serving an opened volume behind a directory, for the commands that mount: in the foreground, or
 * by a child that goes on when the command has ended.
 *
 * What damage is met goes to stderr, or from a child to syslog.
 */
#ifndef MENDFS_CLI_SERVE_H
#define MENDFS_CLI_SERVE_H

#include "fuse/server.h"

#include <limits.h>
#include <stdatomic.h>

struct control;

struct serve {
	/* The caller's. */
	struct server_options options; /* but for what tells that the mount is up, and where */
	const char *fsname, *subtype;  /* NULL: the image, mendfs */
	const char *passed;	       /* options for libfuse, comma separated; "": none */
	bool read_write, foreground, debug, one_thread;
	/* Our own. */
	char image[PATH_MAX], directory[PATH_MAX]; /* absolute */
	int lock_fd;				   /* -1: none */
	struct vol *vol;
	struct server *server;
	struct control *control;
	int tell_fd; /* to the parent that waits; -1: none */
	atomic_bool to_syslog;
};

/* What every serve begins as, and env->note of its volume; env->front is the serve then. */
void serve_init(struct serve *serve);
void serve_note(struct env *env, const char *line);
/* Finds image and directory, and locks the image until serve_close(): readers may be many, a writer
 * has it alone. */
int serve_lock(struct serve *serve, const char *image, const char *directory);
/* From here on the volume is its own, also when it fails. */
int serve_open(struct serve *serve, struct vol *vol);
/* Mounts and serves; returns an exit status: at the end, or in a parent when the mount is up. */
int serve_run(struct serve *serve);
/* Closes the volume, and lets go of the image; in a parent that has left the volume to its child,
 * nothing is put in order. */
int serve_close(struct serve *serve);

#endif
