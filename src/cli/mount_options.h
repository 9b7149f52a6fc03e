/*
 * The options of `mendfs mount`: what users, fstab lines and mount(8) may say.
 */
#ifndef MENDFS_CLI_MOUNT_OPTIONS_H
#define MENDFS_CLI_MOUNT_OPTIONS_H

#include "cli/cli.h"
#include "fuse/heal.h"

#define MOUNT_PASSED_MAX 1024
#define MOUNT_LOG_CHOICE                                                                      \
	"-o ro,log=accept-loss replays what is whole of the log in memory, -o ro,norecovery " \
	"shows the disk as it is, and `mendfs repair --log=accept-loss` mends it"

struct mount_options {
	const char *image, *directory;
	const char *log, *rt, *fsname, *subtype; /* NULL: not given */
	bool read_only, read_write;		 /* asked for */
	bool no_recovery, accept_loss, no_permissions, foreground, debug, one_thread;
	bool discard, sync, grpid;
	enum heal_policy heal;
	u32 quota_kept, quota_enforced; /* DQUOT_USER ... */
	char passed[MOUNT_PASSED_MAX];	/* for libfuse, comma separated */
};

/* Strings are kept, not copied: argv is changed, and must live on. 0, or an exit status after a
 * message. */
int mount_options_parse(struct mount_options *options, const struct command *command, int argc,
			char **argv);

#endif
