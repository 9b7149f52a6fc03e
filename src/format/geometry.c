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

static const struct feature_bit version_bits[] = {
    {FEATURE_ATTR, SB_VERSION_ATTR},	     {FEATURE_QUOTA, SB_VERSION_QUOTA},
    {FEATURE_ALIGN, SB_VERSION_ALIGN},	     {FEATURE_DALIGN, SB_VERSION_DALIGN},
    {FEATURE_LOGV2, SB_VERSION_LOGV2},	     {FEATURE_SECTOR, SB_VERSION_SECTOR},
    {FEATURE_MOREBITS, SB_VERSION_MOREBITS},
};
static const struct feature_bit more_bits[] = {
    {FEATURE_LAZYSBCOUNT, SB_VERSION2_LAZYSBCOUNT},
    {FEATURE_ATTR2, SB_VERSION2_ATTR2},
    {FEATURE_PROJID32, SB_VERSION2_PROJID32},
};
static const struct feature_bit ro_bits[] = {
    {FEATURE_FINOBT, SB_RO_FINOBT},
    {FEATURE_RMAPBT, SB_RO_RMAPBT},
    {FEATURE_REFLINK, SB_RO_REFLINK},
    {FEATURE_INOBTCOUNT, SB_RO_INOBTCNT},
};
static const struct feature_bit incompat_bits[] = {
    {FEATURE_FTYPE, SB_INCOMPAT_FTYPE},
    {FEATURE_SPARSE, SB_INCOMPAT_SPINODES},
    {FEATURE_META_UUID, SB_INCOMPAT_META_UUID},
    {FEATURE_BIGTIME, SB_INCOMPAT_BIGTIME},
    {FEATURE_NEEDSREPAIR, SB_INCOMPAT_NEEDSREPAIR},
    {FEATURE_NREXT64, SB_INCOMPAT_NREXT64},
    {FEATURE_EXCHANGE, SB_INCOMPAT_EXCHRANGE},
    {FEATURE_PARENT, SB_INCOMPAT_PARENT},
};

static u32 map_bits(u32 raw, const struct feature_bit *map, u32 count)
{
	u32 features = 0;

	for (u32 i = 0; i < count; i++)
		if (raw & map[i].bit)
			features |= 1u << map[i].feature;
	return features;
}

static u32 raw_bits(u32 features, const struct feature_bit *map, u32 count)
{
	u32 raw = 0;

	for (u32 i = 0; i < count; i++)
		if (features >> map[i].feature & 1)
			raw |= map[i].bit;
	return raw;
}

