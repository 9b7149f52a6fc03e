/* mendfs health: what a mounted filesystem knows of its health, as `xfs_spaceman -c health` tells
 * it. */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/object.h"
#include "format/scrub.h"
#include "format/verify.h"
#include "fs/health.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#define NAMED_MAX 64

struct health_command {
	struct cli_image image; /* first */
	bool json, quiet, inodes, fs;
	u32 ag[NAMED_MAX], ags;
	u64 ino[NAMED_MAX];
	u32 inos;
	char **path;
	u32 paths;
};

struct telling {
	struct cli_run *run;
	const struct health_command *c;
	const struct health *health;
	const struct geometry *g;
	u64 told, sick;
};

/* One line an item that is sick, or has been checked and is not. */
static void tell(struct telling *t, enum meta_scope scope, const char *what,
		 struct health_marks marks)
{
	for (u32 i = 0; i < SCRUB_COUNT; i++) {
		bool sick = marks.sick >> i & 1, checked = marks.checked >> i & 1;

		if (scrub_defs[i].scope != scope || (!sick && !checked))
			continue;
		t->told++;
		t->sick += sick;
		if (sick || !t->c->quiet)
			fprintf(t->run->out, "%s %s: %s\n", what, scrub_defs[i].name,
				sick ? "unhealthy" : "ok");
	}
}

static void tell_fs(struct telling *t)
{
	tell(t, SCOPE_FS, "filesystem", health_of_fs(t->health));
}

static int tell_ag(struct telling *t, u32 ag)
{
	struct health_marks marks;
	char what[24];

	if (ag >= t->g->ag_count)
		return fail(-ENOENT, "AG %u: there are %u", ag, t->g->ag_count);
	marks = health_of_ag(t->health, ag);
	snprintf(what, sizeof(what), "AG %u", ag);
	tell(t, SCOPE_AG, what, marks);
	if (marks.sick & HEALTH_INODES_SICK) {
		t->sick++;
		fprintf(t->run->out, "%s inodes: unhealthy\n", what);
	}
	return 0;
}

static void tell_inode(struct telling *t, u64 ino, const char *name)
{
	char what[32];

	snprintf(what, sizeof(what), "inode %" PRIu64, ino);
	tell(t, SCOPE_INODE, name ? name : what, health_of_inode(t->health, ino));
}

/* All that are known to be sick, of one AG or of all; the others are told of together. */
static void tell_inodes(struct telling *t, u32 ag)
{
	struct health_marks marks;
	u64 ino = 0;

	while (health_next_inode(t->health, &ino, &marks)) {
		if (ag != NO_AG && inum_ag(t->g, inum_of(ino)) != ag)
			continue;
		t->told++;
		t->sick++;
		marks.checked = 0; /* what is well of it is not worth a line here */
		char what[32];

		snprintf(what, sizeof(what), "inode %" PRIu64, ino);
		tell(t, SCOPE_INODE, what, marks);
	}
	if (!t->c->quiet && health_of_inode(t->health, 0).checked)
		fprintf(t->run->out, "all other inodes: ok\n");
}

static int tell_path(struct telling *t, struct vol *snapshot, const char *path)
{
	struct inum ino;
	int err = object_inum(snapshot, path, &ino);

	if (!err)
		tell_inode(t, ino.v, path);
	return err;
}

static int tell_paths(struct telling *t)
{
	struct verdict lenient = {.raise = raise_nothing};
	struct cli_image image = t->c->image;
	struct vol *snapshot = NULL;
	int err = 0;

	if (!t->c->paths)
		return 0;
	image.verdict = &lenient;
	err = cli_run_open(t->run, &image, &snapshot);
	for (u32 i = 0; i < t->c->paths && !err; i++)
		err = tell_path(t, snapshot, t->c->path[i]);
	vol_close(snapshot);
	return err;
}

static int tell_chosen(struct telling *t)
{
	const struct health_command *c = t->c;
	bool chosen = c->fs || c->ags || c->inos || c->paths;
	int err = 0;

	if (c->fs || !chosen)
		tell_fs(t);
	for (u32 i = 0; i < c->ags && !err; i++) {
		err = tell_ag(t, c->ag[i]);
		if (!err && c->inodes)
			tell_inodes(t, c->ag[i]);
	}
	for (u32 ag = 0; ag < t->g->ag_count && !chosen; ag++)
		tell_ag(t, ag);
	if (c->inodes && (c->fs || !chosen))
		tell_inodes(t, NO_AG);
	for (u32 i = 0; i < c->inos; i++)
		tell_inode(t, c->ino[i], NULL);
	return err ? err : tell_paths(t);
}

/* ---- as JSON ---- */

static json_t *names_of(enum meta_scope scope, u32 items)
{
	json_t *names = json_array();

	for (u32 i = 0; i < SCRUB_COUNT; i++)
		if (items >> i & 1 && scrub_defs[i].scope == scope)
			json_array_append_new(names, json_string(scrub_defs[i].name));
	if (scope == SCOPE_AG && items & HEALTH_INODES_SICK)
		json_array_append_new(names, json_string("inodes"));
	return names;
}

