/*
 * `mendfs unmount`: the superuser by the system call, others through fusermount3, which knows whose
 * mount it is.
 *
 * The kernel lets go of a FUSE mount at once; the server may then still be writing home what it
 * has. It holds a lock on the image until it is done, so that is waited for.
 */
#include "base/trail.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNT_TABLE "/proc/self/mounts"
#define MOUNT_TYPE "fuse.mendfs"

/* True when the last mount on the directory is one of ours; then `image` is its source. */
static bool is_ours(const char *directory, char image[PATH_MAX])
{
	FILE *table = setmntent(MOUNT_TABLE, "r");
	struct mntent *entry;
	bool ours = false;

	if (!table)
		return false;
	while ((entry = getmntent(table)))
		if (!strcmp(entry->mnt_dir, directory)) {
			ours = !strcmp(entry->mnt_type, MOUNT_TYPE);
			snprintf(image, PATH_MAX, "%s", entry->mnt_fsname);
		}
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
	int status = 0;
	pid_t child;

	if (!geteuid()) {
		if (umount2(directory, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)))
			return fail(-errno, "%s: %s", directory, strerror(errno));
		return 0;
	}
	child = fork();
	if (!child) {
		execlp("fusermount3", "fusermount3", lazy ? "-uz" : "-u", "--", directory, NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return fail(-errno, "fusermount3: %s", strerror(errno));
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : fail(-EIO, "fusermount3 has failed");
}

/* Until the server has let go of the image. One that is called otherwise in the mount table, or
 * that cannot be read, is not waited for. */
static void wait_for_server(const char *image)
{
	int fd = open(image, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	flock(fd, LOCK_SH);
	close(fd);
}

static int run_unmount(const struct command *self, int argc, char **argv)
{
	char directory[PATH_MAX], image[PATH_MAX];
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
	if (!is_ours(directory, image)) {
		fail(-EINVAL, "%s: nothing of mendfs is mounted there", argv[optind]);
		return cli_failed();
	}
	if (unmount(directory, lazy))
		return cli_failed();
	if (!lazy)
		wait_for_server(image);
	return 0;
}

const struct command command_unmount = {
    .name = "unmount",
    .arguments = "[-l] DIRECTORY",
    .summary = "unmount what mount has mounted",
    .help = "  -l                    out of sight at once, even while it is in use\n",
    .run = run_unmount,
};
