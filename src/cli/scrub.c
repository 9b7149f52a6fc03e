/* mendfs scrub: goes over a filesystem as xfs_scrub does, with its options and exit status. */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "format/verify.h"
#include "scrub/phases.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct scrub_command {
	struct cli_image image; /* first */
	bool check_only, preen_only, force, no_trim, times, verbose, shutdown;
	u32 background;
	u64 errors_max;
};

/* One scrub at work. */
struct scrubbing {
	struct cli_run *run;
	const struct scrub_command *options;
	struct progress_line line;
	u32 phase;
	u64 begun; /* the phase, ns */
	bool failed;
};

static void end_phase(struct scrubbing *s)
{
	struct env *env = &s->run->env;

	progress_end(&s->line);
	if (s->phase && s->options->times)
		fprintf(s->run->out, "Phase %u: %.3f s\n", s->phase,
			(double)(env->now(env) - s->begun) / 1e9);
}

static void on_phase(void *arg, u32 number, const char *title)
{
	struct scrubbing *s = arg;
	struct env *env = &s->run->env;

	end_phase(s);
	s->phase = number;
	s->begun = env->now(env);
	if (s->options->verbose || s->options->times)
		fprintf(s->run->out, "Phase %u: %s.\n", number, title);
	fflush(s->run->out);
}

/* As e2fsck's -C has it: phase, how much of how much, what. */
static void on_progress(void *arg, u32 phase, u64 done, u64 max)
{
	const struct scrubbing *s = arg;

	if (!s->run->progress)
		return;
	fprintf(s->run->progress, "%u %" PRIu64 " %" PRIu64 " %s\n", phase, done, max,
		s->options->image.data);
	fflush(s->run->progress);
}

/* From any thread, one at a time. */
static void on_sweep(struct env *env, const struct progress *p)
{
	const struct scrubbing *s = env->front;

	on_progress(env->front, s->phase, min_u64(p->done, p->total), p->total);
}

static void on_say(void *arg, enum phase_word word, const char *line)
{
	static const char *const before[] = {"Info", "Corruption", "Repaired", "Warning", "Error"};
	struct scrubbing *s = arg;
	bool quiet = word == PHASE_INFO || word == PHASE_REPAIRED;

	s->failed |= word == PHASE_ERROR;
	if (quiet && !s->options->verbose)
		return;
	progress_end(&s->line);
	fprintf(quiet ? s->run->out : s->run->err, "%s: %s: %s\n", before[word],
		s->options->image.data, line);
	fflush(s->run->out);
}

static void print_result(const struct scrubbing *s, const struct phases_result *r)
{
	FILE *out = r->left ? s->run->err : s->run->out;
	const char *name = s->options->image.data;

	if (r->left)
		fprintf(out, "%s: %" PRIu64 " items damaged%s\n", name, r->left,
			s->options->check_only ? "; to repair them run without -n" : "");
	else if (r->repaired)
		fprintf(out, "%s: %" PRIu64 " items repaired\n", name, r->repaired);
	if (r->preen)
		fprintf(out, "%s: %" PRIu64 " items could be better\n", name, r->preen);
	if (r->warnings)
		fprintf(out, "%s: %" PRIu64 " warnings\n", name, r->warnings);
	if (s->options->verbose && r->trimmed)
		fprintf(out, "%s: %" PRIu64 " bytes trimmed\n", name, r->trimmed);
}

static int scrub(struct scrubbing *s, struct vol *vol)
{
	const struct scrub_command *c = s->options;
	const struct phases_options options = {
	    .env = &s->run->env,
	    .memory = c->image.memory,
	    .check_only = c->check_only,
	    .preen_only = c->preen_only,
	    .force = c->force,
	    .no_trim = c->no_trim,
	    .errors_max = c->errors_max,
	    .phase = on_phase,
	    .progress = on_progress,
	    .say = on_say,
	    .arg = s,
	};
	struct phases_result r;
	int err = phases_run(vol, &options, &r), status = 0;

	end_phase(s);
	if (err)
		status |= cli_failed_in(s->run);
	print_result(s, &r);
	if (r.left) {
		status |= STATUS_CORRUPT;
		if (c->shutdown && vol->journal)
			vol_stop(vol);
	}
	if (r.preen || r.warnings)
		status |= STATUS_WARNING;
	if (s->failed || r.aborted)
		status |= STATUS_FAILED;
	return status;
}

/* Not mounted: the same, where nobody else is. */
static int scrub_image(struct scrubbing *s)
{
	struct verdict v = {.raise = raise_nothing};
	struct cli_image image = s->options->image;
	struct vol *vol = NULL;
	int err, status;

	image.verdict = &v;
	image.write = image.repair = !s->options->check_only;
	err = cli_open(&s->run->env, &image, &vol);
	if (err)
		return cli_failed_in(s->run);
	status = scrub(s, vol);
	return vol_close(vol) ? status | cli_failed_in(s->run) : status;
}

