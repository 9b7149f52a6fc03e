/*
 * Sizes, stripes and allocation groups of a new filesystem; see mkfs_plan.c for whose rules these
 * are.
 *
 * An AG is large enough for its trees and small enough that several can be worked in side by side.
 * On a stripe, AGs begin on a stripe unit, but not all on the same one: else their headers would
 * all lie on one disk.
 */
#include "base/trail.h"
#include "format/inode.h"
#include "format/super.h"
#include "fs/mkfs_plan.h"

#include <errno.h>

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define BLOCK_DEFAULT 4096u
#define INODE_DEFAULT 512u
#define DIR_BLOCK_MIN 4096u
#define DIR_BLOCK_MAX 65536u
#define INODES_PER_BLOCK_MIN 2
#define CLUSTER_BYTES 8192u /* of inodes that are read together, for inodes of 256 bytes */
#define CLUSTER_INODE_SIZE 256u

static bool power_of_two(u64 v)
{
	return v && !(v & (v - 1));
}

static int check_power(const char *what, u64 value, u64 min, u64 max)
{
	if (power_of_two(value) && value >= min && value <= max)
		return 0;
	return fail(-EINVAL, "%s %llu is no power of two from %llu to %llu", what,
		    (unsigned long long)value, (unsigned long long)min, (unsigned long long)max);
}

/* As large as the device likes, where the blocks are. */
static u32 default_sector(const struct plan *p)
{
	u32 logical = p->target->sector_size ? p->target->sector_size : 1u << SB_MIN_SECTOR_LOG;
	u32 physical = p->target->physical_sector_size;

	return physical > logical && physical <= p->g->block_size ? physical : logical;
}

static int plan_units(struct plan *p)
{
	const struct mkfs_options *o = p->options;
	struct geometry *g = p->g;
	int err;

	g->block_size = o->block_size ? o->block_size : BLOCK_DEFAULT;
	err = check_power("block size", g->block_size, 1u << SB_MIN_BLOCK_LOG,
			  1u << SB_MAX_BLOCK_LOG);
	if (err)
		return err;
	g->sector_size = o->sector_size ? o->sector_size : default_sector(p);
	err = check_power("sector size", g->sector_size, 1u << SB_MIN_SECTOR_LOG,
			  1u << SB_MAX_SECTOR_LOG);
	if (err)
		return err;
	if (g->sector_size > g->block_size)
		return fail(-EINVAL, "block size %u cannot be smaller than sector size %u",
			    g->block_size, g->sector_size);
	if (p->target->sector_size > g->sector_size)
		return fail(-EINVAL, "sector size %u is smaller than that of the device, %u",
			    g->sector_size, p->target->sector_size);
	g->inode_size = o->inode_size ? o->inode_size : INODE_DEFAULT;
	err = check_power("inode size", g->inode_size, 1u << SB_MIN_INODE_LOG,
			  min_u64(1u << SB_MAX_INODE_LOG, g->block_size / INODES_PER_BLOCK_MIN));
	if (err)
		return err;
	g->dir_block_size =
	    o->dir_block_size ? o->dir_block_size : (u32)max_u64(g->block_size, DIR_BLOCK_MIN);
	return check_power("directory block size", g->dir_block_size,
			   max_u64(g->block_size, DIR_BLOCK_MIN), DIR_BLOCK_MAX);
}

/* A chunk of inodes begins at its own size, its parts at that of a cluster: so where a cluster lies
 * follows from an inode number. */
static void plan_inodes(struct plan *p)
{
	struct geometry *g = p->g;
	u32 cluster = CLUSTER_BYTES * (g->inode_size / CLUSTER_INODE_SIZE);

	g->inode_align = cluster / g->block_size;
	if (!geometry_has(g, FEATURE_SPARSE))
		return;
	g->spino_align = g->inode_align;
	g->inode_align = INODES_PER_CHUNK * g->inode_size / g->block_size;
}

static u32 default_inode_percent(u64 bytes)
{
	return bytes < TIB ? 25 : bytes < 50 * TIB ? 5 : 1;
}

