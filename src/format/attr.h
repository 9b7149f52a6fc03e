/*
 * Extended attributes on disk: short form in the inode, leaves with local and remote values, the
 * blocks of remote values, and parent pointers.
 *
 * Leaf entries grow from the header, sorted by hash; names and local values from the end of the
 * block.  A remote value has a header in each of its filesystem blocks.  A parent pointer is an
 * attribute in a namespace of its own: its name is the name of a directory entry, its value says in
 * which directory; its hash mixes in the directory.
 *
 * The iterators take hostile bytes.  Source: XFS_Filesystem_Structure, "Extended Attributes".
 */
#ifndef MENDFS_FORMAT_ATTR_H
#define MENDFS_FORMAT_ATTR_H

#include "format/da.h"

#define ATTR_LEAF_MAGIC 0x3bee
#define ATTR_REMOTE_MAGIC 0x5841524du /* "XARM" */

#define ATTR_LOCAL 0x01u
#define ATTR_ROOT 0x02u
#define ATTR_SECURE 0x04u
#define ATTR_PARENT 0x08u
#define ATTR_INCOMPLETE 0x80u
#define ATTR_NAMESPACES (ATTR_ROOT | ATTR_SECURE | ATTR_PARENT)

#define ATTR_NAME_MAX 255
#define ATTR_VALUE_MAX 65536
#define ATTR_FREEMAPS 3
#define ATTR_ALIGN 4

#define ATTR_LEAF_FIELDS(F, A, S)          \
	DA_INFO_FIELDS(F, A, S)            \
	F(S, be16, count, FIELD_UINT)      \
	F(S, be16, usedbytes, FIELD_UINT)  \
	F(S, be16, firstused, FIELD_UINT)  \
	F(S, u8, holes, FIELD_UINT)        \
	F(S, u8, pad1, FIELD_PAD)          \
	F(S, be16, free0_base, FIELD_UINT) \
	F(S, be16, free0_size, FIELD_UINT) \
	F(S, be16, free1_base, FIELD_UINT) \
	F(S, be16, free1_size, FIELD_UINT) \
	F(S, be16, free2_base, FIELD_UINT) \
	F(S, be16, free2_size, FIELD_UINT) \
	F(S, be32, pad2, FIELD_PAD)
LAYOUT_STRUCT(attr_leaf, ATTR_LEAF_FIELDS);
#define ATTR_LEAF_ENTRY_FIELDS(F, A, S) \
	F(S, be32, hashval, FIELD_HASH) \
	F(S, be16, nameidx, FIELD_UINT) \
	F(S, u8, flags, FIELD_FLAGS)    \
	F(S, u8, pad2, FIELD_PAD)
LAYOUT_STRUCT(attr_leaf_entry, ATTR_LEAF_ENTRY_FIELDS);
/* The fixed start of a name; the name, and a local value, follow. */
#define ATTR_NAME_LOCAL_FIELDS(F, A, S)  \
	F(S, be16, valuelen, FIELD_UINT) \
	F(S, u8, namelen, FIELD_UINT)
LAYOUT_STRUCT(attr_name_local, ATTR_NAME_LOCAL_FIELDS);
#define ATTR_NAME_REMOTE_FIELDS(F, A, S) \
	F(S, be32, valueblk, FIELD_UINT) \
	F(S, be32, valuelen, FIELD_UINT) \
	F(S, u8, namelen, FIELD_UINT)
LAYOUT_STRUCT(attr_name_remote, ATTR_NAME_REMOTE_FIELDS);
/* A remote name takes two bytes more than it has, since the structure once was rounded up. */
#define ATTR_REMOTE_SPARE 2

#define ATTR_SHORT_FIELDS(F, A, S)      \
	F(S, be16, totsize, FIELD_UINT) \
	F(S, u8, count, FIELD_UINT)     \
	F(S, u8, padding, FIELD_PAD)
LAYOUT_STRUCT(attr_short, ATTR_SHORT_FIELDS);
#define ATTR_SHORT_ENTRY_FIELDS(F, A, S) \
	F(S, u8, namelen, FIELD_UINT)    \
	F(S, u8, valuelen, FIELD_UINT)   \
	F(S, u8, flags, FIELD_FLAGS)
