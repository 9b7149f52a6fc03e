/*
 * Marks of health; see health.h.
 *
 * 1. inode[] is a table of sets of WAYS entries; an inode is in the set of its number. An entry is
 *    free when its ino is 0, and worth as much as one when it is not sick.
 * 2. What a check of everything has looked at is `inodes_checked` for all inodes; an entry says
 *    what has been checked besides.
 * 3. `stamp` of an object grows with each mark that is not a survey's: a survey that began before
 *    it does not know better.
 * 4. fenced[ag] says what the marks of the AG mean; it changes under the lock, and is read without.
 * Locking: `lock` guards all marks; events have a lock of their own, which comes after it.
 */
#include "fs/health.h"

#include "base/trail.h"
#include "format/quota.h"
#include "format/scrub.h"
#include "format/verify.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAYS 8
#define SETS (HEALTH_INODES / WAYS)
_Static_assert(SCRUB_COUNT < 31, "items are bits of a u32");

/* What says which space and which inodes of an AG are free: neither may be given then. */
#define FENCES                                                                                     \
	(SCRUB_BIT(AGF) | SCRUB_BIT(AGFL) | SCRUB_BIT(AGI) | SCRUB_BIT(BNOBT) | SCRUB_BIT(CNTBT) | \
	 SCRUB_BIT(INOBT) | SCRUB_BIT(FINOBT) | SCRUB_BIT(RMAPBT) | SCRUB_BIT(REFCNTBT))

struct object {
	u64 ino; /* of inodes */
	struct health_marks marks;
	u64 stamp;
};

struct health {
	struct vol *vol;
	struct events *events;
	struct env_lock *lock;
	u32 there[SCOPE_INODE + 1]; /* by scope: items that this filesystem has */
	u64 stamp;
	struct object fs, *ag, *inode;
	u32 inodes_checked;
	atomic_bool *fenced;
	atomic_uint repairing;
	atomic_ullong releases;
	atomic_uint sick_inodes; /* among inode[] */
};

/* ---- life ---- */

static u32 items_there(const struct vol *vol, enum meta_scope scope)
{
	static const u32 quota[] = {DQUOT_USER, DQUOT_GROUP, DQUOT_PROJECT};
	u64 items = 0;

	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = vol->types->type[i];

		if (!type->present || type->present(&vol->geo))
			items |= type->items;
	}
	for (u32 i = 0; i < ARRAY_COUNT(quota); i++)
		if (!(quota_types_there(&vol->geo) & quota[i]))
			items &= ~(SCRUB_BIT(UQUOTA) << i);
	items |= SCRUB_BIT(FSCOUNTERS);
	if (quota_types_there(&vol->geo))
		items |= SCRUB_BIT(QUOTACHECK);
	return (u32)(items & scrub_of_scope(scope));
}

int health_open(struct vol *vol)
{
	struct env *env = vol->env;
	struct health *h = env_alloc(env, sizeof(*h));
	int err;

	vol->health = h;
	if (!h)
		return fail(-ENOMEM, "health: out of memory");
	h->vol = vol;
	for (enum meta_scope scope = SCOPE_FS; scope <= SCOPE_INODE; scope++)
		h->there[scope] = items_there(vol, scope);
	h->ag = env_array(env, vol->geo.ag_count, sizeof(*h->ag));
	h->inode = env_array(env, HEALTH_INODES, sizeof(*h->inode));
	h->fenced = env_array(env, vol->geo.ag_count, sizeof(*h->fenced));
	h->lock = env->lock_create(env);
	err = events_open(env, &h->events);
	if (!err && (!h->ag || !h->inode || !h->fenced || !h->lock))
		err = fail(-ENOMEM, "health: out of memory");
	return err;
}

void health_close(struct vol *vol)
{
	struct health *h = vol->health;

	vol->health = NULL;
	if (!h)
		return;
	events_close(h->events);
	if (h->lock)
		vol->env->lock_destroy(vol->env, h->lock);
	env_free(vol->env, h->ag);
	env_free(vol->env, h->inode);
	env_free(vol->env, h->fenced);
	env_free(vol->env, h);
}

struct events *health_events(const struct health *h)
{
	return h->events;
}

