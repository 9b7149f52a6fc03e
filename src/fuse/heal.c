/*
 * Self-healing; see heal.h.
 *
 * `lock` is held during a repair, so there is one at a time; what is asked for while it runs is
 * answered by its number.
 */
#include "fuse/heal.h"

#include "base/trail.h"
#include "fs/attr.h"
#include "fs/health.h"
#include "scrub/item.h"
#include "scrub/phases.h"
#include "scrub/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#define HEAL_REST 60
#define HEAL_MEMORY (8u << 20)
#define NS 1000000000ull
/* Where xfs_property(8) keeps it: in the root directory, among the attributes of the superuser. */
#define PROPERTY "xfs:autofsck"

struct heal {
	struct vol *vol;
	struct heal_options options;
	struct env_lock *lock;
	atomic_uint repairs; /* that have ended */
	u64 left, ended;     /* under the lock: findings that the last one left, and when */
	atomic_bool wanted;  /* a check, by the background */
	u64 checked;	     /* the background's: when the last one has ended */
};

/* What a request has met. */
struct met {
	char text[TRAIL_MAX];
	struct event event;
};

/* Of the request that this thread serves. */
static _Thread_local struct {
	bool armed, met;
	u32 repairs; /* when it was armed */
	struct met what;
} request;

static const char *const policy_names[] = {
    [HEAL_NONE] = "none",
    [HEAL_CHECK] = "check",
    [HEAL_OPTIMIZE] = "optimize",
    [HEAL_REPAIR] = "repair",
};

enum heal_policy heal_policy_named(const char *name, size_t length)
{
	for (u32 i = HEAL_NONE; i < ARRAY_COUNT(policy_names); i++)
		if (strlen(policy_names[i]) == length && !memcmp(policy_names[i], name, length))
			return i;
	return HEAL_UNSET;
}

static void say(void *arg, const char *line)
{
	struct env *env = ((struct heal *)arg)->vol->env;
	char text[TRAIL_MAX + 64];

	snprintf(text, sizeof(text), "heal: %s", line);
	env->note(env, text);
}

/* What is none of its values, or cannot be read, is as if it were not set. */
static enum heal_policy policy_of_root(struct vol *vol)
{
	char value[16];
	struct inode root;
	s64 length;

	if (inode_get(vol, inum_of(vol->geo.root_ino), &root)) {
		trail_clear();
		return HEAL_UNSET;
	}
	length = attr_get(vol, &root, ATTR_ROOT, PROPERTY, strlen(PROPERTY), value, sizeof(value));
	inode_put(vol, &root);
	trail_clear();
	return length > 0 ? heal_policy_named(value, (size_t)length) : HEAL_UNSET;
}

static void choose_policy(struct heal *heal)
{
	char line[80];

	if (heal->options.policy != HEAL_UNSET)
		return;
	heal->options.policy = policy_of_root(heal->vol);
	if (heal->options.policy == HEAL_UNSET) {
		heal->options.policy = HEAL_NONE;
		return;
	}
	snprintf(line, sizeof(line), "%s, as the filesystem's property autofsck says",
		 policy_names[heal->options.policy]);
	say(heal, line);
}

int heal_open(struct vol *vol, const struct heal_options *options, struct heal **out)
{
	struct heal *heal = env_alloc(vol->env, sizeof(*heal));

	*out = heal;
	if (!heal)
		return fail(-ENOMEM, "self-healing: out of memory");
	heal->vol = vol;
	heal->options = *options;
	heal->lock = vol->env->lock_create(vol->env);
	if (!heal->lock)
		return fail(-ENOMEM, "self-healing: out of memory");
	choose_policy(heal);
	return 0;
}

void heal_close(struct heal *heal)
{
	if (!heal)
		return;
	if (heal->lock)
		heal->vol->env->lock_destroy(heal->vol->env, heal->lock);
	env_free(heal->vol->env, heal);
}

/* ---- repair ---- */

static void repair(struct heal *heal, u32 items)
{
	const u64 types = scrub_rebuilds_of(heal->vol->types, items);
	const struct repair_options options = {.say = say,
					       .arg = heal,
					       .memory = HEAL_MEMORY,
					       .live = repair_beside(heal->vol, types, false)};
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
		 "%" PRIu64 " findings, %" PRIu64 " rebuilds, %" PRIu64
		 " of them while others wrote, %" PRIu64 " left, after %" PRIu64 " ms",
		 result.first, result.rebuilt, result.beside, result.left,
		 (heal->ended - start) / 1000000);
	say(heal, line);
	atomic_fetch_add(&heal->repairs, 1);
}

