/*
 * The server behind the mount: FUSE requests in, answers from a volume out.
 *
 * Requests arrive from several threads at a time.  A volume that is opened to read is immutable, so
 * no request waits for another, but for the short locks of the cache and of the inode cache
 * (node.h).  One that is opened to write has one writer at a time (change.h); readers wait only
 * while a commit is published.
 *
 * Node ids are inode numbers.  FUSE wants 1 for the root, so 1 stands for the root inode; inode 1
 * itself cannot be valid, it lies in the superblock's sector.  Nothing has to be remembered per
 * looked-up node: a node id that the kernel kept, or found in a file handle of years ago, says it
 * all, and the generation number tells a reused inode.
 *
 * A damaged object answers EUCLEAN, whatever rule or checksum it broke, and its trail goes to
 * env->note, once; all other objects stay readable.
 */
#ifndef MENDFS_FUSE_SERVER_H
#define MENDFS_FUSE_SERVER_H

#include "fs/vol.h"
#include "fuse/control.h"
#include "fuse/heal.h"

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

struct server;

/* The longest read; a mount option as well, since the kernel wants to hear it twice. */
#define SERVER_MAX_READ 1048576
#define SERVER_MAX_READ_TEXT "1048576"

struct server_options {
	bool permissions;	   /* the kernel checks modes and POSIX ACLs */
	bool sync, discard, grpid; /* the mount options */
	enum heal_policy heal;	   /* what is done where a request meets damage */
	void (*up)(void *arg);	   /* the kernel has said hello; NULL: nobody waits */
	void *arg;
	const struct control_address *control; /* where commands are taken; NULL: nowhere */
};

/* The volume stays the caller's, and must outlive the server. */
int server_create(struct vol *vol, const struct server_options *options, struct server **out);
void server_destroy(struct server *server);
/* What fuse_session_new() gets, with the server as user data. */
struct fuse_lowlevel_ops server_ops(const struct server *server);
/* From here on SIGTERM, SIGINT and SIGHUP, unless they are ignored, end the session as soon as the
 * kernel has written what programs have written (ending.h): one server of a process. Before it is
 * mounted, and before there are threads. */
int server_heed_signals(struct server *server, struct fuse_session *session);
/* They are ignored from here on: what there is to do is being done. */
void server_forget_signals(struct server *server);
/* Before the session is mounted on `directory`, an absolute path, and before there are threads:
 * starts a process that has nothing of it. */
int server_prepare(struct server *server, const char *directory);
/* Of a session that is mounted on `directory`: what a crash has left without a name is taken apart,
 * and what is pending goes to the log, now and then; from a thread of its own, until server_stop().
 */
int server_start(struct server *server, const char *directory);
void server_stop(struct server *server);
/* Serves the session whose signals are heeded until it ends; one_thread for debugging. */
int server_serve(struct server *server, bool one_thread);
/* Any session, until it ends. */
int server_run(struct fuse_session *session, bool one_thread);

#endif