int plan_sizes(struct plan *p)
{
	const struct mkfs_options *o = p->options;
	struct geometry *g = p->g;
	u64 size = o->data_size ? o->data_size : p->target->data_size;
	int err = plan_units(p);

	if (err)
		return err;
	if (size > p->target->data_size)
		return fail(-EINVAL, "size %llu is too large, the device has %llu bytes",
			    (unsigned long long)size, (unsigned long long)p->target->data_size);
	g->data_blocks = plan_blocks(p, size);
	p->ag_min = (u32)plan_blocks(p, SB_MIN_AG_BYTES);
	p->ag_max = (u32)plan_blocks(p, SB_MAX_AG_BYTES - 1);
	if (g->data_blocks < p->ag_min)
		return fail(-ENOSPC,
			    "size %llu is too small, at least %u blocks of %u bytes are needed",
			    (unsigned long long)size, p->ag_min, g->block_size);
	plan_inodes(p);
	g->max_inode_percent = o->max_inode_percent;
	if (g->max_inode_percent == NULL32)
		g->max_inode_percent = default_inode_percent(g->data_blocks * g->block_size);
	if (g->max_inode_percent > 100)
		return fail(-EINVAL, "maxpct %u is more than 100", g->max_inode_percent);
	return 0;
}

/* What the device says is taken where it fits, what was asked for must fit. */
static int stripe_misfit(struct plan *p, const char *what)
{
	if (!p->reported)
		return fail(-EINVAL, "%s", what);
	plan_warn(p, "the stripe that the device reports is not used: %s", what);
	p->g->stripe_unit = p->g->stripe_width = 0;
	return 0;
}

int plan_stripe(struct plan *p)
{
	const struct mkfs_options *o = p->options;
	struct geometry *g = p->g;
	u64 unit = o->stripe_unit, width = o->stripe_width;

	if (o->no_stripe)
		return unit || width ? fail(-EINVAL, "noalign, and a stripe to align to") : 0;
	if (!unit && !width) {
		unit = p->target->stripe_unit;
		width = p->target->stripe_width;
		p->reported = true;
	}
	if (!unit && !width)
		return 0;
	if (!unit || !width)
		return stripe_misfit(p, "stripe unit and width must be given together");
	if (width % unit)
		return stripe_misfit(p, "the stripe width is no multiple of the stripe unit");
	if (unit % g->block_size)
		return stripe_misfit(p, "the stripe unit is no multiple of the block size");
	if (width / g->block_size > INT32_MAX)
		return stripe_misfit(p, "the stripe is too wide");
	g->stripe_unit = (u32)plan_blocks(p, unit);
	g->stripe_width = (u32)plan_blocks(p, width);
	plan_set(p, FEATURE_DALIGN, true);
	return 0;
}

static u64 ag_count_for(const struct plan *p, u64 ag_blocks)
{
	return div_up_u64(p->g->data_blocks, ag_blocks);
}

/* Into how many AGs, as a power of two: a disk that seeks is better off with few. */
static u32 default_shift(u64 bytes, bool many_disks)
{
	if (many_disks && bytes > 512 * GIB)
		return 5;
	if (many_disks && bytes > 8 * GIB)
		return 4;
	if (many_disks && bytes >= 128 * MIB)
		return 3;
	return bytes >= 64 * MIB ? 2 : bytes >= 32 * MIB ? 1 : 0;
}

static u64 default_ag_blocks(const struct plan *p, bool many_disks)
{
	u64 count = p->g->data_blocks, bytes = count * p->g->block_size;

	if (bytes >= (many_disks ? 32 : 4) * TIB)
		return p->ag_max;
	return min_u64(div_up_u64(count, 1ull << default_shift(bytes, many_disks)), p->ag_max);
}

/* As many AGs as writers, but of 4 GiB at least; where AGs are at their largest, a multiple of the
 * writers. */
static u64 concurrent_ag_blocks(const struct plan *p, u64 writers, bool many_disks)
{
	u64 usual = default_ag_blocks(p, many_disks), usual_count = ag_count_for(p, usual);
	u64 least = plan_blocks(p, 4 * GIB), count = writers, blocks;

	if (writers < usual_count || !writers)
		return usual;
	blocks = p->g->data_blocks / count;
	if (blocks < least) {
		count = p->g->data_blocks / least;
		return count <= usual_count ? usual : p->g->data_blocks / count;
	}
	while (blocks > p->ag_max && blocks > usual) {
		count += writers;
		blocks = p->g->data_blocks / count;
	}
	return blocks;
}

