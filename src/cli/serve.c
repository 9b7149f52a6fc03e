/*
 * See serve.h.
 *
 * The image is opened and its log replayed before anything is mounted, so what is wrong with it is
 * told on stderr.  Then a child, or this process, mounts and serves; the parent leaves with status
 * 0 once the kernel has greeted the server, and with the child's status if that never happens.
 */
#include "cli/serve.h"

#include "base/trail.h"
#include "cli/cli.h"
#include "cli/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

void serve_note(struct env *env, const char *line)
{
	struct serve *serve = env->front;

	if (atomic_load(&serve->to_syslog))
		syslog(LOG_WARNING, "%s: %s", serve->image, line);
	else
		fprintf(stderr, "mendfs: %s\n", line);
}

/* The kernel has said hello: the parent may go, and the terminal is no longer ours. */
static void tell_up(void *arg)
{
	struct serve *serve = arg;
	int null;

	if (serve->tell_fd < 0)
		return;
	openlog("mendfs", LOG_PID, LOG_DAEMON);
	atomic_store(&serve->to_syslog, true);
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		for (int fd = 0; fd <= 2; fd++)
			dup2(null, fd);
		if (null > 2)
			close(null);
	}
	if (chdir("/"))
		syslog(LOG_WARNING, "changing to /: %s", strerror(errno));
	if (write(serve->tell_fd, "", 1) < 0)
		syslog(LOG_WARNING, "whoever mounted %s is gone", serve->image);
	close(serve->tell_fd);
	serve->tell_fd = -1;
}

void serve_init(struct serve *serve)
{
	*serve = (struct serve){.lock_fd = -1, .tell_fd = -1, .passed = ""};
}

int serve_lock(struct serve *serve, const char *image, const char *directory)
{
	if (!realpath(image, serve->image))
		return fail(-errno, "%s: %s", image, strerror(errno));
	if (!realpath(directory, serve->directory))
		return fail(-errno, "%s: %s", directory, strerror(errno));
	return cli_lock(image, serve->read_write, &serve->lock_fd);
}

int serve_open(struct serve *serve, struct vol *vol)
{
	struct server_options options = serve->options;
	int err = control_open(vol, &serve->control);

	serve->vol = vol;
	if (err)
		return err;
	options.up = tell_up;
	options.arg = serve;
	options.control = control_address(serve->control);
	return server_create(vol, &options, &serve->server);
}

int serve_close(struct serve *serve)
{
	struct env *env = serve->vol ? serve->vol->env : NULL;
	int err;

	control_close(serve->control);
	server_destroy(serve->server);
	err = vol_close(serve->vol);
	if (err && env)
		serve_note(env, trail_text());
	if (serve->lock_fd >= 0)
		close(serve->lock_fd);
	return err;
}

/* The arguments of libfuse. False: out of memory. */
static bool fuse_arguments(const struct serve *serve, struct fuse_args *args)
{
	char name[PATH_MAX + sizeof("fsname=")], subtype[64];
	char *list = NULL;
	bool ok;

	snprintf(name, sizeof(name), "fsname=%s", serve->fsname ? serve->fsname : serve->image);
	snprintf(subtype, sizeof(subtype), "subtype=%s",
		 serve->subtype ? serve->subtype : "mendfs");
	ok = !fuse_opt_add_arg(args, "mendfs") &&
	     !fuse_opt_add_opt(&list, serve->read_write ? "rw,max_read=" SERVER_MAX_READ_TEXT
							: "ro,max_read=" SERVER_MAX_READ_TEXT) &&
	     !fuse_opt_add_opt_escaped(&list, name) && !fuse_opt_add_opt_escaped(&list, subtype) &&
	     (!serve->options.permissions || !fuse_opt_add_opt(&list, "default_permissions")) &&
	     (!*serve->passed || !fuse_opt_add_opt(&list, serve->passed)) &&
	     !fuse_opt_add_arg(args, "-o") && !fuse_opt_add_arg(args, list) &&
	     (!serve->debug || !fuse_opt_add_arg(args, "-d"));
	free(list);
	return ok;
}

/* Mounts and serves until the end. libfuse has told on stderr what it could not do. */
static int serve_here(struct serve *serve)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	const struct fuse_lowlevel_ops ops = server_ops(serve->server);
	struct fuse_session *session = NULL;
	int status = STATUS_FAILED;

	if (fuse_arguments(serve, &args))
		session = fuse_session_new(&args, &ops, sizeof(ops), serve->server);
	if (session && !server_heed_signals(serve->server, session)) {
		if (!server_prepare(serve->server, serve->directory) &&
		    !fuse_session_mount(session, serve->directory)) {
			if (!server_start(serve->server, serve->directory) &&
			    !control_start(serve->control) &&
			    server_serve(serve->server, serve->one_thread) >= 0)
				status = 0;
			control_close(serve->control);
			serve->control = NULL;
			server_stop(serve->server);
			fuse_session_unmount(session);
		}
		server_forget_signals(serve->server);
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

static int serve_in_child(struct serve *serve)
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
		serve->tell_fd = ends[1];
		return serve_here(serve);
	} else {
		close(ends[1]);
		ends[1] = -1;
		/* the filesystem is the child's, and not the parent's to put in order */
		serve->vol->writable = false;
		status = wait_for_child(child, ends[0]);
	}
	close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
	return status;
}

int serve_run(struct serve *serve)
{
	return serve->foreground ? serve_here(serve) : serve_in_child(serve);
}
