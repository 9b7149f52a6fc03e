/* From a superblock to host numbers; see geometry.h. */
#include "format/geometry.h"

#include "base/trail.h"
#include "format/super.h"

#include <errno.h>

#define CLUSTER_BYTES 8192     /* of an inode cluster, at 256-byte inodes */
#define CLUSTER_INODE_SIZE 256 /* the inode size that the above is for */
#define DIR_SPACE (1ull << 35) /* bytes of each of a directory's three address spaces */

struct feature_bit {
	enum feature feature;
	u32 bit;
};

static u32 map_bits(u32 raw, const struct feature_bit *map, u32 count)
{
	u32 features = 0;

	for (u32 i = 0; i < count; i++)
		if (raw & map[i].bit)
			features |= 1u << map[i].feature;
	return features;
}

static u32 features_from(const struct geometry *g)
{
	static const struct feature_bit version[] = {
	    {FEATURE_ATTR, SB_VERSION_ATTR},	     {FEATURE_QUOTA, SB_VERSION_QUOTA},
	    {FEATURE_ALIGN, SB_VERSION_ALIGN},	     {FEATURE_DALIGN, SB_VERSION_DALIGN},
	    {FEATURE_LOGV2, SB_VERSION_LOGV2},	     {FEATURE_SECTOR, SB_VERSION_SECTOR},
	    {FEATURE_MOREBITS, SB_VERSION_MOREBITS},
	};
	static const struct feature_bit more[] = {
	    {FEATURE_LAZYSBCOUNT, SB_VERSION2_LAZYSBCOUNT},
	    {FEATURE_ATTR2, SB_VERSION2_ATTR2},
	    {FEATURE_PROJID32, SB_VERSION2_PROJID32},
	};
	static const struct feature_bit ro[] = {
	    {FEATURE_FINOBT, SB_RO_FINOBT},
	    {FEATURE_RMAPBT, SB_RO_RMAPBT},
	    {FEATURE_REFLINK, SB_RO_REFLINK},
	    {FEATURE_INOBTCOUNT, SB_RO_INOBTCNT},
	};
	static const struct feature_bit incompat[] = {
	    {FEATURE_FTYPE, SB_INCOMPAT_FTYPE},
	    {FEATURE_SPARSE, SB_INCOMPAT_SPINODES},
	    {FEATURE_META_UUID, SB_INCOMPAT_META_UUID},
	    {FEATURE_BIGTIME, SB_INCOMPAT_BIGTIME},
	    {FEATURE_NEEDSREPAIR, SB_INCOMPAT_NEEDSREPAIR},
	    {FEATURE_NREXT64, SB_INCOMPAT_NREXT64},
	    {FEATURE_EXCHANGE, SB_INCOMPAT_EXCHRANGE},
	    {FEATURE_PARENT, SB_INCOMPAT_PARENT},
	};

	return map_bits(g->versionnum, version, ARRAY_COUNT(version)) |
	       map_bits(g->features2, more, ARRAY_COUNT(more)) |
	       map_bits(g->ro_compat, ro, ARRAY_COUNT(ro)) |
	       map_bits(g->incompat, incompat, ARRAY_COUNT(incompat));
}

