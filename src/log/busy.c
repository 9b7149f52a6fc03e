/*
 * Space that has been freed just now; see busy.h.
 *
 * 1. run[first..count) are the ranges, with numbers that do not fall.
 * 2. region[i] counts the ranges that touch a region of number i (mod REGIONS).
 */
#include "log/busy.h"

#include "base/trail.h"

#include <errno.h>

#define REGION_LOG 22 /* 4 MiB */
#define REGIONS 4096
#define RUNS_MAX (1u << 20)

struct run {
	u64 at, size, number;
};

struct busy {
	struct env *env;
	struct env_lock *lock;
	struct run *run;
	u32 first, count, room;
	u32 region[REGIONS];
	u64 overflow; /* the last commit of which something could not be kept, or 0 */
};

int busy_open(struct env *env, struct busy **out)
{
	struct busy *b = env_alloc(env, sizeof(*b));

	*out = b;
	if (b) {
		b->env = env;
		b->lock = env->lock_create(env);
	}
	if (!b || !b->lock) {
		env_free(env, b);
		*out = NULL;
		return fail(-ENOMEM, "freed space: out of memory");
	}
	return 0;
}

void busy_close(struct busy *b)
{
	if (!b)
		return;
	b->env->lock_destroy(b->env, b->lock);
	env_free(b->env, b->run);
	env_free(b->env, b);
}

static void count_regions(struct busy *b, const struct run *r, u32 amount)
{
	u64 first = r->at >> REGION_LOG, last = (r->at + r->size - 1) >> REGION_LOG;

	if (last - first >= REGIONS)
		last = first + REGIONS - 1;
	for (u64 i = first; i <= last; i++)
		b->region[i % REGIONS] += amount;
}

static bool make_room(struct busy *b)
{
	u32 used = b->count - b->first, room = b->room ? b->room * 2 : 256;
	struct run *more;

	if (b->run && b->count < b->room)
		return true;
	if (b->run && b->first > b->room / 2) {
		memmove(b->run, b->run + b->first, used * sizeof(*b->run));
	} else {
		more = used < RUNS_MAX ? env_array(b->env, room, sizeof(*more)) : NULL;
		if (!more)
			return false;
		if (b->run)
			memcpy(more, b->run + b->first, used * sizeof(*more));
		env_free(b->env, b->run);
		b->run = more;
		b->room = room;
	}
	b->first = 0;
	b->count = used;
	return true;
}

static void add(struct busy *b, const struct run *r)
{
	struct run *last = b->count > b->first ? &b->run[b->count - 1] : NULL;

	if (last && last->number == r->number && last->at + last->size == r->at) {
		count_regions(b, last, -1u);
		last->size += r->size;
		count_regions(b, last, 1);
		return;
	}
	if (!make_room(b)) {
		b->overflow = r->number;
		return;
	}
	b->run[b->count++] = *r;
	count_regions(b, r, 1);
}

void busy_add(struct busy *b, u64 at, u64 size, u64 number)
{
	const struct run r = {at, size, number};

	if (!size)
		return;
	b->env->lock_take(b->lock);
	add(b, &r);
	b->env->lock_drop(b->lock);
}

void busy_settle(struct busy *b, u64 number, void (*fn)(void *arg, u64 at, u64 size), void *arg)
{
	b->env->lock_take(b->lock);
	while (b->first < b->count && b->run[b->first].number <= number) {
		const struct run *r = &b->run[b->first++];

		count_regions(b, r, -1u);
		if (fn)
			fn(arg, r->at, r->size);
	}
	if (b->overflow <= number)
		b->overflow = 0;
	b->env->lock_drop(b->lock);
}

static bool quiet(const struct busy *b, u64 at, u64 size)
{
	u64 first = at >> REGION_LOG, last = (at + size - 1) >> REGION_LOG;

	if (last - first >= REGIONS)
		return b->first == b->count;
	for (u64 i = first; i <= last; i++)
		if (b->region[i % REGIONS])
			return false;
	return true;
}

bool busy_find(struct busy *b, u64 at, u64 size, u64 *from, u64 *end)
{
	bool found = false;

	if (!size)
		return false;
	b->env->lock_take(b->lock);
	if (b->overflow) {
		*from = at;
		*end = at + size;
		found = true;
	} else if (!quiet(b, at, size)) {
		for (u32 i = b->first; i < b->count; i++) {
			const struct run *r = &b->run[i];

			if (r->at >= at + size || r->at + r->size <= at ||
			    (found && r->at >= *from))
				continue;
			*from = r->at;
			*end = r->at + r->size;
			found = true;
		}
		if (found && *from < at)
			*from = at;
	}
	b->env->lock_drop(b->lock);
	return found;
}

bool busy_any(struct busy *b)
{
	bool any;

	b->env->lock_take(b->lock);
	any = b->first < b->count || b->overflow;
	b->env->lock_drop(b->lock);
	return any;
}
