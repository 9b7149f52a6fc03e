/*
 * Symbolic links on disk: the target inside the inode, or behind a header in blocks of its own.
 * The length is the inode's size. A header stands at the start of each mapped extent, not of each
 * block. Source: XFS_Filesystem_Structure, "Symbolic Links".
 */
#ifndef MENDFS_FORMAT_SYMLINK_H
#define MENDFS_FORMAT_SYMLINK_H

#include "format/type.h"

#define SYMLINK_MAGIC 0x58534c4du /* "XSLM" */
#define SYMLINK_MAX 1024

#define SYMLINK_HDR_FIELDS(F, A, S)    \
	F(S, be32, magic, FIELD_MAGIC) \
	F(S, be32, offset, FIELD_UINT) \
	F(S, be32, bytes, FIELD_UINT)  \
	F(S, le32, crc, FIELD_CRC)     \
	A(S, u8, 16, uuid, FIELD_UUID) \
	F(S, be64, owner, FIELD_INO)   \
	F(S, be64, blkno, FIELD_DADDR) \
	F(S, be64, lsn, FIELD_LSN)
LAYOUT_STRUCT(symlink_hdr, SYMLINK_HDR_FIELDS);

/* Blocks that a target of `length` bytes takes when it is in one piece. */
static inline u32 symlink_blocks(const struct geometry *g, u32 length)
{
	return (u32)div_up_u64(length, g->block_size - sizeof(struct symlink_hdr));
}

extern const struct part_kind symlink_kinds[];
void symlink_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink);

#endif
