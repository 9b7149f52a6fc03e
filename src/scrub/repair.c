/* The rounds of a repair; see repair.h. */
#include "scrub/repair.h"

#include "base/order.h"
#include "base/trail.h"
#include "format/verify.h"
#include "fs/inode.h"
#include "ledger/about.h"
#include "meta/ag_live.h"
#include "meta/rebuild.h"
#include "scrub/chunks.h"
#include "scrub/uneven.h"

#include <errno.h>
#include <stdio.h>

/* In these, an AG's inodes can be found only by what is in the blocks. */
#define INODE_TREES \
	(1ull << META_AGI | 1ull << META_INOBT | 1ull << META_FINOBT | 1ull << META_INODES)
#define CANNOT_SPEAK (1ull << META_INODE | 1ull << META_BMBT)

#define DARING_MOST 3
#define MUCH_LEFT 250 /* findings */

struct round {
	struct vol *vol;
	const struct repair_options *options;
	struct repair_result *result;
	struct survey survey;
	struct repair repair;
	struct lost_names *lost;
	struct evidence_ag *wanted;
	u64 *ag;   /* by AG: what is to be rebuilt of it */
	u64 stuck; /* types that nothing can rebuild */
	/* What is rebuilt though it waits for others: from 1 on what is of an AG, from 2 on of an
	 * inode, at DARING_MOST all, also what takes names and links as they are then. */
	u32 daring;
	bool moved; /* the superblock is another, see struct repair */
	bool told;  /* the health of the filesystem knows that something has been made anew */
	/* Inodes that are rebuilt by force, [from, from + FORCE_WINDOW); the least behind. */
	u64 force_from, force_next;
	int force_err;
	bool *live;	      /* by AG: its space trees have been made anew while others wrote */
	struct uneven uneven; /* of the last survey */
	u64 done;	      /* types that have been made anew while others wrote */
};

/* Inode numbers of one round of a forced rebuild: so many fit on the sick list. */
#define FORCE_WINDOW SURVEY_INODES

static void say_failed(struct round *r, int err, const char *what, u64 number)
{
	char line[TRAIL_MAX + 64];

	r->result->failed++;
	r->result->error = err;
	snprintf(line, sizeof(line), "%s %llu: not repaired: %s", what, (unsigned long long)number,
		 trail_text());
	if (r->options->say)
		r->options->say(r->options->arg, line);
	trail_clear();
}

/* What shares its rebuild with `type`: bits. */
static u64 together(const struct round *r, const struct meta_type *type)
{
	u64 bits = 0;

	for (u32 i = 0; i < META_COUNT; i++)
		if (r->vol->types->type[i]->rebuild == type->rebuild)
			bits |= 1ull << i;
	return bits;
}

static u64 scope_mask(const struct round *r, enum meta_scope scope)
{
	u64 bits = 0;

	for (u32 i = 0; i < META_COUNT; i++)
		if (r->vol->types->type[i]->scope == scope)
			bits |= 1ull << i;
	return bits;
}

/* What of it is to be rebuilt, of an AG or an inode; see struct repair_only. */
static u64 only(const struct round *r, u64 sick, u32 ag, u64 ino)
{
	const struct repair_only *o = &r->options->only;
	u64 of_ag = scope_mask(r, SCOPE_AG), of_inode = scope_mask(r, SCOPE_INODE);

	if (!o->types)
		return sick;
	sick &= o->types;
	if (o->ag != NO_AG && o->ag != ag)
		sick &= ~of_ag;
	if (o->ino != NO_INO && o->ino != ino)
		sick &= ~of_inode;
	return sick;
}

static u32 daring_of(const struct meta_type *type)
{
	return type->scope == SCOPE_AG ? 1 : type->scope == SCOPE_INODE ? 2 : DARING_MOST;
}

/* Does it need something that is sick, and can be cured first? What hangs on inodes waits for all
 * AGs: a name that leads nowhere may lead to an inode that cannot be seen yet. */