static void take(const struct health *h)
{
	h->vol->env->lock_take(h->lock);
}

static void drop(const struct health *h)
{
	h->vol->env->lock_drop(h->lock);
}

/* ---- marks, under the lock ---- */

static void tell(struct health *h, enum event_kind kind, u32 items, u32 ag, u64 ino)
{
	const struct event event = {.kind = kind, .items = items, .ag = ag, .ino = ino};

	events_add(h->events, &event);
}

/* True when it has been closed now. */
static bool fence(struct health *h, u32 ag)
{
	bool shall = h->ag[ag].marks.sick & FENCES, is = atomic_load(&h->fenced[ag]);

	if (shall == is)
		return false;
	atomic_store(&h->fenced[ag], shall);
	tell(h, shall ? EVENT_QUARANTINED : EVENT_RELEASED, (u32)(h->ag[ag].marks.sick & FENCES),
	     ag, NO_INO);
	if (!shall)
		atomic_fetch_add(&h->releases, 1);
	return shall;
}

/* What is sick of it from now on; true when that fences an AG. */
static bool mark(struct health *h, struct object *o, u32 sick, u32 ag, u64 ino)
{
	u32 new = sick & ~o->marks.sick, gone = o->marks.sick & ~sick;

	if (ino != NO_INO && !sick != !o->marks.sick) {
		atomic_fetch_add(&h->sick_inodes, sick ? 1 : -1u);
		if (!sick)
			atomic_fetch_add(&h->releases, 1);
	}
	o->marks.sick = sick;
	if (new)
		tell(h, EVENT_SICK, new, ag, ino);
	if (gone)
		tell(h, atomic_load(&h->repairing) ? EVENT_REPAIRED : EVENT_HEALTHY, gone, ag, ino);
	return ag != NO_AG && ino == NO_INO && fence(h, ag);
}

static struct object *set_of(const struct health *h, u64 ino)
{
	return h->inode + (ino * 0x9e3779b97f4a7c15ull >> 32) % SETS * WAYS;
}

static struct object *find_inode(const struct health *h, u64 ino)
{
	struct object *set = set_of(h, ino);

	for (u32 i = 0; i < WAYS; i++)
		if (set[i].ino == ino)
			return &set[i];
	return NULL;
}

/* An entry for it, new or instead of one that is not sick; NULL: all are. */
static struct object *make_inode(struct health *h, u64 ino)
{
	struct object *o = find_inode(h, ino), *set = set_of(h, ino);

	for (u32 i = 0; i < WAYS && !o; i++)
		if (!set[i].marks.sick)
			o = &set[i];
	if (o && o->ino != ino)
		*o = (struct object){.ino = ino};
	return o;
}

/* Inodes without an entry are told of by their AG alone. */
static void mark_inode(struct health *h, u64 ino, u32 sick)
{
	struct object *o = sick ? make_inode(h, ino) : find_inode(h, ino);
	u32 ag = inum_ag(&h->vol->geo, inum_of(ino));

	if (o)
		mark(h, o, sick, ag, ino);
	else if (sick)
		mark(h, &h->ag[ag], h->ag[ag].marks.sick | HEALTH_INODES_SICK, ag, NO_INO);
}

static bool is_place(const struct health *h, enum meta_scope scope, u32 ag, u64 ino)
{
	if (scope == SCOPE_AG)
		return ag < h->vol->geo.ag_count;
	return scope == SCOPE_FS || (ino && inum_valid(&h->vol->geo, inum_of(ino)));
}

void health_set(struct health *h, enum scrub_type type, u32 ag, u64 ino, bool sick)
{
	enum meta_scope scope = scrub_defs[type].scope;
	u32 bit = 1u << type & h->there[scope];
	struct object *o;

	if (!bit || !is_place(h, scope, ag, ino))
		return;
	take(h);
	o = scope == SCOPE_FS ? &h->fs : scope == SCOPE_AG ? &h->ag[ag] : make_inode(h, ino);
	if (o) {
		o->marks.checked |= bit;
		o->stamp = ++h->stamp;
		mark(h, o, sick ? o->marks.sick | bit : o->marks.sick & ~bit,
		     scope == SCOPE_FS	    ? NO_AG
		     : scope == SCOPE_INODE ? inum_ag(&h->vol->geo, inum_of(ino))
					    : ag,
		     scope == SCOPE_INODE ? ino : NO_INO);
	} else if (sick) {
		mark_inode(h, ino, bit);
	}
	drop(h);
}