static int work(struct cli_run *run, void *options)
{
	struct scrubbing s = {.run = run, .options = options};
	int status;

	if (s.options->background)
		run->env.workers = 1;
	progress_begin(&run->env, &s.line, run->err, run->terminal);
	run->env.front = &s;
	if (s.options->image.progress)
		run->env.progress = on_sweep;
	status = run->mounted ? scrub(&s, run->mounted) : scrub_image(&s);
	progress_end(&s.line);
	return status;
}

static int set_action(const struct command *self, struct scrub_command *c, const char *action)
{
	c->shutdown = !strcmp(action, "shutdown");
	if (!c->shutdown && strcmp(action, "continue") != 0)
		return cli_misuse(self, "-e is continue or shutdown");
	return 0;
}

/* 0, or STATUS_USAGE. */
static int parse_one(const struct command *self, struct scrub_command *c, int o)
{
	u64 number = 0;

	switch (o) {
	case 'n':
		c->check_only = true;
		return 0;
	case 'p':
		c->preen_only = true;
		return 0;
	case 'k':
		c->no_trim = true;
		return 0;
	case 'T':
		c->times = true;
		return 0;
	case 'v':
	case 'd':
		c->verbose = true;
		return 0;
	case 'b':
		c->background++;
		return 0;
	case 'F':
		c->force = true;
		return 0;
	case 'e':
		return set_action(self, c, optarg);
	case 'a':
		if (!cli_parse_number(optarg, &c->errors_max) || !c->errors_max)
			return cli_misuse(self, "-a \"%s\": no number of errors", optarg);
		return 0;
	case 'C':
		if (!cli_parse_number(optarg, &number) || number > INT32_MAX)
			return cli_misuse(self, "-C \"%s\": no file descriptor", optarg);
		c->image.progress = (u32)number + 1;
		return 0;
	case 'x':
		return cli_misuse(self, "-x: the data of files cannot be verified yet");
	case 'm':
	case 'o':
	case 'M':
		return cli_misuse(self, "-%c of xfs_scrub is not there", o);
	default:
		return cli_usage(self);
	}
}

static int parse(const struct command *self, void *to, int argc, char **argv)
{
	static const struct option options[] = {{"force-rebuild", no_argument, NULL, 'F'}, {0}};
	struct scrub_command *c = to;
	int o, status = 0;

	while (!status &&
	       (o = getopt_long(argc, argv, "a:bC:de:kM:m:no:pTvx", options, NULL)) != -1)
		status = parse_one(self, c, o);
	if (status)
		return status;
	if (optind + 1 != argc)
		return cli_misuse(self, "expected one mount point");
	if (c->check_only && c->preen_only)
		return cli_misuse(self, "-n and -p exclude each other");
	c->image.data = argv[optind];
	return 0;
}

/* The environment is the client's, so what it says becomes a word of the command. */
static int run(const struct command *self, int argc, char **argv)
{
	static char force[] = "--force-rebuild";
	const char *wanted = getenv("XFS_SCRUB_FORCE_REPAIR");
	char **words = calloc((size_t)argc + 2, sizeof(*words));
	int count = 0, status;

	if (!words) {
		fail(-ENOMEM, "out of memory");
		return cli_failed();
	}
	words[count++] = argv[0];
	if (wanted && *wanted && strcmp(wanted, "0") != 0)
		words[count++] = force;
	for (int i = 1; i < argc; i++)
		words[count++] = argv[i];
	status = cli_run_command(self, count, words);
	free(words);
	return status;
}

const struct command command_scrub = {
    .name = "scrub",
    .arguments = "[-bdkpnTv] [-a N] [-C FD] [-e continue|shutdown] MOUNT|IMAGE",
    .summary = "check and repair all of a mounted filesystem, as xfs_scrub does",
    .help = "Goes over all metadata in phases, and repairs what is damaged while it is in use.\n"
	    "\n"
	    "  -n                    only check\n"
	    "  -p                    only optimize; what is damaged is reported\n"
	    "  -k                    do not trim free space at the end\n"
	    "  -a N                  give up after more than N errors\n"
	    "  -e continue|shutdown  with errors left, go on (the default), or stop all writing\n"
	    "  -C FD                 progress to this descriptor: phase, done, of how much, what\n"
	    "  -T                    tell how long each phase takes\n"
	    "  -b                    with one thread\n"
	    "  -v, -d                tell more\n"
	    "  --force-rebuild       make everything anew, as XFS_SCRUB_FORCE_REPAIR=1 in the\n"
	    "                        environment does\n"
	    "\n"
	    "Exit status, OR of: 1 errors left, 2 warnings or optimizations possible, 4 the scrub\n"
	    "could not be finished, 8 usage.\n",
    .run = run,
    .options_size = sizeof(struct scrub_command),
    .parse = parse,
    .work = work,
};
