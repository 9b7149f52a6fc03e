/* The frame of the writing server; see change.h. */
#include "base/trail.h"
#include "fs/file_share.h"
#include "fs/ialloc.h"
#include "fuse/change.h"

#include <errno.h>
#include <time.h>

#define TRIES 4

struct orphan {
	struct orphan *next;
	struct inum ino;
};

int changer_open(struct vol *vol, struct changer **out)
{
	struct changer *c;
	bool good = true;

	*out = NULL;
	if (!vol->writable)
		return 0;
	c = env_alloc(vol->env, sizeof(*c));
	if (!c)
		return fail(-ENOMEM, "out of memory");
	c->vol = vol;
	c->lock = vol->env->lock_create(vol->env);
	for (u32 i = 0; i < FILE_LOCKS; i++) {
		c->file[i] = vol->env->lock_create(vol->env);
		good = good && c->file[i];
	}
	*out = c;
	return good && c->lock ? 0 : fail(-ENOMEM, "out of memory");
}

void changer_close(struct changer *c)
{
	struct env *env = c ? c->vol->env : NULL;

	if (!c)
		return;
	while (c->orphans)
		orphan_forget(c, c->orphans->ino);
	discards_close(c);
	for (u32 i = 0; i < FILE_LOCKS; i++)
		if (c->file[i])
			env->lock_destroy(env, c->file[i]);
	if (c->lock)
		env->lock_destroy(env, c->lock);
	env_free(env, c);
}

struct names_time time_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (struct names_time){t.tv_sec, (u32)t.tv_nsec};
}

/* Only what was just freed is left: it can be had once that is durable. */
static bool again(struct changer *c, int err, u32 tries)
{
	struct journal *j = c->vol->journal;

	return err == -EAGAIN && tries < TRIES && !journal_force(j, journal_number(j), false);
}

static int settle(struct changer *c, int err)
{
	struct journal *j = c->vol->journal;

	if (!err && c->sync)
		err = journal_force(j, journal_number(j), false);
	return err == -EAGAIN ? -ENOSPC : err;
}

int change(struct changer *c, int (*step)(struct vol *vol, struct txn *txn, void *arg), void *arg)
{
	struct txn *txn;
	u32 tries = 0;
	int err;

	do {
		err = vol_begin(c->vol, NULL, &txn);
		if (!err)
			err = vol_end(c->vol, txn, step(c->vol, txn, arg));
	} while (again(c, err, tries++));
	return settle(c, err);
}

int change_series(struct changer *c,
		  int (*step)(struct vol *vol, struct txn *txn, void *arg, bool *more), void *arg)
{
	struct txn *txn;
	u32 tries = 0;
	bool more;
	int err;

	do {
		more = false;
		err = vol_begin(c->vol, NULL, &txn);
		if (!err)
			err = vol_end(c->vol, txn, step(c->vol, txn, arg, &more));
	} while ((!err && more) || again(c, err, tries++));
	return settle(c, err);
}

static struct env_lock *lock_of(struct changer *c, struct inum ino)
{
	return c->file[(ino.v * 0x9e3779b97f4a7c15ull >> 32) % FILE_LOCKS];
}

void file_lock(struct changer *c, struct inum ino)
{
	c->vol->env->lock_take(lock_of(c, ino));
}

void file_unlock(struct changer *c, struct inum ino)
{
	c->vol->env->lock_drop(lock_of(c, ino));
}

/* ---- inodes without a name ---- */

/* Without memory it stays on its list until the next mount. */
void orphan_add(struct changer *c, struct inum ino)
{
	struct env *env = c->vol->env;
	struct orphan *o = ino.v ? env_alloc(env, sizeof(*o)) : NULL;

	if (!o)
		return;
	o->ino = ino;
	env->lock_take(c->lock);
	o->next = c->orphans;
	c->orphans = o;
	env->lock_drop(c->lock);
}

static int inactive_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	const struct inum *ino = arg;

	return names_inactive_step(vol, txn, *ino, more);
}

/* -EBUSY: it has got a name again. */
static void take_apart(struct changer *c, struct inum ino)
{
	int err;

	file_lock(c, ino);
	err = change_series(c, inactive_step, &ino);
	file_unlock(c, ino);
	if (err && err != -EBUSY && c->vol->env->note)
		c->vol->env->note(c->vol->env, trail_text());
}

void orphan_forget(struct changer *c, struct inum ino)
{
	struct env *env = c->vol->env;
	struct orphan **link, *found = NULL;

	env->lock_take(c->lock);
	for (link = &c->orphans; *link && !found;)
		if ((*link)->ino.v == ino.v) {
			found = *link;
			*link = found->next;
		} else {
			link = &(*link)->next;
		}
	env->lock_drop(c->lock);
	if (!found)
		return;
	env_free(env, found);
	take_apart(c, ino);
}

struct staging {
	u32 ag;
};

static int staging_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct staging *s = arg;

	return file_cow_cleanup(vol, txn, s->ag, more);
}

/* One that cannot be taken apart stays, and so does all behind it in its AG: nothing is lost. */
int changer_recover(struct changer *c)
{
	struct inum ino, last = inum_of(0);
	u32 ag = 0;
	int err = 0;

	for (struct staging s = {0}; s.ag < c->vol->geo.ag_count && !err; s.ag++)
		if (geometry_has(&c->vol->geo, FEATURE_REFLINK))
			err = change_series(c, staging_step, &s);
	while (!err && !(err = iunlink_first(c->vol, &ag, &ino))) {
		if (ino.v == last.v) {
			ag++;
			continue;
		}
		last = ino;
		take_apart(c, ino);
	}
	return err == -ENOENT ? 0 : err;
}
