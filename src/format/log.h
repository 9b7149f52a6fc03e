/*
 * The log: records, operations, and the items that transactions are made of.
 *
 * Record and operation headers are big-endian; what operations carry is in the byte order of the
 * host that wrote it, little-endian here (log_record.fmt says so).  Sources:
 * XFS_Filesystem_Structure, "Journaling Log"; xfs_log_format.h of xfslibs-dev; xfs_logprint.
 */
#ifndef MENDFS_FORMAT_LOG_H
#define MENDFS_FORMAT_LOG_H

#include "format/layout.h"

/* The log is counted in basic blocks, whatever the sector size. */
#define LOG_BLOCK 512
#define LOG_BLOCK_LOG 9

#define LOG_RECORD_MAGIC 0xfeedbabeu
#define LOG_VERSION_2 2u
#define LOG_VERSION_KNOWN 3u
#define LOG_FMT_LINUX_LE 1
#define LOG_CYCLE_SLOTS 64				/* cycle words in one header block */
#define LOG_HEADER_COVERS (LOG_CYCLE_SLOTS * LOG_BLOCK) /* bytes of body */
#define LOG_RECORD_MAX (256u * 1024)			/* bytes of body */
#define LOG_RECORDS_IN_FLIGHT 8 /* log buffers written out of order at most */

/* The checksum covers this much of the header; a 32-bit kernel leaves the padding word out. */
#define LOG_RECORD_CRC_SIZE 328
#define LOG_RECORD_CRC_SIZE_32 324
#define LOG_EXT_CRC_SIZE 260

#define LOG_RECORD_FIELDS(F, A, S)            \
	F(S, be32, magicno, FIELD_MAGIC)      \
	F(S, be32, cycle, FIELD_UINT)         \
	F(S, be32, version, FIELD_UINT)       \
	F(S, be32, len, FIELD_UINT)           \
	F(S, be64, lsn, FIELD_LSN)            \
	F(S, be64, tail_lsn, FIELD_LSN)       \
	F(S, le32, crc, FIELD_CRC)            \
	F(S, be32, prev_block, FIELD_UINT)    \
	F(S, be32, num_logops, FIELD_UINT)    \
	A(S, be32, 64, cycle_data, FIELD_HEX) \
	F(S, be32, fmt, FIELD_UINT)           \
	A(S, u8, 16, fs_uuid, FIELD_UUID)     \
	F(S, be32, size, FIELD_UINT)          \
	A(S, u8, 188, pad, FIELD_BYTES)
LAYOUT_STRUCT(log_record, LOG_RECORD_FIELDS);

/* Follows the record header for each further 32 KiB that the record may have. */
#define LOG_EXT_FIELDS(F, A, S)               \
	F(S, be32, cycle, FIELD_UINT)         \
	A(S, be32, 64, cycle_data, FIELD_HEX) \
	A(S, u8, 252, pad, FIELD_BYTES)
LAYOUT_STRUCT(log_ext, LOG_EXT_FIELDS);

#define LOG_CLIENT_TRANSACTION 0x69
#define LOG_CLIENT_LOG 0xaa

#define LOG_OP_START 0x01
#define LOG_OP_COMMIT 0x02
#define LOG_OP_CONTINUE 0x04
#define LOG_OP_WAS_CONT 0x08
#define LOG_OP_END 0x10
#define LOG_OP_UNMOUNT 0x20

#define LOG_OP_FIELDS(F, A, S)        \
	F(S, be32, tid, FIELD_HEX)    \
	F(S, be32, len, FIELD_UINT)   \
	F(S, u8, clientid, FIELD_HEX) \
	F(S, u8, flags, FIELD_FLAGS)  \
	F(S, le16, res2, FIELD_UINT)
LAYOUT_STRUCT(log_op, LOG_OP_FIELDS);

#define LOG_TRANS_MAGIC 0x5452414eu /* "TRAN" */
#define LOG_TRANS_FIELDS(F, A, S)      \
	F(S, le32, magic, FIELD_MAGIC) \
	F(S, le32, type, FIELD_UINT)   \
	F(S, le32, tid, FIELD_HEX)     \
	F(S, le32, num_items, FIELD_UINT)
LAYOUT_STRUCT(log_trans, LOG_TRANS_FIELDS);

#define LOG_UNMOUNT_MAGIC 0x556e
#define LOG_UNMOUNT_FIELDS(F, A, S)    \
	F(S, le16, magic, FIELD_MAGIC) \
	F(S, le16, pad1, FIELD_UINT)   \
	F(S, le32, pad2, FIELD_UINT)