static bool waits(const struct round *r, const struct meta_type *type, u32 ag)
{
	u64 needs = type->needs_rebuild & ~together(r, type) & ~r->stuck;
	u64 in_ag = scope_mask(r, SCOPE_AG);
	bool anywhere = ag == NO_AG || type->scope == SCOPE_INODE;
	u64 sick =
	    (r->survey.any & ~in_ag) | ((anywhere ? r->survey.any : r->survey.ag[ag]) & in_ag);

	return r->daring < daring_of(type) && needs & sick;
}

static u64 present(const struct round *r)
{
	u64 bits = 0;

	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = r->vol->types->type[i];

		if (!type->present || type->present(&r->vol->geo))
			bits |= 1ull << i;
	}
	return bits;
}

/* Types that hang on inodes of which the filesystem has one: quota records. */
static u64 of_fs_items(const struct round *r)
{
	u64 bits = 0;

	for (u32 i = 0; i < META_COUNT; i++)
		if (r->vol->types->type[i]->scope == SCOPE_INODE &&
		    !(r->vol->types->type[i]->items & ~scrub_of_scope(SCOPE_FS)))
			bits |= 1ull << i;
	return bits;
}

static void plan_ags(struct round *r)
{
	for (u32 ag = 0; ag < r->survey.ags; ag++) {
		u64 sick = only(r, r->survey.ag[ag], ag, NO_INO);

		for (u32 i = 0; i < META_COUNT; i++) {
			const struct meta_type *type = r->vol->types->type[i];

			if (sick >> i & 1 && type->rebuild && !waits(r, type, ag))
				r->ag[ag] |= 1ull << i;
		}
		r->wanted[ag].space = (r->ag[ag] & ~(1ull << META_SUPERBLOCK)) != 0;
		r->wanted[ag].inodes = (r->ag[ag] & INODE_TREES) != 0;
		r->wanted[ag].rmaps_sick = r->survey.corrupt[ag] >> META_RMAPBT & 1;
	}
}

static int gather(struct round *r)
{
	struct sick_inodes sick = {NULL, 0};
	u64 *ino = env_array(r->vol->env, r->survey.inodes + 1, sizeof(*ino));
	int err = ino ? chunks_look(r->vol, &r->survey, r->wanted)
		      : fail(-ENOMEM, "repair: out of memory");

	for (u32 i = 0; ino && i < r->survey.inodes; i++)
		if (r->survey.inode[i].corrupt & CANNOT_SPEAK)
			ino[sick.count++] = r->survey.inode[i].ino;
	sick.ino = ino;
	if (!err)
		err = evidence_gather(r->vol, r->options->memory, r->wanted, &sick, false,
				      &r->repair.evidence);
	env_free(r->vol->env, ino);
	return err;
}

static int run_one(struct round *r, const struct meta_type *type, u32 ag, u64 ino)
{
	bool forced = r->force_from != NULL64 && r->options->force & together(r, type);
	int err;

	r->repair.force = forced;
	err = type->rebuild(&r->repair, ag, ino);

	if (err == -ENOMEM || err == -EIO)
		return err;
	if (err)
		say_failed(r, err, ino == NO_INO ? type->name : "inode", ino == NO_INO ? ag : ino);
	else
		r->result->rebuilt++;
	return 0;
}

/* Each rebuild once, whatever number of its types is sick. */
static int run_types(struct round *r, u64 types, u32 ag, u64 ino)
{
	int err = 0;

	for (u32 i = 0; i < META_COUNT && !err; i++) {
		const struct meta_type *type = r->vol->types->type[i];

		if (!(types >> i & 1))
			continue;
		types &= ~together(r, type);
		err = run_one(r, type, ag, ino);
	}
	return err;
}

/* Everything else has been looked at in its light. */
static int run_super(struct round *r)
{
	u64 bit = 1ull << META_SUPERBLOCK;

	if (!only(r, r->survey.ag[0] & bit, 0, NO_INO))
		return 0;
	r->survey.ag[0] &= ~bit;
	return run_types(r, bit, 0, NO_INO);
}

