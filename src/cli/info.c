/* mendfs info: the geometry, as xfs_info prints it; where the primary superblock is damaged, with
 * what is wrong with it. */
#include "cli/cli.h"
#include "cli/geometry.h"
#include "cli/object.h"
#include "format/verify.h"

static void tell(struct verdict *v, const struct finding *finding)
{
	char text[512];

	finding_print(finding, text, sizeof(text));
	fprintf(v->sink, "mendfs: %s\n", text);
}

/* What is wrong with the primary superblock; an exit status. */
static int tell_primary(struct cli_run *run, struct vol *vol)
{
	char *words[] = {(char[]){"superblock"}};
	struct verdict v = {.raise = tell, .sink = run->err};
	struct object object;

	cli_tell_super(run->err, vol);
	if (object_find(vol, words, 1, &object))
		return cli_failed_in(run);
	v.where = object.where;
	verify(&v, object.type, &vol->geo, object.bytes, object.len);
	object_drop(&object);
	return v.worst >= SEVERITY_DISAGREES ? STATUS_CORRUPT : 0;
}

struct info {
	struct cli_image image; /* first */
};

static int parse(const struct command *self, void *to, int argc, char **argv)
{
	static const struct option options[] = {
	    {"log-device", required_argument, NULL, 'l'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {0},
	};
	struct info *info = to;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l')
			info->image.log = optarg;
		else if (c == 'r')
			info->image.rt = optarg;
		else
			return cli_usage(self);
	}
	if (optind + 1 != argc)
		return cli_misuse(self, "expected one image");
	info->image.no_recovery = true;
	info->image.data = argv[optind];
	return 0;
}

static const char *name_of(const struct device *device)
{
	return device ? device->name : NULL;
}

static int work(struct cli_run *run, void *options)
{
	struct verdict lenient = {.raise = raise_nothing};
	struct info *info = options;
	const struct vol *devices;
	struct vol *vol;
	int status;

	info->image.verdict = &lenient;
	if (cli_run_open(run, &info->image, &vol))
		return cli_failed_in(run);
	status = tell_primary(run, vol);
	devices = run->mounted ? run->mounted : vol;
	geometry_print(run->out, &vol->geo, info->image.data, name_of(devices->log),
		       name_of(devices->rt));
	vol_close(vol);
	return status;
}

const struct command command_info = {
    .name = "info",
    .arguments = "[OPTION...] IMAGE|DIRECTORY",
    .summary = "print the geometry, as xfs_info does",
    .help = CLI_HELP_DEVICES
    "\n"
    "Where the primary superblock is lost, by a copy of it; what is wrong with the primary goes\n"
    "to stderr, and the exit status is 1.\n",
    .options_size = sizeof(struct info),
    .parse = parse,
    .work = work,
};
