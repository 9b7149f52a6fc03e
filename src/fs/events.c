/*
 * The ring of events; see events.h.
 *
 * The event of number n is at n % EVENTS_KEPT, and the last EVENTS_KEPT of them are there.
 * Locking: `lock` guards all of it, for a copy of an event.
 */
#include "fs/events.h"

#include "base/trail.h"

#include <errno.h>

struct events {
	struct env *env;
	struct env_lock *lock;
	u64 count; /* that there have been */
	struct event ring[EVENTS_KEPT];
};

int events_open(struct env *env, struct events **out)
{
	struct events *e = env_alloc(env, sizeof(*e));

	*out = e;
	if (!e)
		return fail(-ENOMEM, "events: out of memory");
	e->env = env;
	e->lock = env->lock_create(env);
	return e->lock ? 0 : fail(-ENOMEM, "events: out of memory");
}

void events_close(struct events *e)
{
	if (!e)
		return;
	if (e->lock)
		e->env->lock_destroy(e->env, e->lock);
	env_free(e->env, e);
}

void events_add(struct events *e, const struct event *event)
{
	struct event *to;

	e->env->lock_take(e->lock);
	to = &e->ring[e->count % EVENTS_KEPT];
	*to = *event;
	to->number = e->count++;
	to->time = e->env->now(e->env);
	e->env->lock_drop(e->lock);
}

u32 events_read(struct events *e, u64 *next, struct event *to, u32 max, u64 *lost)
{
	u32 count = 0;
	u64 oldest;

	e->env->lock_take(e->lock);
	oldest = e->count > EVENTS_KEPT ? e->count - EVENTS_KEPT : 0;
	*lost = *next < oldest ? oldest - *next : 0;
	*next += *lost;
	while (count < max && *next < e->count)
		to[count++] = e->ring[(*next)++ % EVENTS_KEPT];
	e->env->lock_drop(e->lock);
	return count;
}
