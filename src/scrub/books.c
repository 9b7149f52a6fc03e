/* The last sweep of everything, by scrub item; see books.h and item.h. */
#include "scrub/books.h"

#include "base/trail.h"
#include "format/verify.h"

#include <errno.h>
#include <stdlib.h>

#define NS 1000000000ull
#define FOUND_MAX SURVEY_INODES

/* ---- from findings to items ---- */

u32 books_flag_of(const struct finding *finding)
{
	switch (finding->def->severity) {
	case SEVERITY_CORRUPT:
		return SCRUB_CORRUPT;
	case SEVERITY_DISAGREES:
		return SCRUB_XCORRUPT;
	case SEVERITY_PREEN:
		return SCRUB_PREEN;
	case SEVERITY_WARNING:
		return SCRUB_WARNING;
	case SEVERITY_INCOMPLETE:
		return SCRUB_INCOMPLETE;
	case SEVERITY_NONE:
		break;
	}
	return 0;
}

/* ---- gathering ---- */

static int grow(struct scrub *s)
{
	u32 room = s->room ? s->room * 2 : 256;
	struct found_item *inode = env_grow(s->vol->env, s->inode, s->inodes, room, sizeof(*inode));

	if (!inode)
		return fail(-ENOMEM, "scrub: out of memory");
	s->inode = inode;
	s->room = room;
	return 0;
}

/* There may be more than are kept; those come to light when these are mended. */
static void keep(struct scrub *s, u64 ino, u32 type, u32 flags)
{
	struct found_item *last = s->inodes ? &s->inode[s->inodes - 1] : NULL;

	if (last && last->ino == ino && last->type == type) {
		last->flags |= flags;
		return;
	}
	if (s->inodes == FOUND_MAX || s->err)
		return;
	if (s->inodes == s->room)
		s->err = grow(s);
	if (!s->err && s->inode)
		s->inode[s->inodes++] = (struct found_item){ino, type, flags};
}

static void on_finding(void *arg, const struct finding *f)
{
	struct scrub *s = arg;
	u64 items = survey_items_of(s->vol->types, &s->vol->geo, f);
	u32 flags = books_flag_of(f), ag = finding_ag(&s->vol->geo, f);

	if (flags & SCRUB_SICK)
		s->findings++;
	s->fs[SCRUB_HEALTHY] |= flags & SCRUB_SICK ? SCRUB_XCORRUPT : flags;
	for (u32 i = 0; i < SCRUB_COUNT; i++) {
		enum meta_scope scope = scrub_defs[i].scope;

		if (!(items >> i & 1))
			continue;
		if (scope == SCOPE_INODE && f->where.ino != NO_INO)
			keep(s, f->where.ino, i, flags);
		else if (scope == SCOPE_AG && ag < s->vol->geo.ag_count)
			s->ag[ag][i] |= flags;
		else if (scope == SCOPE_FS)
			s->fs[i] |= flags;
	}
}

static int by_inode(const void *a, const void *b)
{
	const struct found_item *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->type < y->type ? -1 : x->type > y->type;
}

static void sort_found(struct scrub *s)
{
	u32 to = 0;

	if (s->inodes)
		qsort(s->inode, s->inodes, sizeof(*s->inode), by_inode);
	for (u32 i = 0; i < s->inodes; i++) {
		if (to && !by_inode(&s->inode[to - 1], &s->inode[i]))
			s->inode[to - 1].flags |= s->inode[i].flags;
		else
			s->inode[to++] = s->inode[i];
	}
	s->inodes = to;
}

void books_drop(struct scrub *s)
{
	env_free(s->vol->env, s->ag);
	env_free(s->vol->env, s->inode);
	s->ag = NULL;
	s->inode = NULL;
	s->inodes = s->room = 0;
	s->findings = 0;
	memset(s->fs, 0, sizeof(s->fs));
	s->err = 0;
	s->known = false;
}

static u64 commits(const struct scrub *s)
{
	return s->vol->journal ? journal_number(s->vol->journal) : 0;
}

static bool still_good(const struct scrub *s, u64 now)
{
	u64 keep = max_u64(s->took * SCRUB_KEEP, SCRUB_KEEP_LEAST * NS);

	return s->known && s->number == commits(s) && now - s->made < keep;
}

static int sweep_all(struct scrub *s)
{
	const struct survey_options options = {.finding = on_finding,
					       .arg = s,
					       .env = s->options.env,
					       .memory = s->options.memory,
					       .names = s->options.names};
	struct survey survey;
	int err = survey_run(s->vol, &options, &survey);

	s->stats = survey.stats;
	survey_free(&survey);
	return err;
}

int books_make(struct scrub *s)
{
	struct env *env = s->vol->env;
	u64 start = env->now(env);
	int err;

	if (still_good(s, start))
		return 0;
	books_drop(s);
	s->ag = env_array(env, s->vol->geo.ag_count, sizeof(*s->ag));
	s->number = commits(s);
	err = s->ag ? sweep_all(s) : fail(-ENOMEM, "scrub: out of memory");
	if (!err)
		err = s->err;
	if (err)
		return err;
	sort_found(s);
	s->made = env->now(env);
	s->took = s->made - start;
	s->known = true;
	return 0;
}

/* ---- asking ---- */

bool books_speak_of(enum scrub_type type)
{
	for (u32 i = 0; i < ACCOUNT_COUNT; i++)
		if (account_defs[i].items >> type & 1)
			return true;
	return scrub_defs[type].scope == SCOPE_FS && type != SCRUB_PROBE;
}

/* The first that is not before. */
static u32 find_inode(const struct scrub *s, u64 ino, u32 type)
{
	const struct found_item key = {ino, type, 0};
	u32 low = 0, high = s->inodes;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (by_inode(&s->inode[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What it must be compared with is damaged itself: then its own books say little. */
static u32 of_ag(const struct scrub *s, enum scrub_type type, u32 ag)
{
	u32 flags = s->ag[ag][type];

	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *t = s->vol->types->type[i];

		if (!type_has_item(t, type))
			continue;
		for (u32 k = 0; k < META_COUNT; k++)
			for (u32 n = 0; t->needs_check >> k & 1 && n < SCRUB_COUNT; n++)
				if (type_has_item(s->vol->types->type[k], n) && n != type &&
				    scrub_defs[n].scope == SCOPE_AG && s->ag[ag][n] & SCRUB_CORRUPT)
					flags |= SCRUB_XFAIL;
	}
	return flags;
}

u32 books_flags(const struct scrub *s, enum scrub_type type, u32 ag, u64 ino)
{
	u32 at;

	switch (scrub_defs[type].scope) {
	case SCOPE_FS:
		return s->fs[type];
	case SCOPE_AG:
		return of_ag(s, type, ag);
	case SCOPE_INODE:
		break;
	}
	at = find_inode(s, ino, type);
	return at < s->inodes && s->inode[at].ino == ino && s->inode[at].type == type
		   ? s->inode[at].flags
		   : 0;
}

u32 scrub_found(const struct scrub *s, enum scrub_type type, u32 ag, u64 ino)
{
	return books_flags(s, type, ag, ino);
}

bool scrub_next_found(const struct scrub *s, u64 *ino, enum scrub_type *type, u32 *flags)
{
	u32 at = find_inode(s, *ino, *type);

	if (at < s->inodes && s->inode[at].ino == *ino && s->inode[at].type == *type)
		at++;
	if (at >= s->inodes)
		return false;
	*ino = s->inode[at].ino;
	*type = s->inode[at].type;
	*flags = s->inode[at].flags;
	return true;
}
