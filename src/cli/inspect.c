/* mendfs inspect: shows any object as a debugger would. What there is to show comes from the
 * descriptors. */
#include "cli/inspect.h"
#include "cli/print.h"

#include "base/trail.h"
#include "cli/cli.h"
#include "format/verify.h"
#include "fs/attr.h"
#include "fs/dir.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* A name or value with what cannot be printed escaped. */
static void print_bytes(FILE *out, const void *bytes, u32 length)
{
	const u8 *at = bytes;

	for (u32 i = 0; i < length; i++) {
		if (isprint(at[i]) && at[i] != '\\' && at[i] != '"')
			putc(at[i], out);
		else
			fprintf(out, "\\x%02x", at[i]);
	}
}

/* A listing ends when nobody reads it any more. */
static int still_wanted(struct cli_run *run)
{
	if (ferror(run->out) || env_stopped(&run->env))
		return fail(-ECANCELED, "the listing has been stopped");
	return 0;
}

static int print_entry(void *arg, const struct dir_entry *entry)
{
	struct cli_run *run = arg;
	FILE *out = run->out;
	static const char *const type[] = {"?",	    "file", "dir",    "char",
					   "block", "fifo", "socket", "symlink"};

	fprintf(out, "  %20" PRIu64 "  %-8s", entry->ino.v,
		entry->type < ARRAY_COUNT(type) ? type[entry->type] : "?");
	print_bytes(out, entry->name, entry->length);
	fprintf(out, "\n");
	return still_wanted(run);
}

#define VALUE_SHOWN 64

static int print_attr(void *arg, const struct attr *attr)
{
	struct cli_run *run = arg;
	FILE *out = run->out;
	u32 shown = attr->value_length < VALUE_SHOWN ? attr->value_length : VALUE_SHOWN;

	fprintf(out, "  0x%02x  ", attr->flags);
	print_bytes(out, attr->name, attr->name_length);
	fprintf(out, "  (%u bytes)", attr->value_length);
	if (attr->value) {
		fprintf(out, " \"");
		print_bytes(out, attr->value, shown);
		fprintf(out, shown < attr->value_length ? "\"..." : "\"");
	} else {
		fprintf(out, " in blocks of its own");
	}
	fprintf(out, "\n");
	return still_wanted(run);
}

/* `dir INO` and `attr INO`: the whole, read as a filesystem reads it. */
static int list_names(struct cli_run *run, struct vol *vol, const char *what, const char *word)
{
	struct inode inode;
	struct inum ino;
	int err = object_inum(vol, word, &ino);

	if (!err)
		err = inode_get(vol, ino, &inode);
	if (err)
		return err;
	fprintf(run->out, "%s of inode %" PRIu64 "\n",
		!strcmp(what, "dir") ? "names" : "attributes", ino.v);
	if (!strcmp(what, "dir"))
		err = (inode.mode & 0170000) == 0040000
			  ? dir_each(vol, &inode, 0, print_entry, run)
			  : fail(-ENOTDIR, "inode %" PRIu64 " is no directory", ino.v);
	else
		err = attr_each(vol, &inode, print_attr, run);
	inode_put(vol, &inode);
	return err;
}

static int show_field(struct cli_run *run, const struct object *object, const char *path)
{
	struct object_field found;
	char text[VALUE_TEXT];
	int err = object_field_find(object, path, &found);

	if (err)
		return err;
	value_print(&object->vol->geo, found.layout, found.field, object->bytes + found.offset,
		    found.element, text);
	fprintf(run->out, "%s\n", text);
	return 0;
}

struct inspect {
	struct cli_image image; /* first */
	const char *field;
	char **words; /* of the object */
	u32 count;
};

/* As a check opens it, or when that fails, without a replay. */
static int open_for_log(struct cli_run *run, struct cli_image *image, struct vol **vol)
{
	int err;

	image->no_recovery = false;
	image->accept_loss = true;
	err = cli_open(&run->env, image, vol);
	if (!err || err == -ENOMEM)
		return err;
	fprintf(run->err, "mendfs: not replayed: %s\n", trail_text());
	image->no_recovery = image->tell_log = true;
	return cli_open(&run->env, image, vol);
}

