/* mendfs check: the sweep over an image, and its report. */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "meta/types_table.h"

#include <errno.h>
#include <stdio.h>

struct check {
	struct report report;
	struct cli_image image;
	const struct meta_type *only;
	bool json, verbose, preen;
};

static void on_finding(struct env *env, const struct finding *finding)
{
	struct check *check = env->front;

	report_add(&check->report, finding);
}

static void on_note(struct env *env, const char *line)
{
	(void)env;
	fprintf(stderr, "mendfs: %s\n", line);
}

static void on_open_finding(struct verdict *v, const struct finding *finding)
{
	report_add(v->sink, finding);
}

static int sweep(struct check *check, struct vol *vol)
{
	struct report *report = &check->report;
	struct sweep_options options = {.only = check->only, .preen = check->preen};
	int err;

	report->opened = true;
	report->replayed = vol->replayed;
	report->log = vol->log_status;
	report->g = &vol->geo;
	err = sweep_run(vol, &options, &report->stats);
	cache_stats(vol->cache, &report->cache);
	return err;
}

static bool is_damage(int err)
{
	return err == -EUCLEAN || err == -EBADMSG;
}

/* Runs the check and prints; returns the exit status. */
static int check_image(struct check *check, struct env *env)
{
	struct report *report = &check->report;
	struct verdict v = {.raise = on_open_finding, .sink = report};
	u64 start = env->now(env);
	struct vol *vol = NULL;
	int err, status;

	check->image.verdict = &v;
	err = cli_open(env, &check->image, &vol);
	if (!err)
		err = sweep(check, vol);
	if (!err)
		err = report_finish(report, vol);
	progress_end();
	report->ns = env->now(env) - start;
	if (err) {
		snprintf(report->error_text, TRAIL_MAX, "%s", trail_text());
		report->error = report->error_text;
		if (!report->sorted)
			report_finish(report, NULL);
	}
	status = report_status(report) | (is_damage(err) ? STATUS_CORRUPT : 0);
	if (err && !check->json)
		fprintf(stderr, "mendfs: %s\n", report->error);
	if (check->json) {
		if (report_print_json(report, status))
			status = cli_failed();
	} else {
		report_print(report);
	}
	vol_close(vol);
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
	check->image.no_recovery = !strcmp(choice, "ignore");
	return check->image.accept_loss || check->image.no_recovery || !strcmp(choice, "refuse");
}

/* 0, or STATUS_USAGE. */
static int parse(const struct command *self, struct check *check, int argc, char **argv)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"memory", required_argument, NULL, 'm'},
	    {"only", required_argument, NULL, 'o'},
	    {"preen", no_argument, NULL, 'p'},
	    {"log", required_argument, NULL, 'L'},
	    {"log-device", required_argument, NULL, 'l'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {0},
	};
	u64 memory = 0;
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 'j') {
			check->json = true;
		} else if (c == 'v') {
			check->verbose = true;
		} else if (c == 'm') {
			if (!cli_parse_size(optarg, &memory) || !memory)
				return cli_misuse(self, "\"%s\" is no size", optarg);
			check->image.memory = memory;
		} else if (c == 'o') {
			check->only = find_type(optarg);
			if (!check->only)
				return cli_misuse(self, "there is no type \"%s\"", optarg);
		} else if (c == 'p') {
			check->preen = true;
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
	return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct check check = {0};
	struct env env;
	int status = parse(self, &check, argc, argv);

	if (status)
		return status;
	host_env_init(&env, 0);
	if (report_open(&env, &check.report))
		return cli_failed();
	check.report.image = check.image.data;
	check.report.live = check.verbose;
	env.front = &check;
	env.finding = on_finding;
	if (check.verbose)
		env.note = on_note;
	progress_begin(&env);
	status = check_image(&check, &env);
	report_close(&check.report);
	return status;
}

const struct command command_check = {
    .name = "check",
    .arguments = "[OPTION...] IMAGE",
    .summary = "say exactly what is wrong with a filesystem; writes nothing",
    .help =
	"Findings on stdout, one a line, each with its permanent name (docs/CHECKS.md).\n"
	"A dirty log is replayed in memory first; the image is opened read-only.\n"
	"\n"
	"  -v, --verbose         show findings on stderr as they come, and notes\n"
	"  --json                print one JSON object instead (docs/JSON.md)\n"
	"  --memory=SIZE         for the cache of blocks: 16M\n"
	"  --only=TYPE           only metadata of this type: agf, inode\n"
	"  --preen               also what is sound, but could be better, as kernels leave it\n"
	"  --log=refuse          stop at a damaged log (the default)\n"
	"  --log=accept-loss     replay what is whole of a damaged log\n"
	"  --log=ignore          look at the disk as it is, without replay\n" CLI_HELP_DEVICES "\n"
	"Exit status, OR of: 1 corruption, 2 warnings or optimizations only, 4 the check could\n"
	"not be finished, 8 usage.\n",
    .run = run,
};
