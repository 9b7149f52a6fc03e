/* mendfs info: the geometry, as xfs_info prints it. */
#include "cli/cli.h"
#include "cli/geometry.h"

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
	const struct info *info = options;
	const struct vol *devices;
	struct vol *vol;

	if (cli_run_open(run, &info->image, &vol))
		return cli_failed_in(run);
	devices = run->mounted ? run->mounted : vol;
	geometry_print(run->out, &vol->geo, info->image.data, name_of(devices->log),
		       name_of(devices->rt));
	vol_close(vol);
	return 0;
}

const struct command command_info = {
    .name = "info",
    .arguments = "[OPTION...] IMAGE|DIRECTORY",
    .summary = "print the geometry, as xfs_info does",
    .help = CLI_HELP_DEVICES,
    .options_size = sizeof(struct info),
    .parse = parse,
    .work = work,
};
