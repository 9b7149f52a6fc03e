/*
 * Where blocks come from.  A device is an array of bytes with a fixed size; file, overlay and sim
 * devices look alike.
 *
 * read and write take any offset and size (the file device hides sector alignment) and move all
 * bytes or fail: -EIO with a trail, -ENXIO beyond the end, -EROFS on a read-only device.  Both may
 * be called from several threads at a time; overlapping concurrent writes give either content. A
 * write is durable after the next flush that returns 0.
 */
#ifndef MENDFS_DEVICE_DEVICE_H
#define MENDFS_DEVICE_DEVICE_H

#include "base/env.h"
#include "base/types.h"

#include <stdatomic.h>

struct device {
	const char *name; /* what the person called it */
	u64 size;	  /* bytes */
	bool read_only;
	/* Counts flushes that have failed. What was written before one may be lost, and later ones
	 * need not say so again: a file's error is told once. */
	atomic_ullong lost;
	int (*read)(struct device *dev, struct daddr at, void *to, size_t size);
	int (*write)(struct device *dev, struct daddr at, const void *from, size_t size);
	int (*flush)(struct device *dev);
	/* A hint that [at, at+size) will be read soon; may do nothing. NULL: no hints. */
	void (*will_read)(struct device *dev, struct daddr at, u64 size);
	/* What lies there will not be needed any more, and may read as anything. NULL, or
	 * -EOPNOTSUPP: cannot. */
	int (*discard)(struct device *dev, struct daddr at, u64 size);
	/* Makes it read as zeroes, without writing them where that can be avoided. NULL, or
	 * -EOPNOTSUPP: cannot. */
	int (*zero)(struct device *dev, struct daddr at, u64 size);
	void (*close)(struct device *dev);
};

static inline int device_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	return dev->read(dev, at, to, size);
}
static inline int device_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	return dev->write(dev, at, from, size);
}
static inline int device_flush(struct device *dev)
{
	return dev->flush(dev);
}
/* A hint: that it cannot be done is no error. */
void device_discard(struct device *dev, struct daddr at, u64 size);
/* By writing, where there is no better way. */
int device_zero(struct device *dev, struct daddr at, u64 size);
static inline void device_close(struct device *dev)
{
	if (dev)
		dev->close(dev);
}

/* An image file or block device. O_RDONLY at the file descriptor itself when read_only. */
int device_open_file(struct env *env, const char *path, bool read_only, struct device **out);
/* An image file that has `size` bytes at least; made when there is none, with holes. -EEXIST for
 * anything else of that name. */
int device_create_file(struct env *env, const char *path, u64 size, struct device **out);

/*
 * What is written stays in memory (and beyond `memory` bytes in a spill file) above a lower device
 * that is never written. Owns `lower`: closes it; when opening fails, `lower` stays the caller's.
 */
int device_open_overlay(struct env *env, struct device *lower, size_t memory, struct device **out);
/* The same in the place of the lower device; NULL stays NULL. */
int device_cover(struct env *env, size_t memory, struct device **device);
/* The overlay, which is closed by one close more from now on: who has opened a volume on it may
 * close that, and open another. */
struct device *device_overlay_hold(struct device *overlay);
/* True when something has been written to the overlay. */
bool device_overlay_dirty(const struct device *overlay);

#endif
