/* mendfs check: the sweep over an image, or a snapshot of what is mounted, and its report. */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "meta/types_table.h"
#include "scrub/survey.h"

#include <errno.h>
#include <stdio.h>

struct check {
	struct cli_image image; /* first */
	const struct meta_type *only;
	bool json, verbose, preen;
};

/* A check of everything tells the health of what is mounted. */
struct checking {
	struct report report; /* first: who notes looks here, too */
	const struct vol *mounted;
	struct health_survey *health;
};

static void on_finding(struct env *env, const struct finding *finding)
{
	const struct checking *c = env->front;

	report_add(env->front, finding);
	if (c->health)
		survey_tell(c->health, c->mounted, finding);
}

static void on_note(struct env *env, const char *line)
{
	const struct report *report = env->front;

	fprintf(report->live, "mendfs: %s\n", line);
}

static void on_open_finding(struct verdict *v, const struct finding *finding)
{
	report_add(v->sink, finding);
}

static int sweep(const struct check *check, struct report *report, struct vol *vol)
{
	struct sweep_options options = {.only = check->only, .preen = check->preen};
	int err;

	report->opened = true;
	report->replayed = vol->replayed;
	report->log = vol->log_status;
	err = sweep_run(vol, &options, &report->stats);
	cache_stats(vol->cache, &report->cache);
	return err;
}

static int print(struct cli_run *run, const struct check *check, struct report *report, int err)
{
	int status = report_status(report) | (err_is_damage(err) ? STATUS_CORRUPT : 0);

	if (err && !check->json)
		fprintf(run->err, "mendfs: %s\n", report->error);
	if (!check->json)
		report_print(run->out, report);
	else if (report_print_json(run->out, report, status))
		status = cli_failed_in(run);
	return status;
}

/* Runs the check and prints; returns the exit status. */
static int check_image(struct cli_run *run, struct check *check, struct checking *c)
{
	struct report *report = &c->report;
	struct verdict v = {.raise = on_open_finding, .sink = report};
	struct progress_line line;
	struct vol *vol = NULL;
	u64 start = run->env.now(&run->env);
	int err;

	progress_begin(&run->env, &line, run->err, run->terminal);
	check->image.verdict = &v;
	if (run->mounted && !check->only)
		c->health = health_survey_begin(run->mounted->health);
	err = cli_run_open(run, &check->image, &vol);
	if (!err)
		err = sweep(check, report, vol);
	health_survey_end(c->health, !err);
	c->health = NULL;
	if (!err)
		err = report_finish(report, vol);
	progress_end(&line);
	report->ns = run->env.now(&run->env) - start;
	if (err) {
		snprintf(report->error_text, TRAIL_MAX, "%s", trail_text());
		report->error = report->error_text;
		if (!report->sorted)
			report_finish(report, NULL);
	}
	if (vol)
		report->g = vol->geo;
	/* before it prints: who reads it may take his time, and a snapshot holds space */
	vol_close(vol);
	return print(run, check, report, err);
}

static int work(struct cli_run *run, void *options)
{
	struct check *check = options;
	struct checking c = {.mounted = run->mounted};
	int status;

	if (report_open(&run->env, &c.report))
		return cli_failed_in(run);
	c.report.image = check->image.data;
	c.report.only = check->only ? check->only->name : NULL;
	c.report.mounted = run->mounted && run->mounted->journal;
	c.report.live = check->verbose ? run->err : NULL;
	run->env.front = &c;
	run->env.finding = on_finding;
	if (check->verbose)
		run->env.note = on_note;
	status = check_image(run, check, &c);
	report_close(&c.report);
	return status;
}

static const struct meta_type *find_type(const char *name)
{
	for (u32 i = 0; i < META_COUNT; i++)
		if (!strcmp(meta_types.type[i]->name, name))
			return meta_types.type[i];
	return NULL;
}

static bool set_log_choice(struct check *check, const char *choice)
{
	check->image.accept_loss = !strcmp(choice, "accept-loss");
	check->image.no_recovery = check->image.tell_log = !strcmp(choice, "ignore");
	return check->image.accept_loss || check->image.no_recovery || !strcmp(choice, "refuse");
}

/* 0, or STATUS_USAGE. */
static int parse(const struct command *self, void *to, int argc, char **argv)
{
	struct check *check = to;
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"preen", no_argument, NULL, 'p'},
	    {"memory", required_argument, NULL, 'm'},
	    {"only", required_argument, NULL, 'o'},
	    {"log", required_argument, NULL, 'L'},
	    {"log-device", required_argument, NULL, 'l'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 'j') {
			check->json = true;
		} else if (c == 'v') {
			check->verbose = true;
		} else if (c == 'p') {
			check->preen = true;
		} else if (c == 'm') {
			if (cli_take_memory(self, optarg, &check->image.memory))
				return STATUS_USAGE;
		} else if (c == 'o') {
			check->only = find_type(optarg);
			if (!check->only)
				return cli_misuse(self, "there is no type \"%s\"", optarg);
		} else if (c == 'L') {
			if (!set_log_choice(check, optarg))
				return cli_misuse(self, "--log is refuse, accept-loss or ignore");
		} else if (c == 'l') {
			check->image.log = optarg;
		} else if (c == 'r') {
			check->image.rt = optarg;
		} else {
			return cli_usage(self);
		}
	}
	if (optind + 1 != argc)
		return cli_misuse(self, "expected one image");
	check->image.data = argv[optind];
	check->image.log_choice =
	    "--log=accept-loss replays what is whole of the log, --log=ignore "
	    "looks at the disk as it is";
	return 0;
}

const struct command command_check = {
    .name = "check",
    .arguments = "[OPTION...] IMAGE|DIRECTORY",
    .summary = "say exactly what is wrong with a filesystem; writes nothing",
    .help =
	"Findings on stdout, one a line, each with its permanent name (docs/CHECKS.md).\n"
	"A dirty log is replayed in memory first; the image is opened read-only.\n"
	"Of a DIRECTORY where a filesystem is mounted, its server checks what it is at this\n"
	"moment, while it goes on; what is said of the log and of devices is not for those.\n"
	"\n"
	"  -v, --verbose         show findings on stderr as they come, and notes\n"
	"  --json                print one JSON object instead (docs/JSON.md)\n"
	"  --preen               also what is sound, but odd, or could be better\n"
	"  --memory=SIZE         for the cache of blocks: 16M; 1M at least\n"
	"  --only=TYPE           only what concerns metadata of this type: agf, inode\n"
	"  --log=refuse          stop at a damaged log (the default)\n"
	"  --log=accept-loss     replay what is whole of a damaged log\n"
	"  --log=ignore          look at the disk as it is; that its log was not\n"
	"                        replayed is a finding then\n" CLI_HELP_DEVICES "\n"
	"Exit status, OR of: 1 corruption, 2 warnings or optimizations only, 4 the check could\n"
	"not be finished, 8 usage.\n",
    .options_size = sizeof(struct check),
    .parse = parse,
    .work = work,
};
