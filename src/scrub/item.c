/* One item: see item.h. What the books say is in books.c. */
#include "scrub/item.h"

#include "base/trail.h"
#include "format/verify.h"
#include "fs/inode.h"
#include "scrub/books.h"
#include "scrub/repair.h"

#include <errno.h>

int scrub_open(struct vol *vol, const struct scrub_options *options, struct scrub **out)
{
	struct scrub *s = env_alloc(vol->env, sizeof(*s));

	*out = s;
	if (!s)
		return fail(-ENOMEM, "scrub: out of memory");
	s->vol = vol;
	s->options = *options;
	if (!s->options.env)
		s->options.env = vol->env;
	s->lock = vol->env->lock_create(vol->env);
	return s->lock ? 0 : fail(-ENOMEM, "scrub: out of memory");
}

void scrub_close(struct scrub *s)
{
	if (!s)
		return;
	books_drop(s);
	if (s->lock)
		s->vol->env->lock_destroy(s->vol->env, s->lock);
	env_free(s->vol->env, s);
}

void scrub_forget(struct scrub *s)
{
	s->vol->env->lock_take(s->lock);
	s->known = false;
	s->vol->env->lock_drop(s->lock);
}

int scrub_survey(struct scrub *s)
{
	int err;

	s->vol->env->lock_take(s->lock);
	err = books_make(s);
	s->vol->env->lock_drop(s->lock);
	return err;
}

/* ---- which objects there are ---- */

static u64 types_with(const struct meta_types *types, enum scrub_type item)
{
	u64 bits = 0;

	for (u32 i = 0; i < META_COUNT; i++)
		if (type_has_item(types->type[i], item))
			bits |= 1ull << i;
	for (u32 i = 0; !bits && i < ACCOUNT_COUNT; i++)
		if (account_defs[i].items >> item & 1)
			bits |= 1ull << account_defs[i].rebuilt;
	return bits;
}

/* Those of the item's own scope, if there are any. */
u64 scrub_rebuilds(const struct meta_types *types, enum scrub_type type)
{
	u64 all = types_with(types, type), own = 0;

	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *t = types->type[i];

		if (!t->rebuild)
			all &= ~(1ull << i);
		else if (t->scope == scrub_defs[type].scope)
			own |= all & 1ull << i;
	}
	return own ? own : all;
}

u64 scrub_rebuilds_of(const struct meta_types *types, u64 items)
{
	u64 all = 0;

	for (u32 i = 0; i < SCRUB_COUNT; i++)
		if (items >> i & 1)
			all |= scrub_rebuilds(types, (enum scrub_type)i);
	return all;
}

bool scrub_exists(const struct scrub *s, enum scrub_type type)
{
	const struct geometry *g = &s->vol->geo;
	static const u32 quota[] = {DQUOT_USER, DQUOT_GROUP, DQUOT_PROJECT};

	if (type == SCRUB_PROBE || type == SCRUB_HEALTHY)
		return true;
	if (type >= SCRUB_UQUOTA && type <= SCRUB_PQUOTA)
		return quota_types_there(g) & quota[type - SCRUB_UQUOTA];
	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *t = s->vol->types->type[i];

		if (types_with(s->vol->types, type) >> i & 1 && (!t->present || t->present(g)))
			return true;
	}
	return false;
}

/* Does this inode have it? */
static bool in_inode(const struct scrub *s, enum scrub_type item, const struct inode *inode)
{
	for (u32 i = 0; i < META_COUNT; i++)
		if (type_in_inode(s->vol->types->type[i], &s->vol->geo, inode, item))
			return true;
	return false;
}

static int no_such(const struct scrub_item *item)
{
	return fail(-ENOENT, "scrub %s: there is none", scrub_defs[item->type].name);
}

/* -ENOENT: not in use, of another generation, or without that. One that is damaged is there. */
static int find_inode(struct scrub *s, const struct scrub_item *item)
{
	struct inode inode;
	int err;

	if (!inum_valid(&s->vol->geo, inum_of(item->ino)))
		return no_such(item);
	vol_read_begin(s->vol);
	err = inode_get(s->vol, inum_of(item->ino), &inode);
	if (!err) {
		if (inode.gen != item->gen || !in_inode(s, item->type, &inode))
			err = no_such(item);
		inode_put(s->vol, &inode);
	}
	vol_read_end(s->vol);
	if (!err_is_damage(err))
		return err;
	trail_clear();
	return 0;
}

static int bad_request(const struct scrub_item *item, const char *why)
{
	return fail(-EINVAL, "scrub %s: %s", scrub_defs[item->type].name, why);
}

static int check_request(const struct scrub *s, const struct scrub_item *item)
{
	enum meta_scope scope = scrub_defs[item->type].scope;

	if (item->flags & ~SCRUB_FLAGS_IN)
		return bad_request(item, "unknown flags");
	if (item->flags & SCRUB_FORCE && !(item->flags & SCRUB_REPAIR))
		return bad_request(item, "to be made anew, and not to be repaired");
	if (!scrub_exists(s, item->type))
		return no_such(item);
	if (scope != SCOPE_INODE && (item->ino || item->gen))
		return bad_request(item, "an inode is named");
	if (scope != SCOPE_AG && item->ag)
		return bad_request(item, "an AG is named");
	if (scope == SCOPE_AG && item->ag >= s->vol->geo.ag_count)
		return no_such(item);
	if (item->flags & SCRUB_REPAIR && !s->vol->journal)
		return fail(-EROFS, "scrub: the filesystem is read-only");
	return 0;
}

