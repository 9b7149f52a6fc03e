/*
 * Space that has been freed just now; see busy.h.
 *
 * A treap: a tree by address, and a heap by priorities that a seeded hash gives, so that whoever
 * chooses the addresses does not choose its shape.
 *
 * 1. Runs do not touch each other's bytes: what is freed again has the later commit.
 */
#include "log/busy.h"

#include "base/trail.h"

#include <errno.h>

#define RUNS_MAX (1u << 20)

struct run {
	u64 at, end, number, priority;
	struct run *left, *right;
};

struct busy {
	struct env *env;
	struct env_lock *lock;
	struct run *root;
	struct run *spare[2]; /* for the next that is added */
	u32 count;
	u64 seed;
	u64 overflow; /* the last commit of which something could not be kept, or 0 */
};

int busy_open(struct env *env, struct busy **out)
{
	struct busy *b = env_alloc(env, sizeof(*b));
	int err = b ? env->random(env, &b->seed, sizeof(b->seed)) : -ENOMEM;

	*out = b;
	if (!err) {
		b->env = env;
		b->lock = env->lock_create(env);
	}
	if (err || !b->lock) {
		env_free(env, b);
		*out = NULL;
		return fail(err ? err : -ENOMEM, "freed space: out of memory");
	}
	return 0;
}

static void drop(struct busy *b, struct run *r)
{
	if (!r)
		return;
	drop(b, r->left);
	drop(b, r->right);
	env_free(b->env, r);
	b->count--;
}

void busy_close(struct busy *b)
{
	if (!b)
		return;
	drop(b, b->root);
	env_free(b->env, b->spare[0]);
	env_free(b->env, b->spare[1]);
	b->env->lock_destroy(b->env, b->lock);
	env_free(b->env, b);
}

/* All of `left` lies before all of `right`. */
static struct run *join(struct run *left, struct run *right)
{
	if (!left || !right)
		return left ? left : right;
	if (left->priority > right->priority) {
		left->right = join(left->right, right);
		return left;
	}
	right->left = join(left, right->left);
	return right;
}

/* Those that begin before `at`, and the others. */
static void split(struct run *r, u64 at, struct run **left, struct run **right)
{
	if (!r) {
		*left = *right = NULL;
	} else if (r->at < at) {
		*left = r;
		split(r->right, at, &r->right, right);
	} else {
		*right = r;
		split(r->left, at, left, &r->left);
	}
}

static struct run *last_of(struct run *r)
{
	while (r && r->right)
		r = r->right;
	return r;
}

static u64 mix(u64 x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 27) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

static void set(struct busy *b, struct run *r, u64 at, u64 end, u64 number)
{
	*r = (struct run){
	    .at = at, .end = end, .number = number, .priority = mix(mix(at ^ b->seed) + b->seed)};
	b->count++;
}

/* spare: two runs that may be needed; those that were not are left there. */
static void add(struct busy *b, u64 at, u64 end, u64 number, struct run *spare[2])
{
	struct run *before, *inside, *behind, *last, *rest = NULL;
	u64 beyond = 0, beyond_number = 0;

	split(b->root, at, &before, &inside);
	split(inside, end, &inside, &behind);
	last = last_of(inside);
	if (!last)
		last = last_of(before);
	if (last && last->end > end) {
		beyond = last->end;
		beyond_number = last->number;
	}
	drop(b, inside);
	last = last_of(before);
	if (last && last->end > at)
		last->end = at;
	if (beyond) {
		rest = spare[1];
		spare[1] = NULL;
		set(b, rest, end, beyond, beyond_number);
	}
	if (last && last->end == at && last->number == number) {
		last->end = end;
	} else {
		set(b, spare[0], at, end, number);
		before = join(before, spare[0]);
		spare[0] = NULL;
	}
	b->root = join(join(before, rest), behind);
}

void busy_add(struct busy *b, u64 at, u64 size, u64 number)
{
	if (!size)
		return;
	b->env->lock_take(b->lock);
	for (u32 i = 0; i < 2; i++)
		if (!b->spare[i])
			b->spare[i] = env_alloc(b->env, sizeof(**b->spare));
	if (b->spare[0] && b->spare[1] && b->count < RUNS_MAX)
		add(b, at, at + size, number, b->spare);
	else
		b->overflow = number;
	b->env->lock_drop(b->lock);
}

struct settle {
	struct busy *b;
	u64 number;
	void (*fn)(void *arg, u64 at, u64 size);
	void *arg;
};

/* What is left of the tree below r. */
static struct run *settled(const struct settle *s, struct run *r)
{
	struct run *left, *right;

	if (!r)
		return NULL;
	left = settled(s, r->left);
	right = settled(s, r->right);
	if (r->number > s->number) {
		r->left = left;
		r->right = right;
		return r;
	}
	if (s->fn)
		s->fn(s->arg, r->at, r->end - r->at);
	env_free(s->b->env, r);
	s->b->count--;
	return join(left, right);
}

void busy_settle(struct busy *b, u64 number, void (*fn)(void *arg, u64 at, u64 size), void *arg)
{
	const struct settle s = {b, number, fn, arg};

	b->env->lock_take(b->lock);
	b->root = settled(&s, b->root);
	if (b->overflow <= number)
		b->overflow = 0;
	b->env->lock_drop(b->lock);
}

bool busy_find(struct busy *b, u64 at, u64 size, u64 *from, u64 *end)
{
	const struct run *first = NULL;
	bool found;

	if (!size)
		return false;
	b->env->lock_take(b->lock);
	for (const struct run *r = b->root; r;) {
		if (r->end > at)
			first = r;
		r = r->end > at ? r->left : r->right;
	}
	found = b->overflow || (first && first->at < at + size);
	if (found) {
		*from = b->overflow ? at : max_u64(first->at, at);
		*end = b->overflow ? at + size : first->end;
	}
	b->env->lock_drop(b->lock);
	return found;
}

bool busy_any(struct busy *b)
{
	bool any;

	b->env->lock_take(b->lock);
	any = b->root || b->overflow;
	b->env->lock_drop(b->lock);
	return any;
}
