/*
 * `mendfs unmount`: the superuser by the system call, others through fusermount3, which knows whose
 * mount it is.
 */
#include "base/trail.h"
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#define MOUNT_TABLE "/proc/self/mounts"
#define MOUNT_TYPE "fuse.mendfs"

/* True when the last mount on the directory is one of ours. */
static bool is_ours(const char *directory)
{
	FILE *table = setmntent(MOUNT_TABLE, "r");
	struct mntent *entry;
	bool ours = false;

	if (!table)
		return false;
	while ((entry = getmntent(table)))
		if (!strcmp(entry->mnt_dir, directory))
			ours = !strcmp(entry->mnt_type, MOUNT_TYPE);
	endmntent(table);
	return ours;
}

/* A mount whose server has died cannot be looked at, only its parent can. */
static bool absolute_path(const char *path, char to[PATH_MAX])
{
	return realpath(path, to) ||
	       (errno == ENOTCONN && *path == '/' && snprintf(to, PATH_MAX, "%s", path) < PATH_MAX);
}

static int unmount(const char *directory, bool lazy)
{
	if (geteuid()) {
		execlp("fusermount3", "fusermount3", lazy ? "-uz" : "-u", "--", directory, NULL);
		return fail(-errno, "fusermount3: %s", strerror(errno));
	}
	if (umount2(directory, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)))
		return fail(-errno, "%s: %s", directory, strerror(errno));
	return 0;
}

static int run_unmount(const struct command *self, int argc, char **argv)
{
	char directory[PATH_MAX];
	bool lazy = false;
	int letter;

	while ((letter = getopt(argc, argv, "l")) != -1) {
		if (letter != 'l')
			return cli_usage(self);
		lazy = true;
	}
	if (argc - optind != 1)
		return cli_misuse(self, "it takes one directory");
	if (!absolute_path(argv[optind], directory)) {
		fail(-errno, "%s: %s", argv[optind], strerror(errno));
		return cli_failed();
	}
	if (!is_ours(directory)) {
		fail(-EINVAL, "%s: nothing of mendfs is mounted there", argv[optind]);
		return cli_failed();
	}
	return unmount(directory, lazy) ? cli_failed() : 0;
}

const struct command command_unmount = {
    .name = "unmount",
    .arguments = "[-l] DIRECTORY",
    .summary = "unmount what mount has mounted",
    .help = "  -l                    out of sight at once, even while it is in use\n",
    .run = run_unmount,
};
