/*
 * Self-healing; see heal.h.
 *
 * `lock` is held during a repair, so there is one at a time; what is asked for while it runs is
 * answered by its number.
 */
#include "fuse/heal.h"

#include "base/trail.h"
#include "scrub/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#define HEAL_REST 60
#define HEAL_MEMORY (8u << 20)
#define NS 1000000000ull

struct heal {
	struct vol *vol;
	struct env_lock *lock;
	atomic_uint repairs; /* that have ended */
	u64 left, ended;     /* under the lock: findings that the last one left, and when */
};

/* Of the request that this thread serves. */
static _Thread_local struct {
	bool armed, met;
	u32 repairs; /* when it was armed */
} request;

int heal_open(struct vol *vol, struct heal **out)
{
	struct heal *heal = env_alloc(vol->env, sizeof(*heal));

	*out = heal;
	if (!heal)
		return fail(-ENOMEM, "self-healing: out of memory");
	heal->vol = vol;
	heal->lock = vol->env->lock_create(vol->env);
	return heal->lock ? 0 : fail(-ENOMEM, "self-healing: out of memory");
}

void heal_close(struct heal *heal)
{
	if (!heal)
		return;
	if (heal->lock)
		heal->vol->env->lock_destroy(heal->vol->env, heal->lock);
	env_free(heal->vol->env, heal);
}

static void say(void *arg, const char *line)
{
	struct env *env = ((struct heal *)arg)->vol->env;
	char text[TRAIL_MAX + 16];

	snprintf(text, sizeof(text), "heal: %s", line);
	env->note(env, text);
}

static void repair(struct heal *heal)
{
	const struct repair_options options = {.say = say, .arg = heal, .memory = HEAL_MEMORY};
	struct env *env = heal->vol->env;
	struct repair_result result = {0};
	u64 start = env->now(env);
	char line[160];
	int err = repair_run(heal->vol, &options, &result);

	heal->ended = env->now(env);
	heal->left = err ? 1 : result.left;
	if (err)
		say(heal, trail_text());
	snprintf(line, sizeof(line),
		 "%" PRIu64 " findings, %" PRIu64 " rebuilds, %" PRIu64 " left, after %" PRIu64
		 " ms",
		 result.first, result.rebuilt, result.left, (heal->ended - start) / 1000000);
	say(heal, line);
	atomic_fetch_add(&heal->repairs, 1);
}

/* True when there has been a repair since there were `before`. */
static bool repaired(struct heal *heal, u32 before)
{
	struct env *env = heal->vol->env;
	bool done;

	env->lock_take(heal->lock);
	done = atomic_load(&heal->repairs) != before;
	if (!done && (!heal->left || env->now(env) - heal->ended > HEAL_REST * NS)) {
		repair(heal);
		done = true;
	}
	env->lock_drop(heal->lock);
	return done;
}

bool heal_changed(struct heal *heal, int err, bool *tried)
{
	if (!heal || *tried || !err_is_damage(err))
		return false;
	*tried = true;
	return repaired(heal, atomic_load(&heal->repairs));
}

void heal_arm(struct heal *heal)
{
	request.met = false;
	request.armed = heal != NULL;
	if (heal)
		request.repairs = atomic_load(&heal->repairs);
}

bool heal_takes(int err)
{
	if (!request.armed || !err_is_damage(err))
		return false;
	request.met = true;
	return true;
}

bool heal_again(struct heal *heal)
{
	bool met = request.met;

	request.armed = request.met = false;
	if (met)
		repaired(heal, request.repairs);
	return met;
}