LAYOUT_STRUCT(log_unmount, LOG_UNMOUNT_FIELDS);

enum log_item_type {
	LOG_EFI = 0x1236,
	LOG_EFD,
	LOG_IUNLINK, /* never written */
	LOG_INODE = 0x123b,
	LOG_BUF,
	LOG_DQUOT,
	LOG_QUOTAOFF,
	LOG_ICREATE,
	LOG_RUI,
	LOG_RUD,
	LOG_CUI,
	LOG_CUD,
	LOG_BUI,
	LOG_BUD,
	LOG_ATTRI,
	LOG_ATTRD,
	LOG_XMI,
	LOG_XMD,
};

/* How every item's first region starts: its type and how many regions it has. */
#define LOG_HEAD_FIELDS(F, A, S)     \
	F(S, le16, type, FIELD_ITEM) \
	F(S, le16, size, FIELD_UINT)
LAYOUT_STRUCT(log_head, LOG_HEAD_FIELDS);

/* Buffers: which chunks of one were changed. */
#define LOG_BUF_CHUNK 128u
#define LOG_BUF_MAP_WORDS 17 /* at most, of 32 chunks each */
#define LOG_BUF_INODE (1u << 0)
#define LOG_BUF_CANCEL (1u << 1)
#define LOG_BUF_UDQUOT (1u << 2)
#define LOG_BUF_PDQUOT (1u << 3)
#define LOG_BUF_GDQUOT (1u << 4)
#define LOG_BUF_FLAGS 0x1fu
#define LOG_BUF_TYPE_SHIFT 11 /* enum log_buf_type, in the flags */
enum log_buf_type {
	LOG_BUF_TYPE_UNKNOWN,
	LOG_BUF_TYPE_UDQUOT,
	LOG_BUF_TYPE_PDQUOT,
	LOG_BUF_TYPE_GDQUOT,
	LOG_BUF_TYPE_BTREE,
	LOG_BUF_TYPE_AGF,
	LOG_BUF_TYPE_AGFL,
	LOG_BUF_TYPE_AGI,
	LOG_BUF_TYPE_DINO,
	LOG_BUF_TYPE_SYMLINK,
	LOG_BUF_TYPE_DIR_BLOCK,
	LOG_BUF_TYPE_DIR_DATA,
	LOG_BUF_TYPE_DIR_FREE,
	LOG_BUF_TYPE_DIR_LEAF1,
	LOG_BUF_TYPE_DIR_LEAFN,
	LOG_BUF_TYPE_DA_NODE,
	LOG_BUF_TYPE_ATTR_LEAF,
	LOG_BUF_TYPE_ATTR_REMOTE,
	LOG_BUF_TYPE_SB,
	LOG_BUF_TYPE_RTBITMAP,
	LOG_BUF_TYPE_RTSUMMARY,
	LOG_BUF_TYPE_COUNT,
};
#define LOG_BUF_FIELDS(F, A, S)        \
	F(S, le16, type, FIELD_ITEM)   \
	F(S, le16, size, FIELD_UINT)   \
	F(S, le16, flags, FIELD_FLAGS) \
	F(S, le16, len, FIELD_UINT)    \
	F(S, le64, blkno, FIELD_DADDR) \
	F(S, le32, map_size, FIELD_UINT)
LAYOUT_STRUCT(log_buf, LOG_BUF_FIELDS);
#define LOG_BUF_MAP_FIELDS(F, A, S) F(S, le32, data_map, FIELD_HEX)
LAYOUT_STRUCT(log_buf_map, LOG_BUF_MAP_FIELDS);