static int show_log(struct cli_run *run, const struct inspect *inspect,
		    const struct log_request *request, int *status)
{
	struct log_findings findings = {.count = 0};
	struct verdict v = {.raise = log_finding_keep, .sink = &findings};
	struct cli_image image = inspect->image;
	struct vol *vol = NULL;
	int err;

	if (request->view == LOG_VIEW_NONE)
		return fail(-EINVAL, "expected log, log all, or log record and its number or LSN");
	if (run->mounted)
		return fail(-EBUSY, "the log of a mounted filesystem is in use");
	image.verdict = &v;
	err = open_for_log(run, &image, &vol);
	if (err)
		return err;
	cli_tell_super(run->err, vol);
	err = inspect_log(run->out, vol, request, &findings);
	if (findings.worst >= SEVERITY_DISAGREES)
		*status |= STATUS_CORRUPT;
	vol_close(vol);
	return err;
}

static int show(struct cli_run *run, struct vol *vol, const struct inspect *inspect, int *status)
{
	char **words = inspect->words;
	u32 count = inspect->count;
	struct object object;
	int err;

	if (count == 2 && (!strcmp(words[0], "dir") || !strcmp(words[0], "attr")))
		return list_names(run, vol, words[0], words[1]);
	err = object_find(vol, words, count, &object);
	if (err)
		return err;
	if (inspect->field) {
		err = show_field(run, &object, inspect->field);
	} else {
		err = object_print(run->out, &object);
		if (!err && object_verify_print(run->out, &object) >= SEVERITY_DISAGREES)
			*status |= STATUS_CORRUPT;
	}
	object_drop(&object);
	return err;
}

static int parse(const struct command *self, void *to, int argc, char **argv)
{
	static const struct option options[] = {
	    {"log-device", required_argument, NULL, 'l'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {"field", required_argument, NULL, 'f'},
	    {"replay", no_argument, NULL, 'p'},
	    {0},
	};
	struct inspect *inspect = to;
	int c;

	inspect->image.no_recovery = true;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l')
			inspect->image.log = optarg;
		else if (c == 'r')
			inspect->image.rt = optarg;
		else if (c == 'f')
			inspect->field = optarg;
		else if (c == 'p')
			inspect->image.no_recovery = false;
		else
			return cli_usage(self);
	}
	if (optind + 2 > argc)
		return cli_misuse(self, "expected an image and an object");
	inspect->image.data = argv[optind];
	inspect->words = argv + optind + 1;
	inspect->count = (u32)(argc - optind - 1);
	return 0;
}

static int work(struct cli_run *run, void *options)
{
	struct verdict lenient = {.raise = raise_nothing};
	struct inspect *inspect = options;
	const struct log_request request = log_request_of(inspect->words, inspect->count);
	struct vol *vol;
	int err, status = 0;

	if (!strcmp(inspect->words[0], "log") && !inspect->field) {
		err = show_log(run, inspect, &request, &status);
		if (err)
			status = cli_failed_in(run);
		return err == -EINVAL ? STATUS_USAGE : status;
	}
	inspect->image.verdict = &lenient;
	if (cli_run_open(run, &inspect->image, &vol))
		return cli_failed_in(run);
	cli_tell_super(run->err, vol);
	err = show(run, vol, inspect, &status);
	vol_close(vol);
	if (err)
		status = cli_failed_in(run);
	return err == -EINVAL ? STATUS_USAGE : status;
}

const struct command command_inspect = {
    .name = "inspect",
    .arguments = "[OPTION...] IMAGE|DIRECTORY OBJECT...",
    .summary = "show any object of the filesystem, field by field",
    .help = OBJECT_GRAMMAR
    "Also: dir INO|PATH and attr INO|PATH list all names and attributes; log tells its "
    "state,\nwith "
    "one line a record; log record N shows one of them, by its number or its LSN (1:346),\nand log "
    "all each of them with its items.\n"
    "\n"
    "  --field=FIELD         print this field alone: length, recs[3].startblock\n"
    "  --replay              as it is after the log has been replayed (in "
    "memory)\n" CLI_HELP_DEVICES,
    .options_size = sizeof(struct inspect),
    .parse = parse,
    .work = work,
};
