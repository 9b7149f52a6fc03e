/*
 * What speaks against a geometry; see super_doubt.h.
 *
 * A damaged header speaks against nobody: only one that is whole, and says something else, or is
 * not there at all.
 */
#include "fs/super_doubt.h"

#include "format/ag.h"
#include "format/btree.h"
#include "format/dir.h"
#include "format/inode.h"
#include "format/log.h"
#include "format/super.h"
#include "format/verify.h"

#include <sys/stat.h>

#define CHUNKS_ASKED 8
#define CHUNKS_BYTES 512      /* of an inobt block, with that many records */
#define LOG_LOOK (512u << 10) /* more than the longest record: one begins in it */

static bool whole(const u8 *block, u32 size, u32 crc_offset)
{
	struct le32 crc;

	memcpy(&crc, block + crc_offset, sizeof(crc));
	return verify_crc(block, size, crc_offset) == le32_get(crc);
}

/* A root or level that is there although the feature is not, or the other way round. */
static u32 wrong_feature(const struct geometry *g, enum feature feature, u32 there)
{
	return geometry_has(g, feature) != (there != 0);
}

static u32 doubt_agf(struct device *dev, const struct geometry *g, u32 ag, u8 *block)
{
	const struct agf *agf = (const struct agf *)block;
	u64 at = agblock_daddr(g, ag, 0).v + g->sector_size;

	if (device_read(dev, daddr_of(at), block, g->sector_size))
		return 0;
	if (be32_get(agf->magicnum) != AGF_MAGIC)
		return 1;
	if (!whole(block, g->sector_size, offsetof(struct agf, crc)))
		return 0;
	return (be32_get(agf->seqno) != ag) + (be32_get(agf->length) != geometry_ag_blocks(g, ag)) +
	       (memcmp(agf->uuid, g->meta_uuid.b, sizeof(agf->uuid)) != 0) +
	       wrong_feature(g, FEATURE_RMAPBT, be32_get(agf->levels[AGF_RMAP])) +
	       wrong_feature(g, FEATURE_REFLINK, be32_get(agf->refcount_level));
}

/* Does the directory in the inode end where its entries do, with or without file types? */
static bool short_ends(const struct geometry *g, const struct dinode *d)
{
	const u8 *bytes = (const u8 *)(d + 1);
	u64 size = be64_get(d->size), at;
	u32 count, wide, type = geometry_has(g, FEATURE_FTYPE);

	if (size < 6 || size > g->inode_size - sizeof(*d))
		return true;
	count = bytes[0];
	wide = bytes[1] ? 8 : 4;
	/* header, parent; then length, offset, name, type, inode */
	for (at = 2 + wide; count && at < size; count--)
		at += 3 + bytes[at] + type + wide;
	return at == size;
}

/* Where block `off` of a fork in extents format is; NULL64: a hole, or nowhere. */
static u64 block_at(const struct geometry *g, const struct dinode *d, u64 off)
{
	const struct bmbt_rec *rec = (const struct bmbt_rec *)(d + 1);
	u64 most = (g->inode_size - sizeof(*d)) / sizeof(*rec);
	u64 count = be64_get(d->flags2) & INODE_FLAG2_NREXT64
			? be64_get(((const struct dinode64 *)d)->big_nextents)
			: be32_get(d->nextents);

	for (u64 i = 0; i < min_u64(most, count); i++) {
		struct extent e;

		extent_load(&rec[i], &e);
		if (off >= e.off && off - e.off < e.count &&
		    fsblock_valid(g, fsblock_of(e.start), e.count))
			return e.start + (off - e.off);
	}
	return NULL64;
}

static bool data_begins(struct device *dev, const struct geometry *g, u64 fsblock, u8 *block)
{
	const struct be32 *magic = (const struct be32 *)block;

	return fsblock != NULL64 &&
	       !device_read(dev, fsblock_daddr(g, fsblock_of(fsblock)), block, LOG_BLOCK) &&
	       (be32_get(*magic) == DIR_DATA_MAGIC || be32_get(*magic) == DIR_BLOCK_MAGIC);
}

