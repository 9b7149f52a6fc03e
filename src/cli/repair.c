/*
 * mendfs repair: the rounds of a repair over an image, and what came of them.
 *
 * A preview is the same above an overlay (device/overlay.c), which can be mounted when it is done.
 * What it says is kept until then, so that it can be said with paths: nothing is changed by it that
 * a person would have to know at once.
 */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/said.h"
#include "cli/serve.h"
#include "format/verify.h"
#include "meta/types_table.h"
#include "scrub/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

struct repair_command {
	struct cli_image image; /* first */
	bool verbose, live, foreground;
	const char *mount; /* of a preview: where its result is mounted; NULL: nowhere */
	u64 force;
};

/* One repair at work. */
struct repairing {
	struct cli_run *run;
	const struct repair_command *options;
	struct cli_image image;
	struct cli_kept kept; /* of a preview that is to be mounted */
	struct report report; /* of the survey at hand */
	struct progress_line line;
	struct said said; /* in a preview */
	bool reported;
	u32 actions;
	int mount_status;
};

static void on_finding(void *arg, const struct finding *finding)
{
	struct repairing *r = arg;

	report_add(&r->report, finding);
}

/* What was found before is void. */
static void on_round(void *arg, u32 round)
{
	struct repairing *r = arg;

	(void)round;
	if (r->reported)
		report_close(&r->report);
	r->reported = !report_open(&r->run->env, &r->report);
	r->report.image = r->options->image.data;
	r->report.mounted = r->run->mounted != NULL;
	r->report.live = r->options->verbose ? r->run->err : NULL;
}

static void on_say(void *arg, const char *line)
{
	struct repairing *r = arg;

	r->actions++;
	if (r->options->image.preview && said_add(&r->said, line))
		return;
	progress_end(&r->line);
	fprintf(r->run->out, "%s\n", line);
	fflush(r->run->out);
}

static void print_lost(const struct repairing *r, const struct repair_result *result)
{
	if (result->lost_names || result->lost_attributes || result->lost_bytes)
		fprintf(r->run->out,
			"%s: %" PRIu64 " names, %" PRIu64 " attributes, %" PRIu64
			" bytes of files\n",
			r->options->image.preview ? "would be lost" : "lost", result->lost_names,
			result->lost_attributes, result->lost_bytes);
}

static void print_result(const struct repairing *r, const struct repair_result *result)
{
	FILE *out = r->run->out;

	if (!result->first && !r->actions) {
		fprintf(out, "nothing to repair\n");
		return;
	}
	fprintf(out,
		"%" PRIu64 " findings at first, %" PRIu64 " left after %u rounds; rebuilt: %" PRIu64
		", failed: %" PRIu64 "%s\n",
		result->first, result->left, result->rounds, result->rebuilt, result->failed,
		r->options->image.preview ? "; nothing was written, this was a preview" : "");
}

static int repair(struct repairing *r, struct vol *vol)
{
	const struct repair_options options = {
	    .round = on_round,
	    .finding = on_finding,
	    .say = on_say,
	    .arg = r,
	    .env = &r->run->env,
	    .memory = r->options->image.memory,
	    .force = r->options->force,
	    .live = vol == r->run->mounted,
	    .never_stop = vol == r->run->mounted && r->options->live,
	};
	struct repair_result result;
	int err = repair_run(vol, &options, &result);

	if (err)
		return err;
	r->report.stats = result.stats;
	r->report.g = vol->geo;
	r->report.opened = true;
	r->report.log = vol->log_status;
	err = report_finish(&r->report, vol);
	progress_end(&r->line);
	if (!err)
		err = said_print(&r->said, vol, r->run->out);
	if (!err && result.left)
		report_print(r->run->out, &r->report);
	if (!err) {
		print_lost(r, &result);
		print_result(r, &result);
	}
	return err;
}

/* Of what is mounted: the mount goes on, and is not told of what a copy is like. */
static int preview_copy(struct repairing *r, struct vol *mounted)
{
	struct verdict v = {.raise = raise_nothing};
	const struct vol_options how = {
	    .write = true, .memory = r->options->image.memory, .verdict = &v};
	struct vol *copy = NULL;
	int closed, err = vol_snapshot(mounted, &r->run->env, &how, &copy);

	if (!err)
		err = repair(r, copy);
	closed = vol_close(copy);
	return err ? err : closed;
}

static int repair_mounted(struct repairing *r)
{
	struct vol *vol = r->run->mounted;

	if (r->options->image.undo || r->options->mount)
		return fail(-EOPNOTSUPP, "%s: %s is for what is not mounted",
			    r->options->image.data, r->options->mount ? "--mount" : "--undo");
	if (r->options->image.preview)
		return preview_copy(r, vol);
	if (!vol->journal)
		return fail(-EOPNOTSUPP, "%s: is mounted read-only", r->options->image.data);
	return repair(r, vol);
}

static void say_emptied(struct repairing *r, const struct log_loss *loss)
{
	char text[CLI_LOSS_TEXT], line[CLI_LOSS_TEXT + 32];

	cli_loss_text(loss, text);
	snprintf(line, sizeof(line), "log: emptied, %s",
		 *text ? text : "what was not replayed of it is lost");
	on_say(r, line);
}

