/* What the subcommands share; see cli.h. */
#include "cli/cli.h"

#include "base/trail.h"
#include "cli/control.h"
#include "host/undo.h"
#include "meta/types_table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static void print_usage(FILE *to, const struct command *command)
{
	fprintf(to, "usage: mendfs %s %s\n", command->name, command->arguments);
}

int cli_usage(const struct command *command)
{
	print_usage(stderr, command);
	fprintf(stderr, "`mendfs %s --help` tells more.\n", command->name);
	return STATUS_USAGE;
}

int cli_misuse(const struct command *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "mendfs %s: ", command->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	return cli_usage(command);
}

int cli_help(const struct command *command)
{
	print_usage(stdout, command);
	if (command->summary)
		printf("\n%s.\n", command->summary);
	if (command->help)
		printf("\n%s", command->help);
	return 0;
}

static int tell_failure(FILE *to)
{
	fprintf(to, "mendfs: %s\n", trail_text());
	return STATUS_FAILED;
}

int cli_failed(void)
{
	return tell_failure(stderr);
}

int cli_failed_in(const struct cli_run *run)
{
	return tell_failure(run->err);
}

bool cli_parse_number(const char *text, u64 *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, text[1] == 'x' ? 16 : 10);
	return !errno && !*end;
}

bool cli_parse_size(const char *text, u64 *size)
{
	static const char suffix[] = "KMGT";
	const char *found;
	char *end;
	u32 shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*size = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		found = strchr(suffix, *end & ~0x20);
		if (!found || !*found || end[1])
			return false;
		shift = 10 * (u32)(found - suffix + 1);
	}
	if (*size > NULL64 >> shift)
		return false;
	*size <<= shift;
	return true;
}

int cli_take_memory(const struct command *command, const char *text, size_t *memory)
{
	u64 size;

	if (!cli_parse_size(text, &size) || size > SIZE_MAX)
		return cli_misuse(command, "\"%s\" is no size", text);
	if (size < CLI_MEMORY_MIN)
		return cli_misuse(command, "--memory=%s is too little: 1M is the least", text);
	*memory = (size_t)size;
	return 0;
}

static int put_undo(struct env *env, const char *path, struct device **device)
{
	struct device *undo;
	int err = device_open_undo(env, *device, path, &undo);

	if (!err)
		*device = undo;
	return err;
}

/* Behind what is wrong with the log, what can be done about it. */
static int log_refused(const struct cli_image *image, int err)
{
	char what[TRAIL_MAX];

	snprintf(what, sizeof(what), "%s", trail_text());
	return fail(err, "%s; %s", what,
		    image->log_choice
			? image->log_choice
			: "`mendfs repair --log=accept-loss` replays what is whole of the log");
}

int cli_open(struct env *env, const struct cli_image *image, struct vol **out)
{
	bool refused = false;
	struct vol_options options = {
	    .log_refused = &refused,
	    .write = image->write,
	    .repair = image->repair,
	    .doubtful_super = image->doubtful_super,
	    .no_recovery = image->no_recovery,
	    .tell_log = image->tell_log,
	    .accept_loss = image->accept_loss,
	    .discard_log = image->discard_log,
	    .memory = image->memory,
	    .verdict = image->verdict,
	};
	bool read_only = image->preview || !image->write;
	int err = device_open_file(env, image->data, !image->writable && read_only, &options.data);

	if (!err && image->log)
		err = device_open_file(env, image->log, read_only, &options.log);
	if (!err && image->preview)
		err = device_cover(env, VOL_COPY_MEMORY, &options.data);
	if (!err && image->undo)
		err = put_undo(env, image->undo, &options.data);
	if (!err && image->preview)
		err = device_cover(env, VOL_COPY_MEMORY, &options.log);
	if (!err && image->rt)
		err = device_open_file(env, image->rt, true, &options.rt);
	if (err) {
		device_close(options.data);
		device_close(options.log);
		return err;
	}
	if (image->preview && image->kept) {
		image->kept->data = device_overlay_hold(options.data);
		image->kept->log = options.log ? device_overlay_hold(options.log) : NULL;
	}
	err = vol_open(env, &meta_types, &options, out);
	return refused ? log_refused(image, err) : err;
}