static int run_ags(struct round *r)
{
	bool any = false;
	int err;

	for (u32 ag = 0; ag < r->survey.ags; ag++)
		any |= r->wanted[ag].space;
	err = any ? gather(r) : 0;
	for (u32 ag = 0; ag < r->survey.ags && !err; ag++)
		err = run_types(r, r->ag[ag], ag, NO_INO);
	evidence_free(r->repair.evidence);
	r->repair.evidence = NULL;
	chunks_free(r->vol, r->wanted);
	return err;
}

static u64 ready(const struct round *r, u64 sick, u32 ag)
{
	u64 bits = 0;

	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = r->vol->types->type[i];

		if (sick >> i & 1 && type->rebuild && !waits(r, type, ag))
			bits |= 1ull << i;
	}
	return bits;
}

#define OF_INODES (1ull << META_INODE | 1ull << META_BMBT)
/* What may be wrong because of a fork. */
#define OF_SPACE (1ull << META_RMAPBT | 1ull << META_BNOBT | 1ull << META_REFCOUNTBT)

/* Where one of these is sick, there may be names that nobody has seen. */
#define HIDES_NAMES                                                                            \
	(INODE_TREES | 1ull << META_DIRECTORY | 1ull << META_DIRBLOCK | 1ull << META_DIRDATA | \
	 1ull << META_BMBT)

/* Where the reverse map of any AG is damaged, what it says of an inode may lack something. */
static bool rmaps_whole(const struct round *r)
{
	const u64 needed = 1ull << META_RMAPBT | 1ull << META_AGF;
	bool whole = geometry_has(&r->vol->geo, FEATURE_RMAPBT);

	for (u32 ag = 0; whole && ag < r->survey.ags; ag++)
		whole = !(r->survey.corrupt[ag] & needed);
	return whole;
}

static int each_inode(struct round *r)
{
	const struct meta_type *type = vol_type(r->vol, META_INODE);
	struct inode_facts *f;
	int more = 0, err = 0;

	while (!err && (more = facts_next(r->repair.facts, &f)) > 0) {
		r->repair.inode = f;
		err = run_one(r, type, NO_AG, f->ino);
	}
	r->repair.inode = NULL;
	return err ? err : more < 0 ? more : 0;
}

static bool wants_record(const struct round *r, const struct sick_inode *s)
{
	bool valid = inum_valid(&r->vol->geo, inum_of(s->ino));

	return valid && (!r->options->only.types || only(r, s->types & OF_INODES, NO_AG, s->ino));
}

/* Records and maps of inodes, before everything that is made from what they say. */
static int run_records(struct round *r)
{
	struct facts_options options = {.rmaps = rmaps_whole(r)};
	struct verdict v = {.raise = raise_nothing};
	const struct vol_options how = {.memory = r->options->memory, .verdict = &v};
	struct vol *snapshot = NULL;
	u64 *ino = env_array(r->vol->env, r->survey.inodes + 1, sizeof(*ino));
	int err = ino ? 0 : fail(-ENOMEM, "repair: out of memory");

	for (u32 i = 0; ino && i < r->survey.inodes; i++)
		if (wants_record(r, &r->survey.inode[i]))
			ino[options.count++] = r->survey.inode[i].ino;
	options.ino = ino;
	options.names = !(r->survey.any & HIDES_NAMES);
	/* The survey tells whose forks and reverse map differ; but what a file shares with others,
	 * and has lost the flag for, only all claims of blocks tell. */
	options.claims =
	    !options.rmaps || r->uneven.owners.more || r->survey.any >> META_REFCOUNTBT & 1;
	if (r->survey.any & OF_SPACE && only(r, OF_INODES, NO_AG, NO_INO)) {
		options.all = options.claims;
		options.odd = r->uneven.owners.ino;
		options.odd_count = r->uneven.owners.count;
	}
	if (!err && (options.count || options.all || options.odd_count)) {
		err = vol_snapshot(r->vol, r->vol->env, &how, &snapshot);
		if (!err)
			err = facts_gather(snapshot, &options, &r->repair.facts);
		if (!err)
			err = each_inode(r);
		facts_free(r->repair.facts);
		r->repair.facts = NULL;
		vol_close(snapshot);
	}
	env_free(r->vol->env, ino);
	return err;
}