static int repair_image(struct repairing *r)
{
	struct verdict v = {.raise = raise_nothing};
	struct vol *vol = NULL;
	int closed, fd, err = cli_lock(r->image.data, !r->image.preview, &fd);

	r->image.verdict = &v;
	if (!err)
		err = cli_open(&r->run->env, &r->image, &vol);
	r->image.verdict = NULL;
	if (!err && vol->log_emptied)
		say_emptied(r, &vol->log_status.loss);
	if (!err)
		err = repair(r, vol);
	closed = vol_close(vol);
	if (fd >= 0)
		close(fd);
	return err ? err : closed;
}

/* ---- the result of a preview, mounted ---- */

static int serve_start(struct repairing *r, struct serve *serve)
{
	struct vol *vol = NULL;
	int err;

	r->run->env.note = serve_note;
	r->run->env.front = serve;
	err = cli_open_kept(&r->run->env, &r->image, &vol);
	return err ? err : serve_open(serve, vol);
}

static int preview_mounted(struct repairing *r)
{
	static struct serve serve; /* one of a process */
	int err, status = 0;

	serve_init(&serve);
	serve.options = (struct server_options){.permissions = true, .heal = HEAL_NONE};
	serve.foreground = r->options->foreground;
	err = serve_lock(&serve, r->image.data, r->options->mount);
	if (!err)
		err = repair_image(r);
	progress_end(&r->line);
	if (!err)
		err = serve_start(r, &serve);
	fflush(r->run->out);
	if (!err)
		status = serve_run(&serve);
	serve_close(&serve);
	r->mount_status = status;
	return err;
}

static int work(struct cli_run *run, void *options)
{
	struct repairing r = {.run = run, .options = options};
	int err, status;

	on_round(&r, 0);
	progress_begin(&run->env, &r.line, run->err, run->terminal);
	r.image = r.options->image;
	r.image.kept = r.options->mount ? &r.kept : NULL;
	err = run->mounted	 ? repair_mounted(&r)
	      : r.options->mount ? preview_mounted(&r)
				 : repair_image(&r);
	progress_end(&r.line);
	status = err ? cli_failed_in(run) : report_status(&r.report) | r.mount_status;
	cli_close_kept(&r.kept);
	said_free(&r.said);
	if (r.reported)
		report_close(&r.report);
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
static int parse(const struct command *self, void *to, int argc, char **argv)
{
	struct repair_command *c = to;
	static const struct option options[] = {
	    {"preview", no_argument, NULL, 'p'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"force", required_argument, NULL, 'F'},
	    {"mount", required_argument, NULL, 'M'},
	    {"foreground", no_argument, NULL, 'f'},
	    {"live", no_argument, NULL, 'i'},
	    {"memory", required_argument, NULL, 'm'},
	    {"log", required_argument, NULL, 'L'},
	    {"log-device", required_argument, NULL, 'l'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {"undo", required_argument, NULL, 'u'},
	    {0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "vf", options, NULL)) != -1) {
		if (o == 'p') {
			c->image.preview = true;
		} else if (o == 'v') {
			c->verbose = true;
		} else if (o == 'i') {
			c->live = true;
		} else if (o == 'f') {
			c->foreground = true;
		} else if (o == 'M') {
			c->mount = optarg;
		} else if (o == 'F') {
			if (!parse_types(optarg, &c->force))
				return cli_misuse(self, "\"%s\" is no list of types", optarg);
		} else if (o == 'm') {
			if (cli_take_memory(self, optarg, &c->image.memory))
				return STATUS_USAGE;
		} else if (o == 'L') {
			c->image.accept_loss = !strcmp(optarg, "accept-loss");
			c->image.discard_log = !strcmp(optarg, "discard");
			if (!c->image.accept_loss && !c->image.discard_log &&
			    strcmp(optarg, "refuse") != 0)
				return cli_misuse(self, "--log is refuse, accept-loss or discard");
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
	if ((c->mount || c->foreground) && !c->image.preview)
		return cli_misuse(self, "--mount and -f go with --preview");
	if (c->foreground && !c->mount)
		return cli_misuse(self, "-f goes with --mount");
	c->image.data = argv[optind];
	c->image.write = c->image.repair = true;
	c->image.log_choice = "--log=accept-loss replays what is whole of the log and empties it, "
			      "--log=discard empties it";
	return 0;
}

const struct command command_repair = {
    .name = "repair",
    .arguments = "[OPTION...] IMAGE|DIRECTORY",
    .summary = "check a filesystem, and mend what is wrong with it",
    .help =
	"What is damaged is made anew from the other structures that tell the same. What was\n"
	"done is printed on stdout, then what is left, as `mendfs check` would print it.\n"
	"\n"
	"  --preview             in memory alone: the image is not written\n"
	"  --mount=DIRECTORY     of a preview: mount the result read-only, to look at it, until\n"
	"                        it is unmounted\n"
	"  -f, --foreground      with --mount: stay until then\n"
	"  --force=TYPE,...      make these anew, too, though nothing is wrong: bnobt, rmapbt, "
	"all\n"
	"  --live                of what is mounted: only what can be mended while others write\n"
	"  -v, --verbose         show findings on stderr as they come, and notes\n"
	"  --memory=SIZE         for the cache of blocks: 16M; 1M at least\n"
	"  --log=refuse          stop at a damaged log (the default)\n"
	"  --log=accept-loss     replay what is whole of a damaged log\n"
	"  --log=discard         empty it, whatever it has: the last changes are "
	"lost\n" CLI_HELP_DEVICES "\n"
	"Exit status, of what is left, OR of: 1 corruption, 2 warnings or optimizations only,\n"
	"4 the repair could not be finished, 8 usage.\n",
    .options_size = sizeof(struct repair_command),
    .parse = parse,
    .work = work,
};
