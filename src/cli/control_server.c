/*
 * The server's end of the control socket; see control.h.
 *
 * One thread accepts, and watches for clients that go away; each command has a thread of its own,
 * of which there are SESSIONS_MAX at most.  What a session may take: one request of bounded size,
 * the memory that the command takes (as offline), and a client that reads nothing for SEND_SECONDS
 * is gone.
 *
 * 1. A slot of `session` belongs to the accepting thread while !busy, or when `done` is set.
 * 2. A session's fd is closed by the accepting thread alone, after it has joined its thread; others
 *    only shut it down.  So no descriptor is used after it may have become somebody else's.
 * Locking: session->lock is held while a frame is sent.  `gone` and `done` are atomic.
 */
#include "cli/control.h"

#include "base/trail.h"
#include "cli/cli.h"
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS_MAX CONTROL_SESSIONS_MAX
#define REQUEST_SECONDS 10
#define SEND_SECONDS 600
#define OUT_BUFFER 16384

struct session {
	struct control *control;
	pthread_t thread;
	pthread_mutex_t lock;
	int fd;
	bool busy;
	atomic_bool gone; /* the client, or all of it shall end */
	atomic_bool done;
	struct cli_run run;
};

struct control {
	struct vol *vol;
	struct control_address address;
	int listen_fd, wake[2];
	bool started;
	atomic_bool stop;
	pthread_t thread;
	pthread_mutex_t parse_lock; /* getopt() has one state */
	struct session session[SESSIONS_MAX];
};

/* ---- one command ---- */

static bool session_stopped(struct env *env)
{
	/* env is the first member of run */
	struct session *s =
	    (struct session *)(void *)((u8 *)(void *)env - offsetof(struct session, run.env));

	return atomic_load_explicit(&s->gone, memory_order_relaxed);
}

static void session_send(struct session *s, enum control_kind kind, const void *bytes, size_t size)
{
	pthread_mutex_lock(&s->lock);
	if (!atomic_load(&s->gone) && !control_send(s->fd, kind, bytes, size))
		atomic_store(&s->gone, true);
	pthread_mutex_unlock(&s->lock);
}

/* 0 tells stdio of an error. */
static ssize_t stream_write(struct session *s, enum control_kind kind, const char *bytes,
			    size_t size)
{
	for (size_t at = 0; at < size; at += CONTROL_PAYLOAD_MAX)
		session_send(s, kind, bytes + at, min_u64(size - at, CONTROL_PAYLOAD_MAX));
	return atomic_load(&s->gone) ? 0 : (ssize_t)size;
}

static ssize_t write_out(void *cookie, const char *bytes, size_t size)
{
	return stream_write(cookie, CONTROL_OUT, bytes, size);
}

static ssize_t write_err(void *cookie, const char *bytes, size_t size)
{
	return stream_write(cookie, CONTROL_ERR, bytes, size);
}

static ssize_t write_progress(void *cookie, const char *bytes, size_t size)
{
	return stream_write(cookie, CONTROL_PROGRESS, bytes, size);
}

static bool open_streams(struct session *s)
{
	struct cli_run *run = &s->run;

	run->out = fopencookie(s, "w", (cookie_io_functions_t){.write = write_out});
	run->err = fopencookie(s, "w", (cookie_io_functions_t){.write = write_err});
	run->progress = fopencookie(s, "w", (cookie_io_functions_t){.write = write_progress});
	if (run->out)
		setvbuf(run->out, NULL, _IOFBF, OUT_BUFFER);
	if (run->err)
		setvbuf(run->err, NULL, _IONBF, 0);
	return run->out && run->err && run->progress;
}

static void close_streams(struct session *s)
{
	if (s->run.out)
		fclose(s->run.out);
	if (s->run.err)
		fclose(s->run.err);
	if (s->run.progress)
		fclose(s->run.progress);
}

