/*
 * Size and place of the log of a new filesystem.
 *
 * A log that is too small for the largest transaction would not be mounted (format/log_reserve.h);
 * one that is merely small makes the kernel write back all the time.  Inside the data device it
 * lies in an AG in the middle, which keeps the way of a disk's arm short, and within that AG behind
 * the roots of the trees.
 */
#include "base/trail.h"
#include "format/levels.h"
#include "format/log_reserve.h"
#include "format/super.h"
#include "fs/mkfs_plan.h"

#include <errno.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

#define UNIT_MAX (256 * 1024u)
#define UNIT_INSTEAD (32 * 1024u)
#define REALISTIC_BYTES (64 * MIB)
#define DATA_TO_LOG 2048
#define FREE_LIST_RESERVE 4 /* blocks of each AG that are never used up */

u32 mkfs_fixed_blocks(const struct geometry *g)
{
	u32 blocks = geometry_ag_header_blocks(g) + 3; /* bnobt, cntbt, inobt */

	return blocks + geometry_has(g, FEATURE_FINOBT) + geometry_has(g, FEATURE_RMAPBT) +
	       geometry_has(g, FEATURE_REFLINK);
}

u32 mkfs_root_block(const struct geometry *g, bool log_before)
{
	u32 block = mkfs_fixed_blocks(g) + free_list_least(g) + (log_before ? g->log_blocks : 0);
	bool on_stripe = g->inode_align && g->stripe_unit && g->stripe_unit % g->inode_align == 0;
	u32 align = on_stripe ? g->stripe_unit : g->inode_align;

	return align > 1 ? (u32)round_up_u64(block, align) : block;
}

/* Bytes; 1 is "none" to a log of version 2. */
static int plan_unit(struct plan *p)
{
	const struct mkfs_options *o = p->options;
	struct geometry *g = p->g;
	u64 unit = o->log_stripe_unit;

	if (unit && unit % g->block_size)
		return fail(-EINVAL, "log stripe unit %llu is no multiple of the block size %u",
			    (unsigned long long)unit, g->block_size);
	if (!unit && g->log_sector_size > 1u << SB_MIN_SECTOR_LOG)
		unit = g->block_size;
	if (!unit && g->log_internal)
		unit = (u64)g->stripe_unit * g->block_size;
	if (unit > UNIT_MAX && o->log_stripe_unit)
		return fail(-EINVAL, "log stripe unit %llu is too large, %u bytes at most",
			    (unsigned long long)unit, UNIT_MAX);
	if (unit > UNIT_MAX)
		unit = max_u64(UNIT_INSTEAD, g->block_size);
	g->log_stripe_unit = unit ? (u32)unit : 1;
	return 0;
}

static int plan_sector(struct plan *p)
{
	u32 size = p->options->log_sector_size, least;
	struct geometry *g = p->g;

	least = g->log_internal ? 0 : p->target->log_sector_size;
	g->log_sector_size = size ? size : (u32)max_u64(g->sector_size, least);
	if (g->log_sector_size < least)
		return fail(-EINVAL, "log sector size %u is smaller than that of its device, %u",
			    size, least);
	if (g->log_sector_size & (g->log_sector_size - 1) ||
	    g->log_sector_size < 1u << SB_MIN_SECTOR_LOG ||
	    g->log_sector_size > 1u << SB_MAX_SECTOR_LOG)
		return fail(-EINVAL, "log sector size %u is no power of two from 512 to 32768",
			    size);
	if (g->log_internal && g->log_sector_size != g->sector_size)
		return fail(-EINVAL, "an internal log has the sector size of the data, %u",
			    g->sector_size);
	if (g->log_sector_size > g->block_size)
		return fail(-EINVAL, "log sector size %u is larger than a block of %u", size,
			    g->block_size);
	if (g->log_sector_size > 512 || g->sector_size > 512)
		plan_set(p, FEATURE_SECTOR, true);
	return 0;
}

static u64 log_limit(const struct plan *p)
{
	return min_u64(SB_MAX_LOG_BLOCKS, plan_blocks(p, SB_MAX_LOG_BYTES));
}

static u64 least_blocks(const struct plan *p)
{
	return max_u64(SB_MIN_LOG_BLOCKS, log_least_blocks(p->g));
}

/* What leaves the AG of the log something to live on. */
static u64 room_blocks(const struct geometry *g)
{
	u64 used = mkfs_fixed_blocks(g) + FREE_LIST_RESERVE + 1;

	return g->ag_blocks > used ? g->ag_blocks - used : 0;
}

/* Room for the largest transaction of each writer, and half as much for what runs behind them. */
static u64 concurrent_blocks(const struct plan *p)
{
	u32 writers = p->options->log_concurrency;
	struct log_reservation max = log_reservation_max(p->g);

	if (writers == NULL32)
		writers = p->target->cpus;
	if (!writers || p->g->data_blocks < plan_blocks(p, GIB))
		return 0;
	return min_u64(plan_blocks(p, max.bytes * max.count * 3 * writers / 2),
		       plan_blocks(p, SB_MAX_LOG_BYTES));
}