LAYOUT_STRUCT(attr_short_entry, ATTR_SHORT_ENTRY_FIELDS);

/* In each filesystem block of a remote value. Never logged, so the LSN is all ones. */
#define ATTR_REMOTE_FIELDS(F, A, S)    \
	F(S, be32, magic, FIELD_MAGIC) \
	F(S, be32, offset, FIELD_UINT) \
	F(S, be32, bytes, FIELD_UINT)  \
	F(S, le32, crc, FIELD_CRC)     \
	A(S, u8, 16, uuid, FIELD_UUID) \
	F(S, be64, owner, FIELD_INO)   \
	F(S, be64, blkno, FIELD_DADDR) \
	F(S, be64, lsn, FIELD_LSN)
LAYOUT_STRUCT(attr_remote, ATTR_REMOTE_FIELDS);

/* The value of a parent pointer. */
#define ATTR_PARENT_FIELDS(F, A, S) \
	F(S, be64, ino, FIELD_INO)  \
	F(S, be32, gen, FIELD_UINT)
LAYOUT_STRUCT(attr_parent, ATTR_PARENT_FIELDS);

/* One attribute of a leaf or of a short form. */
struct attr_slot {
	u32 offset, size; /* of name and local value, in the block or fork */
	u32 hash;	  /* as the leaf has it; 0 in short form */
	u8 flags;
	const u8 *name;
	u32 name_length;
	const u8 *value; /* NULL: remote */
	u32 value_length;
	u32 value_block; /* remote */
};
static inline bool attr_is_local(const struct attr_slot *slot)
{
	return slot->flags & ATTR_LOCAL;
}
/* The name space of an attribute, as in struct attr: 0 is user. */
static inline u8 attr_namespace(u8 flags)
{
	return flags & ATTR_NAMESPACES;
}

static inline u32 attr_leaf_max(u32 len)
{
	return (u32)((len - sizeof(struct attr_leaf)) / sizeof(struct attr_leaf_entry));
}
static inline const struct attr_leaf_entry *attr_leaf_entries(const void *block)
{
	return (const struct attr_leaf_entry *)((const struct attr_leaf *)block + 1);
}
u32 attr_leaf_count(const void *block, u32 len); /* cut to what fits */
/* The first used byte; 0 on disk is the 65536 of an empty 64 KiB block. */
u32 attr_leaf_firstused(const void *block);
/* Entry `index` < attr_leaf_count(). False when its name or value does not fit in the block. */
bool attr_leaf_slot(const void *block, u32 len, u32 index, struct attr_slot *slot);
/* The first entry with at least `hash`; the count if there is none. */
u32 attr_leaf_find(const void *block, u32 len, u32 hash);
static inline u32 attr_free_base(const struct attr_leaf *leaf, u32 i)
{
	return be16_get((&leaf->free0_base)[2 * (size_t)i]);
}
static inline u32 attr_free_size(const struct attr_leaf *leaf, u32 i)
{
	return be16_get((&leaf->free0_base)[2 * (size_t)i + 1]);
}

struct attr_short_cursor {
	const u8 *fork;
	u32 size, at, index, count;
};
/* False when the header, or totsize, does not fit; entries end at totsize. */
bool attr_short_open(struct attr_short_cursor *c, const void *fork, u32 size);
bool attr_short_next(struct attr_short_cursor *c, struct attr_slot *slot);

/* Value bytes in each block of a remote value, and how many blocks a value takes. */
static inline u32 attr_remote_room(const struct geometry *g)
{
	return g->block_size - (u32)sizeof(struct attr_remote);
}
static inline u32 attr_remote_blocks(const struct geometry *g, u32 length)
{
	return (u32)div_up_u64(length, attr_remote_room(g));
}

/* A parent pointer's ino and gen; false when the attribute is none or malformed. */
bool attr_parent_get(const struct attr_slot *slot, u64 *ino, u32 *gen);
/* The hash that the attribute should have. */
u32 attr_hash(const struct attr_slot *slot);
u32 attr_parent_hash(const void *name, u32 length, u64 parent);

extern const struct part_kind attr_leaf_kinds[], attr_remote_kinds[];
void attr_leaf_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink);
void attr_remote_parts(const struct geometry *g, const void *block, u32 len,
		       struct part_sink *sink);

#endif