/* The words of the request; 0 when it is none. They stay in `request`. */
static u32 receive_words(struct session *s, char *request, char **words)
{
	struct control_head head;
	struct control_request r;
	u32 length, count = 0;

	if (!control_receive(s->fd, &head, sizeof(head)))
		return 0;
	length = le32_get(head.length);
	if (head.kind != CONTROL_REQUEST || length > CONTROL_PAYLOAD_MAX || length <= sizeof(r) ||
	    !control_receive(s->fd, request, length) || request[length - 1])
		return 0;
	memcpy(&r, request, sizeof(r));
	s->run.terminal = r.terminal;
	for (u32 at = sizeof(r); at < length; at += (u32)strlen(request + at) + 1) {
		if (count == CONTROL_WORDS_MAX)
			return 0;
		words[count++] = request + at;
	}
	words[count] = NULL;
	return count;
}

/* The client has parsed the same words, and told what was wrong with them. */
static int parse(struct session *s, const struct command *command, void *options, u32 count,
		 char **words)
{
	int status;

	pthread_mutex_lock(&s->control->parse_lock);
	optind = 0;
	status = command->parse(command, options, (int)count, words);
	pthread_mutex_unlock(&s->control->parse_lock);
	return status;
}

static int run_words(struct session *s, u32 count, char **words)
{
	const struct command *command = count ? cli_find_command(words[0]) : NULL;
	void *options;
	int status;

	if (!command || !command->work) {
		fprintf(s->run.err, "mendfs: that cannot be done while it is mounted\n");
		return STATUS_USAGE;
	}
	options = calloc(1, command->options_size);
	if (!options) {
		fprintf(s->run.err, "mendfs: out of memory\n");
		return STATUS_FAILED;
	}
	status = parse(s, command, options, count, words);
	if (!status)
		status = command->work(&s->run, options);
	free(options);
	return status;
}

static int run_request(struct session *s)
{
	char *request = malloc(CONTROL_PAYLOAD_MAX);
	char **words = calloc(CONTROL_WORDS_MAX + 1, sizeof(*words));
	u32 count = request && words ? receive_words(s, request, words) : 0;
	int status = STATUS_FAILED;

	if (count) {
		host_env_init(&s->run.env, 0);
		s->run.env.stopped = session_stopped;
		s->run.mounted = s->control->vol;
		status = run_words(s, count, words);
	}
	free(words);
	free(request);
	return status;
}

/* The user whose server it is, and the superuser. */
static bool may_command(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) &&
	       (!peer.uid || peer.uid == geteuid());
}

static void *session_run(void *arg)
{
	struct session *s = arg;
	u8 status = STATUS_FAILED;

	if (open_streams(s)) {
		if (may_command(s->fd))
			status = (u8)run_request(s);
		else
			fprintf(s->run.err, "mendfs: only who has mounted it may do that\n");
	}
	close_streams(s);
	session_send(s, CONTROL_EXIT, &status, 1);
	atomic_store(&s->done, true);
	if (write(s->control->wake[1], "", 1) < 0)
		atomic_store(&s->gone, true); /* full: it is awake */
	return NULL;
}

/* ---- all of them ---- */

static void session_join(struct session *s)
{
	pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	close(s->fd);
	s->busy = false;
}

static void refuse(int fd, const char *why)
{
	u8 status = STATUS_FAILED;

	if (control_send(fd, CONTROL_ERR, why, strlen(why)))
		control_send(fd, CONTROL_EXIT, &status, 1);
	close(fd);
}

static void session_start(struct control *c, int fd)
{
	const struct timeval receive = {.tv_sec = REQUEST_SECONDS}, send = {.tv_sec = SEND_SECONDS};
	struct session *s = NULL;

	for (u32 i = 0; i < SESSIONS_MAX && !s; i++)
		if (!c->session[i].busy)
			s = &c->session[i];
	if (!s) {
		refuse(fd, "mendfs: the server is busy with other commands\n");
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send));
	memset(s, 0, sizeof(*s));
	s->control = c;
	s->fd = fd;
	pthread_mutex_init(&s->lock, NULL);
	s->busy = !host_thread_start(&s->thread, session_run, s);
	if (!s->busy) {
		pthread_mutex_destroy(&s->lock);
		refuse(fd, "mendfs: the server has no thread for it\n");
	}
}

