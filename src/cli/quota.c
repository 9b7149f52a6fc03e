/*
 * mendfs quota: what xfs_quota does, by its words, on an image or in the server of a mount.
 *
 * The words before the options say what is to be done (struct quota_verb).  What changes records is
 * one transaction; turning quotas on may be a sweep over all inodes.
 */
#include "cli/quota.h"

#include "base/trail.h"
#include "fs/quota.h"
#include "meta/quota_turn.h"

#include <errno.h>
#include <stdlib.h>

struct quota_verb {
	const char *name;
	int (*work)(struct cli_run *run, const struct quota_command *c);
	bool writes;
	/* false: the words are not such */
	bool (*words_good)(const struct quota_command *c);
	const char *words; /* what it takes */
	int what;
};

/* ---- changes of one record ---- */

enum setting { LIMITS, TIMER, WARNINGS };
enum turning { TURN_ON, TURN_OFF, TURN_ENABLE, TURN_DISABLE };

static u32 type_of(const struct quota_command *c)
{
	return c->types ? c->types : DQUOT_USER;
}

static bool one_type(u32 types)
{
	return types == DQUOT_USER || types == DQUOT_GROUP || types == DQUOT_PROJECT;
}

/* The last word, but with -d there is none: id 0 speaks for all. */
static bool target(const struct quota_command *c, u32 *id)
{
	*id = 0;
	return c->defaults || (c->words && quota_id_of(type_of(c), c->word[c->words - 1], id));
}

static u32 values(const struct quota_command *c)
{
	return c->words - (c->defaults ? 0 : 1);
}

/* bsoft=10m and so on; of blocks in bytes, of inodes as they are. */
static bool set_limit(const struct geometry *g, const char *word, struct dquot *d)
{
	const struct {
		const char *name;
		struct be64 *field;
		bool bytes;
	} limit[] = {{"bsoft=", &d->blk_softlimit, true},
		     {"bhard=", &d->blk_hardlimit, true},
		     {"isoft=", &d->ino_softlimit, false},
		     {"ihard=", &d->ino_hardlimit, false}};

	for (u32 i = 0; i < ARRAY_COUNT(limit); i++) {
		size_t length = strlen(limit[i].name);
		u64 value;

		if (strncmp(word, limit[i].name, length) != 0)
			continue;
		if (!cli_parse_size(word + length, &value))
			return false;
		if (limit[i].bytes && g)
			value = div_up_u64(value, g->block_size);
		*limit[i].field = be64_make(value);
		return true;
	}
	return false;
}

static bool limits_good(const struct quota_command *c)
{
	struct dquot d = {.magic = be16_make(DQUOT_MAGIC)};
	u32 id;

	if (!one_type(type_of(c)) || !target(c, &id) || !values(c))
		return false;
	for (u32 i = 0; i < values(c); i++)
		if (!set_limit(NULL, c->word[i], &d))
			return false;
	return true;
}

