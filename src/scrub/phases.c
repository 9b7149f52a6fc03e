/* A scrub of everything; see phases.h. */
#include "scrub/phases.h"

#include "base/trail.h"
#include "fs/trim.h"
#include "scrub/books.h"
#include "scrub/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Items of one phase: those of AGs and the filesystem, of inodes, of the tree, of the counters. */
#define OF_TREE (SCRUB_BIT(PARENT) | SCRUB_BIT(DIRTREE) | SCRUB_BIT(NLINKS) | SCRUB_BIT(QUOTACHECK))
#define OF_COUNTERS SCRUB_BIT(FSCOUNTERS)
#define OF_NONE (SCRUB_BIT(PROBE) | SCRUB_BIT(HEALTHY))

struct phases {
	struct vol *vol;
	const struct phases_options *options;
	struct phases_result *result;
	struct scrub *scrub;
	bool put_off; /* something of phase 2 waits for phase 4 */
	bool repairs; /* may be made */
};

static void say(struct phases *p, enum phase_word word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct phases *p, enum phase_word word, const char *format, ...)
{
	char line[TRAIL_MAX + 64];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	p->options->say(p->options->arg, word, line);
}

static void begin(struct phases *p, u32 number, const char *title)
{
	p->options->phase(p->options->arg, number, title);
	p->options->progress(p->options->arg, number, 0, 1);
}

/* With the books of now. */
static int begin_looking(struct phases *p, u32 number, const char *title)
{
	begin(p, number, title);
	return scrub_survey(p->scrub);
}

static void end(struct phases *p, u32 number)
{
	p->options->progress(p->options->arg, number, 1, 1);
}

/* ---- items ---- */

/* What was found of one item. */
struct found {
	enum scrub_type type;
	u32 ag;
	u64 ino;
	u32 flags;
};
typedef void found_fn(struct phases *p, const struct found *f);

/* Calls fn for each of the items in which anything was found. */
static void each_found(struct phases *p, u64 items, found_fn *fn)
{
	struct found f = {.ag = NO_AG, .ino = 0, .type = SCRUB_COUNT};

	while (scrub_next_found(p->scrub, &f.ino, &f.type, &f.flags))
		if (items >> f.type & 1)
			fn(p, &f);
	for (u32 i = 0; i < SCRUB_COUNT; i++) {
		u32 times = scrub_defs[i].scope == SCOPE_AG ? p->vol->geo.ag_count
							    : scrub_defs[i].scope == SCOPE_FS;

		for (u32 ag = 0; items >> i & 1 && ag < times; ag++) {
			f = (struct found){.type = i, .ag = ag, .ino = NO_INO};
			f.flags = scrub_found(p->scrub, i, ag, NO_INO);
			if (f.flags)
				fn(p, &f);
		}
	}
}

static void name_item(const struct found *f, char *text, size_t size)
{
	const char *name = scrub_defs[f->type].name;

	switch (scrub_defs[f->type].scope) {
	case SCOPE_FS:
		snprintf(text, size, "%s", name);
		break;
	case SCOPE_AG:
		snprintf(text, size, "AG %u %s", f->ag, name);
		break;
	case SCOPE_INODE:
		snprintf(text, size, "inode %" PRIu64 " %s", f->ino, name);
		break;
	}
}

#define DAMAGED (SCRUB_CORRUPT | SCRUB_XCORRUPT)

static void tell(struct phases *p, const struct found *f)
{
	char name[64];

	name_item(f, name, sizeof(name));
	if (f->flags & DAMAGED) {
		p->result->found++;
		say(p, PHASE_FINDING, "%s: %s", name,
		    f->flags & SCRUB_CORRUPT ? "is damaged" : "others say otherwise");
	} else if (f->flags & SCRUB_PREEN) {
		say(p, PHASE_FINDING, "%s: could be better", name);
	}
	if (f->flags & SCRUB_WARNING) {
		p->result->warnings++;
		say(p, PHASE_WARNING, "%s: is odd, but allowed", name);
	}
	if (f->flags & SCRUB_INCOMPLETE)
		say(p, PHASE_ERROR, "%s: could not be looked at as a whole", name);
}