static int run_inodes(struct round *r)
{
	int err = 0;

	for (u32 i = 0; i < r->survey.inodes && !err && !r->repair.moved; i++) {
		const struct sick_inode *s = &r->survey.inode[i];
		bool valid = inum_valid(&r->vol->geo, inum_of(s->ino));
		u32 ag = valid ? inum_ag(&r->vol->geo, inum_of(s->ino)) : NO_AG;

		if (valid)
			err = run_types(r, ready(r, only(r, s->types & ~OF_INODES, ag, s->ino), ag),
					ag, s->ino);
	}
	return err;
}

/* Where no names can be hidden, and none were asked for by force, the survey has seen all that do
 * not agree. */
static bool names_seen(const struct round *r)
{
	return !r->uneven.names.more && !r->uneven.circles && !(r->survey.any & HIDES_NAMES) &&
	       !(r->options->force >> META_NAMES & 1);
}

static void tell_uneven(struct round *r, bool known)
{
	r->repair.uneven = r->uneven.names.ino;
	r->repair.uneven_count = r->uneven.names.count;
	r->repair.uneven_known = known;
}

static int run_sick(struct round *r)
{
	u64 fs = only(r, r->survey.fs, NO_AG, NO_INO);
	int err;

	tell_uneven(r, names_seen(r));
	err = run_types(r, ready(r, fs, NO_AG), NO_AG, NO_INO);
	r->repair.uneven_known = false;
	if (err || r->repair.moved)
		return err;
	err = run_records(r);
	if (err)
		return err;
	plan_ags(r);
	err = run_ags(r);
	return err ? err : run_inodes(r);
}

static int run_round(struct round *r)
{
	u32 ags = r->survey.ags;
	int err;

	r->wanted = env_array(r->vol->env, ags, sizeof(*r->wanted));
	r->ag = env_array(r->vol->env, ags, sizeof(*r->ag));
	err = r->wanted && r->ag ? 0 : fail(-ENOMEM, "repair: out of memory");
	r->repair = (struct repair){.vol = r->vol,
				    .lost = r->lost,
				    .wanted = r->wanted,
				    .daring = r->daring,
				    .force = r->options->force && r->force_from != NULL64,
				    .others = (r->survey.any & ~(1ull << META_SUPERBLOCK)) != 0,
				    .say = r->options->say,
				    .arg = r->options->arg};
	if (!err)
		err = run_super(r);
	if (!err && !r->repair.moved)
		err = run_sick(r);
	r->moved = r->repair.moved;
	env_free(r->vol->env, r->wanted);
	env_free(r->vol->env, r->ag);
	return err;
}

/* Types that hang on inodes and are to be made anew in all of them, or in the one. */
static u64 forced_in_inodes(const struct round *r)
{
	return r->options->force & scope_mask(r, SCOPE_INODE) & ~of_fs_items(r);
}

/* The types that this inode has. */
static u64 types_of(struct round *r, u64 ino)
{
	u64 wanted = forced_in_inodes(r), has = 0;
	struct inode inode;

	if (inode_get(r->vol, inum_of(ino), &inode)) {
		trail_clear(); /* what is damaged is on the list anyhow */
		return 0;
	}
	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = r->vol->types->type[i];

		for (u32 k = 0; wanted >> i & 1 && k < SCRUB_COUNT; k++)
			if (type_in_inode(type, &r->vol->geo, &inode, k))
				has |= 1ull << i;
	}
	inode_put(r->vol, &inode);
	return has;
}

static void take_forced(struct round *r, u64 ino)
{
	const struct repair_only *o = &r->options->only;

	if (ino < r->force_from || (o->types && o->ino != NO_INO && o->ino != ino))
		return;
	if (ino - r->force_from >= FORCE_WINDOW)
		r->force_next = min_u64(r->force_next, ino);
	else if (!r->force_err)
		r->force_err = survey_add(&r->survey, ino, 1); /* which types, see set_forced() */
}

