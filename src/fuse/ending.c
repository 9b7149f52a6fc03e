/*
 * The end by a signal; see ending.h.
 *
 * The handler posts a semaphore and does no more, so that further signals find nothing to disturb:
 * the first has begun it.  A signal that comes before the session is served waits in the semaphore.
 *
 * The thread that flushes serves no requests, for the kernel wants answers meanwhile; it asks
 * another process, and never waits without an end: it gives up when no write has come for
 * PATIENCE_SECONDS, and LONGEST_SECONDS after the signal, which is before service managers kill
 * (90 s).
 *
 * 1. `current` is set while the handlers are ours.
 * 2. The thread lives inside server_serve(), which sets `stop` and joins it: who is signalled by
 * it, to leave the loop of libfuse, is alive.
 */
#include "fuse/ending.h"

#include "base/trail.h"
#include "fuse/exchange.h"
#include "fuse/exchange_flush.h"
#include "fuse/request.h"
#include "host/host.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define PATIENCE_SECONDS 10
#define LONGEST_SECONDS 60
#define DRAIN_SECONDS 2
#define LOOKS_AT_QUIET 5
#define LOOK_NS 10000000
#define SECOND 1000000000ull

struct ending {
	struct server *server;
	sem_t signalled;
	atomic_int number; /* of the last signal */
	pthread_t thread, loop;
	atomic_bool stop; /* the session is served no more */
};

/* How long it has been waited, and for what; all times of env->now. */
struct waiting {
	struct ending *ending;
	u64 begun, last; /* the last: when a write was seen to be at work */
	unsigned done;
};

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
static struct ending *current; /* a handler is told nothing but the number */

static void on_signal(int number)
{
	int before = errno;

	atomic_store(&current->number, number);
	sem_post(&current->signalled);
	errno = before;
}

/* ---- the flush ---- */

static u64 now(const struct ending *e)
{
	struct env *env = e->server->vol->env;

	return env->now(env);
}

/* The time since a write was at work here; NULL64 when it has been tried for long enough. */
static u64 waited(struct waiting *w)
{
	const struct writes *writes = &w->ending->server->writes;
	unsigned done = atomic_load(&writes->done);
	u64 t = now(w->ending);

	if (done != w->done || atomic_load(&writes->now)) {
		w->done = done;
		w->last = t;
	}
	return t - w->begun < LONGEST_SECONDS * SECOND ? t - w->last : NULL64;
}

static bool is_over(void *arg)
{
	struct waiting *w = arg;

	return atomic_load(&w->ending->stop) || waited(w) >= PATIENCE_SECONDS * SECOND;
}

static void moment(void)
{
	const struct timespec t = {.tv_nsec = LOOK_NS};

	nanosleep(&t, NULL);
}

static bool is_busy(const struct ending *e)
{
	struct pollfd requests = {.fd = fuse_session_fd(e->server->session), .events = POLLIN};

	return atomic_load(&e->server->writes.now) || poll(&requests, 1, 0) > 0;
}

/* Before 6.16 the kernel calls pages written that are on their way to us. What has arrived is done
 * before the session ends; and as there are fewer threads than requests that the kernel has under
 * way, nothing waits behind it when nothing is to be read. */
static void drain(struct waiting *w)
{
	u32 quiet = 0;

	while (quiet < LOOKS_AT_QUIET && waited(w) < DRAIN_SECONDS * SECOND) {
		quiet = is_busy(w->ending) ? 0 : quiet + 1;
		moment();
	}
}

static void flush(struct ending *e)
{
	struct waiting w = {.ending = e, .begun = now(e)};
	const struct patience patience = {is_over, &w};
	struct env *env = e->server->vol->env;
	int err;

	w.last = w.begun;
	w.done = atomic_load(&e->server->writes.done);
	err = exchanges_flush_all(e->server, &patience);
	if (err && !atomic_load(&e->stop)) {
		fail_in(err,
			"ended by a signal: what was written last, and not synced, may be lost");
		env->note(env, trail_text());
	}
	if (!err) {
		w.last = now(e);
		drain(&w);
	}
}

/* ---- the thread ---- */

static void *run(void *arg)
{
	struct ending *e = arg;

	while (sem_wait(&e->signalled) && errno == EINTR)
		;
	if (!atomic_load(&e->stop) && e->server->changer)
		flush(e);
	/* the loop may be about to wait, and not hear it */
	while (!atomic_load(&e->stop)) {
		fuse_session_exit(e->server->session);
		pthread_kill(e->loop, atomic_load(&e->number));
		moment();
	}
	return NULL;
}

static void stop(struct ending *e)
{
	atomic_store(&e->stop, true);
	sem_post(&e->signalled);
	pthread_join(e->thread, NULL);
}

/* ---- the session ---- */

int server_serve(struct server *server, bool one_thread)
{
	struct ending *e = server->ending;
	int err;

	e->loop = pthread_self();
	err = host_thread_start(&e->thread, run, e);
	if (err)
		return err;
	err = server_run(e->server->session, one_thread);
	stop(e);
	return err;
}

static void set_handler(int number, void (*from)(int), void (*to)(int))
{
	struct sigaction action;

	/* not that of who has been told to ignore it */
	if (sigaction(number, NULL, &action) || action.sa_handler != from)
		return;
	action = (struct sigaction){.sa_handler = to};
	sigaction(number, &action, NULL);
}

int server_heed_signals(struct server *server, struct fuse_session *session)
{
	struct ending *e = calloc(1, sizeof(*e));

	if (!e)
		return fail(-ENOMEM, "out of memory");
	e->server = server;
	server->session = session;
	sem_init(&e->signalled, 0, 0);
	server->ending = current = e;
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
		set_handler(signals[i], SIG_DFL, on_signal);
	set_handler(SIGPIPE, SIG_DFL, SIG_IGN);
	return 0;
}

void server_forget_signals(struct server *server)
{
	struct ending *e = server->ending;

	if (!e)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
		set_handler(signals[i], on_signal, SIG_IGN);
	server->ending = current = NULL;
	sem_destroy(&e->signalled);
	free(e);
}
