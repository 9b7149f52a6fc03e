/* mendfs mkfs: makes a filesystem, with the options of mkfs.xfs. */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/geometry.h"
#include "cli/mkfs_options.h"
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

/* mkfs.xfs has but one status for all that goes wrong, and what calls it may rely on that. */
#define STATUS_NOT_MADE 1

static void on_note(struct env *env, const char *line)
{
	(void)env;
	fprintf(stderr, "mendfs: %s\n", line);
}

static void on_planned(void *arg, const struct geometry *g)
{
	const struct mkfs_arguments *args = arg;

	if (!args->quiet)
		geometry_print(stdout, g, args->what.data, args->what.log, args->what.rt);
	fflush(stdout);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct mkfs_arguments args;
	struct progress_line line = {0};
	struct env env;
	int err;

	if (!mkfs_parse(&args, argc, argv)) {
		cli_misuse(self, "%s", args.error);
		return STATUS_NOT_MADE;
	}
	if (args.version) {
		printf("mendfs mkfs %s\n", MENDFS_VERSION);
		return 0;
	}
	host_env_init(&env, 1);
	env.note = on_note;
	args.what.planned = on_planned;
	args.what.arg = &args;
	if (!args.quiet)
		progress_begin(&env, &line, stderr, isatty(STDERR_FILENO));
	err = host_mkfs(&env, &args.what);
	progress_end(&line);
	if (!err)
		return 0;
	cli_failed();
	return STATUS_NOT_MADE;
}

const struct command command_mkfs = {
    .name = "mkfs",
    .arguments = "[OPTION...] IMAGE",
    .summary = "make a filesystem, with the options of mkfs.xfs",
    .help =
	"Options and defaults are those of mkfs.xfs 6.13. Numbers may end in b (blocks), s "
	"(sectors), k, m, g, t, p.\n"
	"Exit status, as of mkfs.xfs: 0, or 1 when no filesystem was made.\n"
	"\n"
	"  -b size=N             block size: 1k to 64k (4k)\n"
	"  -d file,name=F,size=N make an image file\n"
	"  -d agcount=N|agsize=N allocation groups\n"
	"  -d su=N,sw=N|sunit=N,swidth=N|noalign   stripe: bytes and disks, or 512-byte units\n"
	"  -d projinherit=N,extszinherit=N,cowextsize=N,daxinherit=0|1   of the root directory\n"
	"  -d concurrency=N      writers that AGs are made for\n"
	"  -i size=N|perblock=N  inode size: 512 to 2k (512)\n"
	"  -i maxpct=N,sparse=0|1,nrext64=0|1,exchange=0|1\n"
	"  -l internal,size=N,agnum=N,su=N|sunit=N,concurrency=N   log\n"
	"  -l logdev=DEVICE,size=N,sectsize=N      log on a device of its own\n"
	"  -m finobt=0|1,rmapbt=0|1,reflink=0|1,inobtcount=0|1,bigtime=0|1,uuid=UUID\n"
	"  -n size=N,parent=0|1  directory blocks: 4k to 64k; parent pointers\n"
	"  -r rtdev=DEVICE,size=N,extsize=N        realtime section\n"
	"  -s size=N             sector size: 512 to 32k (the device's)\n"
	"  -L LABEL              at most 12 bytes\n"
	"  -f                    whatever is there already\n"
	"  -K                    do not discard what was there\n"
	"  -N                    only say what would be made\n"
	"  -q                    say nothing\n"
	"  -V                    print the version\n",
    .run = run,
};