/* Inodes: the core, and what of the forks was changed. */
#define LOG_INODE_CORE 0x001u
#define LOG_INODE_DDATA 0x002u
#define LOG_INODE_DEXT 0x004u
#define LOG_INODE_DBROOT 0x008u
#define LOG_INODE_DEV 0x010u
#define LOG_INODE_ADATA 0x040u
#define LOG_INODE_AEXT 0x080u
#define LOG_INODE_ABROOT 0x100u
#define LOG_INODE_DOWNER 0x200u
#define LOG_INODE_AOWNER 0x400u
#define LOG_INODE_DFORK (LOG_INODE_DDATA | LOG_INODE_DEXT | LOG_INODE_DBROOT)
#define LOG_INODE_AFORK (LOG_INODE_ADATA | LOG_INODE_AEXT | LOG_INODE_ABROOT)
#define LOG_INODE_FIELDS(F, A, S)       \
	F(S, le16, type, FIELD_ITEM)    \
	F(S, le16, size, FIELD_UINT)    \
	F(S, le32, fields, FIELD_FLAGS) \
	F(S, le16, asize, FIELD_UINT)   \
	F(S, le16, dsize, FIELD_UINT)   \
	F(S, le32, pad, FIELD_UINT)     \
	F(S, le64, ino, FIELD_INO)      \
	F(S, le32, rdev, FIELD_HEX)     \
	A(S, u8, 12, pad2, FIELD_BYTES) \
	F(S, le64, blkno, FIELD_DADDR)  \
	F(S, le32, len, FIELD_UINT)     \
	F(S, le32, boffset, FIELD_UINT)
LAYOUT_STRUCT(log_inode, LOG_INODE_FIELDS);
/* As 32-bit kernels write it, without the padding. */
#define LOG_INODE32_FIELDS(F, A, S)     \
	F(S, le16, type, FIELD_ITEM)    \
	F(S, le16, size, FIELD_UINT)    \
	F(S, le32, fields, FIELD_FLAGS) \
	F(S, le16, asize, FIELD_UINT)   \
	F(S, le16, dsize, FIELD_UINT)   \
	F(S, le64, ino, FIELD_INO)      \
	F(S, le32, rdev, FIELD_HEX)     \
	A(S, u8, 12, pad2, FIELD_BYTES) \
	F(S, le64, blkno, FIELD_DADDR)  \
	F(S, le32, len, FIELD_UINT)     \
	F(S, le32, boffset, FIELD_UINT)
LAYOUT_STRUCT(log_inode32, LOG_INODE32_FIELDS);

/* The inode core in host order, field by field at the offsets of the one on disk. */
#define LOG_DINODE_FIELDS(F, A, S)             \
	F(S, le16, magic, FIELD_MAGIC)         \
	F(S, le16, mode, FIELD_MODE)           \
	F(S, u8, version, FIELD_UINT)          \
	F(S, u8, format, FIELD_UINT)           \
	A(S, u8, 2, pad3, FIELD_BYTES)         \
	F(S, le32, uid, FIELD_UINT)            \
	F(S, le32, gid, FIELD_UINT)            \
	F(S, le32, nlink, FIELD_UINT)          \
	F(S, le16, projid_lo, FIELD_UINT)      \
	F(S, le16, projid_hi, FIELD_UINT)      \
	F(S, le64, big_nextents, FIELD_UINT)   \
	F(S, le64, atime, FIELD_TIME)          \
	F(S, le64, mtime, FIELD_TIME)          \
	F(S, le64, ctime, FIELD_TIME)          \
	F(S, le64, size, FIELD_UINT)           \
	F(S, le64, nblocks, FIELD_BLOCKS)      \
	F(S, le32, extsize, FIELD_BLOCKS)      \
	F(S, le32, nextents, FIELD_UINT)       \
	F(S, le16, anextents, FIELD_UINT)      \
	F(S, u8, forkoff, FIELD_UINT)          \
	F(S, u8, aformat, FIELD_UINT)          \
	F(S, le32, dmevmask, FIELD_HEX)        \
	F(S, le16, dmstate, FIELD_HEX)         \
	F(S, le16, flags, FIELD_FLAGS)         \
	F(S, le32, gen, FIELD_HEX)             \
	F(S, le32, next_unlinked, FIELD_AGINO) \
	F(S, le32, crc, FIELD_HEX)             \
	F(S, le64, changecount, FIELD_UINT)    \
	F(S, le64, lsn, FIELD_LSN)             \
	F(S, le64, flags2, FIELD_FLAGS)        \
	F(S, le32, cowextsize, FIELD_BLOCKS)   \
	A(S, u8, 12, pad2, FIELD_BYTES)        \
	F(S, le64, crtime, FIELD_TIME)         \
	F(S, le64, ino, FIELD_INO)             \
	A(S, u8, 16, uuid, FIELD_UUID)
LAYOUT_STRUCT(log_dinode, LOG_DINODE_FIELDS);

