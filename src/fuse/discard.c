/*
 * Telling the device what is free: on demand (FITRIM), and with -o discard what has been freed,
 * once that is durable.
 *
 * The journal tells what has settled while it has its locks, so it is put down and done later, by
 * the background thread.  There is room for DISCARDS ranges; what comes beyond that is not
 * discarded, until somebody trims.
 */
#include "base/trail.h"
#include "fs/trim.h"
#include "fuse/change.h"

#include <errno.h>

#define DISCARDS 4096

struct discards {
	struct env_lock *lock;
	u32 count;
	struct {
		u64 at, size;
	} range[DISCARDS];
};

static void settled(void *arg, u64 at, u64 size)
{
	struct changer *c = arg;
	struct discards *d = c->discards;
	struct env *env = c->vol->env;

	env->lock_take(d->lock);
	if (d->count < DISCARDS) {
		d->range[d->count].at = at;
		d->range[d->count++].size = size;
	}
	env->lock_drop(d->lock);
}

int discards_open(struct changer *c)
{
	struct env *env = c->vol->env;

	c->discards = env_alloc(env, sizeof(*c->discards));
	if (c->discards)
		c->discards->lock = env->lock_create(env);
	if (!c->discards || !c->discards->lock) {
		env_free(env, c->discards);
		c->discards = NULL;
		return fail(-ENOMEM, "discards: out of memory");
	}
	journal_on_settled(c->vol->journal, settled, c);
	return 0;
}

void discards_close(struct changer *c)
{
	if (!c->discards)
		return;
	journal_on_settled(c->vol->journal, NULL, NULL);
	c->vol->env->lock_destroy(c->vol->env, c->discards->lock);
	env_free(c->vol->env, c->discards);
	c->discards = NULL;
}

/* False: there is none. */
static bool take(struct changer *c, struct trim *t)
{
	struct discards *d = c->discards;
	struct env *env = c->vol->env;
	bool any;

	env->lock_take(d->lock);
	any = d->count != 0;
	if (any) {
		d->count--;
		*t = (struct trim){.at = d->range[d->count].at,
				   .end = d->range[d->count].at + d->range[d->count].size};
	}
	env->lock_drop(d->lock);
	return any;
}

/* A device that cannot is not asked again. */
void discards_work(struct changer *c)
{
	struct trim t;
	int err = 0;

	while (!err && c->discards && take(c, &t))
		err = trim_run(c->vol, &t);
	if (err == -EOPNOTSUPP)
		discards_close(c);
}
