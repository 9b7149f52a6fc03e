/*
 * An image file or block device, by pread and pwrite.
 *
 * Owns one file descriptor, O_RDONLY when read-only.  No locking: the kernel's calls carry their
 * own offsets.  Fails with -EIO and a trail that names the file and the place.
 */
#include "base/trail.h"
#include "device/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_device {
	struct device dev;
	struct env *env;
	int fd;
	bool block; /* a block device */
	char name[];
};

static struct file_device *file_of(struct device *dev)
{
	return (struct file_device *)dev;
}

static int check_range(struct device *dev, struct daddr at, size_t size)
{
	if (at.v > dev->size || size > dev->size - at.v)
		return fail(-ENXIO, "%s: %zu bytes at %llu are beyond the end at %llu", dev->name,
			    size, (unsigned long long)at.v, (unsigned long long)dev->size);
	return 0;
}

static int file_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	int err = check_range(dev, at, size);
	u8 *next = to;

	while (!err && size) {
		ssize_t n = pread(file_of(dev)->fd, next, size, (off_t)at.v);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(-EIO, "%s: reading %zu bytes at %llu: %s", dev->name, size,
				    (unsigned long long)at.v, n ? strerror(errno) : "end of file");
		next += n;
		at.v += (u64)n;
		size -= (size_t)n;
	}
	return err;
}

static int file_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	int err = check_range(dev, at, size);
	const u8 *next = from;

	if (dev->read_only)
		return fail(-EROFS, "%s: opened read-only", dev->name);
	while (!err && size) {
		ssize_t n = pwrite(file_of(dev)->fd, next, size, (off_t)at.v);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(n && errno == ENOSPC ? -ENOSPC : -EIO,
				    "%s: writing %zu bytes at %llu: %s", dev->name, size,
				    (unsigned long long)at.v,
				    n ? strerror(errno) : "nothing written");
		next += n;
		at.v += (u64)n;
		size -= (size_t)n;
	}
	return err;
}

static int file_flush(struct device *dev)
{
	if (dev->read_only || !fdatasync(file_of(dev)->fd))
		return 0;
	atomic_fetch_add(&dev->lost, 1);
	return fail(-EIO, "%s: flushing: %s", dev->name, strerror(errno));
}

static void file_will_read(struct device *dev, struct daddr at, u64 size)
{
	posix_fadvise(file_of(dev)->fd, (off_t)at.v, (off_t)size, POSIX_FADV_WILLNEED);
}

static int punch(struct device *dev, struct daddr at, u64 size)
{
	if (fallocate(file_of(dev)->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at.v,
		      (off_t)size))
		return -EOPNOTSUPP;
	return 0;
}

static int file_discard(struct device *dev, struct daddr at, u64 size)
{
	u64 range[2] = {at.v, size};

	if (dev->read_only)
		return -EOPNOTSUPP;
	if (!file_of(dev)->block)
		return punch(dev, at, size);
	return ioctl(file_of(dev)->fd, BLKDISCARD, range) ? -EOPNOTSUPP : 0;
}

/* A hole reads as zeroes; what a block device has discarded need not. */
static int file_zero(struct device *dev, struct daddr at, u64 size)
{
	u64 range[2] = {at.v, size};

	if (dev->read_only)
		return -EOPNOTSUPP;
	if (!file_of(dev)->block)
		return punch(dev, at, size);
	return ioctl(file_of(dev)->fd, BLKZEROOUT, range) ? -EOPNOTSUPP : 0;
}

static void file_close(struct device *dev)
{
	struct file_device *file = file_of(dev);

	close(file->fd);
	env_free(file->env, file);
}

static int file_size(int fd, const char *path, u64 *size, bool *block)
{
	struct stat st;

	*block = false;
	if (fstat(fd, &st))
		return fail(-errno, "%s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode)) {
		*size = (u64)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return fail(-ENOTBLK, "%s: neither a file nor a block device", path);
	*block = true;
	if (ioctl(fd, BLKGETSIZE64, size))
		return fail(-errno, "%s: asking for its size: %s", path, strerror(errno));
	return 0;
}

/* Takes over the descriptor, also when it fails. */
static int open_descriptor(struct env *env, const char *path, int fd, bool read_only,
			   struct device **out)
{
	struct file_device *file;
	bool block;
	u64 size = 0;
	int err = file_size(fd, path, &size, &block);

	file = err ? NULL : env_alloc(env, sizeof(*file) + strlen(path) + 1);
	if (!file) {
		close(fd);
		return err ? err : fail(-ENOMEM, "%s: out of memory", path);
	}
	memcpy(file->name, path, strlen(path) + 1);
	file->env = env;
	file->fd = fd;
	file->block = block;
	file->dev = (struct device){
	    .name = file->name,
	    .size = size,
	    .read_only = read_only,
	    .read = file_read,
	    .write = file_write,
	    .flush = file_flush,
	    .will_read = file_will_read,
	    .discard = file_discard,
	    .zero = file_zero,
	    .close = file_close,
	};
	*out = &file->dev;
	return 0;
}

int device_open_file(struct env *env, const char *path, bool read_only, struct device **out)
{
	int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	if (fd < 0)
		return fail(-errno, "%s: %s", path, strerror(errno));
	return open_descriptor(env, path, fd, read_only, out);
}

int device_create_file(struct env *env, const char *path, u64 size, struct device **out)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666), err = 0;
	struct stat st;

	if (fd < 0)
		return fail(-errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st))
		err = fail(-errno, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		err = fail(-EEXIST, "%s: is there, and is no file", path);
	else if ((u64)st.st_size < size && ftruncate(fd, (off_t)size))
		err = fail(-errno, "%s: making it %llu bytes long: %s", path,
			   (unsigned long long)size, strerror(errno));
	if (err) {
		close(fd);
		return err;
	}
	return open_descriptor(env, path, fd, false, out);
}