/* Seconds, or with a letter behind minutes, hours, days or weeks. */
static bool duration(const char *word, u64 *seconds)
{
	static const struct {
		char letter;
		u32 seconds;
	} unit[] = {{'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	char *end;

	if (*word < '0' || *word > '9')
		return false;
	errno = 0;
	*seconds = strtoull(word, &end, 10);
	if (errno || *seconds > NULL32)
		return false;
	if (!*end)
		return true;
	for (u32 i = 0; i < ARRAY_COUNT(unit); i++)
		if (*end == unit[i].letter) {
			*seconds *= unit[i].seconds;
			return *seconds <= NULL32;
		}
	return false;
}

static bool timer_good(const struct quota_command *c)
{
	u64 value;
	u32 id;

	/* without an id it is for all */
	if (!one_type(type_of(c)) || !c->words || c->words > 2 || !duration(c->word[0], &value))
		return false;
	return c->words == 1 || (!c->defaults && target(c, &id));
}

static bool warnings_good(const struct quota_command *c)
{
	u64 value;
	u32 id;

	return one_type(type_of(c)) && target(c, &id) && values(c) == 1 &&
	       cli_parse_number(c->word[0], &value) && value <= 0xffff;
}

static int apply_limits(struct vol *vol, const struct quota_command *c, struct dquot *d)
{
	for (u32 i = 0; i < values(c); i++)
		set_limit(&vol->geo, c->word[i], d);
	if ((be64_get(d->blk_hardlimit) &&
	     be64_get(d->blk_softlimit) > be64_get(d->blk_hardlimit)) ||
	    (be64_get(d->ino_hardlimit) && be64_get(d->ino_softlimit) > be64_get(d->ino_hardlimit)))
		return fail(-EINVAL, "the soft limit would be above the hard one");
	return 0;
}

/* Of id 0 the time of grace; of others that run, when they end. */
static int apply_timer(struct vol *vol, const struct quota_command *c, struct dquot *d)
{
	bool blocks = c->blocks || !c->inodes, inodes = c->inodes;
	u64 value = 0;

	duration(c->word[0], &value);
	if (!be32_get(d->id)) {
		if (blocks)
			d->btimer = be32_make((u32)value);
		if (inodes)
			d->itimer = be32_make((u32)value);
		return 0;
	}
	if ((blocks && !be32_get(d->btimer)) || (inodes && !be32_get(d->itimer)))
		return fail(-EINVAL, "usage is not above a limit: no time of grace runs");
	value += env_wall(vol->env);
	if (blocks)
		d->btimer = quota_timer_make(d, value);
	if (inodes)
		d->itimer = quota_timer_make(d, value);
	return 0;
}

static int apply_warnings(const struct quota_command *c, struct dquot *d)
{
	u64 value = 0;

	cli_parse_number(c->word[0], &value);
	if (c->blocks || !c->inodes)
		d->bwarns = be16_make((u16)value);
	if (c->inodes)
		d->iwarns = be16_make((u16)value);
	return 0;
}

static int change_record(struct vol *vol, struct txn *txn, const struct quota_command *c)
{
	bool for_all = c->verb->what == TIMER && c->words == 1;
	struct quota_record record;
	u32 type = type_of(c), id = 0;
	int err;

	if (!for_all)
		target(c, &id);
	if (!(quota_types_counted(&vol->geo) & type))
		return fail(-ESRCH, "quotas of this type are not on");
	err = quota_record_open(vol, txn, type, id, true, &record);
	if (err)
		return err;
	if (c->verb->what == LIMITS)
		err = apply_limits(vol, c, record.d);
	else if (c->verb->what == TIMER)
		err = apply_timer(vol, c, record.d);
	else
		err = apply_warnings(c, record.d);
	if (!err)
		quota_record_changed(vol, txn, &record);
	return err;
}

static int set_record(struct vol *vol, const struct quota_command *c)
{
	struct txn *txn;
	int err = vol_begin(vol, NULL, &txn);

	return err ? err : vol_end(vol, txn, change_record(vol, txn, c));
}

/* ---- on and off ---- */

static bool no_words(const struct quota_command *c)
{
	return !c->words;
}

static int turn(struct vol *vol, const struct quota_command *c)
{
	const struct geometry *g = &vol->geo;
	u32 kept = quota_types_counted(g), enforced = quota_types_enforced(g);
	u32 types = c->types ? c->types : DQUOT_TYPES;

	switch (c->verb->what) {
	case TURN_ON:
		kept |= types;
		enforced |= types;
		break;
	case TURN_OFF:
		kept &= ~types;
		break;
	case TURN_ENABLE:
		if (types & ~kept && c->types)
			return fail(-ESRCH, "what is not counted cannot be limited: turn it on");
		enforced |= types & kept;
		break;
	default:
		enforced &= ~types;
	}
	return quota_turn(vol, kept, enforced);
}

/* ---- one run ---- */

static int set_work(struct cli_run *run, const struct quota_command *c);

static int turn_work(struct cli_run *run, const struct quota_command *c);

static const struct quota_verb verbs[] = {
    {"report", quota_report, false, no_words, "", 0},
    {"state", quota_state, false, no_words, "", 0},
    {"limit", set_work, true, limits_good, "[bsoft=N] [bhard=N] [isoft=N] [ihard=N] ID", LIMITS},
    {"timer", set_work, true, timer_good, "VALUE [ID]", TIMER},
    {"warn", set_work, true, warnings_good, "VALUE ID", WARNINGS},
    {"on", turn_work, true, no_words, "", TURN_ON},
    {"off", turn_work, true, no_words, "", TURN_OFF},
    {"enable", turn_work, true, no_words, "", TURN_ENABLE},
    {"disable", turn_work, true, no_words, "", TURN_DISABLE},
};

static int change(struct cli_run *run, const struct quota_command *c,
		  int (*fn)(struct vol *vol, const struct quota_command *c))
{
	struct cli_image image = c->image;
	struct vol *vol = run->mounted;
	int err = 0, closed = 0;

	image.write = true;
	if (vol && !vol->writable)
		err = fail(-EROFS, "%s: mounted to be read", c->image.data);
	if (!vol)
		err = cli_open(&run->env, &image, &vol);
	if (!err)
		err = fn(vol, c);
	if (err)
		cli_failed_in(run);
	if (!run->mounted)
		closed = vol_close(vol);
	if (closed && !err)
		cli_failed_in(run);
	return err || closed ? STATUS_FAILED : 0;
}

static int set_work(struct cli_run *run, const struct quota_command *c)
{
	return change(run, c, set_record);
}

static int turn_work(struct cli_run *run, const struct quota_command *c)
{
	return change(run, c, turn);
}

static int work(struct cli_run *run, void *options)
{
	const struct quota_command *c = options;

	return c->verb->work(run, c);
}

/* 0, or STATUS_USAGE. */
static int parse_one(const struct command *self, struct quota_command *c, int o)
{
	switch (o) {
	case 'u':
		c->types |= DQUOT_USER;
		return 0;
	case 'g':
		c->types |= DQUOT_GROUP;
		return 0;
	case 'p':
		c->types |= DQUOT_PROJECT;
		return 0;
	case 'b':
		c->blocks = true;
		return 0;
	case 'i':
		c->inodes = true;
		return 0;
	case 'n':
		c->numbers = true;
		return 0;
	case 'N':
		c->no_header = true;
		return 0;
	case 't':
		c->terse = true;
		return 0;
	case 'h':
		c->human = true;
		return 0;
	case 'd':
		c->defaults = true;
		return 0;
	case 'L':
	case 'U':
		if (!cli_parse_number(optarg, o == 'L' ? &c->low : &c->high))
			return cli_misuse(self, "-%c \"%s\": no id", o, optarg);
		return 0;
	default:
		return cli_usage(self);
	}
}

static int parse(const struct command *self, void *to, int argc, char **argv)
{
	struct quota_command *c = to;
	int o, status = 0;

	for (u32 i = 0; i < ARRAY_COUNT(verbs) && argc > 1; i++)
		if (!strcmp(argv[1], verbs[i].name))
			c->verb = &verbs[i];
	if (!c->verb)
		return argc > 1 ? cli_misuse(self, "there is no \"quota %s\"", argv[1])
				: cli_usage(self);
	argc--;
	argv++;
	c->high = NULL32;
	while (!status && (o = getopt(argc, argv, "ugpbinNthdL:U:")) != -1)
		status = parse_one(self, c, o);
	if (status)
		return status;
	if (optind >= argc)
		return cli_misuse(self, "expected a mount point or an image");
	for (; optind + 1 < argc; optind++) {
		if (c->words == QUOTA_WORDS_MAX)
			return cli_misuse(self, "too many words");
		c->word[c->words++] = argv[optind];
	}
	c->image.data = argv[optind];
	if (!c->verb->words_good(c))
		return cli_misuse(self,
				  "quota %s [-u|-g|-p] %s%sMOUNT|IMAGE: bad, or too many, words",
				  c->verb->name, c->verb->words, *c->verb->words ? " " : "");
	return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "project"))
		return quota_project(self, argc - 1, argv + 1);
	return cli_run_command(self, argc, argv);
}