/* ---- asking ---- */

/* Its bits, lowest first. */
static const enum scrub_type fs_bits[] = {SCRUB_FSCOUNTERS, SCRUB_UQUOTA,   SCRUB_GQUOTA,
					  SCRUB_PQUOTA,	    SCRUB_RTBITMAP, SCRUB_RTSUM,
					  SCRUB_QUOTACHECK, SCRUB_NLINKS};
static const enum scrub_type ag_bits[] = {SCRUB_SB,	SCRUB_AGF,     SCRUB_AGFL,  SCRUB_AGI,
					  SCRUB_BNOBT,	SCRUB_CNTBT,   SCRUB_INOBT, SCRUB_FINOBT,
					  SCRUB_RMAPBT, SCRUB_REFCNTBT};
static const enum scrub_type inode_bits[] = {SCRUB_INODE,   SCRUB_BMBTD,  SCRUB_BMBTA,
					     SCRUB_BMBTC,   SCRUB_DIR,	  SCRUB_XATTR,
					     SCRUB_SYMLINK, SCRUB_PARENT, SCRUB_DIRTREE};
#define AG_INODES (1u << 10)

u32 health_kernel_bits(enum meta_scope scope, u32 items)
{
	const enum scrub_type *bits = scope == SCOPE_FS	  ? fs_bits
				      : scope == SCOPE_AG ? ag_bits
							  : inode_bits;
	u32 count = scope == SCOPE_FS	? ARRAY_COUNT(fs_bits)
		    : scope == SCOPE_AG ? ARRAY_COUNT(ag_bits)
					: ARRAY_COUNT(inode_bits);
	u32 out = scope == SCOPE_AG && items & HEALTH_INODES_SICK ? AG_INODES : 0;

	for (u32 i = 0; i < count; i++)
		if (items >> bits[i] & 1)
			out |= 1u << i;
	return out;
}

struct health_marks health_of_fs(const struct health *h)
{
	struct health_marks marks;

	take(h);
	marks = h->fs.marks;
	drop(h);
	return marks;
}

struct health_marks health_of_ag(const struct health *h, u32 ag)
{
	struct health_marks marks = {0};

	take(h);
	if (ag < h->vol->geo.ag_count)
		marks = h->ag[ag].marks;
	drop(h);
	return marks;
}

struct health_marks health_of_inode(const struct health *h, u64 ino)
{
	struct health_marks marks = {0};
	const struct object *o;

	take(h);
	o = ino ? find_inode(h, ino) : NULL;
	if (o)
		marks = o->marks;
	marks.checked |= h->inodes_checked;
	drop(h);
	return marks;
}

bool health_next_inode(const struct health *h, u64 *ino, struct health_marks *marks)
{
	const struct object *best = NULL;

	take(h);
	for (u32 i = 0; i < HEALTH_INODES; i++) {
		const struct object *o = &h->inode[i];

		if (o->marks.sick && o->ino > *ino && (!best || o->ino < best->ino))
			best = o;
	}
	if (best) {
		*ino = best->ino;
		*marks = best->marks;
		marks->checked |= h->inodes_checked;
	}
	drop(h);
	return best;
}

bool health_all_well(const struct health *h)
{
	struct health_marks marks;
	u64 ino = 0;
	bool sick;

	take(h);
	sick = h->fs.marks.sick;
	for (u32 ag = 0; ag < h->vol->geo.ag_count; ag++)
		sick = sick || h->ag[ag].marks.sick;
	drop(h);
	return !sick && !health_next_inode(h, &ino, &marks);
}

bool health_fenced(const struct vol *vol, u32 ag)
{
	const struct health *h = vol->health;

	return h && !vol->alone && ag < vol->geo.ag_count &&
	       atomic_load_explicit(&h->fenced[ag], memory_order_relaxed);
}

