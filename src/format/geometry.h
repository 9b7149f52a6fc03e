/*
 * The geometry of one filesystem, in host numbers: what a superblock says once it has passed its
 * rules.  Pure data; immutable after geometry_from_sb().
 */
#ifndef MENDFS_FORMAT_GEOMETRY_H
#define MENDFS_FORMAT_GEOMETRY_H

#include "base/types.h"

struct sb;

enum feature {
	FEATURE_FTYPE,
	FEATURE_FINOBT,
	FEATURE_SPARSE,
	FEATURE_INOBTCOUNT,
	FEATURE_RMAPBT,
	FEATURE_REFLINK,
	FEATURE_BIGTIME,
	FEATURE_NREXT64,
	FEATURE_META_UUID,
	FEATURE_NEEDSREPAIR,
	FEATURE_PARENT,
	FEATURE_EXCHANGE,
	FEATURE_ATTR,
	FEATURE_ATTR2,
	FEATURE_ALIGN,
	FEATURE_DALIGN,
	FEATURE_QUOTA,
	FEATURE_LAZYSBCOUNT,
	FEATURE_PROJID32,
	FEATURE_MOREBITS,
	FEATURE_LOGV2,
	FEATURE_SECTOR,
	FEATURE_COUNT,
};

struct geometry {
	u32 block_size, block_log;
	u32 sector_size, sector_log; /* of the data device */
	u32 ag_count, ag_blocks;     /* the last AG may be shorter: geometry_ag_blocks() */
	u32 ag_block_log;	     /* sb_agblklog */
	u64 data_blocks;
	u32 inode_size, inode_log;
	u32 inodes_per_block, inopb_log;
	u32 agino_log;	    /* ag_block_log + inopb_log */
	u32 chunk_blocks;   /* of 64 inodes; 1 where a block holds more than 64 */
	u32 cluster_blocks; /* inode cluster, the unit inodes are read in */
	u32 inode_align;    /* sb_inoalignmt */
	u32 spino_align;    /* sparse inode alignment, blocks */
	u32 max_inode_percent;
	u32 dir_block_size, dir_block_log; /* bytes; log of fs blocks per directory block */
	u32 dir_fsblocks;
	/* Where the three address spaces of a directory start, in fs blocks of the file. */
	u64 dir_leaf_off, dir_free_off;
	u64 root_ino, rbm_ino, rsum_ino, uquota_ino, gquota_ino, pquota_ino;
	u16 quota_flags;
	bool log_internal;
	u64 log_start; /* fsblock, 0 if external */
	u32 log_blocks;
	u32 log_sector_size, log_stripe_unit; /* bytes; 0 or 1 means none */
	u32 stripe_unit, stripe_width;	      /* blocks */
	u64 rt_blocks, rt_extents;
	u32 rt_extent_size; /* blocks */
	u32 rt_bitmap_blocks, rt_extslog, rt_summary_levels;
	u64 rt_summary_size;   /* bytes */
	struct uuid uuid;      /* sb_uuid, what people see */
	struct uuid meta_uuid; /* what blocks carry */
	char label[13];
	u64 icount, ifree, fdblocks, frextents; /* as the superblock had them */
	u32 features;				/* bit enum feature */
	u32 versionnum, features2, compat, ro_compat, incompat, log_incompat; /* raw */
};

static inline bool geometry_has(const struct geometry *g, enum feature f)
{
	return g->features >> f & 1;
}
/* Blocks of one AG; ag < ag_count. */
static inline u32 geometry_ag_blocks(const struct geometry *g, u32 ag)
{
	if (ag + 1 < g->ag_count)
		return g->ag_blocks;
	return (u32)(g->data_blocks - (u64)ag * g->ag_blocks);
}
static inline struct fsblock fsblock_make(const struct geometry *g, u32 ag, u32 bno)
{
	return fsblock_of((u64)ag << g->ag_block_log | bno);
}
static inline u32 fsblock_ag(const struct geometry *g, struct fsblock b)
{
	return (u32)(b.v >> g->ag_block_log);
}
static inline u32 fsblock_bno(const struct geometry *g, struct fsblock b)
{
	return (u32)(b.v & ((1ull << g->ag_block_log) - 1));
}
/* True when the block, and `count` from it, lie inside one AG. */
static inline bool fsblock_valid(const struct geometry *g, struct fsblock b, u64 count)
{
	u64 ag = b.v >> g->ag_block_log;

	if (ag >= g->ag_count || !count)
		return false;
	u64 bno = fsblock_bno(g, b), blocks = geometry_ag_blocks(g, (u32)ag);
	return bno < blocks && count <= blocks - bno;
}
static inline struct daddr fsblock_daddr(const struct geometry *g, struct fsblock b)
{
	u64 linear = (u64)fsblock_ag(g, b) * g->ag_blocks + fsblock_bno(g, b);

	return daddr_of(linear << g->block_log);
}
static inline struct daddr agblock_daddr(const struct geometry *g, u32 ag, u32 bno)
{
	return daddr_of(((u64)ag * g->ag_blocks + bno) << g->block_log);
}
static inline u32 inum_ag(const struct geometry *g, struct inum i)
{
	return (u32)(i.v >> g->agino_log);
}
static inline u32 inum_agino(const struct geometry *g, struct inum i)
{
	return (u32)(i.v & ((1ull << g->agino_log) - 1));
}
static inline struct inum inum_make(const struct geometry *g, u32 ag, u32 agino)
{
	return inum_of((u64)ag << g->agino_log | agino);
}
static inline u32 agino_bno(const struct geometry *g, u32 agino)
{
	return agino >> g->inopb_log;
}
static inline struct daddr inum_daddr(const struct geometry *g, struct inum i)
{
	u32 agino = inum_agino(g, i);

	return daddr_of(agblock_daddr(g, inum_ag(g, i), agino_bno(g, agino)).v +
			((u64)(agino & (g->inodes_per_block - 1)) << g->inode_log));
}
/* Inside an AG, and beyond its header sectors. Says nothing about whether it is allocated. */
bool inum_valid(const struct geometry *g, struct inum i);
bool agino_valid(const struct geometry *g, u32 ag, u32 agino);
/* The first AG block that is not one of the four header sectors. */
static inline u32 geometry_ag_header_blocks(const struct geometry *g)
{
	return (4 * g->sector_size + g->block_size - 1) >> g->block_log;
}

/*
 * Fills g from a superblock whose rules have passed (it repeats the few checks that its own
 * arithmetic needs, so a hostile sb cannot make it overflow). -EUCLEAN, or -EOPNOTSUPP naming the
 * feature that is not supported.
 */
int geometry_from_sb(struct geometry *g, const struct sb *sb);
/*
 * The other way: a superblock of this geometry, without checksum.  Reads sizes, features (the bits
 * of enum feature, not the raw words) and numbers, no logarithms and nothing that follows from
 * others, so that geometry_from_sb() makes a whole geometry of a few numbers.
 */
void geometry_to_sb(const struct geometry *g, struct sb *sb);

#endif