static int first_ag_blocks(struct plan *p, u64 *blocks)
{
	const struct mkfs_options *o = p->options;
	const struct geometry *g = p->g;
	u32 writers = o->data_concurrency == NULL32 ? p->target->cpus : o->data_concurrency;

	if (o->ag_size && o->ag_count)
		return fail(-EINVAL, "agsize and agcount are given both");
	if (o->ag_size % g->block_size)
		return fail(-EINVAL, "agsize %llu is no multiple of the block size %u",
			    (unsigned long long)o->ag_size, g->block_size);
	if (o->ag_size)
		*blocks = plan_blocks(p, o->ag_size);
	else if (o->ag_count)
		*blocks = div_up_u64(g->data_blocks, o->ag_count);
	else if (writers)
		*blocks = concurrent_ag_blocks(p, writers, g->stripe_unit);
	else
		*blocks = default_ag_blocks(p, g->stripe_unit);
	return *blocks ? 0 : fail(-EINVAL, "agcount is more than there are blocks");
}

/* To whole stripe units, and not to a whole stripe: then all AGs would begin on one disk. */
static int align_ags(struct plan *p, u64 *blocks, u64 *count)
{
	const struct mkfs_options *o = p->options;
	const struct geometry *g = p->g;
	u64 unit = g->stripe_unit, aligned;

	if (!unit)
		return 0;
	aligned = round_up_u64(*blocks, unit);
	if (aligned > p->ag_max)
		aligned = *blocks / unit * unit;
	if (aligned < p->ag_min || aligned > p->ag_max)
		return fail(-EINVAL,
			    "AGs of %llu blocks cannot be aligned to the stripe unit of %u",
			    (unsigned long long)*blocks, g->stripe_unit);
	if (aligned != *blocks) {
		if (o->ag_size)
			plan_warn(p, "agsize is rounded to %llu blocks, whole stripe units",
				  (unsigned long long)aligned);
		*blocks = aligned;
		if (o->ag_count && *count != ag_count_for(p, aligned))
			plan_warn(p, "agcount is %llu, since AGs have whole stripe units",
				  (unsigned long long)ag_count_for(p, aligned));
		*count = ag_count_for(p, aligned);
	}
	if (*blocks % g->stripe_width || g->stripe_width == g->stripe_unit || *count <= 1)
		return 0;
	if (o->ag_size || o->ag_count) {
		plan_warn(p,
			  "the AG size is a multiple of the stripe width: all headers will lie on "
			  "one disk; "
			  "%llu blocks would be better",
			  (unsigned long long)(*blocks > p->ag_min + unit ? *blocks - unit
									  : *blocks + unit));
		return 0;
	}
	aligned = *blocks - unit;
	if (aligned < p->ag_min)
		aligned = g->data_blocks < *blocks ? *blocks : *blocks + unit;
	*blocks = aligned;
	*count = ag_count_for(p, aligned);
	return 0;
}

int plan_ags(struct plan *p)
{
	struct geometry *g = p->g;
	u64 blocks, count, last;
	int err = first_ag_blocks(p, &blocks);

	if (err)
		return err;
	count = ag_count_for(p, blocks);
	err = align_ags(p, &blocks, &count);
	if (err)
		return err;
	/* A last AG that is too small is left unused. */
	last = g->data_blocks % blocks;
	if (last && last < p->ag_min && count > 1) {
		g->data_blocks -= last;
		count--;
	}
	if (blocks < p->ag_min || blocks > p->ag_max)
		return fail(-EINVAL, "AGs of %llu blocks: %u to %u are possible",
			    (unsigned long long)blocks, p->ag_min, p->ag_max);
	if (blocks > g->data_blocks)
		return fail(-EINVAL, "AGs of %llu blocks are larger than the filesystem of %llu",
			    (unsigned long long)blocks, (unsigned long long)g->data_blocks);
	if (count >= NULL32 || count != ag_count_for(p, blocks))
		return fail(-EINVAL, "%llu AGs of %llu blocks do not make %llu blocks",
			    (unsigned long long)count, (unsigned long long)blocks,
			    (unsigned long long)g->data_blocks);
	g->ag_blocks = (u32)blocks;
	g->ag_count = (u32)count;
	return 0;
}