static void count_damaged(struct phases *p, const struct found *f)
{
	p->result->left += (f->flags & DAMAGED) != 0;
}

static void count_preen(struct phases *p, const struct found *f)
{
	p->result->preen += !(f->flags & DAMAGED) && f->flags & SCRUB_PREEN;
}

static u64 damaged(struct phases *p, u64 items)
{
	p->result->left = 0;
	each_found(p, items, count_damaged);
	return p->result->left;
}

static u64 preenable(struct phases *p, u64 items)
{
	p->result->preen = 0;
	each_found(p, items, count_preen);
	return p->result->preen;
}

/* Of all phases: more than enough? */
static bool too_many(struct phases *p)
{
	const struct phases_options *o = p->options;

	if (!o->errors_max || p->result->found <= o->errors_max)
		return false;
	if (!p->result->aborted)
		say(p, PHASE_ERROR, "more than %" PRIu64 " errors: given up", o->errors_max);
	p->result->aborted = true;
	return true;
}

/* ---- repairs ---- */

static void on_say(void *arg, const char *line)
{
	say(arg, PHASE_REPAIRED, "%s", line);
}

/* `all`: whatever is sick, as long as anything moves; else one round for these items. */
static int repair(struct phases *p, u64 items, bool all)
{
	const u64 types = scrub_rebuilds_of(p->vol->types, items);
	const struct repair_options options = {
	    .say = on_say,
	    .arg = p,
	    .env = p->options->env,
	    .memory = p->options->memory,
	    .force = p->options->force ? types : 0,
	    .only = {.types = all ? 0 : types, .ag = NO_AG, .ino = NO_INO},
	    .rounds = all ? 0 : 1,
	    .live = all || repair_beside(p->vol, types, p->options->force),
	};
	struct repair_result result;
	int err = repair_run(p->vol, &options, &result);

	scrub_forget(p->scrub);
	/* what stays damaged is told as such */
	if (!err && p->options->force && result.failed)
		say(p, PHASE_ERROR, "%" PRIu64 " objects could not be made anew", result.failed);
	return err ? err : scrub_survey(p->scrub);
}

/* Where -p is given, damage is for somebody else to mend. */
static bool may_repair(struct phases *p, u64 items)
{
	u64 sick;

	if (!p->repairs || p->result->aborted)
		return false;
	if (p->options->force)
		return true;
	sick = damaged(p, items);
	if (p->options->preen_only)
		return !damaged(p, ~OF_NONE) && preenable(p, items);
	return sick || preenable(p, items);
}

/* ---- phases ---- */

static int find_geometry(struct phases *p)
{
	const struct geometry *g = &p->vol->geo;

	begin(p, 1, "geometry and capabilities");
	say(p, PHASE_INFO, "%u AGs of %u blocks of %u bytes%s%s%s", g->ag_count, g->ag_blocks,
	    g->block_size, geometry_has(g, FEATURE_RMAPBT) ? ", reverse map" : "",
	    geometry_has(g, FEATURE_REFLINK) ? ", shared blocks" : "",
	    geometry_has(g, FEATURE_PARENT) ? ", parent pointers" : "");
	p->repairs = p->vol->journal && !p->options->check_only;
	if (!p->vol->journal && !p->options->check_only)
		return fail(-EROFS, "the filesystem is read-only: only -n can be done");
	end(p, 1);
	return 0;
}

/* Items of the types that inodes cannot be found without, by the descriptors. */
static u64 before_inodes(const struct phases *p)
{
	const struct meta_type *const *type = p->vol->types->type;
	u64 types = 1ull << META_INODES, before, items = 0;

	do {
		before = types;
		for (u32 i = 0; i < META_COUNT; i++)
			if (types >> i & 1)
				types |= type[i]->needs_check;
	} while (types != before);
	for (u32 i = 0; i < META_COUNT; i++)
		if (types >> i & 1)
			items |= type[i]->items;
	return items & ~scrub_of_scope(SCOPE_INODE);
}

static u64 of_metadata(void)
{
	return ~scrub_of_scope(SCOPE_INODE) & ~(OF_TREE | OF_COUNTERS | OF_NONE);
}