/* What the inobt has in use. */
static void on_chunk(void *arg, const struct sweep_posting *p)
{
	struct round *r = arg;
	const struct geometry *g = &r->vol->geo;

	if (p->side != SIDE_LEFT)
		return;
	for (u64 used = p->fact->w[2]; used; used &= used - 1)
		take_forced(r, inum_make(g, (u32)p->fact->w[0],
					 (u32)p->fact->w[1] + (u32)__builtin_ctzll(used))
				   .v);
}

/* ---- surveys ---- */

static void on_finding(void *arg, const struct finding *f)
{
	struct round *r = arg;

	if (r->options->finding)
		r->options->finding(r->options->arg, f);
	uneven_note(&r->uneven, r->vol->types, f);
}

static int look(struct round *r, u32 round)
{
	struct survey_options options = {
	    .finding = on_finding,
	    .arg = r,
	    .env = r->options->env,
	    .memory = r->options->memory,
	    /* who asks for a repair has a reason, and much that was wrong leaves some */
	    .sift = !round || r->result->left > MUCH_LEFT};
	int err;

	if (r->options->round)
		r->options->round(r->options->arg, round);
	r->force_next = NULL64;
	uneven_begin(&r->uneven, r->vol->env);
	if (r->force_from != NULL64 && forced_in_inodes(r)) {
		options.posted = on_chunk;
		options.posted_arg = r;
		options.posted_accounts = 1u << ACCOUNT_INODES;
	}
	err = survey_run(r->vol, &options, &r->survey);
	uneven_sort(&r->uneven);
	return err;
}

/* Those that come from on_chunk() have a bit that means nothing, since types are for AGs there. */
static void set_forced(struct round *r)
{
	for (u32 i = 0; i < r->survey.inodes; i++) {
		struct sick_inode *s = &r->survey.inode[i];

		if (s->types & 1)
			s->types = (s->types & ~1ull) | types_of(r, s->ino);
	}
}

/* Not what has been made anew already. */
static u64 forced_in_ag(const struct round *r, u32 ag)
{
	u64 force = r->options->force & present(r) & scope_mask(r, SCOPE_AG);

	return r->live && r->live[ag] ? force & ~AG_LIVE_TYPES : force;
}

static u64 forced_in_fs(const struct round *r)
{
	u64 of_fs = scope_mask(r, SCOPE_FS) | of_fs_items(r);

	return r->options->force & present(r) & of_fs & ~r->done;
}

/* The first time, with the first inodes. */
static void add_forced(struct round *r)
{
	set_forced(r);
	if (r->force_from)
		return;
	for (u32 ag = 0; ag < r->survey.ags; ag++)
		r->survey.ag[ag] |= forced_in_ag(r, ag);
	r->survey.fs |= forced_in_fs(r);
}

static void tell_health(struct round *r)
{
	if (!r->told)
		health_repairing(r->vol->health, true);
	r->told = true;
}

/* What the survey of this round asks for. */
static int go_on(struct round *r, u32 round, u64 *before, bool *more)
{
	struct repair_result *result = r->result;
	int err = r->force_err;
	bool forced = r->options->force && r->force_from != NULL64;
	bool same = round && r->survey.digest == *before;

	*before = r->survey.digest;
	result->rounds = round + 1;
	result->left = r->survey.findings;
	result->stats = r->survey.stats;
	if (!round && !r->live)
		result->first = r->survey.findings;
	*more = (r->survey.findings || forced) && !(same && !forced && r->daring == DARING_MOST);
	if (!*more || err)
		return err;
	r->daring = same && !forced ? r->daring + 1 : 0;
	if (forced)
		add_forced(r);
	r->moved = false;
	err = run_round(r);
	if (result->rebuilt)
		tell_health(r);
	r->force_from = r->force_next;
	/* in another light the same findings need not be the same */
	if (r->moved)
		*before = ~r->survey.digest;
	return err;
}

