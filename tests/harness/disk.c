/* A device for tests; see disk.h. */
#include "disk.h"

#include "base/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static bool fails(struct disk *d, enum disk_call call)
{
	u64 at = d->fail_at[call];

	if (!at)
		return false;
	d->calls[call]++;
	if (d->on ? d->calls[call] < at : d->calls[call] != at)
		return false;
	d->failed = true;
	return true;
}

static int check(struct device *dev, enum disk_call call, u64 at, size_t size)
{
	if (at > dev->size || size > dev->size - at)
		return fail(-ENXIO, "disk: %zu bytes at %llu lie beyond the end", size,
			    (unsigned long long)at);
	return fails((struct disk *)dev, call) ? fail(-EIO, "disk: made to fail") : 0;
}

static int disk_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	int err = check(dev, DISK_READ, at.v, size);

	if (!err)
		memcpy(to, ((struct disk *)dev)->bytes + at.v, size);
	return err;
}

/* A write that fails has been done by half. */
static int disk_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	int err = check(dev, DISK_WRITE, at.v, size);

	if (err != -ENXIO)
		memcpy(((struct disk *)dev)->bytes + at.v, from, err ? size / 2 : size);
	return err;
}

static int disk_flush(struct device *dev)
{
	return check(dev, DISK_FLUSH, 0, 0);
}

static void disk_let_go(struct device *dev)
{
	(void)dev;
}

void disk_open(struct disk *disk, const char *path, u64 size)
{
	int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
	void *map;

	if (path && (fd < 0 || ftruncate(fd, (off_t)size))) {
		perror(path);
		exit(1);
	}
	map = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (map == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	*disk = (struct disk){.dev = {.name = "disk",
				      .size = size,
				      .read = disk_read,
				      .write = disk_write,
				      .flush = disk_flush,
				      .close = disk_let_go},
			      .bytes = map};
}

void disk_close(struct disk *disk)
{
	munmap(disk->bytes, disk->dev.size);
}

void disk_fail(struct disk *disk, enum disk_call call, u64 nth, bool on)
{
	memset(disk->calls, 0, sizeof(disk->calls));
	memset(disk->fail_at, 0, sizeof(disk->fail_at));
	disk->fail_at[call] = nth;
	disk->on = on;
	disk->failed = false;
}