static int check_metadata(struct phases *p)
{
	u64 items = of_metadata(), first = before_inodes(p) & items;
	int err = begin_looking(p, 2, "metadata of AGs and filesystem");

	if (err)
		return err;
	each_found(p, items, tell);
	if (!too_many(p) && may_repair(p, first) && !p->options->force)
		err = repair(p, first, false);
	if (!err)
		p->put_off = damaged(p, items) != 0;
	end(p, 2);
	return err;
}

static int check_inodes(struct phases *p)
{
	u64 items = scrub_of_scope(SCOPE_INODE) & ~OF_TREE;
	int err = begin_looking(p, 3, "inodes");

	if (err)
		return err;
	each_found(p, items, tell);
	if (!too_many(p) && may_repair(p, items) && !p->put_off && !p->options->force)
		err = repair(p, items, false);
	end(p, 3);
	return err;
}

static int repair_rest(struct phases *p)
{
	u64 items = ~(OF_TREE | OF_COUNTERS | OF_NONE);
	int err = 0;

	begin(p, 4, "repairs");
	/* forced: all at once, what the later phases are about included */
	if (!too_many(p) && may_repair(p, items))
		err = repair(p, p->options->force ? ~OF_NONE : items, true);
	end(p, 4);
	return err;
}

static int check_tree(struct phases *p)
{
	int err = begin_looking(p, 5, "names, links and the directory tree");

	if (err)
		return err;
	/* names that nobody can read are missing everywhere */
	if (damaged(p, ~(OF_TREE | OF_COUNTERS | OF_NONE))) {
		say(p, PHASE_INFO, "left out, since there are errors");
		return 0;
	}
	each_found(p, OF_TREE, tell);
	if (!too_many(p) && !p->options->force && may_repair(p, OF_TREE))
		err = repair(p, OF_TREE, true);
	end(p, 5);
	return err;
}

static int check_counters(struct phases *p)
{
	const struct sweep_stats *stats = &p->scrub->stats;
	int err = begin_looking(p, 7, "counters");

	if (err)
		return err;
	each_found(p, OF_COUNTERS, tell);
	if (!too_many(p) && !p->options->force && may_repair(p, OF_COUNTERS))
		err = repair(p, OF_COUNTERS, true);
	if (!err)
		say(p, PHASE_INFO,
		    "counted: %" PRIu64 " inodes in chunks, %" PRIu64 " directories, %" PRIu64
		    " names, in %" PRIu64 " blocks of metadata",
		    stats->inodes, stats->directories, stats->names, stats->blocks);
	end(p, 7);
	return err;
}

/* What is damaged may say that blocks are free which are not. */
static int trim(struct phases *p)
{
	const struct geometry *g = &p->vol->geo;
	struct trim t = {.end = g->data_blocks << g->block_log};
	int err;

	if (!p->repairs || p->options->no_trim || damaged(p, ~OF_NONE) || p->result->aborted)
		return 0;
	begin(p, 8, "trim");
	err = trim_run(p->vol, &t);
	p->result->trimmed = t.discarded;
	if (err == -EOPNOTSUPP) {
		trail_clear(); /* nothing of a device that cannot is wanted */
		err = 0;
	}
	end(p, 8);
	return err;
}

static int run(struct phases *p)
{
	static int (*const phase[])(struct phases * p) = {
	    find_geometry, check_metadata, check_inodes, repair_rest, check_tree, check_counters};
	int err = 0;

	for (u32 i = 0; i < ARRAY_COUNT(phase) && !err && !p->result->aborted; i++)
		err = phase[i](p);
	if (!err)
		err = scrub_survey(p->scrub);
	if (err)
		return err;
	err = trim(p);
	damaged(p, ~OF_NONE);
	preenable(p, ~OF_NONE);
	p->result->repaired =
	    p->result->found > p->result->left ? p->result->found - p->result->left : 0;
	return err;
}

int phases_run(struct vol *vol, const struct phases_options *options, struct phases_result *result)
{
	struct phases p = {.vol = vol, .options = options, .result = result};
	const struct scrub_options how = {
	    .env = options->env, .memory = options->memory, .names = true};
	int err;

	*result = (struct phases_result){0};
	err = scrub_open(vol, &how, &p.scrub);
	if (!err)
		err = run(&p);
	scrub_close(p.scrub);
	return err;
}