/* ---- while others write ---- */

#define LIVE_TRIES 4

/* Writers get on with a reverse map that is wrong; not so with free space, or a header. */
static bool may_live(const struct round *r, u32 ag)
{
	const u64 rmaps = 1ull << META_RMAPBT;
	u64 wanted = only(r, r->survey.ag[ag] | forced_in_ag(r, ag), ag, NO_INO);

	return wanted & AG_LIVE_TYPES && !(r->survey.ag[ag] & ~rmaps) &&
	       !(r->survey.any & AG_REBUILD_NEEDS);
}

static int rebuild_live(struct round *r, u32 ag)
{
	struct ag_live_result result;
	int err = -EAGAIN;

	for (u32 i = 0; i < LIVE_TRIES && err == -EAGAIN; i++)
		err = ag_live_rebuild(&r->repair, ag, r->options->memory, &result);
	if (err == -ENOMEM || err == -EIO)
		return err;
	if (err) {
		repair_say(&r->repair, "AG %u: not while others write: %s", ag, trail_text());
		trail_clear();
		return 0;
	}
	r->live[ag] = true;
	r->result->rebuilt++;
	repair_say(
	    &r->repair,
	    "AG %u: rebuilt its space trees while others wrote: %llu mappings, caught up with %llu "
	    "changes in %u rounds, writers waited %llu us for the last %llu",
	    ag, (unsigned long long)result.records, (unsigned long long)result.caught_up,
	    result.rounds, (unsigned long long)result.stopped / 1000,
	    (unsigned long long)result.last);
	return 0;
}

static void take_result(struct round *r, bool first)
{
	r->result->left = r->survey.findings;
	r->result->stats = r->survey.stats;
	if (first)
		r->result->first = r->survey.findings;
}

/* Those of the filesystem that begin with gathering, where names, records and the space for them
 * can be had. */
static bool may_gather(const struct round *r, const struct meta_type *type)
{
	u64 bit = 1ull << type->id, corrupt = 0;
	u64 wanted = only(r, r->survey.fs, NO_AG, NO_INO) | forced_in_fs(r);

	for (u32 i = 0; i < r->survey.inodes; i++) {
		const struct sick_inode *s = &r->survey.inode[i];

		wanted |= only(r, s->types, NO_AG, s->ino) & of_fs_items(r);
		corrupt |= s->corrupt;
	}
	return type->gathers && wanted & bit && !(corrupt & bit) && !waits(r, type, NO_AG) &&
	       !(r->survey.any >> META_SUPERBLOCK & 1) &&
	       !(type->id == META_NAMES && r->uneven.circles);
}

static int rebuild_gathering(struct round *r, const struct meta_type *type)
{
	struct vol now = *r->vol;
	int err;

	r->repair.vol = &now;
	r->repair.beside = r->vol;
	tell_uneven(r, true);
	err = type->rebuild(&r->repair, NO_AG, NO_INO);
	if (now.alone)
		vol_alone_end(&now);
	r->repair.vol = r->vol;
	r->repair.beside = NULL;
	if (err == -ENOMEM || err == -EIO)
		return err;
	if (err) {
		repair_say(&r->repair, "%s: not while others write: %s", type->name, trail_text());
		trail_clear();
		return 0;
	}
	r->done |= 1ull << type->id;
	r->result->rebuilt++;
	return 0;
}

bool repair_beside(const struct vol *vol, u64 types, bool forced)
{
	/* new trees of space are made with the old ones, so but for the reverse map they are sound
	 */
	bool some = types & (forced ? AG_LIVE_TYPES : 1ull << META_RMAPBT);

	for (u32 i = 0; i < META_COUNT; i++)
		some |= types >> i & 1 && vol->types->type[i]->gathers;
	return some;
}

