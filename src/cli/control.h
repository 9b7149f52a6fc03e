/*
 * Commands on a mounted filesystem: they run in its server, which has the only true view of it.
 *
 * The server listens on an abstract UNIX socket with a random name, which an ioctl on the mount
 * tells (fuse/control.h): so whoever sees the mount finds its server, and no file is left behind.
 * Commands are taken from the user whose server it is and from the superuser alone, whatever the
 * name is known to.  The client sends one request; the server runs the command in a thread of its
 * own and sends what it says, as it comes, and in the end the exit status.  When the client goes
 * away the command is stopped; when the server ends, all are.
 *
 * On the socket, either way, go frames of a head and a payload.
 */
#ifndef MENDFS_CLI_CONTROL_H
#define MENDFS_CLI_CONTROL_H

#include "base/types.h"
#include "fuse/control.h"

struct vol;

enum control_kind {
	CONTROL_REQUEST = 'r',	/* struct control_request, then argv, each word with its NUL */
	CONTROL_OUT = 'o',	/* bytes for stdout */
	CONTROL_ERR = 'e',	/* bytes for stderr */
	CONTROL_PROGRESS = 'p', /* bytes for where the client was told to show progress */
	CONTROL_EXIT = 'x',	/* one byte, the exit status; the last */
};

struct control_head {
	struct le32 length; /* of the payload */
	u8 kind;
	u8 zero[3];
};

struct control_request {
	u8 terminal; /* stderr is one */
	u8 zero[3];
};

#define CONTROL_PAYLOAD_MAX 65536u
#define CONTROL_SESSIONS_MAX 8u /* commands at a time */
#define CONTROL_WORDS_MAX 1024u

/* ---- the client ---- */

/* Is it a directory, and no image? */
bool control_is_mounted(const char *path);
/* Has the command of argv done by the server of the filesystem that is mounted there; returns its
 * exit status. Progress goes to a descriptor, unless it is -1. */
int control_ask(const char *directory, int argc, char **argv, int progress);

/* Both ends: a whole frame. False: no more can be sent. */
bool control_send(int fd, enum control_kind kind, const void *payload, size_t size);
/* All `size` bytes; false at the end, or when it takes too long. */
bool control_receive(int fd, void *to, size_t size);

/* ---- the server ---- */

struct control;

/* Takes a name; commands wait until control_start(). */
int control_open(struct vol *vol, struct control **out);
const struct control_address *control_address(const struct control *control);
/* From threads of its own. */
int control_start(struct control *control);
/* Stops all commands, and waits for them. NULL is nothing. */
void control_close(struct control *control);

#endif