/* The arithmetic of everything else divides and shifts by these: refuse what would not fit. */
static int check_sizes(const struct sb *sb)
{
	u32 magic = be32_get(sb->magicnum), version = be16_get(sb->versionnum);
	u32 agblocks = be32_get(sb->agblocks), agcount = be32_get(sb->agcount);
	u64 dblocks = be64_get(sb->dblocks);

	if (magic != SB_MAGIC)
		return fail(-EUCLEAN, "superblock: magic is 0x%x, expected 0x%x (\"XFSB\")", magic,
			    SB_MAGIC);
	if ((version & SB_VERSION_NUM_MASK) != SB_VERSION_5)
		return fail(-EOPNOTSUPP,
			    "superblock: format version %u is not supported, only V5 is",
			    version & SB_VERSION_NUM_MASK);
	if (sb->blocklog < SB_MIN_BLOCK_LOG || sb->blocklog > SB_MAX_BLOCK_LOG ||
	    be32_get(sb->blocksize) != 1u << sb->blocklog)
		return fail(-EUCLEAN,
			    "superblock: block size %u with log %u, expected 1024 to 65536",
			    be32_get(sb->blocksize), sb->blocklog);
	if (sb->sectlog < SB_MIN_SECTOR_LOG || sb->sectlog > SB_MAX_SECTOR_LOG ||
	    sb->sectlog > sb->blocklog || be16_get(sb->sectsize) != 1u << sb->sectlog)
		return fail(
		    -EUCLEAN,
		    "superblock: sector size %u with log %u, expected 512 to the block size",
		    be16_get(sb->sectsize), sb->sectlog);
	if (sb->inodelog < SB_MIN_INODE_LOG || sb->inodelog > SB_MAX_INODE_LOG ||
	    be16_get(sb->inodesize) != 1u << sb->inodelog || sb->inodelog > sb->blocklog ||
	    sb->inopblog != sb->blocklog - sb->inodelog)
		return fail(-EUCLEAN,
			    "superblock: inode size %u with logs %u, %u, expected 512 to 2048",
			    be16_get(sb->inodesize), sb->inodelog, sb->inopblog);
	if (agblocks < SB_MIN_AG_BLOCKS || sb->agblklog > 31 || agblocks > 1u << sb->agblklog ||
	    (u64)agblocks << sb->blocklog > SB_MAX_AG_BYTES)
		return fail(-EUCLEAN, "superblock: AG size %u with log %u", agblocks, sb->agblklog);
	if (!agcount || dblocks > (u64)agcount * agblocks ||
	    dblocks <= (u64)(agcount - 1) * agblocks || dblocks > NULL64 >> sb->blocklog)
		return fail(-EUCLEAN, "superblock: %u AGs of %u blocks do not make %llu blocks",
			    agcount, agblocks, (unsigned long long)dblocks);
	if (sb->dirblklog > SB_MAX_BLOCK_LOG - sb->blocklog)
		return fail(-EUCLEAN, "superblock: directory blocks of 2^%u blocks of %u bytes",
			    sb->dirblklog, 1u << sb->blocklog);
	return 0;
}

static int check_features(const struct sb *sb)
{
	u32 incompat = be32_get(sb->features_incompat), version = be16_get(sb->versionnum);

	if (incompat & SB_INCOMPAT_METADIR)
		return fail(-EOPNOTSUPP, "superblock: feature metadir is not supported");
	if (incompat & (SB_INCOMPAT_ZONED | SB_INCOMPAT_ZONE_GAPS))
		return fail(-EOPNOTSUPP, "superblock: feature zoned is not supported");
	if (incompat & ~SB_INCOMPAT_KNOWN)
		return fail(-EOPNOTSUPP, "superblock: unknown incompatible features 0x%x",
			    incompat & ~SB_INCOMPAT_KNOWN);
	if (version & SB_VERSION_BORG)
		return fail(-EOPNOTSUPP, "superblock: feature ascii-ci is not supported");
	if (version & SB_VERSION_SHARED)
		return fail(-EOPNOTSUPP, "superblock: feature shared is not supported");
	return 0;
}

static void inode_geometry(struct geometry *g)
{
	u32 cluster = CLUSTER_BYTES * (g->inode_size / CLUSTER_INODE_SIZE);

	if (g->inode_align < cluster >> g->block_log)
		cluster = CLUSTER_BYTES;
	g->cluster_blocks = cluster >> g->block_log ? cluster >> g->block_log : 1;
	g->chunk_blocks = 64 >> g->inopb_log ? 64 >> g->inopb_log : 1;
}

static void rt_geometry(struct geometry *g, const struct sb *sb)
{
	g->rt_blocks = be64_get(sb->rblocks);
	g->rt_extents = be64_get(sb->rextents);
	g->rt_extent_size = be32_get(sb->rextsize);
	g->rt_bitmap_blocks = be32_get(sb->rbmblocks);
	g->rt_extslog = sb->rextslog;
	g->rt_summary_levels = g->rt_extents ? sb->rextslog + 1u : 0;
	/* one 32-bit counter for each level and bitmap block */
	g->rt_summary_size =
	    round_up_u64((u64)g->rt_summary_levels * g->rt_bitmap_blocks * 4, g->block_size);
}