/* *any: something has been made anew. */
static int rebuild_beside(struct round *r, bool *any)
{
	u64 before = r->result->rebuilt;
	int err = 0;

	for (u32 ag = 0; ag < r->survey.ags && !err; ag++)
		if (may_live(r, ag))
			err = rebuild_live(r, ag);
	for (u32 i = 0; i < META_COUNT && !err; i++)
		if (may_gather(r, r->vol->types->type[i]))
			err = rebuild_gathering(r, r->vol->types->type[i]);
	*any = r->result->rebuilt != before;
	r->result->beside = r->result->rebuilt - before;
	return err;
}

/* Is there something that is sick and wanted, or forced, and has not been made anew? */
static bool wants_more(const struct round *r)
{
	bool more = !r->options->only.types && r->survey.findings;

	more |= (only(r, r->survey.fs, NO_AG, NO_INO) | forced_in_fs(r)) != 0;
	more |= forced_in_inodes(r) != 0;
	for (u32 ag = 0; ag < r->survey.ags; ag++)
		more |= only(r, r->survey.ag[ag] | forced_in_ag(r, ag), ag, NO_INO) != 0;
	for (u32 i = 0; i < r->survey.inodes; i++)
		more |= only(r, r->survey.inode[i].types, NO_AG, r->survey.inode[i].ino) != 0;
	return more;
}

/* *more: there is something left for rounds that stop the writers. */
static int run_live(struct round *r, bool *more)
{
	bool any = false;
	int err;

	r->repair = (struct repair){
	    .vol = r->vol, .lost = r->lost, .say = r->options->say, .arg = r->options->arg};
	r->live = env_array(r->vol->env, r->vol->geo.ag_count, sizeof(*r->live));
	if (!r->live)
		return fail(-ENOMEM, "repair: out of memory");
	err = look(r, 0);
	take_result(r, true);
	if (!err)
		err = rebuild_beside(r, &any);
	if (!err && any) {
		tell_health(r);
		survey_free(&r->survey);
		err = look(r, 1);
		take_result(r, false);
	}
	r->result->rounds = any ? 2 : 1;
	*more = !err && wants_more(r);
	if (*more)
		repair_say(&r->repair,
			   r->options->never_stop
			       ? "the rest is left: for that the writers would have to stop"
			       : "the rest is repaired with the writers stopped");
	*more = *more && !r->options->never_stop;
	survey_free(&r->survey);
	return err;
}

int repair_run(struct vol *vol, const struct repair_options *options, struct repair_result *result)
{
	struct round r = {.vol = vol, .options = options, .result = result, .force_next = NULL64};
	u64 before = 0;
	u32 rounds = options->rounds ? options->rounds : REPAIR_ROUNDS;
	bool more = true;
	int err = 0;

	*result = (struct repair_result){0};
	r.lost = env_alloc(vol->env, sizeof(*r.lost));
	if (!r.lost)
		return fail(-ENOMEM, "repair: out of memory");
	for (u32 i = 0; i < META_COUNT; i++)
		if (!vol->types->type[i]->rebuild)
			r.stuck |= 1ull << i;
	if (options->live && vol->journal)
		err = run_live(&r, &more);
	/* the windows of a forced rebuild are as many as there are */
	for (u32 round = 0; !err && more && (round < rounds || r.force_next != NULL64); round++) {
		struct vol alone;

		vol_alone_begin(vol, &alone);
		r.vol = &alone;
		/* What has been read long ago may be sound where the device is damaged since. A
		 * survey reads the device; what it asks for is made from the same. */
		cache_forget(alone.cache, NULL, 0);
		err = look(&r, round);
		if (!err)
			err = go_on(&r, round, &before, &more);
		survey_free(&r.survey);
		vol_alone_end(&alone);
	}
	if (r.told)
		health_repairing(vol->health, false);
	if (vol->repaired)
		vol->repaired->done(vol->repaired->arg);
	result->lost_names = r.lost->count - r.lost->found;
	result->lost_attributes = r.lost->attributes;
	result->lost_bytes = r.lost->bytes;
	env_free(vol->env, r.lost);
	env_free(vol->env, r.live);
	uneven_free(&r.uneven);
	return err;
}