/* ---- the object alone ---- */

struct looking {
	const struct scrub *s;
	u32 flags[SCRUB_COUNT];
};

static void on_finding(void *arg, const struct finding *finding)
{
	struct looking *l = arg;
	u64 items = survey_items_of(l->s->vol->types, &l->s->vol->geo, finding);

	for (u32 i = 0; i < SCRUB_COUNT; i++)
		if (items >> i & 1)
			l->flags[i] |= books_flag_of(finding);
}

/* Types of the item that are read from the AG on; chunks of inodes are not. */
static u64 ag_types(const struct scrub *s, enum scrub_type item)
{
	u64 bits = 0;

	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = s->vol->types->type[i];

		if (type_has_item(type, item) && (type->place || type->root.field))
			bits |= 1ull << i;
	}
	return bits;
}

/* An inode that is damaged cannot tell where the rest is. */
static u32 of_inode(const struct looking *l, enum scrub_type item)
{
	u32 flags = l->flags[item];

	if (item != SCRUB_INODE && l->flags[SCRUB_INODE] & SCRUB_CORRUPT)
		flags |= SCRUB_XFAIL;
	return flags;
}

static int look(struct scrub *s, const struct scrub_item *item, u32 *flags)
{
	struct looking l = {.s = s};
	const struct sweep_options options = {.finding = on_finding, .finding_arg = &l};
	bool inode = scrub_defs[item->type].scope == SCOPE_INODE;
	const struct sweep_part part = {
	    .ag = item->ag, .types = ag_types(s, item->type), .ino = inode ? item->ino : NO_INO};
	struct verdict v = {.raise = raise_nothing};
	const struct vol_options how = {.memory = s->options.memory, .verdict = &v};
	struct vol *snapshot = NULL;
	int err;

	*flags = 0;
	if (scrub_defs[item->type].scope == SCOPE_FS)
		return 0;
	err = vol_snapshot(s->vol, s->options.env, &how, &snapshot);
	if (!err)
		err = sweep_part(snapshot, &options, &part);
	vol_close(snapshot);
	*flags = inode ? of_inode(&l, item->type) : l.flags[item->type];
	return err;
}

/* ---- check, rebuild, check again ---- */

static int check(struct scrub *s, const struct scrub_item *item, u32 *flags)
{
	struct env *env = s->vol->env;
	int err = look(s, item, flags);

	if (err || !books_speak_of(item->type))
		return err;
	env->lock_take(s->lock);
	err = books_make(s);
	if (!err)
		*flags |= books_flags(s, item->type, item->ag, item->ino);
	env->lock_drop(s->lock);
	return err;
}

static int rebuild(struct scrub *s, const struct scrub_item *item)
{
	enum meta_scope scope = scrub_defs[item->type].scope;
	u64 types = scrub_rebuilds(s->vol->types, item->type);
	struct repair_options options = {
	    .say = s->options.say,
	    .arg = s->options.arg,
	    .env = s->options.env,
	    .memory = s->options.memory,
	    .force = item->flags & SCRUB_FORCE ? types : 0,
	    .only = {.types = types,
		     .ag = scope == SCOPE_AG ? item->ag : NO_AG,
		     .ino = scope == SCOPE_INODE ? item->ino : NO_INO},
	    .rounds = 1,
	    .live = repair_beside(s->vol, types, item->flags & SCRUB_FORCE),
	};
	struct repair_result result;
	int err;

	if (!types)
		return fail(-EOPNOTSUPP, "scrub %s: nothing can rebuild it",
			    scrub_defs[item->type].name);
	err = repair_run(s->vol, &options, &result);
	scrub_forget(s);
	return err ? err : result.failed ? result.error : 0;
}

/* The health knows of this item now, and of everything if the books have just been made. */
static void tell(const struct scrub *s, const struct scrub_item *item, u32 flags)
{
	if (s->vol->health && !(flags & SCRUB_INCOMPLETE))
		health_set(s->vol->health, item->type, item->ag, item->ino,
			   flags & (SCRUB_CORRUPT | SCRUB_XCORRUPT));
}

static int mend(struct scrub *s, const struct scrub_item *item, u32 *flags)
{
	int err = rebuild(s, item);

	if (err)
		return err;
	health_repairing(s->vol->health, true);
	err = check(s, item, flags);
	if (!err)
		tell(s, item, *flags);
	health_repairing(s->vol->health, false);
	return err;
}

int scrub_item(struct scrub *s, struct scrub_item *item)
{
	u32 in = item->flags & SCRUB_FLAGS_IN, flags = 0;
	int err;

	err = check_request(s, item);
	if (!err && scrub_defs[item->type].scope == SCOPE_INODE)
		err = find_inode(s, item);
	if (err)
		return err;
	if (item->type == SCRUB_PROBE) {
		scrub_forget(s);
		return 0;
	}
	err = check(s, item, &flags);
	if (!err)
		tell(s, item, flags);
	if (!err && in & SCRUB_REPAIR) {
		if (!(flags & SCRUB_SICK) && !(in & SCRUB_FORCE))
			flags |= SCRUB_UNTOUCHED;
		else
			err = mend(s, item, &flags);
	}
	if (!err && item->type == SCRUB_HEALTHY && s->vol->health &&
	    !health_all_well(s->vol->health))
		flags |= SCRUB_XCORRUPT;
	item->flags = in | flags;
	return err;
}
