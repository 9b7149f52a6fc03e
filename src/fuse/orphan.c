/*
 * Inodes without a name; see change.h.
 *
 * 1. An orphan is `waiting`, in a chain by its number, until the kernel forgets it, or `ready`, or
 *    `fenced`: what it lies in is damaged, and it is tried again when something has been released.
 * 2. A ready one is out of everybody's reach: it has no name, and a lookup by handle of what has
 *    none is refused. So it is taken apart without the file's lock.
 *
 * Taking one apart costs little beside the transaction around it, so many go with one, when some
 * have gathered: a small one waits for others, or for the next tick of the background. Where that
 * cannot be done (large ones need a series of their own, one of them is damaged), each goes alone.
 */
#include "base/trail.h"
#include "fs/file_share.h"
#include "fs/health.h"
#include "fs/ialloc.h"
#include "fuse/change.h"
#include "fuse/node.h"

#include <errno.h>

#define BATCH 32
#define SMALL_BLOCKS 8

struct orphan {
	struct orphan *next;
	struct inum ino;
};

static struct orphan **chain_of(struct changer *c, struct inum ino)
{
	return &c->waiting[(ino.v * 0x9e3779b97f4a7c15ull >> 32) % ORPHAN_CHAINS];
}

/* Without memory it stays on its list until the next mount. */
void orphan_add(struct changer *c, struct inum ino)
{
	struct env *env = c->vol->env;
	struct orphan *o = ino.v ? env_alloc(env, sizeof(*o)) : NULL, **chain = chain_of(c, ino);

	if (!o)
		return;
	o->ino = ino;
	env->lock_take(c->lock);
	o->next = *chain;
	*chain = o;
	env->lock_drop(c->lock);
}

static int inactive_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	const struct inum *ino = arg;

	return names_inactive_step(vol, txn, *ino, more);
}

/* -EBUSY: it has got a name again. False: what it lies in is damaged; it can be tried again when
 * that is repaired. */
static bool take_apart(struct changer *c, struct inum ino)
{
	int err = change_series(c, inactive_step, &ino, 0);

	if (err && err != -EBUSY && c->vol->env->note)
		c->vol->env->note(c->vol->env, trail_text());
	return !err_is_damage(err);
}

/* Takes the orphan over. */
static void take_or_keep(struct changer *c, struct orphan *o)
{
	if (take_apart(c, o->ino)) {
		env_free(c->vol->env, o);
		return;
	}
	c->vol->env->lock_take(c->lock);
	o->next = c->fenced;
	c->fenced = o;
	c->vol->env->lock_drop(c->lock);
}

void orphans_retry(struct changer *c)
{
	u64 releases = health_releases(c->vol->health);
	struct orphan *list;

	if (releases == c->releases)
		return;
	c->releases = releases;
	c->vol->env->lock_take(c->lock);
	list = c->fenced;
	c->fenced = NULL;
	c->vol->env->lock_drop(c->lock);
	while (list) {
		struct orphan *next = list->next;

		take_or_keep(c, list);
		list = next;
	}
}

/* All of the list, in one transaction, or nothing. */
static int batch_step(struct vol *vol, struct txn *txn, void *arg)
{
	bool more = false;
	int err = 0;

	for (const struct orphan *o = arg; o && !err && !more; o = o->next)
		err = names_inactive_step(vol, txn, o->ino, &more);
	return more ? -EFBIG : err;
}

/* list may be NULL: others have taken them. */
static void take_all_apart(struct changer *c, struct orphan *list)
{
	int err = list && list->next ? change_once(c, batch_step, list) : -EFBIG;

	while (list) {
		struct orphan *next = list->next;

		if (err)
			take_or_keep(c, list);
		else
			env_free(c->vol->env, list);
		list = next;
	}
}

/* Up to BATCH of the ready ones; NULL: none. */
static struct orphan *take_ready(struct changer *c)
{
	struct orphan *list, **end = &c->ready;

	c->vol->env->lock_take(c->lock);
	for (u32 i = 0; i < BATCH && *end; i++) {
		end = &(*end)->next;
		c->ready_count--;
	}
	list = c->ready;
	if (list) {
		c->ready = *end;
		*end = NULL;
	}
	c->vol->env->lock_drop(c->lock);
	return list;
}

bool orphans_flush(struct changer *c)
{
	struct orphan *list;
	bool any = false;

	while ((list = take_ready(c)) != NULL) {
		take_all_apart(c, list);
		any = true;
	}
	return any;
}

/* Few blocks, all of them to be found from the inode. */
static bool is_small(struct changer *c, struct inum ino)
{
	struct inode inode;
	bool small;

	vol_read_begin(c->vol);
	small = !inode_get(c->vol, ino, &inode);
	if (small) {
		small = inode.nblocks <= SMALL_BLOCKS;
		inode_put(c->vol, &inode);
	}
	vol_read_end(c->vol);
	return small;
}

/* Takes it out of the waiting ones; NULL: it is not there. */
static struct orphan *unchain(struct changer *c, struct inum ino)
{
	struct orphan **link = chain_of(c, ino), *found;

	c->vol->env->lock_take(c->lock);
	while (*link && (*link)->ino.v != ino.v)
		link = &(*link)->next;
	found = *link;
	if (found)
		*link = found->next;
	c->vol->env->lock_drop(c->lock);
	return found;
}

void orphan_forget(struct changer *c, struct inum ino)
{
	struct orphan *o = unchain(c, ino);
	bool enough;

	if (!o)
		return;
	if (!is_small(c, ino)) {
		take_or_keep(c, o);
		return;
	}
	c->vol->env->lock_take(c->lock);
	o->next = c->ready;
	c->ready = o;
	enough = ++c->ready_count >= BATCH;
	c->vol->env->lock_drop(c->lock);
	if (enough)
		take_all_apart(c, take_ready(c));
}

void orphans_close(struct changer *c)
{
	for (u32 i = 0; i < ORPHAN_CHAINS; i++)
		while (c->waiting[i])
			orphan_forget(c, c->waiting[i]->ino);
	orphans_flush(c);
	orphans_retry(c);
	while (c->fenced) { /* the next mount finds them on their lists */
		struct orphan *next = c->fenced->next;

		env_free(c->vol->env, c->fenced);
		c->fenced = next;
	}
}

/* As orphan_add() and orphan_forget(), when it has failed already. */
static void keep_for_later(struct changer *c, struct inum ino)
{
	struct orphan *o = env_alloc(c->vol->env, sizeof(*o));

	if (!o)
		return;
	o->ino = ino;
	c->vol->env->lock_take(c->lock);
	o->next = c->fenced;
	c->fenced = o;
	c->vol->env->lock_drop(c->lock);
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
			err = change_series(c, staging_step, &s, 0);
	while (!err && !(err = iunlink_first(c->vol, &ag, &ino))) {
		if (ino.v == last.v) {
			ag++;
			continue;
		}
		last = ino;
		if (!take_apart(c, ino))
			keep_for_later(c, ino);
	}
	return err == -ENOENT ? 0 : err;
}
