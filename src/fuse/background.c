/*
 * What the server does beside answering: at the start it takes apart what a crash has left; then,
 * every few seconds, what has been committed goes to the log.
 */
#include "base/trail.h"
#include "fuse/change.h"
#include "fuse/exchange.h"
#include "fuse/leave.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define PERIOD_SECONDS 5

struct background {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stop;
	struct server *server;
};

static void tell(struct server *server, int err)
{
	if (err)
		note_failure(server, err);
}

static void *background_run(void *arg)
{
	struct background *b = arg;
	struct timespec until;

	pthread_mutex_lock(&b->mutex);
	while (!b->stop) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += PERIOD_SECONDS;
		if (pthread_cond_timedwait(&b->wake, &b->mutex, &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&b->mutex);
		orphans_flush(b->server->changer);
		tell(b->server, journal_work(b->server->vol->journal));
		discards_work(b->server->changer);
		pthread_mutex_lock(&b->mutex);
	}
	pthread_mutex_unlock(&b->mutex);
	if (b->server->changer->discards && !journal_work(b->server->vol->journal))
		discards_work(b->server->changer);
	return NULL;
}

static int background_start(struct server *server)
{
	struct background *b = calloc(1, sizeof(*b));

	if (!b)
		return fail(-ENOMEM, "out of memory");
	b->server = server;
	pthread_mutex_init(&b->mutex, NULL);
	pthread_cond_init(&b->wake, NULL);
	if (pthread_create(&b->thread, NULL, background_run, b)) {
		free(b);
		return fail(-EAGAIN, "no thread to be had");
	}
	server->background = b;
	return 0;
}

int server_start(struct server *server, struct fuse_session *session, const char *directory)
{
	int err = leave_open(server, session);

	if (err || !server->changer)
		return err;
	tell(server, changer_recover(server->changer));
	err = background_start(server);
	return err ? err : exchanges_open(server, session, directory);
}

void server_stop(struct server *server)
{
	struct background *b = server->background;

	leave_close(server);
	exchanges_close(server);
	exchanges_free(server);
	if (!b)
		return;
	pthread_mutex_lock(&b->mutex);
	b->stop = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->mutex);
	pthread_join(b->thread, NULL);
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->mutex);
	free(b);
	server->background = NULL;
}
