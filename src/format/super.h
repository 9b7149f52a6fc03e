/*
 * The superblock. Source: XFS_Filesystem_Structure, "Superblocks"; offsets asserted in super.c.
 */
#ifndef MENDFS_FORMAT_SUPER_H
#define MENDFS_FORMAT_SUPER_H

#include "format/layout.h"

#define SB_MAGIC 0x58465342u /* "XFSB" */

#define SB_FIELDS(F, A, S)                             \
	F(S, be32, magicnum, FIELD_MAGIC)              \
	F(S, be32, blocksize, FIELD_UINT)              \
	F(S, be64, dblocks, FIELD_BLOCKS)              \
	F(S, be64, rblocks, FIELD_BLOCKS)              \
	F(S, be64, rextents, FIELD_UINT)               \
	A(S, u8, 16, uuid, FIELD_UUID)                 \
	F(S, be64, logstart, FIELD_FSBLOCK)            \
	F(S, be64, rootino, FIELD_INO)                 \
	F(S, be64, rbmino, FIELD_INO)                  \
	F(S, be64, rsumino, FIELD_INO)                 \
	F(S, be32, rextsize, FIELD_BLOCKS)             \
	F(S, be32, agblocks, FIELD_BLOCKS)             \
	F(S, be32, agcount, FIELD_UINT)                \
	F(S, be32, rbmblocks, FIELD_BLOCKS)            \
	F(S, be32, logblocks, FIELD_BLOCKS)            \
	F(S, be16, versionnum, FIELD_FLAGS)            \
	F(S, be16, sectsize, FIELD_UINT)               \
	F(S, be16, inodesize, FIELD_UINT)              \
	F(S, be16, inopblock, FIELD_UINT)              \
	A(S, u8, 12, fname, FIELD_STRING)              \
	F(S, u8, blocklog, FIELD_UINT)                 \
	F(S, u8, sectlog, FIELD_UINT)                  \
	F(S, u8, inodelog, FIELD_UINT)                 \
	F(S, u8, inopblog, FIELD_UINT)                 \
	F(S, u8, agblklog, FIELD_UINT)                 \
	F(S, u8, rextslog, FIELD_UINT)                 \
	F(S, u8, inprogress, FIELD_UINT)               \
	F(S, u8, imax_pct, FIELD_UINT)                 \
	F(S, be64, icount, FIELD_UINT)                 \
	F(S, be64, ifree, FIELD_UINT)                  \
	F(S, be64, fdblocks, FIELD_BLOCKS)             \
	F(S, be64, frextents, FIELD_UINT)              \
	F(S, be64, uquotino, FIELD_INO)                \
	F(S, be64, gquotino, FIELD_INO)                \
	F(S, be16, qflags, FIELD_FLAGS)                \
	F(S, u8, flags, FIELD_FLAGS)                   \
	F(S, u8, shared_vn, FIELD_UINT)                \
	F(S, be32, inoalignmt, FIELD_BLOCKS)           \
	F(S, be32, unit, FIELD_BLOCKS)                 \
	F(S, be32, width, FIELD_BLOCKS)                \
	F(S, u8, dirblklog, FIELD_UINT)                \
	F(S, u8, logsectlog, FIELD_UINT)               \
	F(S, be16, logsectsize, FIELD_UINT)            \
	F(S, be32, logsunit, FIELD_UINT)               \
	F(S, be32, features2, FIELD_FLAGS)             \
	F(S, be32, bad_features2, FIELD_FLAGS)         \
	F(S, be32, features_compat, FIELD_FLAGS)       \
	F(S, be32, features_ro_compat, FIELD_FLAGS)    \
	F(S, be32, features_incompat, FIELD_FLAGS)     \
	F(S, be32, features_log_incompat, FIELD_FLAGS) \
	F(S, le32, crc, FIELD_CRC)                     \
	F(S, be32, spino_align, FIELD_BLOCKS)          \
	F(S, be64, pquotino, FIELD_INO)                \
	F(S, be64, lsn, FIELD_LSN)                     \
	A(S, u8, 16, meta_uuid, FIELD_UUID)
