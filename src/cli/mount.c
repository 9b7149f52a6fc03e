/*
 * `mendfs mount`: a filesystem behind FUSE.
 *
 * The image is opened and its log replayed (with -o ro into memory) before anything is mounted, so
 * what is wrong with it is told on stderr.  Then a child, or with -f this process, mounts and
 * serves; the parent leaves with status 0 once the kernel has greeted the server, and with the
 * child's status if that never happens.
 *
 * A shared flock on the image lasts as long as the server: readers may be many, a writer takes it
 * alone.
 *
 * What damage is met goes to stderr, or from a daemon to syslog.
 */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/mount_options.h"
#include "cli/progress.h"
#include "fuse/server.h"
#include "meta/quota_turn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

struct mount {
	struct env env;
	struct mount_options options;
	char image[PATH_MAX], directory[PATH_MAX]; /* absolute: a daemon goes to / */
	int lock_fd;
	struct vol *vol;
	struct server *server;
	struct control *control;
	int tell_fd; /* to the parent that waits; -1: none */
	atomic_bool to_syslog;
};

static void mount_note(struct env *env, const char *line)
{
	struct mount *mount = env->front;

	if (atomic_load(&mount->to_syslog))
		syslog(LOG_WARNING, "%s: %s", mount->image, line);
	else
		fprintf(stderr, "mendfs: %s\n", line);
}

/* The kernel has said hello: the parent may go, and the terminal is no longer ours. */
static void mount_up(void *arg)
{
	struct mount *mount = arg;
	int null;

	if (mount->tell_fd < 0)
		return;
	openlog("mendfs", LOG_PID, LOG_DAEMON);
	atomic_store(&mount->to_syslog, true);
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		for (int fd = 0; fd <= 2; fd++)
			dup2(null, fd);
		if (null > 2)
			close(null);
	}
	if (chdir("/"))
		syslog(LOG_WARNING, "changing to /: %s", strerror(errno));
	if (write(mount->tell_fd, "", 1) < 0)
		syslog(LOG_WARNING, "whoever mounted %s is gone", mount->image);
	close(mount->tell_fd);
	mount->tell_fd = -1;
}

static int mount_lock(struct mount *mount)
{
	const char *path = mount->options.image;

	if (!realpath(path, mount->image))
		return fail(-errno, "%s: %s", path, strerror(errno));
	if (!realpath(mount->options.directory, mount->directory))
		return fail(-errno, "%s: %s", mount->options.directory, strerror(errno));
	mount->lock_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (mount->lock_fd < 0)
		return fail(-errno, "%s: %s", path, strerror(errno));
	if (flock(mount->lock_fd, (mount->options.read_write ? LOCK_EX : LOCK_SH) | LOCK_NB))
		return fail(-errno, "%s: %s", path,
			    errno == EWOULDBLOCK ? mount->options.read_write
						       ? "in use by another program"
						       : "in use by a program that may write to it"
						 : strerror(errno));
	return 0;
}

static int mount_open(struct mount *mount)
{
	const struct mount_options *o = &mount->options;
	struct server_options server = {.permissions = !o->no_permissions,
					.sync = o->sync,
					.discard = o->discard,
					.heal = o->heal,
					.grpid = o->grpid,
					.up = mount_up,
					.arg = mount};
	struct cli_image image = {.data = o->image,
				  .log = o->log,
				  .rt = o->rt,
				  .no_recovery = o->no_recovery,
				  .accept_loss = o->accept_loss,
				  .log_choice = MOUNT_LOG_CHOICE,
				  .doubtful_super = true,
				  .write = o->read_write};
	int err = mount_lock(mount);

	if (!err)
		err = cli_open(&mount->env, &image, &mount->vol);
	if (!err && o->read_write)
		err = quota_turn(mount->vol, o->quota_kept, o->quota_enforced);
	if (!err)
		err = control_open(mount->vol, &mount->control);
	if (err)
		return err;
	cli_tell_super(stderr, mount->vol);
	cli_tell_loss(stderr, mount->vol);
	server.control = control_address(mount->control);
	return server_create(mount->vol, &server, &mount->server);
}

static int mount_close(struct mount *mount)
{
	int err;

	control_close(mount->control);
	server_destroy(mount->server);
	err = vol_close(mount->vol);
	if (err)
		mount_note(&mount->env, trail_text());
	if (mount->lock_fd >= 0)
		close(mount->lock_fd);
	return err;
}

/* The arguments of libfuse. False: out of memory. */
static bool fuse_arguments(const struct mount *mount, struct fuse_args *args)
{
	const struct mount_options *o = &mount->options;
	char name[PATH_MAX + sizeof("fsname=")], subtype[64];
	char *list = NULL;
	bool ok;

	snprintf(name, sizeof(name), "fsname=%s", o->fsname ? o->fsname : mount->image);
	snprintf(subtype, sizeof(subtype), "subtype=%s", o->subtype ? o->subtype : "mendfs");
	ok = !fuse_opt_add_arg(args, "mendfs") &&
	     !fuse_opt_add_opt(&list, o->read_write ? "rw,max_read=" SERVER_MAX_READ_TEXT
						    : "ro,max_read=" SERVER_MAX_READ_TEXT) &&
	     !fuse_opt_add_opt_escaped(&list, name) && !fuse_opt_add_opt_escaped(&list, subtype) &&
	     (o->no_permissions || !fuse_opt_add_opt(&list, "default_permissions")) &&
	     (!*o->passed || !fuse_opt_add_opt(&list, o->passed)) &&
	     !fuse_opt_add_arg(args, "-o") && !fuse_opt_add_arg(args, list) &&
	     (!o->debug || !fuse_opt_add_arg(args, "-d"));
	free(list);
	return ok;
}

