/*
 * The btree that indexes directories and attributes by the hash of the name: header of all its
 * blocks, and its nodes.  Pointers are block offsets in the fork.
 *
 * Source: XFS_Filesystem_Structure, "Variable Length Record B+trees".
 */
#ifndef MENDFS_FORMAT_DA_H
#define MENDFS_FORMAT_DA_H

#include "format/type.h"

#define DA_NODE_MAGIC 0x3ebe
#define DA_MAGIC_OFFSET 8 /* of the be16 in every block of the tree */
#define DA_LEVELS_MAX 5

#define DA_INFO_FIELDS(F, A, S)        \
	F(S, be32, forw, FIELD_UINT)   \
	F(S, be32, back, FIELD_UINT)   \
	F(S, be16, magic, FIELD_MAGIC) \
	F(S, be16, pad, FIELD_PAD)     \
	F(S, le32, crc, FIELD_CRC)     \
	F(S, be64, blkno, FIELD_DADDR) \
	F(S, be64, lsn, FIELD_LSN)     \
	A(S, u8, 16, uuid, FIELD_UUID) \
	F(S, be64, owner, FIELD_INO)
LAYOUT_STRUCT(da_info, DA_INFO_FIELDS);

#define DA_NODE_FIELDS(F, A, S)       \
	DA_INFO_FIELDS(F, A, S)       \
	F(S, be16, count, FIELD_UINT) \
	F(S, be16, level, FIELD_UINT) \
	F(S, be32, pad32, FIELD_PAD)
LAYOUT_STRUCT(da_node, DA_NODE_FIELDS);

/* hashval is the greatest hash below the child `before`. */
#define DA_NODE_ENTRY_FIELDS(F, A, S)   \
	F(S, be32, hashval, FIELD_HASH) \
	F(S, be32, before, FIELD_UINT)
LAYOUT_STRUCT(da_node_entry, DA_NODE_ENTRY_FIELDS);

/* The hash of names, in directories and of attributes. */
u32 da_hash(const void *name, u32 length);

static inline u16 da_magic(const void *block)
{
	return be16_get(((const struct da_info *)block)->magic);
}
/* How many entries fit behind the header of a node or leaf block of `len` bytes. */
static inline u32 da_node_max(u32 len)
{
	return (u32)((len - sizeof(struct da_node)) / sizeof(struct da_node_entry));
}
/* count, cut to what fits. */
u32 da_node_count(const void *block, u32 len);
static inline const struct da_node_entry *da_node_entries(const void *block)
{
	return (const struct da_node_entry *)((const struct da_node *)block + 1);
}
/* The first entry whose hash is at least `hash`; the last one if there is none. count > 0. */
u32 da_node_find(const struct da_node_entry *entries, u32 count, u32 hash);

/* parts() of a node. */
extern const struct part_kind da_node_kinds[];
void da_node_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink);

#endif
