/* The frame of the writing server; see change.h. */
#include "base/trail.h"
#include "fuse/change.h"
#include "fuse/heal.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

#define TRIES 4

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
	orphans_close(c);
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

/* What has no name any more may still have what is wanted. */
static bool room_made(struct changer *c, int err)
{
	return (err == -ENOSPC || err == -EDQUOT) && orphans_flush(c);
}

int change_once(struct changer *c, int (*step)(struct vol *vol, struct txn *txn, void *arg),
		void *arg)
{
	struct txn *txn;
	int err = vol_begin(c->vol, NULL, &txn);

	return err ? err : vol_end(c->vol, txn, step(c->vol, txn, arg));
}

int change(struct changer *c, int (*step)(struct vol *vol, struct txn *txn, void *arg), void *arg)
{
	bool healed = false;
	u32 tries = 0;
	int err;

	do
		err = change_once(c, step, arg);
	while (again(c, err, tries++) || room_made(c, err) || heal_changed(c->heal, err, &healed));
	return settle(c, err);
}

int change_series(struct changer *c,
		  int (*step)(struct vol *vol, struct txn *txn, void *arg, bool *more), void *arg,
		  size_t moves)
{
	u8 before[SERIES_ARG_MAX];
	struct txn *txn;
	bool more, healed = false;
	u32 tries = 0;
	int err;

	assert(moves <= sizeof(before));
	do {
		more = false;
		memcpy(before, arg, moves);
		err = vol_begin(c->vol, NULL, &txn);
		if (!err)
			err = vol_end(c->vol, txn, step(c->vol, txn, arg, &more));
		if (err) /* it has not gone there */
			memcpy(arg, before, moves);
	} while ((!err && more) || again(c, err, tries++) || room_made(c, err) ||
		 heal_changed(c->heal, err, &healed));
	return settle(c, err);
}

static u32 lock_index(struct inum ino)
{
	return (ino.v * 0x9e3779b97f4a7c15ull >> 32) % FILE_LOCKS;
}

static struct env_lock *lock_of(struct changer *c, struct inum ino)
{
	return c->file[lock_index(ino)];
}

void file_lock(struct changer *c, struct inum ino)
{
	c->vol->env->lock_take(lock_of(c, ino));
}

void file_unlock(struct changer *c, struct inum ino)
{
	c->vol->env->lock_drop(lock_of(c, ino));
}

static atomic_uint *counter_of(struct changer *c, struct inum ino)
{
	return &c->changes[ino.v * 0x9e3779b97f4a7c15ull >> 40 & (CHANGE_COUNTERS - 1)];
}

void file_changed(struct changer *c, struct inum ino)
{
	atomic_fetch_add(counter_of(c, ino), 1);
}

u32 file_changes(struct changer *c, struct inum ino)
{
	return atomic_load(counter_of(c, ino));
}

void files_lock(struct changer *c, struct inum a, struct inum b)
{
	bool first = lock_index(a) <= lock_index(b);

	file_lock(c, first ? a : b);
	if (lock_index(a) != lock_index(b))
		file_lock(c, first ? b : a);
}

void files_unlock(struct changer *c, struct inum a, struct inum b)
{
	file_unlock(c, a);
	if (lock_index(a) != lock_index(b))
		file_unlock(c, b);
}