/* What is refused because of a mark makes no other. */
static int refuse(int err)
{
	return health_blame(err, SCRUB_PROBE, NO_AG, NO_INO);
}

int health_refuse(u32 ag)
{
	return refuse(fail(-EUCLEAN, "AG %u: in quarantine until it is repaired", ag));
}

int health_may_change(const struct vol *vol, u64 ino)
{
	const struct health *h = vol->health;

	if (!h || vol->alone || !atomic_load_explicit(&h->sick_inodes, memory_order_relaxed) ||
	    !health_of_inode(h, ino).sick)
		return 0;
	return refuse(fail(-EUCLEAN,
			   "inode %llu: is damaged, and not changed before it is repaired",
			   (unsigned long long)ino));
}

u64 health_releases(const struct health *h)
{
	return h ? atomic_load(&h->releases) : 0;
}

void health_healed(struct health *h, const struct event *event)
{
	if (h)
		events_add(h->events, event);
}

/* ---- operations ---- */

static _Thread_local struct {
	unsigned long trail; /* whose place it is; 0: none yet */
	u32 items, ag;
	u64 ino;
} blamed;

int health_blame(int err, enum scrub_type type, u32 ag, u64 ino)
{
	bool known = raised_last() || (blamed.trail && blamed.trail == trail_number());

	if (err_is_damage(err) && !known) {
		blamed.trail = trail_number();
		blamed.items = 1u << type;
		blamed.ag = ag;
		blamed.ino = ino;
	}
	return err;
}

static const struct meta_type *type_named(const struct meta_types *types, const char *name)
{
	for (u32 i = 0; name && i < META_COUNT; i++)
		if (!strcmp(types->type[i]->name, name))
			return types->type[i];
	return NULL;
}

bool health_blamed(const struct health *h, u32 *items, u32 *ag, u64 *ino)
{
	const struct finding *f = raised_last();
	const struct meta_type *type = f ? type_named(h->vol->types, f->where.type) : NULL;

	if (type) {
		*items = (u32)scrub_narrow(&h->vol->geo, f, type->items);
		*ag = finding_ag(&h->vol->geo, f);
		*ino = f->where.ino;
		return *items;
	}
	if (!blamed.trail || blamed.trail != trail_number())
		return false;
	*items = blamed.items;
	*ag = blamed.ag;
	*ino = blamed.ino;
	return true;
}

/* Under the lock. */
static u32 met_in_ag(struct health *h, u32 ag, u32 items)
{
	struct object *o = &h->ag[ag];
	u32 what = items & ~o->marks.sick ? HEALTH_MET_NEW : 0;

	o->stamp = ++h->stamp;
	return what | (mark(h, o, o->marks.sick | items, ag, NO_INO) ? HEALTH_MET_FENCED : 0);
}

static u32 met_in_inode(struct health *h, u64 ino, u32 items)
{
	struct object *o = make_inode(h, ino);
	u32 before = o ? o->marks.sick : 0;

	if (o)
		o->stamp = ++h->stamp;
	mark_inode(h, ino, before | items);
	return items & ~before ? HEALTH_MET_NEW : 0;
}

u32 health_met(struct health *h, int err)
{
	u32 items, ag, of_ag, of_inode, what = 0;
	u64 ino;

	if (!h || !err_is_damage(err))
		return 0;
	if (!health_blamed(h, &items, &ag, &ino))
		return HEALTH_MET_NEW;
	of_ag = items & h->there[SCOPE_AG];
	of_inode = items & h->there[SCOPE_INODE];
	take(h);
	if (of_ag && is_place(h, SCOPE_AG, ag, NO_INO))
		what |= met_in_ag(h, ag, of_ag);
	if (of_inode && is_place(h, SCOPE_INODE, NO_AG, ino))
		what |= met_in_inode(h, ino, of_inode);
	drop(h);
	return what;
}

/* ---- checks of everything ---- */

struct found_inode {
	u64 ino;
	u32 items;
};

struct health_survey {
	struct health *health;
	u64 stamp; /* when it began */
	u32 fs, *ag;
	struct found_inode *inode;
	u32 inodes;
};

static void survey_free(struct health_survey *s)
{
	struct env *env = s->health->vol->env;

	env_free(env, s->ag);
	env_free(env, s->inode);
	env_free(env, s);
}

