/* The process that has the kernel write and forget what it has of files; see exchange_flush.h. */
#include "fuse/exchange_flush.h"

#include "base/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WHOLE (1ll << 62) /* bytes: more than any file has */
#define LOOK_MILLISECONDS 100

enum order { ORDER_BEGIN, ORDER_AGAIN, ORDER_END, ORDER_ALL };

struct message {
	enum order order;
	struct flush_files files;
};

/* ---- the process ---- */

static void let_go(int fd[2])
{
	for (int i = 0; i < 2; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
}

static dev_t device_of(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st))
		return 0;
	return makedev(st.stx_dev_major, st.stx_dev_minor);
}

/* An open to write of what the program has open so: by the rights of the server, so that nothing
 * may be done to it before its device is known. */
static int open_files(const struct flush_files *files, int fd[2])
{
	char path[64];

	for (int i = 0; i < 2; i++) {
		if (files->fd[i] < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)files->pid, files->fd[i]);
		fd[i] = open(path, O_RDWR | O_CLOEXEC);
		if (fd[i] < 0)
			return -errno;
		if (device_of(fd[i]) != files->device)
			return -EXDEV;
	}
	return 0;
}

static int flush_files(const int fd[2])
{
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0 &&
		    fallocate(fd[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, WHOLE))
			return -errno;
	return 0;
}

/* Whose root directory we may not open, or have another mount in front of, is flushed with all
 * filesystems: that needs no right. */
static int flush_all(const char *directory, dev_t device)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || device_of(fd) != device)
		sync();
	else if (syncfs(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static int obey(const struct message *m, const char *directory, int fd[2])
{
	int err = 0;

	if (m->order == ORDER_ALL)
		return flush_all(directory, m->files.device);
	if (m->order == ORDER_BEGIN) {
		let_go(fd);
		err = open_files(&m->files, fd);
	}
	if (!err && m->order != ORDER_END)
		err = flush_files(fd);
	if (err || m->order == ORDER_END)
		let_go(fd);
	return err;
}

/* Until the server is gone. It ends the process; a signal to all does not. */
static _Noreturn void serve(int socket, const char *directory)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	int fd[2] = {-1, -1};
	struct message m;

	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGTERM, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	if (socket != 3)
		dup2(socket, 3);
	close_range(0, 2, 0);
	close_range(4, ~0u, 0);
	if (chdir("/")) /* to keep no filesystem busy */
		_exit(1);
	while (recv(3, &m, sizeof(m), 0) == sizeof(m)) {
		int err = obey(&m, directory, fd);

		if (send(3, &err, sizeof(err), MSG_NOSIGNAL) != sizeof(err))
			break;
	}
	_exit(0);
}

/* ---- the server ---- */

int flusher_open(struct flusher *f, const char *directory)
{
	int ends[2];

	f->socket = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return fail(-errno, "socketpair: %s", strerror(errno));
	f->pid = fork();
	if (!f->pid)
		serve(ends[1], directory);
	close(ends[1]);
	if (f->pid < 0) {
		int err = fail(-errno, "fork: %s", strerror(errno));

		close(ends[0]);
		return err;
	}
	f->socket = ends[0];
	pthread_mutex_init(&f->turn, NULL);
	return 0;
}

void flusher_close(struct flusher *f)
{
	if (f->socket < 0)
		return;
	close(f->socket);
	f->socket = -1;
	pthread_mutex_destroy(&f->turn);
	kill(f->pid, SIGKILL);
	while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static bool given_up(struct flusher *f, const struct patience *patience)
{
	return atomic_load(&f->stop) || (patience && patience->is_over(patience->arg));
}

/* With the turn. An answer that nobody has waited for would be taken for the next one's: who gives
 * up is the last. */
static int order_now(struct flusher *f, const struct message *m, const struct patience *patience)
{
	struct pollfd answer = {.fd = f->socket, .events = POLLIN};
	int err;

	if (atomic_load(&f->stop))
		return fail(-ENODEV, "files are not flushed any more");
	if (send(f->socket, m, sizeof(*m), MSG_NOSIGNAL) != sizeof(*m))
		return fail(-EIO, "the process that flushes files has ended");
	while (poll(&answer, 1, LOOK_MILLISECONDS) <= 0)
		if (given_up(f, patience)) {
			atomic_store(&f->stop, true);
			return fail(patience ? -ETIMEDOUT : -ENODEV,
				    "flushing files: the kernel does not get on with it");
		}
	if (recv(f->socket, &err, sizeof(err), 0) != sizeof(err))
		return fail(-EIO, "the process that flushes files has ended");
	return err ? fail(err, "flushing files: %s", strerror(-err)) : 0;
}

static int order(struct flusher *f, const struct message *m, const struct patience *patience)
{
	const struct timespec moment = {.tv_nsec = LOOK_MILLISECONDS * 1000000l};
	int err;

	while (pthread_mutex_trylock(&f->turn)) {
		if (given_up(f, patience))
			return fail(patience ? -ETIMEDOUT : -ENODEV,
				    "an exchange of files does not end");
		nanosleep(&moment, NULL);
	}
	err = order_now(f, m, patience);
	pthread_mutex_unlock(&f->turn);
	return err;
}

int flusher_begin(struct flusher *f, const struct flush_files *files)
{
	return order(f, &(struct message){ORDER_BEGIN, *files}, NULL);
}

int flusher_again(struct flusher *f)
{
	return order(f, &(struct message){.order = ORDER_AGAIN}, NULL);
}

void flusher_end(struct flusher *f)
{
	order(f, &(struct message){.order = ORDER_END}, NULL);
}

int flusher_all(struct flusher *f, dev_t device, const struct patience *patience)
{
	return order(f, &(struct message){ORDER_ALL, {.device = device}}, patience);
}