static u64 default_blocks(const struct plan *p, u64 least)
{
	const struct geometry *g = p->g;
	u64 size, room;

	/* Below that, this is no filesystem for work. */
	if (g->data_blocks >= plan_blocks(p, MKFS_SMALL_BYTES))
		least = max_u64(least, plan_blocks(p, REALISTIC_BYTES));
	size = max_u64(least, g->data_blocks / DATA_TO_LOG);
	size = max_u64(size, concurrent_blocks(p));
	size = min_u64(min_u64(size, room_blocks(g)), log_limit(p));
	/* next to the root directory, should it be in AG 0 */
	room = room_blocks(g) -
	       2ull * max_u64(g->chunk_blocks, max_u64(g->stripe_unit, g->inode_align));
	if (room <= room_blocks(g) && room >= least && (g->ag_count == 1 || !p->options->log_ag))
		size = min_u64(size, room);
	return size;
}

static int check_size(const struct plan *p, u64 size, u64 least)
{
	if (size < least)
		return fail(-EINVAL, "log size %llu blocks is too small, %llu are needed",
			    (unsigned long long)size, (unsigned long long)least);
	if (size > log_limit(p))
		return fail(-EINVAL, "log size %llu blocks is too large, %llu are possible",
			    (unsigned long long)size, (unsigned long long)log_limit(p));
	return 0;
}

static int plan_external(struct plan *p)
{
	u64 size = p->options->log_size ? p->options->log_size : p->target->log_size;
	struct geometry *g = p->g;

	if (size > p->target->log_size)
		return fail(-EINVAL, "log size %llu is too large, its device has %llu bytes",
			    (unsigned long long)size, (unsigned long long)p->target->log_size);
	if (!p->options->log_size)
		size = min_u64(size, log_limit(p) * g->block_size);
	g->log_blocks = (u32)min_u64(plan_blocks(p, size), NULL32);
	return check_size(p, g->log_blocks, least_blocks(p));
}

/* The start goes up to a stripe unit, the size to whole ones. */
static int align_log(struct plan *p, u64 *start)
{
	struct geometry *g = p->g;
	u64 unit = g->log_stripe_unit > 1 ? g->log_stripe_unit / g->block_size : g->stripe_unit;
	u64 size;

	if (!unit)
		return 0;
	*start = round_up_u64(*start, unit);
	size = round_up_u64(g->log_blocks, unit);
	if (size != g->log_blocks && p->options->log_size)
		return fail(-EINVAL,
			    "log size %u blocks is no multiple of the log stripe unit of %llu",
			    g->log_blocks, (unsigned long long)unit);
	if (size > log_limit(p) || size > room_blocks(g))
		size -= unit;
	while (size > unit && *start + size > g->ag_blocks)
		size -= unit;
	if (size < least_blocks(p))
		return fail(-ENOSPC, "an AG has no room for a log that is aligned to %llu blocks",
			    (unsigned long long)unit);
	g->log_blocks = (u32)size;
	return 0;
}

/* The one in the middle, unless that is a short last one. */
static u32 choose_ag(const struct plan *p, u64 end)
{
	u32 ag = p->options->log_ag;

	if (ag != NULL32)
		return ag;
	ag = p->g->ag_count / 2;
	return ag && end > geometry_ag_blocks(p->g, ag) ? ag - 1 : ag;
}

static int place_internal(struct plan *p)
{
	struct geometry *g = p->g;
	u64 start = mkfs_fixed_blocks(g);
	int err = align_log(p, &start);
	u32 ag = choose_ag(p, start + g->log_blocks);

	if (err)
		return err;
	if (ag >= g->ag_count)
		return fail(-EINVAL, "log ag number %u is too large, there are %u", ag,
			    g->ag_count);
	/* Where the root directory is expected follows from where a log in AG 0 would end without a
	 * gap before it. */
	if (!ag && start + g->log_blocks > mkfs_root_block(g, true)) {
		plan_warn(
		    p, "the log is not aligned, or it would lie where the root directory must be");
		start = mkfs_fixed_blocks(g);
	}
	if (start + g->log_blocks > geometry_ag_blocks(g, ag))
		return fail(
		    -EINVAL,
		    "a log of %u blocks from block %llu on does not fit into AG %u of %u blocks",
		    g->log_blocks, (unsigned long long)start, ag, geometry_ag_blocks(g, ag));
	if (!ag && mkfs_root_block(g, true) + g->chunk_blocks > g->ag_blocks)
		return fail(-ENOSPC,
			    "a log of %u blocks in AG 0 leaves no room for the root directory",
			    g->log_blocks);
	g->log_start = fsblock_make(g, ag, (u32)start).v;
	return 0;
}

static int plan_internal(struct plan *p)
{
	struct geometry *g = p->g;
	u64 least = least_blocks(p), room = room_blocks(g),
	    size = plan_blocks(p, p->options->log_size);
	int err;

	if (room < least)
		return fail(-ENOSPC,
			    "a log of %llu blocks is needed, and an AG has room for %llu: "
			    "the filesystem, or its AGs, are too small",
			    (unsigned long long)least, (unsigned long long)room);
	if (!p->options->log_size)
		size = default_blocks(p, least);
	if (size > room)
		return fail(-EINVAL,
			    "internal log size %llu blocks is too large, an AG has room for %llu",
			    (unsigned long long)size, (unsigned long long)room);
	err = check_size(p, size, least);
	g->log_blocks = (u32)size;
	return err ? err : place_internal(p);
}

int plan_log(struct plan *p)
{
	struct geometry *g = p->g;
	int err;

	g->log_internal = !p->target->log_size;
	if (p->options->log_size && p->options->log_concurrency != NULL32)
		return fail(-EINVAL, "size and concurrency of the log are given both");
	err = plan_sector(p);
	if (!err)
		err = plan_unit(p);
	if (!err)
		err = plan_derive(p);
	if (err)
		return err;
	return g->log_internal ? plan_internal(p) : plan_external(p);
}
