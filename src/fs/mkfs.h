/*
 * Making a filesystem.
 *
 * mkfs_plan() turns what a person asked for, and what the devices are like, into a geometry, by the
 * rules of mkfs.xfs, so that a filesystem made here is laid out as one made there.  It is pure:
 * nothing is read or written. mkfs_build() writes such a filesystem.  The primary superblock goes
 * last, behind a flush, so a mkfs that stops before its end leaves nothing that could be mounted;
 * when a write fails it takes back what it can.
 *
 * Fails with -EINVAL for what makes no filesystem, -EOPNOTSUPP for what mendfs cannot make, -ENOSPC
 * for a device that is too small; the trail says it in the words of the option.
 */
#ifndef MENDFS_FS_MKFS_H
#define MENDFS_FS_MKFS_H

#include "device/device.h"
#include "format/type.h"

/* What the devices are like; zeroes are for an image file. */
struct mkfs_target {
	u64 data_size, log_size, rt_size; /* bytes; log, rt 0: there is none */
	u32 sector_size;		  /* the smallest that can be written; 0: 512 */
	u32 physical_sector_size;	  /* what it is best written in */
	u32 log_sector_size;		  /* of the log's device; 0: as the data's */
	u64 stripe_unit, stripe_width;	  /* bytes, as the device says; 0: nothing */
	u32 cpus; /* that write side by side; 0: seeks are slow, so that it does not matter */
};

/* What was asked for. Bytes, and 0 is "choose", unless said otherwise. mkfs_options_init() first.
 */
struct mkfs_options {
	u32 block_size, sector_size, inode_size, dir_block_size;
	u64 data_size; /* 0: the whole device */
	u32 ag_count;
	u64 ag_size;
	u64 stripe_unit, stripe_width;
	bool no_stripe;	       /* whatever the device says */
	u32 max_inode_percent; /* NULL32: choose */
	u64 log_size, log_stripe_unit;
	u32 log_sector_size;
	u32 log_ag;			       /* NULL32: choose */
	u32 data_concurrency, log_concurrency; /* NULL32: as the device says; 0: do not care */
	u64 rt_size, rt_extent_size;
	u32 features_on, features_off; /* bits of enum feature: asked for by name */
	char label[13];
	bool has_uuid;
	struct uuid uuid;
	/* The root directory hands these on to what is made in it. */
	u32 project, extent_size, cow_extent_size;
	bool dax;
	s64 seconds; /* what time it is */
	u32 nanoseconds;
	bool keep; /* do not discard the old content first */
};

void mkfs_options_init(struct mkfs_options *options);
/* Warnings go to env->note(). g->uuid is not drawn yet unless it was given. */
int mkfs_plan(struct env *env, const struct mkfs_options *options, const struct mkfs_target *target,
	      struct geometry *g);

struct mkfs_devices {
	struct device *data, *log, *rt; /* log NULL: internal; rt NULL: none */
};
/* Writes it. g comes from mkfs_plan(), and has the uuid and the counters afterwards. */
int mkfs_build(struct env *env, const struct meta_types *types, const struct mkfs_options *options,
	       struct geometry *g, const struct mkfs_devices *devices);

/* The blocks at the start of each AG that are written in one piece: headers and roots. */
u32 mkfs_fixed_blocks(const struct geometry *g);
/* Where in AG 0 the root directory's inode is: xfs_repair computes it, so there is no choice. */
u32 mkfs_root_block(const struct geometry *g, bool log_before);

/* What is on a device already: "xfs", "ext4", "a partition table (gpt)"; NULL: nothing that is
 * known. Fails as reading does. */
int mkfs_old_content(struct device *dev, const char **name);

#endif