LAYOUT_STRUCT(sb, SB_FIELDS);

#define SB_VERSION_NUM_MASK 0x000fu
#define SB_VERSION_5 5
#define SB_VERSION_ATTR 0x0010u
#define SB_VERSION_NLINK 0x0020u
#define SB_VERSION_QUOTA 0x0040u
#define SB_VERSION_ALIGN 0x0080u
#define SB_VERSION_DALIGN 0x0100u
#define SB_VERSION_SHARED 0x0200u
#define SB_VERSION_LOGV2 0x0400u
#define SB_VERSION_SECTOR 0x0800u
#define SB_VERSION_EXTFLG 0x1000u
#define SB_VERSION_DIRV2 0x2000u
#define SB_VERSION_BORG 0x4000u
#define SB_VERSION_MOREBITS 0x8000u

#define SB_VERSION2_LAZYSBCOUNT 0x00000002u
#define SB_VERSION2_ATTR2 0x00000008u
#define SB_VERSION2_PARENT 0x00000010u
#define SB_VERSION2_PROJID32 0x00000080u
#define SB_VERSION2_CRC 0x00000100u
#define SB_VERSION2_FTYPE 0x00000200u

#define SB_RO_FINOBT 0x1u
#define SB_RO_RMAPBT 0x2u
#define SB_RO_REFLINK 0x4u
#define SB_RO_INOBTCNT 0x8u
#define SB_RO_KNOWN 0xfu

#define SB_INCOMPAT_FTYPE 0x01u
#define SB_INCOMPAT_SPINODES 0x02u
#define SB_INCOMPAT_META_UUID 0x04u
#define SB_INCOMPAT_BIGTIME 0x08u
#define SB_INCOMPAT_NEEDSREPAIR 0x10u
#define SB_INCOMPAT_NREXT64 0x20u
#define SB_INCOMPAT_EXCHRANGE 0x40u
#define SB_INCOMPAT_PARENT 0x80u
#define SB_INCOMPAT_METADIR 0x100u
#define SB_INCOMPAT_ZONED 0x200u
#define SB_INCOMPAT_ZONE_GAPS 0x400u
#define SB_INCOMPAT_KNOWN 0xffu

#define SB_LOG_INCOMPAT_XATTRS 0x1u
#define SB_LOG_INCOMPAT_KNOWN 0x1u

/* sb_qflags */
#define SB_QFLAG_UQUOTA_ACCT 0x0001u
#define SB_QFLAG_UQUOTA_ENFD 0x0002u
#define SB_QFLAG_UQUOTA_CHKD 0x0004u
#define SB_QFLAG_GQUOTA_ACCT 0x0040u
#define SB_QFLAG_GQUOTA_ENFD 0x0080u
#define SB_QFLAG_GQUOTA_CHKD 0x0100u
#define SB_QFLAG_PQUOTA_ACCT 0x0008u
#define SB_QFLAG_PQUOTA_ENFD 0x0200u
#define SB_QFLAG_PQUOTA_CHKD 0x0400u
#define SB_QFLAG_ACCOUNTING (SB_QFLAG_UQUOTA_ACCT | SB_QFLAG_GQUOTA_ACCT | SB_QFLAG_PQUOTA_ACCT)

#define SB_MIN_BLOCK_LOG 10
#define SB_MAX_BLOCK_LOG 16
#define SB_MIN_SECTOR_LOG 9
#define SB_MAX_SECTOR_LOG 15
#define SB_MIN_INODE_LOG 9 /* V5 */
#define SB_MAX_INODE_LOG 11
#define SB_MIN_AG_BYTES (1ull << 24)
#define SB_MAX_AG_BYTES (1ull << 40)
#define SB_MIN_AG_BLOCKS 64
#define SB_MIN_LOG_BLOCKS 512
#define SB_MAX_LOG_BLOCKS (1024 * 1024u)
#define SB_MAX_LOG_BYTES ((1ull << 31) - 10 * 1024 * 1024)

#endif