/* A directory block begins behind the first one, and not in it. */
static u32 doubt_dir_blocks(struct device *dev, const struct geometry *g, const struct dinode *d,
			    u8 *block)
{
	u64 behind = block_at(g, d, g->dir_fsblocks);

	if (be64_get(d->size) % g->dir_block_size)
		return 1;
	if (g->dir_fsblocks > 1 && data_begins(dev, g, block_at(g, d, 1), block))
		return 1;
	return behind != NULL64 && !data_begins(dev, g, behind, block);
}

static u32 doubt_inode(struct device *dev, const struct geometry *g, const struct dinode *d,
		       u8 *block)
{
	u64 flags2 = be64_get(d->flags2);
	u32 doubts = (flags2 & INODE_FLAG2_BIGTIME && !geometry_has(g, FEATURE_BIGTIME)) +
		     (flags2 & INODE_FLAG2_NREXT64 && !geometry_has(g, FEATURE_NREXT64));

	if (!S_ISDIR(be16_get(d->mode)))
		return doubts;
	if (d->format == FORMAT_LOCAL)
		return doubts + !short_ends(g, d);
	return d->format == FORMAT_EXTENTS ? doubts + doubt_dir_blocks(dev, g, d, block) : doubts;
}

static u64 inode_at(const struct geometry *g, struct inum ino)
{
	u32 agino = inum_agino(g, ino);

	return agblock_daddr(g, inum_ag(g, ino), agino_bno(g, agino)).v +
	       ((u64)(agino & (g->inodes_per_block - 1)) << g->inode_log);
}

/* The inodes of a chunk; the first must be where it is said to be. */
static u32 doubt_chunk(struct device *dev, const struct geometry *g, struct inum ino, u8 *block)
{
	u32 doubts = 0;
	union {
		u8 raw[1 << SB_MAX_INODE_LOG];
		struct dinode d;
	} one;
	u64 at;

	if (!inum_valid(g, ino))
		return 1;
	at = inode_at(g, ino);
	for (u32 i = 0; i < INODES_PER_CHUNK; i++, at += g->inode_size) {
		bool there;

		if (device_read(dev, daddr_of(at), one.raw, g->inode_size))
			return doubts;
		there = be16_get(one.d.magic) == INODE_MAGIC && be64_get(one.d.ino) == ino.v + i;
		if (!i && !there)
			return 1; /* in a sparse chunk, too: they have their first inodes */
		if (there && whole(one.raw, g->inode_size, offsetof(struct dinode, crc)))
			doubts += doubt_inode(dev, g, &one.d, block);
	}
	return doubts;
}

/* The first chunks of an inobt that is one block. */
static u32 doubt_chunks(struct device *dev, const struct geometry *g, u32 ag, u32 root, u8 *block)
{
	const struct btree_short *h = (const struct btree_short *)block;
	const struct inobt_rec *rec = (const struct inobt_rec *)(h + 1);
	u32 start[CHUNKS_ASKED], count, doubts = 0;

	if (!fsblock_valid(g, fsblock_make(g, ag, root), 1) ||
	    device_read(dev, agblock_daddr(g, ag, root), block, CHUNKS_BYTES) ||
	    be32_get(h->magic) != INOBT_MAGIC)
		return 0;
	count = (u32)min_u64(be16_get(h->numrecs), CHUNKS_ASKED);
	for (u32 i = 0; i < count; i++)
		start[i] = be32_get(rec[i].startino);
	for (u32 i = 0; i < count; i++)
		if (agino_valid(g, ag, start[i]))
			doubts += doubt_chunk(dev, g, inum_make(g, ag, start[i]), block);
	return doubts;
}