/* Mounts and serves until the end. libfuse has told on stderr what it could not do. */
static int mount_serve(struct mount *mount)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	const struct fuse_lowlevel_ops ops = server_ops(mount->server);
	struct fuse_session *session = NULL;
	int status = STATUS_FAILED;

	if (fuse_arguments(mount, &args))
		session = fuse_session_new(&args, &ops, sizeof(ops), mount->server);
	if (session && !fuse_set_signal_handlers(session)) {
		if (!server_prepare(mount->server) &&
		    !fuse_session_mount(session, mount->directory)) {
			if (!server_start(mount->server, mount->directory) &&
			    !control_start(mount->control) &&
			    server_run(session, mount->options.one_thread) >= 0)
				status = 0;
			control_close(mount->control);
			mount->control = NULL;
			server_stop(mount->server);
			fuse_session_unmount(session);
		}
		fuse_remove_signal_handlers(session);
	}
	if (session)
		fuse_session_destroy(session);
	fuse_opt_free_args(&args);
	return status;
}

/* In the parent: 0 when the mount is up, the child's status when it has ended without. */
static int wait_for_child(pid_t child, int fd)
{
	int status = 0;
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "mendfs: the server has ended before the mount was up\n");
	return STATUS_FAILED;
}

/* Sets *parent in the process that only waits and leaves. */
static int mount_daemon(struct mount *mount, bool *parent)
{
	int ends[2], status;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC)) {
		fail(-errno, "pipe: %s", strerror(errno));
		return cli_failed();
	}
	child = fork();
	if (child < 0) {
		fail(-errno, "fork: %s", strerror(errno));
		status = cli_failed();
	} else if (!child) {
		close(ends[0]);
		setsid();
		mount->tell_fd = ends[1];
		return mount_serve(mount);
	} else {
		close(ends[1]);
		ends[1] = -1;
		*parent = true;
		status = wait_for_child(child, ends[0]);
	}
	close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
	return status;
}

static int run_mount(const struct command *self, int argc, char **argv)
{
	static struct mount mount;
	static struct progress_line line; /* env may tell of progress as long as it lives */
	bool parent = false;
	int status, err;

	mount = (struct mount){.lock_fd = -1, .tell_fd = -1};
	status = mount_options_parse(&mount.options, self, argc, argv);
	if (status)
		return status;
	host_env_init(&mount.env, 0);
	mount.env.note = mount_note;
	mount.env.front = &mount;
	progress_begin(&mount.env, &line, stderr, isatty(STDERR_FILENO));
	err = mount_open(&mount);
	progress_end(&line);
	if (err)
		status = cli_failed();
	else if (mount.options.foreground)
		status = mount_serve(&mount);
	else
		status = mount_daemon(&mount, &parent);
	/* the filesystem is the child's, and not the parent's to put in order */
	if (parent && mount.vol)
		mount.vol->writable = false;
	if (mount_close(&mount) && !status)
		status = STATUS_FAILED;
	return status;
}

const struct command command_mount = {
    .name = "mount",
    .arguments = "[-o OPTION,...] [-f] [-d] [-s] IMAGE DIRECTORY",
    .summary = "mount a filesystem, through FUSE",
    .help =
	"  -o ro                 read-only: a dirty log is replayed in memory, and the image is\n"
	"                        not written\n"
	"  -o norecovery         do not replay a dirty log (with ro), nor look at it; also "
	"log=ignore\n"
	"  -o log=accept-loss    replay what is whole of a damaged log (with ro); log=refuse, the\n"
	"                        default, does not mount\n"
	"  -o logdev=DEVICE      the log is on this device\n"
	"  -o rtdev=DEVICE       the realtime section is on this device\n"
	"  -o heal[=POLICY]      when a request meets damage: none, check, optimize, or repair\n"
	"                        while it waits (repair; without -o heal what the property\n"
	"                        autofsck of the filesystem says, or none)\n"
	"  -o sync               what has been done is durable when it is answered\n"
	"  -o grpid              new files have the group of their directory\n"
	"  -o discard            tell the device what has been freed: holes in an image file\n"
	"  -o allow_other        let other users in, too\n"
	"  -o no_default_permissions\n"
	"                        let whoever gets in read everything\n"
	"  -o uquota, gquota, pquota\n"
	"                        count and limit what users, groups and projects use;\n"
	"                        uqnoenforce, gqnoenforce, pqnoenforce: only count\n"
	"  -o fsname=NAME        what the mount table shows instead of the image's path\n"
	"  -f                    stay in the foreground; damage is told on stderr\n"
	"  -d                    the same, and print all requests\n"
	"  -s                    one thread\n"
	"Options of mount(8) (nosuid, nodev, noexec, noatime ...) work as usual. What is damaged\n"
	"answers EUCLEAN (Structure needs cleaning), with the reason in the system's log; the\n"
	"rest is readable.\n",
    .run = run_mount,
};