/* True when there has been a repair since there were `before`. items: what is to be repaired. */
static bool repaired(struct heal *heal, u32 before, u32 items, bool *left)
{
	struct env *env = heal->vol->env;
	bool done;

	env->lock_take(heal->lock);
	done = atomic_load(&heal->repairs) != before;
	if (!done && (!heal->left || env->now(env) - heal->ended > HEAL_REST * NS)) {
		repair(heal, items);
		done = true;
	}
	*left = heal->left;
	env->lock_drop(heal->lock);
	return done;
}

/* The trail is that of what has failed. */
static void remember(const struct heal *heal, struct met *met)
{
	snprintf(met->text, sizeof(met->text), "%s", trail_text());
	met->event = (struct event){.ag = NO_AG, .ino = NO_INO};
	health_blamed(heal->vol->health, &met->event.items, &met->event.ag, &met->event.ino);
}

/* Tells how long the request has waited. */
static bool wait_for_repair(struct heal *heal, u32 before, struct met *met)
{
	struct env *env = heal->vol->env;
	u64 start = env->now(env);
	bool left = false;
	char line[TRAIL_MAX + 48];

	if (!repaired(heal, before, met->event.items, &left))
		return false;
	met->event.kind = left ? EVENT_UNHEALED : EVENT_HEALED;
	met->event.waited = env->now(env) - start;
	health_healed(heal->vol->health, &met->event);
	snprintf(line, sizeof(line), "a request has waited %" PRIu64 ".%03" PRIu64 " ms: %s",
		 met->event.waited / 1000000, met->event.waited / 1000 % 1000, met->text);
	say(heal, line);
	return true;
}

/* ---- requests ---- */

/* True when an AG is fenced since. */
static bool mark(struct heal *heal, int err)
{
	u32 what = health_met(heal->vol->health, err);
	bool checks = heal->options.policy == HEAL_CHECK || heal->options.policy == HEAL_OPTIMIZE;

	if (what & HEALTH_MET_NEW && checks) {
		atomic_store(&heal->wanted, true);
		heal->options.wake(heal->options.arg);
	}
	return what & HEALTH_MET_FENCED;
}

bool heal_changed(struct heal *heal, int err, bool *tried)
{
	struct met met;
	bool fenced;

	if (!heal || !err_is_damage(err))
		return false;
	fenced = mark(heal, err);
	if (heal->options.policy != HEAL_REPAIR || *tried)
		return fenced;
	*tried = true;
	remember(heal, &met);
	if (wait_for_repair(heal, atomic_load(&heal->repairs), &met))
		return true;
	fail(err, "%s", met.text);
	return fenced;
}

void heal_arm(struct heal *heal)
{
	request.met = false;
	request.armed = heal && heal->options.policy == HEAL_REPAIR;
	if (heal)
		request.repairs = atomic_load(&heal->repairs);
}

bool heal_takes(struct heal *heal, int err)
{
	if (!err_is_damage(err))
		return false;
	mark(heal, err);
	if (!request.armed)
		return false;
	remember(heal, &request.what);
	request.met = true;
	return true;
}

bool heal_again(struct heal *heal)
{
	bool met = request.met;

	request.armed = request.met = false;
	if (met)
		wait_for_repair(heal, request.repairs, &request.what);
	return met;
}

/* ---- the background ---- */

static void phase_say(void *arg, enum phase_word word, const char *line)
{
	if (word == PHASE_ERROR || word == PHASE_REPAIRED)
		say(arg, line);
}

static void phase_begins(void *arg, u32 number, const char *title)
{
	(void)arg;
	(void)number;
	(void)title;
}

static void phase_goes_on(void *arg, u32 number, u64 done, u64 max)
{
	(void)arg;
	(void)number;
	(void)done;
	(void)max;
}

/* Marks are set by the survey that it makes. */
static int check(struct heal *heal)
{
	const struct survey_options options = {.memory = HEAL_MEMORY};
	struct survey survey;
	int err = survey_run(heal->vol, &options, &survey);

	survey_free(&survey);
	return err;
}

static int optimize(struct heal *heal)
{
	const struct phases_options options = {.memory = HEAL_MEMORY,
					       .preen_only = true,
					       .no_trim = true,
					       .phase = phase_begins,
					       .progress = phase_goes_on,
					       .say = phase_say,
					       .arg = heal};
	struct phases_result result;

	return phases_run(heal->vol, &options, &result);
}

void heal_work(struct heal *heal)
{
	struct env *env = heal->vol->env;
	u64 now = env->now(env);
	int err;

	if (!atomic_load(&heal->wanted) || (heal->checked && now - heal->checked < HEAL_REST * NS))
		return;
	atomic_store(&heal->wanted, false);
	err = heal->options.policy == HEAL_OPTIMIZE ? optimize(heal) : check(heal);
	heal->checked = env->now(env);
	say(heal, err ? trail_text()
		  : health_all_well(heal->vol->health)
		      ? "checked, since a request has met damage: nothing is found any more"
		      : "checked, since a request has met damage: see `mendfs health'");
}
