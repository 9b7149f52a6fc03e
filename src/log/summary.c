/*
 * The superblock's counters from the AG headers, as every mount after a crash does it.
 *
 * AG headers that cannot be read, are none, or come to what cannot be leave the superblock as it
 * is: check will say what is wrong with them.  Lists of unlinked inodes are followed for no more
 * inodes than the AG has.
 */
#include "log/summary.h"

#include "base/trail.h"
#include "format/ag.h"
#include "format/super.h"

#include <errno.h>

#define AGF_SECTOR 1
#define AGI_SECTOR 2

struct sums {
	u64 icount, ifree, fdblocks, unlinked;
};

static int read_sector(struct log_replay *r, struct daddr at, u32 size)
{
	int err = device_read(r->data, at, r->target, size);

	return err ? fail_in(err, "after replaying the log") : 0;
}

/* How long the list that starts at `agino` is. */
static int follow(struct log_replay *r, const struct geometry *g, u32 ag, u32 agino, u32 limit,
		  u64 *length)
{
	while (agino != NULL32 && limit-- && agino_valid(g, ag, agino)) {
		u64 at = inum_daddr(g, inum_make(g, ag, agino)).v;
		struct be32 next;
		int err =
		    device_read(r->data, daddr_of(at + offsetof(struct log_dinode, next_unlinked)),
				&next, sizeof(next));

		if (err)
			return fail_in(err, "after replaying the log");
		(*length)++;
		agino = be32_get(next);
	}
	return 0;
}

static int add_agi(struct log_replay *r, const struct geometry *g, u32 ag, struct sums *sums,
		   bool *sound)
{
	struct agi agi;
	int err = read_sector(r, ag_header_daddr(g, ag, AGI_SECTOR), g->sector_size);

	if (err)
		return err;
	memcpy(&agi, r->target, sizeof(agi));
	if (be32_get(agi.magicnum) != AGI_MAGIC) {
		*sound = false;
		return 0;
	}
	sums->icount += be32_get(agi.count);
	sums->ifree += be32_get(agi.freecount);
	for (u32 i = 0; i < AGI_BUCKETS && !err; i++)
		err = follow(r, g, ag, be32_get(agi.unlinked[i]), be32_get(agi.count),
			     &sums->unlinked);
	return err;
}

static int add_agf(struct log_replay *r, const struct geometry *g, u32 ag, struct sums *sums,
		   bool *sound)
{
	const struct agf *agf = (const struct agf *)r->target;
	int err = read_sector(r, ag_header_daddr(g, ag, AGF_SECTOR), g->sector_size);

	if (err)
		return err;
	if (be32_get(agf->magicnum) != AGF_MAGIC)
		*sound = false;
	sums->fdblocks += be32_get(agf->freeblks);
	sums->fdblocks += be32_get(agf->flcount);
	sums->fdblocks += be32_get(agf->btreeblks);
	return 0;
}

static int write_superblock(struct log_replay *r, const struct sums *sums)
{
	struct sb *sb = (struct sb *)r->target;
	u32 count = r->g->sector_size >> LOG_BLOCK_LOG;
	int err = log_target_read(r, 0, count);

	if (err)
		return err;
	sb->icount = be64_make(sums->icount);
	sb->ifree = be64_make(sums->ifree);
	sb->fdblocks = be64_make(sums->fdblocks);
	log_stamp_crc(r->target, r->g->sector_size, offsetof(struct sb, crc));
	return log_target_write(r, 0, count);
}

int log_summary_update(struct log_replay *r)
{
	struct geometry g;
	struct sums sums = {0};
	bool sound = true;
	int err = read_sector(r, daddr_of(0), r->g->sector_size);

	if (err)
		return err;
	/* the log may have grown the filesystem */
	if (geometry_from_sb(&g, (const struct sb *)r->target) ||
	    g.data_blocks << g.block_log > r->data->size || g.sector_size != r->g->sector_size)
		return 0;
	for (u32 ag = 0; ag < g.ag_count && !err; ag++) {
		err = add_agf(r, &g, ag, &sums, &sound);
		if (!err)
			err = add_agi(r, &g, ag, &sums, &sound);
	}
	r->status->unlinked = sums.unlinked;
	if (sums.fdblocks > g.data_blocks || sums.ifree > sums.icount)
		sound = false;
	if (err || !sound || !geometry_has(&g, FEATURE_LAZYSBCOUNT))
		return err;
	return write_superblock(r, &sums);
}
