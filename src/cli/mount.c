/*
 * `mendfs mount`: a filesystem behind FUSE.
 *
 * The image is opened and its log replayed (with -o ro into memory) before anything is mounted;
 * serve.h does the rest.
 */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/mount_options.h"
#include "cli/progress.h"
#include "cli/serve.h"
#include "meta/quota_turn.h"

#include <stdio.h>
#include <unistd.h>

struct mount {
	struct env env;
	struct mount_options options;
	struct serve serve;
};

static void take_options(struct serve *serve, const struct mount_options *o)
{
	serve_init(serve);
	serve->options = (struct server_options){.permissions = !o->no_permissions,
						 .sync = o->sync,
						 .discard = o->discard,
						 .heal = o->heal,
						 .grpid = o->grpid};
	serve->fsname = o->fsname;
	serve->subtype = o->subtype;
	serve->passed = o->passed;
	serve->read_write = o->read_write;
	serve->foreground = o->foreground;
	serve->debug = o->debug;
	serve->one_thread = o->one_thread;
}

static int mount_open(struct mount *mount)
{
	const struct mount_options *o = &mount->options;
	struct cli_image image = {.data = o->image,
				  .log = o->log,
				  .rt = o->rt,
				  .no_recovery = o->no_recovery,
				  .accept_loss = o->accept_loss,
				  .log_choice = MOUNT_LOG_CHOICE,
				  .doubtful_super = true,
				  .write = o->read_write};
	struct vol *vol = NULL;
	int err = serve_lock(&mount->serve, o->image, o->directory);

	if (!err)
		err = cli_open(&mount->env, &image, &vol);
	if (!err && o->read_write)
		err = quota_turn(vol, o->quota_kept, o->quota_enforced);
	if (err) {
		mount->serve.vol = vol;
		return err;
	}
	cli_tell_super(stderr, vol);
	cli_tell_loss(stderr, vol);
	return serve_open(&mount->serve, vol);
}

static int run_mount(const struct command *self, int argc, char **argv)
{
	static struct mount mount;
	static struct progress_line line; /* env may tell of progress as long as it lives */
	int status, err;

	status = mount_options_parse(&mount.options, self, argc, argv);
	if (status)
		return status;
	take_options(&mount.serve, &mount.options);
	host_env_init(&mount.env, 0);
	mount.env.note = serve_note;
	mount.env.front = &mount.serve;
	progress_begin(&mount.env, &line, stderr, isatty(STDERR_FILENO));
	err = mount_open(&mount);
	progress_end(&line);
	status = err ? cli_failed() : serve_run(&mount.serve);
	if (serve_close(&mount.serve) && !status)
		status = STATUS_FAILED;
	return status;
}

const struct command command_mount = {
    .name = "mount",
    .arguments = "[-o OPTION,...] [-f] [-d] [-s] IMAGE DIRECTORY",
    .summary = "mount a filesystem, through FUSE",
    .help =
	"  -o ro                 read-only: a dirty log is replayed in memory, and the image is\n"
	"                        not written\n"
	"  -o norecovery         do not replay a dirty log (with ro), nor look at it; also "
	"log=ignore\n"
	"  -o log=accept-loss    replay what is whole of a damaged log (with ro); log=refuse, the\n"
	"                        default, does not mount\n"
	"  -o logdev=DEVICE      the log is on this device\n"
	"  -o rtdev=DEVICE       the realtime section is on this device\n"
	"  -o heal[=POLICY]      when a request meets damage: none, check, optimize, or repair\n"
	"                        while it waits (repair; without -o heal what the property\n"
	"                        autofsck of the filesystem says, or none)\n"
	"  -o sync               what has been done is durable when it is answered\n"
	"  -o grpid              new files have the group of their directory\n"
	"  -o discard            tell the device what has been freed: holes in an image file\n"
	"  -o allow_other        let other users in, too\n"
	"  -o no_default_permissions\n"
	"                        let whoever gets in read everything\n"
	"  -o uquota, gquota, pquota\n"
	"                        count and limit what users, groups and projects use;\n"
	"                        uqnoenforce, gqnoenforce, pqnoenforce: only count\n"
	"  -o fsname=NAME        what the mount table shows instead of the image's path\n"
	"  -f                    stay in the foreground; damage is told on stderr\n"
	"  -d                    the same, and print all requests\n"
	"  -s                    one thread\n"
	"Options of mount(8) (nosuid, nodev, noexec, noatime ...) work as usual. What is damaged\n"
	"answers EUCLEAN (Structure needs cleaning), with the reason in the system's log; the\n"
	"rest is readable.\n",
    .run = run_mount,
};