const struct command command_quota = {
    .name = "quota",
    .arguments = "report|state|limit|timer|warn|on|off|enable|disable|project ... MOUNT|IMAGE",
    .summary = "show and set quotas, as xfs_quota does",
    .help =
	"  report [-ugp] [-bi] [-nNth] [-L ID] [-U ID]\n"
	"                        usage and limits, in KiB: -b blocks (default), -i inodes,\n"
	"                        -n numbers for names, -N no header, -t only who is above a limit\n"
	"  state [-ugp]          what is on\n"
	"  limit [-u|-g|-p] [bsoft=N] [bhard=N] [isoft=N] [ihard=N] -d|ID\n"
	"                        of blocks in bytes, with suffixes; 0: none; -d: the default\n"
	"  timer [-u|-g|-p] [-bi] VALUE [ID]\n"
	"                        the time of grace, or that of one who is above a limit:\n"
	"                        seconds, or with m, h, d, w\n"
	"  warn [-u|-g|-p] [-bi] VALUE -d|ID\n"
	"                        the count of warnings\n"
	"  on, off [-ugp]        count and limit, or do not; all types, if none is named\n"
	"  enable, disable [-ugp]\n"
	"                        limits hold, or do not\n"
	"  project -s|-c|-C ID DIRECTORY\n"
	"                        set up, check or clear a project for a tree of a mount\n"
	"ID is a number or a name (of projects: /etc/projid).\n",
    .run = run,
    .options_size = sizeof(struct quota_command),
    .parse = parse,
    .work = work,
};