static u32 features_from(const struct geometry *g)
{
	return map_bits(g->versionnum, version_bits, ARRAY_COUNT(version_bits)) |
	       map_bits(g->features2, more_bits, ARRAY_COUNT(more_bits)) |
	       map_bits(g->ro_compat, ro_bits, ARRAY_COUNT(ro_bits)) |
	       map_bits(g->incompat, incompat_bits, ARRAY_COUNT(incompat_bits));
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

/* Written down twice; without the feature bit, in no place. */
static u32 log_sector_of(const struct sb *sb)
{
	u32 size = be16_get(sb->logsectsize), log = sb->logsectlog;

	if (!(be16_get(sb->versionnum) & SB_VERSION_SECTOR))
		return 1u << SB_MIN_SECTOR_LOG;
	if (size >= 1u << SB_MIN_SECTOR_LOG && size <= 1u << SB_MAX_SECTOR_LOG &&
	    !(size & (size - 1)))
		return size;
	return log >= SB_MIN_SECTOR_LOG && log <= SB_MAX_SECTOR_LOG ? 1u << log
								    : 1u << SB_MIN_SECTOR_LOG;
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
	g->log_sector_size = log_sector_of(sb);
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

static u8 log2_of(u64 size)
{
	return size ? (u8)(63 - __builtin_clzll(size)) : 0;
}

static void put_features(const struct geometry *g, struct sb *sb)
{
	u32 version = SB_VERSION_5 | SB_VERSION_NLINK | SB_VERSION_EXTFLG | SB_VERSION_DIRV2;
	u32 more = SB_VERSION2_CRC;

	version |= raw_bits(g->features, version_bits, ARRAY_COUNT(version_bits));
	more |= raw_bits(g->features, more_bits, ARRAY_COUNT(more_bits));
	sb->versionnum = be16_make((u16)version);
	sb->features2 = sb->bad_features2 = be32_make(more);
	sb->features_ro_compat = be32_make(raw_bits(g->features, ro_bits, ARRAY_COUNT(ro_bits)));
	sb->features_incompat =
	    be32_make(raw_bits(g->features, incompat_bits, ARRAY_COUNT(incompat_bits)));
}

static void put_sizes(const struct geometry *g, struct sb *sb)
{
	sb->blocksize = be32_make(g->block_size);
	sb->blocklog = log2_of(g->block_size);
	sb->dblocks = be64_make(g->data_blocks);
	sb->agblocks = be32_make(g->ag_blocks);
	sb->agcount = be32_make(g->ag_count);
	sb->agblklog = (u8)(log2_of(g->ag_blocks - 1ull) + 1);
	sb->sectsize = be16_make((u16)g->sector_size);
	sb->sectlog = log2_of(g->sector_size);
	sb->inodesize = be16_make((u16)g->inode_size);
	sb->inodelog = log2_of(g->inode_size);
	sb->inopblog = sb->blocklog - sb->inodelog;
	sb->inopblock = be16_make((u16)(1u << sb->inopblog));
	sb->dirblklog = log2_of(g->dir_block_size) - sb->blocklog;
	sb->inoalignmt = be32_make(g->inode_align);
	sb->spino_align = be32_make(g->spino_align);
	sb->unit = be32_make(g->stripe_unit);
	sb->width = be32_make(g->stripe_width);
	sb->imax_pct = (u8)g->max_inode_percent;
	sb->logstart = be64_make(g->log_internal ? g->log_start : 0);
	sb->logblocks = be32_make(g->log_blocks);
	sb->logsunit = be32_make(g->log_stripe_unit);
	if (geometry_has(g, FEATURE_SECTOR)) {
		sb->logsectsize = be16_make((u16)g->log_sector_size);
		sb->logsectlog = log2_of(g->log_sector_size);
	}
	sb->rblocks = be64_make(g->rt_blocks);
	sb->rextents = be64_make(g->rt_extents);
	sb->rextsize = be32_make(g->rt_extent_size);
	sb->rextslog = log2_of(g->rt_extents);
	sb->rbmblocks = be32_make((u32)div_up_u64(g->rt_extents, 8ull << sb->blocklog));
}

void geometry_to_sb(const struct geometry *g, struct sb *sb)
{
	memset(sb, 0, sizeof(*sb));
	sb->magicnum = be32_make(SB_MAGIC);
	put_features(g, sb);
	put_sizes(g, sb);
	memcpy(sb->uuid, g->uuid.b, sizeof(sb->uuid));
	if (geometry_has(g, FEATURE_META_UUID))
		memcpy(sb->meta_uuid, g->meta_uuid.b, sizeof(sb->meta_uuid));
	memcpy(sb->fname, g->label, sizeof(sb->fname));
	sb->rootino = be64_make(g->root_ino);
	sb->rbmino = be64_make(g->rbm_ino);
	sb->rsumino = be64_make(g->rsum_ino);
	sb->uquotino = be64_make(g->uquota_ino);
	sb->gquotino = be64_make(g->gquota_ino);
	sb->pquotino = be64_make(g->pquota_ino);
	sb->qflags = be16_make(g->quota_flags);
	sb->icount = be64_make(g->icount);
	sb->ifree = be64_make(g->ifree);
	sb->fdblocks = be64_make(g->fdblocks);
	sb->frextents = be64_make(g->frextents);
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