static void session_end(struct session *s)
{
	atomic_store(&s->gone, true);
	shutdown(s->fd, SHUT_RDWR);
}

static void wait_for_events(struct control *c)
{
	struct pollfd p[2 + SESSIONS_MAX] = {{.fd = c->wake[0], .events = POLLIN},
					     {.fd = c->listen_fd, .events = POLLIN}};
	const struct timespec breath = {.tv_nsec = 100000000};
	char bytes[64];
	int fd;

	for (u32 i = 0; i < SESSIONS_MAX; i++) {
		const struct session *s = &c->session[i];

		p[2 + i] = (struct pollfd){.fd = s->busy && !atomic_load(&s->gone) ? s->fd : -1,
					   .events = POLLRDHUP};
	}
	if (poll(p, ARRAY_COUNT(p), -1) <= 0)
		return;
	if (p[0].revents && read(c->wake[0], bytes, sizeof(bytes)) < 0)
		return;
	for (u32 i = 0; i < SESSIONS_MAX; i++)
		if (p[2 + i].revents)
			session_end(&c->session[i]);
	if (!p[1].revents)
		return;
	fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		session_start(c, fd);
	else if (errno != EAGAIN && errno != ECONNABORTED)
		nanosleep(&breath, NULL); /* no descriptors: it would be asked again at once */
}

static void *control_run(void *arg)
{
	struct control *c = arg;

	while (!atomic_load(&c->stop)) {
		wait_for_events(c);
		for (u32 i = 0; i < SESSIONS_MAX; i++)
			if (c->session[i].busy && atomic_load(&c->session[i].done))
				session_join(&c->session[i]);
	}
	for (u32 i = 0; i < SESSIONS_MAX; i++)
		if (c->session[i].busy)
			session_end(&c->session[i]);
	for (u32 i = 0; i < SESSIONS_MAX; i++)
		if (c->session[i].busy)
			session_join(&c->session[i]);
	return NULL;
}

static int listen_at(struct control *c)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t length = strlen(c->address.name);

	memcpy(un.sun_path + 1, c->address.name, length);
	c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listen_fd < 0 ||
	    bind(c->listen_fd, (const struct sockaddr *)&un,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) ||
	    listen(c->listen_fd, SESSIONS_MAX) || pipe2(c->wake, O_CLOEXEC | O_NONBLOCK))
		return fail(-errno, "the socket for commands: %s", strerror(errno));
	return 0;
}

static int choose_name(struct control *c)
{
	u64 random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return fail(-EIO, "the socket for commands: no random numbers");
	c->address.version = CONTROL_VERSION;
	snprintf(c->address.name, CONTROL_NAME, "mendfs/%016llx%016llx",
		 (unsigned long long)random[0], (unsigned long long)random[1]);
	return 0;
}

int control_open(struct vol *vol, struct control **out)
{
	struct control *c = calloc(1, sizeof(*c));
	int err;

	*out = NULL;
	if (!c)
		return fail(-ENOMEM, "out of memory");
	c->vol = vol;
	c->listen_fd = c->wake[0] = c->wake[1] = -1;
	pthread_mutex_init(&c->parse_lock, NULL);
	err = choose_name(c);
	if (!err)
		err = listen_at(c);
	if (err)
		control_close(c);
	else
		*out = c;
	return err;
}

const struct control_address *control_address(const struct control *control)
{
	return &control->address;
}

int control_start(struct control *c)
{
	int err = host_thread_start(&c->thread, control_run, c);

	c->started = !err;
	return err;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void control_close(struct control *c)
{
	if (!c)
		return;
	if (c->started) {
		atomic_store(&c->stop, true);
		while (write(c->wake[1], "", 1) < 0 && errno == EINTR)
			;
		pthread_join(c->thread, NULL);
	}
	close_one(c->listen_fd);
	close_one(c->wake[0]);
	close_one(c->wake[1]);
	pthread_mutex_destroy(&c->parse_lock);
	free(c);
}