static u32 doubt_agi(struct device *dev, const struct geometry *g, u32 ag, u8 *block)
{
	const struct agi *agi = (const struct agi *)block;
	u32 doubts;
	u64 at = agblock_daddr(g, ag, 0).v + 2 * (u64)g->sector_size;

	if (device_read(dev, daddr_of(at), block, g->sector_size))
		return 0;
	if (be32_get(agi->magicnum) != AGI_MAGIC)
		return 1;
	if (!whole(block, g->sector_size, offsetof(struct agi, crc)))
		return 0;
	doubts = (be32_get(agi->seqno) != ag) +
		 (be32_get(agi->length) != geometry_ag_blocks(g, ag)) +
		 (memcmp(agi->uuid, g->meta_uuid.b, sizeof(agi->uuid)) != 0) +
		 wrong_feature(g, FEATURE_FINOBT, be32_get(agi->free_level)) +
		 wrong_feature(g, FEATURE_INOBTCOUNT, be32_get(agi->iblocks));
	return be32_get(agi->level) == 1
		   ? doubts + doubt_chunks(dev, g, ag, be32_get(agi->root), block)
		   : doubts;
}

/* A record knows in which block of the log it is. */
static bool record_begins(const struct geometry *g, const u8 *block, u64 number)
{
	const struct log_record *h = (const struct log_record *)block;

	return be32_get(h->magicno) == LOG_RECORD_MAGIC && (be64_get(h->lsn) & NULL32) == number &&
	       (!memcmp(h->fs_uuid, g->uuid.b, sizeof(h->fs_uuid)) ||
		!memcmp(h->fs_uuid, g->meta_uuid.b, sizeof(h->fs_uuid)));
}

/* The cycle that a block of the log begins with; in a record's first block it comes later. */
static bool cycle_at(struct device *dev, u64 at, u8 *block, u32 *cycle)
{
	const struct log_record *h = (const struct log_record *)block;

	if (device_read(dev, daddr_of(at), block, LOG_BLOCK))
		return false;
	*cycle =
	    be32_get(h->magicno) == LOG_RECORD_MAGIC ? be32_get(h->cycle) : be32_get(h->magicno);
	return true;
}

/* The last block was written in the cycle of the first, or in the one before. */
static u32 doubt_log_end(struct device *dev, const struct geometry *g, u8 *block)
{
	u64 at = fsblock_daddr(g, fsblock_of(g->log_start)).v;
	u32 first, last;

	if (!cycle_at(dev, at, block, &first) ||
	    !cycle_at(dev, at + ((u64)g->log_blocks << g->block_log) - LOG_BLOCK, block, &last))
		return 0;
	return last != first && last + 1 != first;
}

static u32 doubt_log(struct device *dev, const struct geometry *g, u8 *block)
{
	const u32 step = 1u << SB_MAX_SECTOR_LOG;
	struct fsblock start = fsblock_of(g->log_start);
	u64 first, bytes = (u64)g->log_blocks << g->block_log;

	if (!g->log_internal)
		return 1; /* nothing speaks for it: whose copies agree is not asked */
	if (!fsblock_valid(g, start, g->log_blocks))
		return 1;
	first = fsblock_daddr(g, start).v;
	for (u64 at = 0; at + step <= min_u64(LOG_LOOK, bytes); at += step) {
		if (device_read(dev, daddr_of(first + at), block, step))
			return 0;
		for (u32 i = 0; i < step; i += LOG_BLOCK)
			if (record_begins(g, block + i, (at + i) / LOG_BLOCK))
				return doubt_log_end(dev, g, block);
	}
	return 1;
}

u32 super_doubts(struct device *dev, const struct geometry *g, u8 *block)
{
	const u32 ag[] = {0, 1, g->ag_count - 1};
	/* mkfs leaves the root null in copies */
	u32 doubts = doubt_log(dev, g, block) +
		     (g->root_ino == NULL64 ? 0 : doubt_chunk(dev, g, inum_of(g->root_ino), block));

	for (u32 i = 0; i < ARRAY_COUNT(ag); i++) {
		if (ag[i] >= g->ag_count || (i == 2 && ag[i] <= 1))
			continue;
		doubts += doubt_agf(dev, g, ag[i], block);
		doubts += doubt_agi(dev, g, ag[i], block);
	}
	return doubts;
}