static void copy_numbers(struct geometry *g, const struct sb *sb)
{
	g->block_log = sb->blocklog;
	g->block_size = 1u << sb->blocklog;
	g->sector_log = sb->sectlog;
	g->sector_size = 1u << sb->sectlog;
	g->ag_count = be32_get(sb->agcount);
	g->ag_blocks = be32_get(sb->agblocks);
	g->ag_block_log = sb->agblklog;
	g->data_blocks = be64_get(sb->dblocks);
	g->inode_log = sb->inodelog;
	g->inode_size = 1u << sb->inodelog;
	g->inopb_log = sb->inopblog;
	g->inodes_per_block = 1u << sb->inopblog;
	g->agino_log = g->ag_block_log + g->inopb_log;
	g->inode_align = be32_get(sb->inoalignmt);
	g->spino_align = be32_get(sb->spino_align);
	g->max_inode_percent = sb->imax_pct;
	g->dir_block_log = sb->dirblklog;
	g->dir_fsblocks = 1u << sb->dirblklog;
	g->dir_block_size = g->block_size << sb->dirblklog;
	g->dir_leaf_off = DIR_SPACE >> g->block_log;
	g->dir_free_off = 2 * DIR_SPACE >> g->block_log;
	g->root_ino = be64_get(sb->rootino);
	g->rbm_ino = be64_get(sb->rbmino);
	g->rsum_ino = be64_get(sb->rsumino);
	g->uquota_ino = be64_get(sb->uquotino);
	g->gquota_ino = be64_get(sb->gquotino);
	g->pquota_ino = be64_get(sb->pquotino);
	g->quota_flags = be16_get(sb->qflags);
	g->log_start = be64_get(sb->logstart);
	g->log_internal = g->log_start != 0;
	g->log_blocks = be32_get(sb->logblocks);
	g->log_sector_size = be16_get(sb->logsectsize) ? be16_get(sb->logsectsize) : 512;
	g->log_stripe_unit = be32_get(sb->logsunit);
	g->stripe_unit = be32_get(sb->unit);
	g->stripe_width = be32_get(sb->width);
	g->icount = be64_get(sb->icount);
	g->ifree = be64_get(sb->ifree);
	g->fdblocks = be64_get(sb->fdblocks);
	g->frextents = be64_get(sb->frextents);
}

int geometry_from_sb(struct geometry *g, const struct sb *sb)
{
	int err = check_sizes(sb);

	if (!err)
		err = check_features(sb);
	if (err)
		return err;
	memset(g, 0, sizeof(*g));
	copy_numbers(g, sb);
	g->versionnum = be16_get(sb->versionnum);
	g->features2 = be32_get(sb->features2);
	g->compat = be32_get(sb->features_compat);
	g->ro_compat = be32_get(sb->features_ro_compat);
	g->incompat = be32_get(sb->features_incompat);
	g->log_incompat = be32_get(sb->features_log_incompat);
	g->features = features_from(g);
	memcpy(g->uuid.b, sb->uuid, 16);
	memcpy(g->meta_uuid.b, geometry_has(g, FEATURE_META_UUID) ? sb->meta_uuid : sb->uuid, 16);
	memcpy(g->label, sb->fname, 12);
	inode_geometry(g);
	rt_geometry(g, sb);
	return 0;
}

bool agino_valid(const struct geometry *g, u32 ag, u32 agino)
{
	u32 bno = agino_bno(g, agino);

	return bno >= geometry_ag_header_blocks(g) && bno < geometry_ag_blocks(g, ag);
}

bool inum_valid(const struct geometry *g, struct inum i)
{
	return i.v >> g->agino_log < g->ag_count && agino_valid(g, inum_ag(g, i), inum_agino(g, i));
}