void cli_loss_text(const struct log_loss *loss, char text[CLI_LOSS_TEXT])
{
	int used = 0;

	if (loss->all)
		used = snprintf(text, CLI_LOSS_TEXT, "all of it");
	else if (loss->records)
		used = snprintf(text, CLI_LOSS_TEXT, "%" PRIu64 " record%s (%" PRIu64 " bytes)",
				loss->records, loss->records == 1 ? "" : "s", loss->bytes);
	else
		text[0] = 0;
	if (loss->items)
		used += snprintf(text + used, CLI_LOSS_TEXT - (size_t)used, "%s%" PRIu64 " item%s",
				 used ? " and " : "", loss->items, loss->items == 1 ? "" : "s");
	if (used)
		snprintf(text + used, CLI_LOSS_TEXT - (size_t)used, " given up");
}

int cli_open_kept(struct env *env, const struct cli_image *image, struct vol **out)
{
	struct vol_options options = {
	    .doubtful_super = true, .memory = image->memory, .data = image->kept->data};
	int err = image->rt ? device_open_file(env, image->rt, true, &options.rt) : 0;

	*out = NULL;
	if (err)
		return err;
	options.log = image->kept->log;
	*image->kept = (struct cli_kept){NULL, NULL};
	return vol_open(env, &meta_types, &options, out);
}

void cli_close_kept(struct cli_kept *kept)
{
	device_close(kept->data);
	device_close(kept->log);
	*kept = (struct cli_kept){NULL, NULL};
}

int cli_lock(const char *image, bool alone, int *fd)
{
	*fd = open(image, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return fail(-errno, "%s: %s", image, strerror(errno));
	if (flock(*fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB))
		return fail(-errno, "%s: %s", image,
			    errno != EWOULDBLOCK ? strerror(errno)
			    : alone		 ? "in use by another program"
						 : "in use by a program that may write to it");
	return 0;
}

void cli_tell_super(FILE *err, const struct vol *vol)
{
	if (vol->super_at.v)
		fprintf(err,
			"mendfs: %s: the primary superblock is lost or outdated; this goes by its "
			"copy at "
			"sector %llu\n",
			vol->data->name, (unsigned long long)vol->super_at.v / 512);
}

void cli_tell_loss(FILE *err, const struct vol *vol)
{
	const struct log_status *log = &vol->log_status;
	char text[CLI_LOSS_TEXT];

	cli_loss_text(&log->loss, text);
	if (*text)
		fprintf(err,
			"mendfs: %s: the log is damaged: %" PRIu64
			" records were replayed in memory, %s\n",
			vol->home->name, log->records, text);
}

int cli_run_open(struct cli_run *run, const struct cli_image *image, struct vol **out)
{
	const struct vol_options options = {.memory = image->memory, .verdict = image->verdict};

	if (run->mounted)
		return vol_snapshot(run->mounted, &run->env, &options, out);
	return cli_open(&run->env, image, out);
}

static int run_here(const struct command *command, struct cli_image *options)
{
	struct cli_run run = {.out = stdout, .err = stderr, .terminal = isatty(STDERR_FILENO)};
	int status;

	if (options->progress)
		run.progress = fdopen(dup((int)options->progress - 1), "w");
	host_env_init(&run.env, 0);
	status = command->work(&run, options);
	if (run.progress)
		fclose(run.progress);
	return status;
}

int cli_run_command(const struct command *command, int argc, char **argv)
{
	struct cli_image *image = calloc(1, command->options_size);
	int status;

	if (!image) {
		fail(-ENOMEM, "out of memory");
		return cli_failed();
	}
	status = command->parse(command, image, argc, argv);
	if (!status)
		status = control_is_mounted(image->data)
			     ? control_ask(image->data, argc, argv, (int)image->progress - 1)
			     : run_here(command, image);
	free(image);
	return status;
}
