/*
 * Quota records: what one user, group or project uses and may use. A quota file is an array of
 * them, indexed by id; a record does not cross a block.
 * Source: XFS_Filesystem_Structure, "Quota Inodes".
 */
#ifndef MENDFS_FORMAT_QUOTA_H
#define MENDFS_FORMAT_QUOTA_H

#include "format/geometry.h"
#include "format/layout.h"

#define DQUOT_MAGIC 0x4451u /* "DQ" */
#define DQUOT_VERSION 1

#define DQUOT_FIELDS(F, A, S)                   \
	F(S, be16, magic, FIELD_MAGIC)          \
	F(S, u8, version, FIELD_UINT)           \
	F(S, u8, type, FIELD_FLAGS)             \
	F(S, be32, id, FIELD_UINT)              \
	F(S, be64, blk_hardlimit, FIELD_BLOCKS) \
	F(S, be64, blk_softlimit, FIELD_BLOCKS) \
	F(S, be64, ino_hardlimit, FIELD_UINT)   \
	F(S, be64, ino_softlimit, FIELD_UINT)   \
	F(S, be64, bcount, FIELD_BLOCKS)        \
	F(S, be64, icount, FIELD_UINT)          \
	F(S, be32, itimer, FIELD_TIME)          \
	F(S, be32, btimer, FIELD_TIME)          \
	F(S, be16, iwarns, FIELD_UINT)          \
	F(S, be16, bwarns, FIELD_UINT)          \
	F(S, be32, pad0, FIELD_PAD)             \
	F(S, be64, rtb_hardlimit, FIELD_BLOCKS) \
	F(S, be64, rtb_softlimit, FIELD_BLOCKS) \
	F(S, be64, rtbcount, FIELD_BLOCKS)      \
	F(S, be32, rtbtimer, FIELD_TIME)        \
	F(S, be16, rtbwarns, FIELD_UINT)        \
	F(S, be16, pad, FIELD_PAD)              \
	A(S, u8, 4, fill, FIELD_PAD)            \
	F(S, le32, crc, FIELD_CRC)              \
	F(S, be64, lsn, FIELD_LSN)              \
	A(S, u8, 16, uuid, FIELD_UUID)
LAYOUT_STRUCT(dquot, DQUOT_FIELDS);

/* The type: one of these, and with bigtime timers in units of four seconds. */
#define DQUOT_USER 0x01u
#define DQUOT_PROJECT 0x02u
#define DQUOT_GROUP 0x04u
#define DQUOT_TYPES (DQUOT_USER | DQUOT_PROJECT | DQUOT_GROUP)
#define DQUOT_BIGTIME 0x80u

/* The resources of the account QUOTA. */
enum quota_resource { QUOTA_BLOCKS, QUOTA_INODES, QUOTA_RT_BLOCKS };

static inline u32 dquots_per_block(const struct geometry *g)
{
	return g->block_size / (u32)sizeof(struct dquot);
}
/* The type that the records of this inode have; 0: it is no quota inode. */
u32 quota_type_of(const struct geometry *g, u64 ino);
/* The types that have an inode. */
u32 quota_types_there(const struct geometry *g);
/* The types whose usage is kept and has been counted: only these must be right. */
u32 quota_types_counted(const struct geometry *g);
/* sb_qflags for types that are kept and counted. */
u32 quota_flags_of(u32 types, bool enforced);
/* Those of them whose limits hold. */
u32 quota_types_enforced(const struct geometry *g);

#endif
