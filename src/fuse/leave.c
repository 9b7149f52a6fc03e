/*
 * Leaving on a signal: SIGTERM, SIGINT and SIGHUP are waited for by a thread of its own, which ends
 * what needs the session to be served still (exchange.c), and then the session.
 *
 * Not libfuse's own handlers: they end the session at once, and a request that one of its threads
 * has just read is then dropped. The kernel would wait for the answer to it in the middle of a
 * notification, which nothing but an abort of the connection ends.
 *
 * The thread that serves sleeps where only a signal reaches it: it is sent one, which does nothing
 * else, until it has left.
 */
#include "fuse/leave.h"

#include "base/trail.h"
#include "fuse/exchange.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define WAKE SIGUSR2
#define WAKE_NANOSECONDS 20000000

struct leave {
	struct server *server;
	struct fuse_session *session;
	pthread_t thread, served_by;
	sigset_t signals;
	atomic_bool over; /* the session is not served any more */
};

static void nothing(int number)
{
	(void)number;
}

static void *wait_for_signal(void *arg)
{
	const struct timespec pause = {.tv_nsec = WAKE_NANOSECONDS};
	struct leave *l = arg;

	while (sigwaitinfo(&l->signals, NULL) < 0)
		if (errno != EINTR)
			return NULL;
	exchanges_close(l->server);
	fuse_session_exit(l->session);
	while (!atomic_load(&l->over)) {
		pthread_kill(l->served_by, WAKE);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void set_of_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

int leave_open(struct server *server, struct fuse_session *session)
{
	const struct sigaction wake = {.sa_handler = nothing}, ignore = {.sa_handler = SIG_IGN};
	struct leave *l = calloc(1, sizeof(*l));

	if (!l)
		return fail(-ENOMEM, "out of memory");
	l->server = server;
	l->session = session;
	l->served_by = pthread_self();
	set_of_signals(&l->signals);
	sigaction(WAKE, &wake, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	pthread_sigmask(SIG_BLOCK, &l->signals, NULL);
	if (pthread_create(&l->thread, NULL, wait_for_signal, l)) {
		free(l);
		return fail(-EAGAIN, "no thread to be had");
	}
	server->leave = l;
	return 0;
}

void leave_close(struct server *server)
{
	struct leave *l = server->leave;

	if (!l)
		return;
	atomic_store(&l->over, true);
	pthread_kill(l->thread, SIGTERM); /* one that nobody has sent */
	pthread_join(l->thread, NULL);
	free(l);
	server->leave = NULL;
}
