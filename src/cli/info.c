/* mendfs info: the geometry, as xfs_info prints it. */
#include "cli/cli.h"
#include "cli/geometry.h"

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
	    {"log-device", required_argument, NULL, 'l'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {0},
	};
	struct cli_image image = {.no_recovery = true};
	struct env env;
	struct vol *vol;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l')
			image.log = optarg;
		else if (c == 'r')
			image.rt = optarg;
		else
			return cli_usage(self);
	}
	if (optind + 1 != argc)
		return cli_misuse(self, "expected one image");
	image.data = argv[optind];
	host_env_init(&env, 1);
	if (cli_open(&env, &image, &vol))
		return cli_failed();
	geometry_print(&vol->geo, image.data, image.log, image.rt);
	vol_close(vol);
	return 0;
}

const struct command command_info = {
    .name = "info",
    .arguments = "[OPTION...] IMAGE",
    .summary = "print the geometry, as xfs_info does",
    .help = CLI_HELP_DEVICES,
    .run = run,
};