static json_t *marks_of(struct telling *t, enum meta_scope scope, struct health_marks marks)
{
	t->sick += marks.sick != 0;
	return json_pack("{s:o, s:o}", "sick", names_of(scope, marks.sick), "checked",
			 names_of(scope, marks.checked));
}

/* All of it, whatever has been chosen. */
static int print_json(struct telling *t)
{
	json_t *ags = json_array(), *inodes = json_array(), *all;
	struct health_marks marks;
	u64 ino = 0;
	int err;

	for (u32 ag = 0; ag < t->g->ag_count; ag++) {
		json_t *o = marks_of(t, SCOPE_AG, health_of_ag(t->health, ag));

		json_object_set_new(o, "ag", json_integer(ag));
		json_object_set_new(o, "quarantined",
				    json_boolean(health_fenced(t->run->mounted, ag)));
		json_array_append_new(ags, o);
	}
	while (health_next_inode(t->health, &ino, &marks)) {
		json_t *o = marks_of(t, SCOPE_INODE, marks);

		json_object_set_new(o, "ino", json_integer((json_int_t)ino));
		json_array_append_new(inodes, o);
	}
	all = json_pack("{s:i, s:o, s:o, s:o, s:b}", "schema", 1, "filesystem",
			marks_of(t, SCOPE_FS, health_of_fs(t->health)), "ags", ags, "inodes",
			inodes, "inodes_checked", health_of_inode(t->health, 0).checked != 0);
	err = all && !json_dumpf(all, t->run->out, JSON_INDENT(2))
		  ? 0
		  : fail(-ENOMEM, "the report cannot be made");
	fputc('\n', t->run->out);
	json_decref(all);
	return err;
}

static int work(struct cli_run *run, void *options)
{
	const struct health_command *c = options;
	struct telling t = {.run = run, .c = c};
	int err;

	if (!run->mounted) {
		fail(-EINVAL,
		     "%s: what is not mounted has no health that is kept; `mendfs check' tells",
		     c->image.data);
		return cli_failed_in(run);
	}
	t.health = run->mounted->health;
	t.g = &run->mounted->geo;
	err = c->json ? print_json(&t) : tell_chosen(&t);
	if (err)
		return cli_failed_in(run) | (t.sick ? STATUS_CORRUPT : 0);
	if (!c->json && !t.told && !t.sick)
		fprintf(run->err, "Nothing of that has been checked or met damage since the mount; "
				  "`mendfs scrub' or `mendfs check' looks at everything.\n");
	return t.sick ? STATUS_CORRUPT : 0;
}

static int parse_one(const struct command *self, struct health_command *c, int o)
{
	u64 number = 0;

	switch (o) {
	case 'j':
		c->json = true;
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	case 'c':
		c->inodes = true;
		return 0;
	case 'f':
		c->fs = true;
		return 0;
	case 'a':
		if (!cli_parse_number(optarg, &number) || number >= NULL32 || c->ags == NAMED_MAX)
			return cli_misuse(self, "-a \"%s\": no AG, or too many", optarg);
		c->ag[c->ags++] = (u32)number;
		return 0;
	case 'i':
		if (!cli_parse_number(optarg, &number) || c->inos == NAMED_MAX)
			return cli_misuse(self, "-i \"%s\": no inode, or too many", optarg);
		c->ino[c->inos++] = number;
		return 0;
	default:
		return cli_usage(self);
	}
}

static int parse(const struct command *self, void *to, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct health_command *c = to;
	int o, status = 0;

	while (!status && (o = getopt_long(argc, argv, "a:cfi:q", options, NULL)) != -1)
		status = parse_one(self, c, o);
	if (status)
		return status;
	if (optind >= argc)
		return cli_misuse(self, "expected the directory of a mount");
	c->image.data = argv[optind];
	c->path = argv + optind + 1;
	c->paths = (u32)(argc - optind - 1);
	for (u32 i = 0; i < c->paths; i++)
		if (c->path[i][0] != '/')
			return cli_misuse(self, "\"%s\": a path in the filesystem begins with /",
					  c->path[i]);
	return 0;
}

const struct command command_health = {
    .name = "health",
    .arguments = "[-cfq] [--json] [-a AG]... [-i INODE]... DIRECTORY [PATH...]",
    .summary = "tell what is known of the health of a mounted filesystem",
    .help =
	"What operations have met and what checks have found since it was mounted: of the\n"
	"filesystem and all AGs, or of what is named alone. Nothing is checked by this.\n"
	"\n"
	"  -a AG        this allocation group\n"
	"  -c           inodes, too: those that are damaged (with -a: of the AG)\n"
	"  -f           what belongs to the whole filesystem\n"
	"  -i INODE     this inode\n"
	"  -q           only what is unhealthy\n"
	"  --json       everything, as one JSON object\n"
	"  PATH         the file of this path in the filesystem\n"
	"\n"
	"Exit status: 0 nothing is damaged, as far as is known; 1 something is; 4 it could not\n"
	"be told; 8 usage.\n",
    .options_size = sizeof(struct health_command),
    .parse = parse,
    .work = work,
};
