/* mendfs inspect: shows any object as a debugger would. What there is to show comes from the
 * descriptors. */
#include "cli/inspect.h"
#include "cli/print.h"

#include "base/trail.h"
#include "cli/cli.h"
#include "fs/attr.h"
#include "fs/dir.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* A name or value with what cannot be printed escaped. */
static void print_bytes(const void *bytes, u32 length)
{
	const u8 *at = bytes;

	for (u32 i = 0; i < length; i++) {
		if (isprint(at[i]) && at[i] != '\\' && at[i] != '"')
			putchar(at[i]);
		else
			printf("\\x%02x", at[i]);
	}
}

static int print_entry(void *arg, const struct dir_entry *entry)
{
	static const char *const type[] = {"?",	    "file", "dir",    "char",
					   "block", "fifo", "socket", "symlink"};

	(void)arg;
	printf("  %20" PRIu64 "  %-8s", entry->ino.v,
	       entry->type < ARRAY_COUNT(type) ? type[entry->type] : "?");
	print_bytes(entry->name, entry->length);
	printf("\n");
	return 0;
}

#define VALUE_SHOWN 64

static int print_attr(void *arg, const struct attr *attr)
{
	u32 shown = attr->value_length < VALUE_SHOWN ? attr->value_length : VALUE_SHOWN;

	(void)arg;
	printf("  0x%02x  ", attr->flags);
	print_bytes(attr->name, attr->name_length);
	printf("  (%u bytes)", attr->value_length);
	if (attr->value) {
		printf(" \"");
		print_bytes(attr->value, shown);
		printf(shown < attr->value_length ? "\"..." : "\"");
	} else {
		printf(" in blocks of its own");
	}
	printf("\n");
	return 0;
}

/* `dir INO` and `attr INO`: the whole, read as a filesystem reads it. */
static int list_names(struct vol *vol, const char *what, const char *word)
{
	struct inode inode;
	struct inum ino;
	int err = object_inum(vol, word, &ino);

	if (!err)
		err = inode_get(vol, ino, &inode);
	if (err)
		return err;
	printf("%s of inode %" PRIu64 "\n", !strcmp(what, "dir") ? "names" : "attributes", ino.v);
	if (!strcmp(what, "dir"))
		err = (inode.mode & 0170000) == 0040000
			  ? dir_each(vol, &inode, 0, print_entry, NULL)
			  : fail(-ENOTDIR, "inode %" PRIu64 " is no directory", ino.v);
	else
		err = attr_each(vol, &inode, print_attr, NULL);
	inode_put(vol, &inode);
	return err;
}

static int show_field(const struct object *object, const char *path)
{
	struct object_field found;
	char text[VALUE_TEXT];
	int err = object_field_find(object, path, &found);

	if (err)
		return err;
	value_print(&object->vol->geo, object->type->layout, found.field,
		    object->bytes + found.offset, found.element, text);
	printf("%s\n", text);
	return 0;
}

static int show(struct vol *vol, char **words, u32 count, const char *field, int *status)
{
	struct object object;
	int err;

	if (count == 2 && (!strcmp(words[0], "dir") || !strcmp(words[0], "attr")))
		return list_names(vol, words[0], words[1]);
	if (!strcmp(words[0], "log") && (count == 1 || (count == 2 && !strcmp(words[1], "all"))))
		return inspect_log(vol, count == 2);
	err = object_find(vol, words, count, &object);
	if (err)
		return err;
	if (field) {
		err = show_field(&object, field);
	} else {
		err = object_print(&object);
		if (!err && object_verify_print(&object) >= SEVERITY_DISAGREES)
			*status |= STATUS_CORRUPT;
	}
	object_drop(&object);
	return err;
}

static void ignore(struct verdict *v, const struct finding *finding)
{
	(void)v;
	(void)finding;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
	    {"log-device", required_argument, NULL, 'l'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {"field", required_argument, NULL, 'f'},
	    {"replay", no_argument, NULL, 'p'},
	    {0},
	};
	struct verdict lenient = {.raise = ignore};
	struct cli_image image = {.no_recovery = true, .verdict = &lenient};
	const char *field = NULL;
	struct env env;
	struct vol *vol;
	int c, err, status = 0;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l')
			image.log = optarg;
		else if (c == 'r')
			image.rt = optarg;
		else if (c == 'f')
			field = optarg;
		else if (c == 'p')
			image.no_recovery = false;
		else
			return cli_usage(self);
	}
	if (optind + 2 > argc)
		return cli_misuse(self, "expected an image and an object");
	image.data = argv[optind];
	host_env_init(&env, 1);
	if (cli_open(&env, &image, &vol))
		return cli_failed();
	cli_tell_super(vol);
	err = show(vol, argv + optind + 1, (u32)(argc - optind - 1), field, &status);
	vol_close(vol);
	if (err == -EINVAL) {
		cli_failed();
		return STATUS_USAGE;
	}
	return err ? cli_failed() : status;
}

const struct command command_inspect = {
    .name = "inspect",
    .arguments = "[OPTION...] IMAGE OBJECT...",
    .summary = "show any object of the filesystem, field by field",
    .help = OBJECT_GRAMMAR
    "Also: dir INO|PATH and attr INO|PATH list all names and attributes; log tells its state,\nlog "
    "all shows each record and item to replay.\n"
    "\n"
    "  --field=FIELD         print this field alone: length, recs[3].startblock\n"
    "  --replay              as it is after the log has been replayed (in "
    "memory)\n" CLI_HELP_DEVICES,
    .run = run,
};