#define LOG_DQUOT_FIELDS(F, A, S)      \
	F(S, le16, type, FIELD_ITEM)   \
	F(S, le16, size, FIELD_UINT)   \
	F(S, le32, id, FIELD_UINT)     \
	F(S, le64, blkno, FIELD_DADDR) \
	F(S, le32, len, FIELD_UINT)    \
	F(S, le32, boffset, FIELD_UINT)
LAYOUT_STRUCT(log_dquot, LOG_DQUOT_FIELDS);

#define LOG_QUOTAOFF_USER 0x0001u
#define LOG_QUOTAOFF_PROJECT 0x0008u
#define LOG_QUOTAOFF_GROUP 0x0040u
#define LOG_QUOTAOFF_FIELDS(F, A, S)   \
	F(S, le16, type, FIELD_ITEM)   \
	F(S, le16, size, FIELD_UINT)   \
	F(S, le32, flags, FIELD_FLAGS) \
	A(S, u8, 12, pad, FIELD_BYTES)
LAYOUT_STRUCT(log_quotaoff, LOG_QUOTAOFF_FIELDS);

/* The one item whose numbers are big-endian. */
#define LOG_ICREATE_FIELDS(F, A, S)      \
	F(S, le16, type, FIELD_ITEM)     \
	F(S, le16, size, FIELD_UINT)     \
	F(S, be32, ag, FIELD_AGNO)       \
	F(S, be32, agbno, FIELD_AGBLOCK) \
	F(S, be32, count, FIELD_UINT)    \
	F(S, be32, isize, FIELD_UINT)    \
	F(S, be32, length, FIELD_BLOCKS) \
	F(S, be32, gen, FIELD_HEX)
LAYOUT_STRUCT(log_icreate, LOG_ICREATE_FIELDS);

/* EFI, EFD, RUI, CUI and BUI: this, and `nextents` of what follows. */
#define LOG_INTENT_FIELDS(F, A, S)       \
	F(S, le16, type, FIELD_ITEM)     \
	F(S, le16, size, FIELD_UINT)     \
	F(S, le32, nextents, FIELD_UINT) \
	F(S, le64, id, FIELD_HEX)
LAYOUT_STRUCT(log_intent, LOG_INTENT_FIELDS);

/* EFI, EFD; 32-bit kernels leave the padding out. */
#define LOG_EXTENT_FIELDS(F, A, S)       \
	F(S, le64, start, FIELD_FSBLOCK) \
	F(S, le32, len, FIELD_BLOCKS)    \
	F(S, le32, pad, FIELD_UINT)
LAYOUT_STRUCT(log_extent, LOG_EXTENT_FIELDS);
#define LOG_EXTENT32_FIELDS(F, A, S)     \
	F(S, le64, start, FIELD_FSBLOCK) \
	F(S, le32, len, FIELD_BLOCKS)
LAYOUT_STRUCT(log_extent32, LOG_EXTENT32_FIELDS);

#define LOG_INTENT_KIND 0xffu /* of flags: what is to be done */
#define LOG_MAP_ATTR (1u << 31)
#define LOG_RMAP_BMBT (1u << 30)
#define LOG_RMAP_UNWRITTEN (1u << 29)
#define LOG_BMAP_UNWRITTEN (1u << 30)
#define LOG_BMAP_REALTIME (1u << 29)
enum log_rmap_kind {
	LOG_RMAP_MAP = 1,
	LOG_RMAP_MAP_SHARED,
	LOG_RMAP_UNMAP,
	LOG_RMAP_UNMAP_SHARED,
	LOG_RMAP_CONVERT,
	LOG_RMAP_CONVERT_SHARED,
	LOG_RMAP_ALLOC,
	LOG_RMAP_FREE,
};
enum log_refcount_kind {
	LOG_REFCOUNT_INCREASE = 1,
	LOG_REFCOUNT_DECREASE,
	LOG_REFCOUNT_ALLOC_COW,
	LOG_REFCOUNT_FREE_COW,
};
enum log_bmap_kind { LOG_BMAP_MAP = 1, LOG_BMAP_UNMAP };

/* RUI and BUI */
#define LOG_MAP_FIELDS(F, A, S)               \
	F(S, le64, owner, FIELD_OWNER)        \
	F(S, le64, startblock, FIELD_FSBLOCK) \
	F(S, le64, startoff, FIELD_FILEOFF)   \
	F(S, le32, len, FIELD_BLOCKS)         \
	F(S, le32, flags, FIELD_FLAGS)
LAYOUT_STRUCT(log_map, LOG_MAP_FIELDS);

