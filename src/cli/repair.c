/* mendfs repair: the rounds of a repair over an image, and what came of them. */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "meta/types_table.h"
#include "scrub/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct repair_command {
	struct report report; /* of the survey at hand */
	struct env *env;
	struct cli_image image;
	bool json, verbose, reported;
	u64 force;
	u32 actions;
};

static void on_finding(void *arg, const struct finding *finding)
{
	struct repair_command *c = arg;

	report_add(&c->report, finding);
}

static void on_env_finding(struct env *env, const struct finding *finding)
{
	on_finding(env->front, finding);
}

static void on_open_finding(struct verdict *v, const struct finding *finding)
{
	(void)v; /* the survey meets it again */
	(void)finding;
}

static void on_note(struct env *env, const char *line)
{
	(void)env;
	fprintf(stderr, "mendfs: %s\n", line);
}

/* What was found before is void. */
static void on_round(void *arg, u32 round)
{
	struct repair_command *c = arg;

	(void)round;
	if (c->reported)
		report_close(&c->report);
	c->reported = !report_open(c->env, &c->report);
	c->report.image = c->image.data;
	c->report.live = c->verbose;
}

static void on_say(void *arg, const char *line)
{
	struct repair_command *c = arg;

	c->actions++;
	progress_end();
	printf("%s\n", line);
}

static void print_result(const struct repair_command *c, const struct repair_result *result)
{
	if (!result->first && !c->actions) {
		printf("nothing to repair\n");
		return;
	}
	printf("%" PRIu64 " findings at first, %" PRIu64 " left after %u rounds; rebuilt: %" PRIu64
	       ", failed: %" PRIu64 "%s\n",
	       result->first, result->left, result->rounds, result->rebuilt, result->failed,
	       c->image.preview ? "; nothing was written, this was a preview" : "");
}

static int repair(struct repair_command *c, struct vol *vol)
{
	const struct repair_options options = {
	    .round = on_round,
	    .finding = on_finding,
	    .say = on_say,
	    .arg = c,
	    .memory = c->image.memory,
	    .force = c->force,
	};
	struct repair_result result;
	int err = repair_run(vol, &options, &result);

	if (err)
		return err;
	c->report.stats = result.stats;
	c->report.g = &vol->geo;
	c->report.opened = true;
	c->report.log = vol->log_status;
	err = report_finish(&c->report, vol);
	progress_end();
	if (!err && result.left)
		report_print(&c->report);
	if (!err)
		print_result(c, &result);
	return err;
}

/* Returns the exit status. */
static int repair_image(struct repair_command *c)
{
	struct verdict v = {.raise = on_open_finding};
	struct vol *vol = NULL;
	int err, status;

	c->image.verdict = &v;
	err = cli_open(c->env, &c->image, &vol);
	if (!err)
		err = repair(c, vol);
	progress_end();
	status = err ? cli_failed() : report_status(&c->report);
	if (vol && vol_close(vol) && !err)
		status |= cli_failed();
	return status;
}

/* "all", or names of types with commas between them. */
static bool parse_types(const char *text, u64 *types)
{
	if (!strcmp(text, "all")) {
		*types = ~0ull;
		return true;
	}
	while (*text) {
		size_t length = strcspn(text, ",");
		u32 i = 0;

		while (i < META_COUNT && (strlen(meta_types.type[i]->name) != length ||
					  memcmp(meta_types.type[i]->name, text, length) != 0))
			i++;
		if (i == META_COUNT)
			return false;
		*types |= 1ull << i;
		text += length;
		text += *text == ',';
	}
	return *types != 0;
}

/* 0, or STATUS_USAGE. */
static int parse(const struct command *self, struct repair_command *c, int argc, char **argv)
{
	static const struct option options[] = {
	    {"preview", no_argument, NULL, 'p'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"force", required_argument, NULL, 'f'},
	    {"memory", required_argument, NULL, 'm'},
	    {"log", required_argument, NULL, 'L'},
	    {"log-device", required_argument, NULL, 'l'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {"undo", required_argument, NULL, 'u'},
	    {0},
	};
	u64 memory = 0;
	int o;

	while ((o = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (o == 'p') {
			c->image.preview = true;
		} else if (o == 'v') {
			c->verbose = true;
		} else if (o == 'f') {
			if (!parse_types(optarg, &c->force))
				return cli_misuse(self, "\"%s\" is no list of types", optarg);
		} else if (o == 'm') {
			if (!cli_parse_size(optarg, &memory) || !memory)
				return cli_misuse(self, "\"%s\" is no size", optarg);
			c->image.memory = memory;
		} else if (o == 'L') {
			c->image.accept_loss = !strcmp(optarg, "accept-loss");
			if (!c->image.accept_loss && strcmp(optarg, "refuse") != 0)
				return cli_misuse(self, "--log is refuse or accept-loss");
		} else if (o == 'u') {
			c->image.undo = optarg;
		} else if (o == 'l') {
			c->image.log = optarg;
		} else if (o == 'r') {
			c->image.rt = optarg;
		} else {
			return cli_usage(self);
		}
	}
	if (optind + 1 != argc)
		return cli_misuse(self, "expected one image");
	if (c->image.undo && (c->image.preview || c->image.log))
		return cli_misuse(self, "--undo does not go with --preview, nor with a log device");
	c->image.data = argv[optind];
	return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct repair_command c = {.image = {.write = true, .repair = true}};
	struct env env;
	int status = parse(self, &c, argc, argv);

	if (status)
		return status;
	host_env_init(&env, 0);
	c.env = &env;
	env.front = &c;
	env.finding = on_env_finding;
	if (c.verbose)
		env.note = on_note;
	on_round(&c, 0);
	progress_begin(&env);
	status = repair_image(&c);
	if (c.reported)
		report_close(&c.report);
	return status;
}

const struct command command_repair = {
    .name = "repair",
    .arguments = "[OPTION...] IMAGE",
    .summary = "check a filesystem, and mend what is wrong with it",
    .help = "What is damaged is made anew from the other structures that tell the same. What was\n"
	    "done is printed on stdout, then what is left, as `mendfs check` would print it.\n"
	    "\n"
	    "  --preview             in memory alone: the image is not written\n"
	    "  --force=TYPE,...      make these anew, too, though nothing is wrong: bnobt, rmapbt, "
	    "all\n"
	    "  -v, --verbose         show findings on stderr as they come, and notes\n"
	    "  --memory=SIZE         for the cache of blocks: 16M\n"
	    "  --log=refuse          stop at a damaged log (the default)\n"
	    "  --log=accept-loss     replay what is whole of a damaged log\n" CLI_HELP_DEVICES "\n"
	    "Exit status, of what is left, OR of: 1 corruption, 2 warnings or optimizations only,\n"
	    "4 the repair could not be finished, 8 usage.\n",
    .run = run,
};
