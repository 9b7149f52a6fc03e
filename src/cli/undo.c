/* mendfs undo: puts back what a repair has changed. */
#include "base/trail.h"
#include "cli/cli.h"
#include "host/undo.h"

#include <inttypes.h>
#include <stdio.h>

static int undo(const char *file, const char *image, bool force)
{
	struct undo_result result;
	struct device *device;
	struct env env;
	int err;

	host_env_init(&env, 1);
	err = device_open_file(&env, image, false, &device);
	if (err)
		return cli_failed();
	err = undo_apply(&env, device, file, force, &result);
	device_close(device);
	if (err)
		return cli_failed();
	printf("%s: put back %" PRIu64 " bytes in %" PRIu64 " places%s\n", image, result.bytes,
	       result.records, result.complete ? "" : ", of a repair that was cut off");
	return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {{"force", no_argument, NULL, 'f'}, {0}};
	bool force = false;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o != 'f')
			return cli_usage(self);
		force = true;
	}
	if (optind + 2 != argc)
		return cli_misuse(self, "expected an undo file and an image");
	return undo(argv[optind], argv[optind + 1], force);
}

const struct command command_undo = {
    .name = "undo",
    .arguments = "[--force] FILE IMAGE",
    .summary = "put back what a repair has changed",
    .help =
	"FILE is from `mendfs repair --undo=FILE IMAGE`. When the image has been changed since,\n"
	"nothing is written. Can be repeated when it was interrupted.\n"
	"\n"
	"  --force               also when the repair was cut off, so that it cannot be told\n"
	"                        whether the image went on since\n",
    .run = run,
};