struct health_survey *health_survey_begin(struct health *h)
{
	struct env *env = h ? h->vol->env : NULL;
	struct health_survey *s = h ? env_alloc(env, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->health = h;
	s->ag = env_array(env, h->vol->geo.ag_count, sizeof(*s->ag));
	s->inode = env_array(env, HEALTH_INODES, sizeof(*s->inode));
	if (!s->ag || !s->inode) {
		survey_free(s);
		return NULL;
	}
	take(h);
	s->stamp = h->stamp;
	drop(h);
	return s;
}

static void add_inode(struct health_survey *s, u64 ino, u32 items)
{
	if (s->inodes && s->inode[s->inodes - 1].ino == ino)
		s->inode[s->inodes - 1].items |= items;
	else if (s->inodes < HEALTH_INODES)
		s->inode[s->inodes++] = (struct found_inode){ino, items};
	else
		s->ag[inum_ag(&s->health->vol->geo, inum_of(ino))] |= HEALTH_INODES_SICK;
}

void health_survey_add(struct health_survey *s, u64 items, u32 ag, u64 ino)
{
	const struct health *h = s->health;

	s->fs |= (u32)(items & h->there[SCOPE_FS]);
	if (items & h->there[SCOPE_AG] && is_place(h, SCOPE_AG, ag, NO_INO))
		s->ag[ag] |= (u32)(items & h->there[SCOPE_AG]);
	if (items & h->there[SCOPE_INODE] && is_place(h, SCOPE_INODE, NO_AG, ino))
		add_inode(s, ino, (u32)(items & h->there[SCOPE_INODE]));
}

static int by_ino(const void *a, const void *b)
{
	const struct found_inode *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* An inode that was found more than once, with others between, is one. */
static void sort_inodes(struct health_survey *s)
{
	u32 to = 0;

	qsort(s->inode, s->inodes, sizeof(*s->inode), by_ino);
	for (u32 i = 0; i < s->inodes; i++) {
		if (to && s->inode[to - 1].ino == s->inode[i].ino)
			s->inode[to - 1].items |= s->inode[i].items;
		else
			s->inode[to++] = s->inode[i];
	}
	s->inodes = to;
}

static u32 found_of(const struct health_survey *s, u64 ino)
{
	const struct found_inode key = {.ino = ino},
				 *f = bsearch(&key, s->inode, s->inodes, sizeof(key), by_ino);

	return f ? f->items : 0;
}

/* With what has been met since it began. */
static u32 still(const struct health_survey *s, const struct object *o)
{
	return o->stamp > s->stamp ? o->marks.sick : 0;
}

static void settle(struct health *h, struct health_survey *s)
{
	h->fs.marks.checked |= h->there[SCOPE_FS];
	mark(h, &h->fs, s->fs | still(s, &h->fs), NO_AG, NO_INO);
	for (u32 ag = 0; ag < h->vol->geo.ag_count; ag++) {
		h->ag[ag].marks.checked |= h->there[SCOPE_AG];
		mark(h, &h->ag[ag], s->ag[ag] | still(s, &h->ag[ag]), ag, NO_INO);
	}
	h->inodes_checked = h->there[SCOPE_INODE];
	for (u32 i = 0; i < HEALTH_INODES; i++) {
		struct object *o = &h->inode[i];

		if (o->ino)
			mark_inode(h, o->ino, found_of(s, o->ino) | still(s, o));
	}
	for (u32 i = 0; i < s->inodes; i++) {
		const struct object *o = find_inode(h, s->inode[i].ino);

		mark_inode(h, s->inode[i].ino, s->inode[i].items | (o ? still(s, o) : 0));
	}
}

void health_survey_end(struct health_survey *s, bool done)
{
	if (!s)
		return;
	if (done) {
		sort_inodes(s);
		take(s->health);
		settle(s->health, s);
		drop(s->health);
	}
	survey_free(s);
}

void health_repairing(struct health *h, bool begins)
{
	if (!h)
		return;
	if (begins)
		atomic_fetch_add(&h->repairing, 1);
	else
		atomic_fetch_sub(&h->repairing, 1);
}
