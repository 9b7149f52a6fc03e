/*
 * Directories that lie below themselves; see loops.h.
 *
 * After round k each pair left is (directory, its ancestor 2^k levels up), kept twice: by directory
 * and by ancestor, so that a round is one merge of the two.
 *
 * 1. A directory without a pair has reached the root, or is known for another fault: its `..` is
 * wrong or cannot be read.
 * 2. A round never makes pairs more, whatever the directories say.
 */
#include "ledger/loops.h"

#include "base/sorter.h"
#include "base/trail.h"

#include <errno.h>

#define LOOPS_MEMORY (4u << 20) /* of each of four sorters */

struct pair {
	struct be64 key, value;
};

struct pairs {
	struct sorter *by_dir, *by_ancestor; /* NULL: none yet */
};

struct loops {
	struct env *env;
	struct env_lock *lock; /* guards pairs while they are added */
	struct pairs pairs;
};

static void pairs_close(struct pairs *p)
{
	sorter_close(p->by_dir);
	sorter_close(p->by_ancestor);
	*p = (struct pairs){NULL, NULL};
}

static int pairs_open(struct env *env, struct pairs *p)
{
	const u32 size = sizeof(struct pair), key = sizeof(struct be64);
	int err = sorter_open(env, size, key, LOOPS_MEMORY, &p->by_dir);

	if (!err)
		err = sorter_open(env, size, key, LOOPS_MEMORY, &p->by_ancestor);
	if (err)
		pairs_close(p);
	return err;
}

static int pairs_add(struct pairs *p, struct be64 dir, struct be64 ancestor)
{
	const struct pair up = {dir, ancestor}, down = {ancestor, dir};
	int err = sorter_add(p->by_dir, &up);

	return err ? err : sorter_add(p->by_ancestor, &down);
}

static int pairs_sort(struct pairs *p)
{
	int err = sorter_sort(p->by_dir);

	return err ? err : sorter_sort(p->by_ancestor);
}

int loops_open(struct env *env, struct loops **out)
{
	struct loops *l = env_alloc(env, sizeof(*l));

	if (!l)
		return fail(-ENOMEM, "directories: out of memory");
	l->env = env;
	l->lock = env->lock_create(env);
	if (!l->lock) {
		env_free(env, l);
		return fail(-ENOMEM, "directories: out of memory");
	}
	*out = l;
	return 0;
}

void loops_close(struct loops *l)
{
	if (!l)
		return;
	pairs_close(&l->pairs);
	l->env->lock_destroy(l->env, l->lock);
	env_free(l->env, l);
}

int loops_add(struct loops *l, u64 dir, u64 parent)
{
	int err = 0;

	l->env->lock_take(l->lock);
	if (!l->pairs.by_ancestor)
		err = pairs_open(l->env, &l->pairs);
	if (!err)
		err = pairs_add(&l->pairs, be64_make(dir), be64_make(parent));
	l->env->lock_drop(l->lock);
	return err;
}

/* Both sides are sorted: each (directory, ancestor) with the ancestor's own pair. */
static int join(const struct pairs *from, struct pairs *to)
{
	struct pair up, down;
	int more = sorter_next(from->by_dir, &up), next, err = 0;

	while (more > 0 && !err && (next = sorter_next(from->by_ancestor, &down)) != 0) {
		if (next < 0)
			return next;
		while (more > 0 && be64_get(up.key) < be64_get(down.key))
			more = sorter_next(from->by_dir, &up);
		if (more > 0 && be64_get(up.key) == be64_get(down.key))
			err = pairs_add(to, down.value, up.value);
	}
	return more < 0 ? more : err;
}

static int double_ways(struct loops *l)
{
	struct pairs next = {NULL, NULL};
	int err = pairs_sort(&l->pairs);

	if (!err)
		err = pairs_open(l->env, &next);
	if (!err)
		err = join(&l->pairs, &next);
	pairs_close(&l->pairs);
	l->pairs = next;
	return err;
}

/* What every directory that is left comes to is part of a circle, and all of a circle is come to.
 */
static int tell(struct loops *l, void (*found)(void *arg, u64 dir), void *arg)
{
	int err = sorter_sort(l->pairs.by_ancestor), more;
	bool any = false;
	struct pair pair;
	u64 last = 0;

	if (err)
		return err;
	while ((more = sorter_next(l->pairs.by_ancestor, &pair)) > 0) {
		u64 dir = be64_get(pair.key);

		if (!any || dir != last)
			found(arg, dir);
		any = true;
		last = dir;
	}
	return more;
}

int loops_find(struct loops *l, void (*found)(void *arg, u64 dir), void *arg)
{
	/* No way up is longer than there are directories. */
	u64 longest = l->pairs.by_ancestor ? sorter_count(l->pairs.by_ancestor) : 0;
	int err = 0;

	if (!longest)
		return 0;
	for (u32 round = 0; !err && longest >> round && sorter_count(l->pairs.by_dir); round++)
		err = double_ways(l);
	return err ? err : tell(l, found, arg);
}
