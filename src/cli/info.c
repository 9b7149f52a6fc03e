/* mendfs info: the geometry, as xfs_info prints it; where the primary superblock is damaged, with
 * what is wrong with it. */
#include "cli/cli.h"
#include "cli/geometry.h"
#include "cli/object.h"
#include "format/verify.h"

#include <stdio.h>

static void tell(struct verdict *v, const struct finding *finding)
{
	char text[512];

	(void)v;
	finding_print(finding, text, sizeof(text));
	fprintf(stderr, "mendfs: %s\n", text);
}

static void ignore(struct verdict *v, const struct finding *finding)
{
	(void)v;
	(void)finding;
}

/* What is wrong with the primary superblock, on stderr; an exit status. */
static int tell_primary(struct vol *vol)
{
	char *words[] = {(char[]){"superblock"}};
	struct verdict v = {.raise = tell};
	struct object object;

	cli_tell_super(vol);
	if (object_find(vol, words, 1, &object))
		return cli_failed();
	v.where = object.where;
	verify(&v, object.type, &vol->geo, object.bytes, object.len);
	object_drop(&object);
	return v.worst >= SEVERITY_DISAGREES ? STATUS_CORRUPT : 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
	    {"log-device", required_argument, NULL, 'l'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {0},
	};
	struct verdict lenient = {.raise = ignore};
	struct cli_image image = {.no_recovery = true, .verdict = &lenient};
	struct env env;
	struct vol *vol;
	int c, status;

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
	status = tell_primary(vol);
	geometry_print(&vol->geo, image.data, image.log, image.rt);
	vol_close(vol);
	return status;
}

const struct command command_info = {
    .name = "info",
    .arguments = "[OPTION...] IMAGE",
    .summary = "print the geometry, as xfs_info does",
    .help = CLI_HELP_DEVICES
    "\n"
    "Where the primary superblock is lost, by a copy of it; what is wrong with the primary goes\n"
    "to stderr, and the exit status is 1.\n",
    .run = run,
};
