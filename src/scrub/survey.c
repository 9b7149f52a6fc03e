/* What a check has found, by object; see survey.h. Findings come one at a time. */
#include "scrub/survey.h"

#include "base/trail.h"
#include "format/verify.h"
#include "ledger/about.h"

#include <errno.h>
#include <stdlib.h>

struct listener {
	struct survey *survey;
	const struct survey_options *options;
	const struct vol *vol;
	struct health_survey *health;
	int err;
};

/* Those of an account that are its derived side's, if that side has any of its own. */
static u64 items_of_account(const struct account_def *account, const struct meta_type *type)
{
	u64 both = type ? account->items & type->items : 0;

	return both ? both : account->items & ~scrub_of_scope(SCOPE_AG);
}

u64 survey_items_of(const struct meta_types *types, const struct geometry *g,
		    const struct finding *f)
{
	const struct meta_type *type = about_type(types, f);
	const struct meta_type *other = about_type_named(types, f->def->type);
	enum account account = about_account(f);
	u64 items = type ? type->items : 0;

	if (account < ACCOUNT_COUNT)
		return items_of_account(&account_defs[account], type);
	/* a record that does not tell what its map has is no less wrong than the map */
	if (other && f->def != sweep_defs->loop)
		items |= other->items;
	return scrub_narrow(g, f, items);
}

void survey_tell(struct health_survey *health, const struct vol *vol, const struct finding *f)
{
	const struct geometry *g = &vol->geo;

	if (health && f->def->severity >= SEVERITY_DISAGREES)
		health_survey_add(health, survey_items_of(vol->types, g, f), finding_ag(g, f),
				  f->where.ino);
}

static int grow(struct survey *s)
{
	u32 room = s->room ? s->room * 2 : 256;
	struct sick_inode *inode = env_grow(s->env, s->inode, s->inodes, room, sizeof(*inode));

	if (!inode)
		return fail(-ENOMEM, "the sick list: out of memory");
	s->inode = inode;
	s->room = room;
	return 0;
}

static int mark_inode(struct survey *s, u64 ino, u64 bit, u64 corrupt)
{
	int err = 0;

	if (s->inodes && s->inode[s->inodes - 1].ino == ino) {
		s->inode[s->inodes - 1].types |= bit;
		s->inode[s->inodes - 1].corrupt |= corrupt;
		return 0;
	}
	if (s->inodes == SURVEY_INODES)
		return 0;
	if (s->inodes == s->room)
		err = grow(s);
	if (!err)
		s->inode[s->inodes++] = (struct sick_inode){ino, bit, corrupt};
	return err;
}

static int mark(struct survey *s, const struct finding *f)
{
	const struct meta_type *type = about_type(s->types, f);
	u32 ag = f->where.ag;
	u64 bit, corrupt;

	if (!type)
		return 0;
	bit = 1ull << type->id;
	corrupt = f->def->severity == SEVERITY_CORRUPT ? bit : 0;
	s->any |= bit;
	if (ag == NO_AG && f->where.ino != NO_INO && inum_valid(s->g, inum_of(f->where.ino)))
		ag = inum_ag(s->g, inum_of(f->where.ino));
	/* in use without a link: it may be that it is free */
	if (about_account(f) == ACCOUNT_UNLINKED && f->where.ino != NO_INO) {
		int err = mark_inode(s, f->where.ino, 1ull << META_INODE, 0);

		if (err)
			return err;
		s->any |= 1ull << META_INODE;
	}
	if (type->scope == SCOPE_INODE && f->where.ino != NO_INO)
		return mark_inode(s, f->where.ino, bit, corrupt);
	if (type->scope != SCOPE_AG || ag >= s->ags) {
		s->fs |= bit;
		return 0;
	}
	s->ag[ag] |= bit;
	s->corrupt[ag] |= corrupt;
	return 0;
}

static u64 mix(u64 h, u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

/* The same for the same finding of another run, whose hashes have another key. */
u64 survey_digest(const struct finding *f)
{
	u64 h = mix(f->where.ag, f->where.ino);
	const char *texts[] = {f->def->id, f->field, f->found}, *keyed = strstr(f->found, "hash ");

	for (u32 i = 0; i < ARRAY_COUNT(texts); i++)
		for (const char *c = texts[i]; *c && c != keyed; c++)
			h = mix(h, (u8)*c);
	return h;
}

static void on_finding(void *arg, const struct finding *f)
{
	struct listener *l = arg;
	struct survey *s = l->survey;
	int err = 0;

	if (l->options->finding)
		l->options->finding(l->options->arg, f);
	survey_tell(l->health, l->vol, f);
	if (f->def->severity < SEVERITY_PREEN)
		return;
	s->findings++;
	s->digest += survey_digest(f); /* they come in any order */
	err = mark(s, f);
	if (err && !l->err)
		l->err = err;
}

static int compare_ino(const void *a, const void *b)
{
	u64 x = ((const struct sick_inode *)a)->ino, y = ((const struct sick_inode *)b)->ino;

	return x < y ? -1 : x > y;
}

static void add_marks(struct sick_inode *to, const struct sick_inode *from)
{
	to->types |= from->types;
	to->corrupt |= from->corrupt;
}

int survey_add(struct survey *s, u64 ino, u64 types)
{
	return mark_inode(s, ino, types, 0);
}

void survey_sort(struct survey *s)
{
	u32 to = 0;

	if (s->inodes)
		qsort(s->inode, s->inodes, sizeof(*s->inode), compare_ino);
	for (u32 i = 0; i < s->inodes; i++) {
		if (to && s->inode[to - 1].ino == s->inode[i].ino)
			add_marks(&s->inode[to - 1], &s->inode[i]);
		else
			s->inode[to++] = s->inode[i];
	}
	s->inodes = to;
}

int survey_run(struct vol *vol, const struct survey_options *options, struct survey *out)
{
	struct listener l = {.survey = out,
			     .options = options,
			     .vol = vol,
			     .health = health_survey_begin(vol->health)};
	const struct sweep_options sweep = {
	    .finding = on_finding,
	    .finding_arg = &l,
	    .names = options->names,
	    .sift = options->sift,
	    .posted = options->posted,
	    .posted_arg = options->posted_arg,
	    .posted_accounts = options->posted_accounts,
	};
	struct verdict v = {.raise = raise_nothing};
	const struct vol_options how = {.memory = options->memory, .verdict = &v};
	struct vol *snapshot = NULL;
	int err;

	*out = (struct survey){
	    .env = vol->env, .types = vol->types, .g = &vol->geo, .ags = vol->geo.ag_count};
	out->ag = env_array(vol->env, out->ags, sizeof(*out->ag));
	out->corrupt = env_array(vol->env, out->ags, sizeof(*out->corrupt));
	err = out->ag && out->corrupt
		  ? vol_snapshot(vol, options->env ? options->env : vol->env, &how, &snapshot)
		  : fail(-ENOMEM, "the sick list: out of memory");
	if (!err)
		err = sweep_run(snapshot, &sweep, &out->stats);
	vol_close(snapshot);
	health_survey_end(l.health, !err);
	survey_sort(out);
	return err ? err : l.err;
}

void survey_free(struct survey *s)
{
	if (!s->env)
		return;
	env_free(s->env, s->ag);
	env_free(s->env, s->corrupt);
	env_free(s->env, s->inode);
	*s = (struct survey){0};
}
