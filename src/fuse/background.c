/*
 * What the server does beside answering: at the start it takes apart what a crash has left; then,
 * every few seconds, what has been committed goes to the log.
 */
#include "base/trail.h"
#include "fuse/change.h"
#include "fuse/exchange.h"
#include "host/host.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define PERIOD_SECONDS 5

struct background {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stop, kick;
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
		if (!b->kick && pthread_cond_timedwait(&b->wake, &b->mutex, &until) != ETIMEDOUT &&
		    !b->kick)
			continue;
		b->kick = false;
		pthread_mutex_unlock(&b->mutex);
		orphans_flush(b->server->changer);
		orphans_retry(b->server->changer);
		tell(b->server, journal_work(b->server->vol->journal));
		discards_work(b->server->changer);
		heal_work(b->server->heal);
		pthread_mutex_lock(&b->mutex);
	}
	pthread_mutex_unlock(&b->mutex);
	if (b->server->changer->discards && !journal_work(b->server->vol->journal))
		discards_work(b->server->changer);
	return NULL;
}

void server_wake(void *arg)
{
	struct background *b = ((struct server *)arg)->background;

	if (!b)
		return;
	pthread_mutex_lock(&b->mutex);
	b->kick = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->mutex);
}

int server_prepare(struct server *server, const char *directory)
{
	return exchanges_open(server, directory);
}

int server_start(struct server *server, const char *directory)
{
	struct background *b;
	int err;

	if (!server->changer)
		return 0;
	tell(server, changer_recover(server->changer));
	b = calloc(1, sizeof(*b));
	if (!b)
		return fail(-ENOMEM, "out of memory");
	b->server = server;
	pthread_mutex_init(&b->mutex, NULL);
	pthread_cond_init(&b->wake, NULL);
	err = host_thread_start(&b->thread, background_run, b);
	if (err) {
		free(b);
		return err;
	}
	server->background = b;
	return exchanges_start(server, directory);
}

void server_stop(struct server *server)
{
	struct background *b = server->background;

	exchanges_stop(server);
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