/* CUI */
#define LOG_PHYS_FIELDS(F, A, S)              \
	F(S, le64, startblock, FIELD_FSBLOCK) \
	F(S, le32, len, FIELD_BLOCKS)         \
	F(S, le32, flags, FIELD_FLAGS)
LAYOUT_STRUCT(log_phys, LOG_PHYS_FIELDS);

/* RUD, CUD, BUD, ATTRD, XMD: the intent of this id is done. EFD starts with the same, with the
 * number of its extents as pad. */
#define LOG_DONE_FIELDS(F, A, S)     \
	F(S, le16, type, FIELD_ITEM) \
	F(S, le16, size, FIELD_UINT) \
	F(S, le32, pad, FIELD_UINT)  \
	F(S, le64, id, FIELD_HEX)
LAYOUT_STRUCT(log_done, LOG_DONE_FIELDS);

enum log_attr_kind {
	LOG_ATTR_SET = 1,
	LOG_ATTR_REMOVE,
	LOG_ATTR_REPLACE,
	LOG_ATTR_PARENT_SET,
	LOG_ATTR_PARENT_REMOVE,
	LOG_ATTR_PARENT_REPLACE,
};
/* Followed by regions for the name, the new name, the value and the new value, as there are.
 * For LOG_ATTR_PARENT_REPLACE the halves of name_len are the lengths of the old and new name. */
#define LOG_ATTRI_FIELDS(F, A, S)         \
	F(S, le16, type, FIELD_ITEM)      \
	F(S, le16, size, FIELD_UINT)      \
	F(S, le32, igen, FIELD_HEX)       \
	F(S, le64, id, FIELD_HEX)         \
	F(S, le64, ino, FIELD_INO)        \
	F(S, le32, op_flags, FIELD_UINT)  \
	F(S, le32, name_len, FIELD_UINT)  \
	F(S, le32, value_len, FIELD_UINT) \
	F(S, le32, attr_filter, FIELD_FLAGS)
LAYOUT_STRUCT(log_attri, LOG_ATTRI_FIELDS);

/* xmi_flags */
#define LOG_XMI_ATTR (1ull << 0)
#define LOG_XMI_SET_SIZES (1ull << 1) /* at the end the files get isize1 and isize2 */
#define LOG_XMI_WRITTEN (1ull << 2)   /* only what is written in the first file */
#define LOG_XMI_CLEAR_REFLINK1 (1ull << 3)
#define LOG_XMI_CLEAR_REFLINK2 (1ull << 4)
#define LOG_XMI_KNOWN 0x1full
#define LOG_XMI_FIELDS(F, A, S)              \
	F(S, le16, type, FIELD_ITEM)         \
	F(S, le16, size, FIELD_UINT)         \
	F(S, le32, pad, FIELD_UINT)          \
	F(S, le64, id, FIELD_HEX)            \
	F(S, le64, inode1, FIELD_INO)        \
	F(S, le64, inode2, FIELD_INO)        \
	F(S, le32, igen1, FIELD_HEX)         \
	F(S, le32, igen2, FIELD_HEX)         \
	F(S, le64, startoff1, FIELD_FILEOFF) \
	F(S, le64, startoff2, FIELD_FILEOFF) \
	F(S, le64, blockcount, FIELD_BLOCKS) \
	F(S, le64, flags, FIELD_FLAGS)       \
	F(S, le64, isize1, FIELD_UINT)       \
	F(S, le64, isize2, FIELD_UINT)
LAYOUT_STRUCT(log_xmi, LOG_XMI_FIELDS);

/* No item has more: the regions of a 64 KiB buffer with every other chunk changed. */
#define LOG_REGIONS_MAX 257
/* Bytes of one item: a 64 KiB buffer or attribute value, with its formats and names. */
#define LOG_ITEM_MAX (160u * 1024)

/* Log sequence numbers: the cycle in the upper half, the block in the lower. */
static inline u32 lsn_cycle(u64 lsn)
{
	return (u32)(lsn >> 32);
}
static inline u32 lsn_block(u64 lsn)
{
	return (u32)lsn;
}
static inline u64 lsn_make(u32 cycle, u32 block)
{
	return (u64)cycle << 32 | block;
}
/* Behind `head`, where the log ends, so it cannot be. All ones: the writer had none. head 0: nobody
 * has looked, since cycles begin at 1. */
static inline bool lsn_ahead(u64 lsn, u64 head)
{
	return lsn != NULL64 && head && lsn > head;
}

#endif
