/*
 * Making a filesystem on real devices; see mkfs.h.
 *
 * Opens what it writes, and closes it in any case.  A file that it has created stays, as any other
 * program's would.
 */
#include "host/mkfs.h"

#include "base/trail.h"
#include "host/host.h"
#include "meta/types_table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Below that, a stripe is just how a disk says that it has large sectors. */
#define STRIPE_MIN 8192u

/* A mounted device, or one that is part of another, cannot be opened by itself. */
static int check_busy(const char *path)
{
	int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		return fail(-errno, "%s: %s", path,
			    errno == EBUSY ? "in use; mounted?" : strerror(errno));
	close(fd);
	return 0;
}

static void ask_stripe(int fd, struct mkfs_target *target)
{
	unsigned int least = 0, best = 0;

	if (ioctl(fd, BLKIOMIN, &least) || ioctl(fd, BLKIOOPT, &best))
		return;
	if (least < STRIPE_MIN || best <= least || best % least)
		return;
	target->stripe_unit = least;
	target->stripe_width = best;
}

/* What a block device says of itself; a file says nothing. */
static int ask_device(const char *path, struct mkfs_target *target)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), sector = 0;
	unsigned int physical = 0;
	unsigned short turns = 1;
	struct stat st;

	if (fd < 0)
		return fail(-errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISBLK(st.st_mode)) {
		close(fd);
		return 0;
	}
	if (!ioctl(fd, BLKSSZGET, &sector))
		target->sector_size = (u32)sector;
	if (!ioctl(fd, BLKPBSZGET, &physical))
		target->physical_sector_size = physical;
	if (!ioctl(fd, BLKROTATIONAL, &turns) && !turns)
		target->cpus = (u32)sysconf(_SC_NPROCESSORS_ONLN);
	ask_stripe(fd, target);
	close(fd);
	return check_busy(path);
}

static int check_old(const struct host_mkfs *what, struct device *dev)
{
	const char *name;
	int err;

	if (what->force || what->dry || !dev)
		return 0;
	err = mkfs_old_content(dev, &name);
	if (err || !name)
		return err;
	return fail(-EEXIST, "%s appears to contain something already (%s); -f overwrites it",
		    dev->name, name);
}

/* A file that is to be made is made only when it is known what it will hold. */
static int open_data(struct env *env, const struct host_mkfs *what, struct device **out)
{
	if (what->create && !what->options.data_size)
		return fail(-EINVAL, "%s: a file that is to be made needs a size", what->data);
	if (what->create && access(what->data, F_OK))
		return 0;
	return device_open_file(env, what->data, what->dry, out);
}

/* The file as long as it must be. */
static int make_file(struct env *env, const struct host_mkfs *what, struct device **data)
{
	if (!what->create)
		return 0;
	device_close(*data);
	*data = NULL;
	return device_create_file(env, what->data, what->options.data_size, data);
}

/* The log's or the realtime section's; path NULL: there is none. */
static int open_part(struct env *env, const char *path, bool dry, struct device **out,
		     struct mkfs_target *of_part)
{
	int err = path ? device_open_file(env, path, dry, out) : 0;

	return err || !path ? err : ask_device(path, of_part);
}

static int open_all(struct env *env, const struct host_mkfs *what, struct mkfs_devices *d,
		    struct mkfs_target *target)
{
	struct mkfs_target of_log = {0}, of_rt = {0};
	int err = open_data(env, what, &d->data);

	if (!err && d->data)
		err = ask_device(what->data, target);
	if (!err)
		err = open_part(env, what->log, what->dry, &d->log, &of_log);
	if (!err)
		err = open_part(env, what->rt, what->dry, &d->rt, &of_rt);
	if (err)
		return err;
	target->log_sector_size = of_log.sector_size;
	target->data_size = d->data ? d->data->size : what->options.data_size;
	if (what->create)
		target->data_size = max_u64(target->data_size, what->options.data_size);
	target->log_size = d->log ? d->log->size : 0;
	target->rt_size = d->rt ? d->rt->size : 0;
	return 0;
}

static int run(struct env *env, struct host_mkfs *what, struct mkfs_devices *d)
{
	struct mkfs_target target = {0};
	struct geometry g;
	struct timespec now;
	int err = open_all(env, what, d, &target);

	if (!err)
		err = mkfs_plan(env, &what->options, &target, &g);
	if (!err)
		err = check_old(what, d->data);
	if (!err)
		err = check_old(what, d->log);
	if (!err)
		err = check_old(what, d->rt);
	if (err)
		return err;
	if (what->planned)
		what->planned(what->arg, &g);
	if (what->dry)
		return 0;
	err = make_file(env, what, &d->data);
	if (err)
		return err;
	clock_gettime(CLOCK_REALTIME, &now);
	what->options.seconds = now.tv_sec;
	what->options.nanoseconds = (u32)now.tv_nsec;
	return mkfs_build(env, &meta_types, &what->options, &g, d);
}

int host_mkfs(struct env *env, struct host_mkfs *what)
{
	struct mkfs_devices devices = {0};
	int err = run(env, what, &devices);

	device_close(devices.rt);
	device_close(devices.log);
	device_close(devices.data);
	return err;
}
