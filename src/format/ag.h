/*
 * The headers of an AG: AGF, AGI and AGFL, in the second to fourth sector after the superblock
 * copy. Source: XFS_Filesystem_Structure, "AG Free Space Block", "AG Inode Management", "AG Free
 * List".
 */
#ifndef MENDFS_FORMAT_AG_H
#define MENDFS_FORMAT_AG_H

#include "format/geometry.h"
#include "format/layout.h"
#include "format/super.h"

#define AGF_MAGIC 0x58414746u  /* "XAGF" */
#define AGI_MAGIC 0x58414749u  /* "XAGI" */
#define AGFL_MAGIC 0x5841464cu /* "XAFL" */
#define AG_VERSION 1
#define AGI_BUCKETS 64

/* Indexes of agf.roots and agf.levels. */
enum { AGF_BNO, AGF_CNT, AGF_RMAP, AGF_TREES };

#define AGF_FIELDS(F, A, S)                       \
	F(S, be32, magicnum, FIELD_MAGIC)         \
	F(S, be32, versionnum, FIELD_UINT)        \
	F(S, be32, seqno, FIELD_AGNO)             \
	F(S, be32, length, FIELD_BLOCKS)          \
	A(S, be32, 3, roots, FIELD_AGBLOCK)       \
	A(S, be32, 3, levels, FIELD_UINT)         \
	F(S, be32, flfirst, FIELD_UINT)           \
	F(S, be32, fllast, FIELD_UINT)            \
	F(S, be32, flcount, FIELD_UINT)           \
	F(S, be32, freeblks, FIELD_BLOCKS)        \
	F(S, be32, longest, FIELD_BLOCKS)         \
	F(S, be32, btreeblks, FIELD_BLOCKS)       \
	A(S, u8, 16, uuid, FIELD_UUID)            \
	F(S, be32, rmap_blocks, FIELD_BLOCKS)     \
	F(S, be32, refcount_blocks, FIELD_BLOCKS) \
	F(S, be32, refcount_root, FIELD_AGBLOCK)  \
	F(S, be32, refcount_level, FIELD_UINT)    \
	A(S, be64, 14, spare64, FIELD_PAD)        \
	F(S, be64, lsn, FIELD_LSN)                \
	F(S, le32, crc, FIELD_CRC)                \
	F(S, be32, spare2, FIELD_PAD)
LAYOUT_STRUCT(agf, AGF_FIELDS);

#define AGI_FIELDS(F, A, S)                            \
	F(S, be32, magicnum, FIELD_MAGIC)              \
	F(S, be32, versionnum, FIELD_UINT)             \
	F(S, be32, seqno, FIELD_AGNO)                  \
	F(S, be32, length, FIELD_BLOCKS)               \
	F(S, be32, count, FIELD_UINT)                  \
	F(S, be32, root, FIELD_AGBLOCK)                \
	F(S, be32, level, FIELD_UINT)                  \
	F(S, be32, freecount, FIELD_UINT)              \
	F(S, be32, newino, FIELD_AGINO)                \
	F(S, be32, dirino, FIELD_AGINO)                \
	A(S, be32, AGI_BUCKETS, unlinked, FIELD_AGINO) \
	A(S, u8, 16, uuid, FIELD_UUID)                 \
	F(S, le32, crc, FIELD_CRC)                     \
	F(S, be32, pad32, FIELD_PAD)                   \
	F(S, be64, lsn, FIELD_LSN)                     \
	F(S, be32, free_root, FIELD_AGBLOCK)           \
	F(S, be32, free_level, FIELD_UINT)             \
	F(S, be32, iblocks, FIELD_BLOCKS)              \
	F(S, be32, fblocks, FIELD_BLOCKS)
LAYOUT_STRUCT(agi, AGI_FIELDS);

#define AGFL_FIELDS(F, A, S)              \
	F(S, be32, magicnum, FIELD_MAGIC) \
	F(S, be32, seqno, FIELD_AGNO)     \
	A(S, u8, 16, uuid, FIELD_UUID)    \
	F(S, be64, lsn, FIELD_LSN)        \
	F(S, le32, crc, FIELD_CRC)
LAYOUT_STRUCT(agfl, AGFL_FIELDS);

/* The block numbers that fill the sector behind the AGFL's header. */
#define AGFL_SLOT_FIELDS(F, A, S) F(S, be32, bno, FIELD_AGBLOCK)
LAYOUT_STRUCT(agfl_slot, AGFL_SLOT_FIELDS);

/* With the largest sector that there is. */
#define AGFL_SLOTS_MAX \
	(((1u << SB_MAX_SECTOR_LOG) - sizeof(struct agfl)) / sizeof(struct agfl_slot))
static inline u32 agfl_slots(const struct geometry *g)
{
	return (u32)((g->sector_size - sizeof(struct agfl)) / sizeof(struct agfl_slot));
}
/* The sector of an AG in which a header lives. */
static inline struct daddr ag_header_daddr(const struct geometry *g, u32 ag, u32 sector)
{
	struct daddr at = agblock_daddr(g, ag, 0);

	return daddr_of(at.v + (u64)sector * g->sector_size);
}

#endif
