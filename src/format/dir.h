/*
 * Directories on disk: short form in the inode, and the block, data, leaf and free-index blocks.
 *
 * A directory's fork has three address spaces: data (entries), leaf (hash index) and free (the best
 * free space of each data block). A single-block directory carries its hash index at the end of the
 * one data block; one leaf ("leaf1") also carries the best-free table; more are a da btree over
 * "leafn" blocks. Addresses count 8 bytes from the start of the data space.
 *
 * The iterators take hostile bytes: they never look beyond `end`, and stop at the first entry that
 * does not fit.  Source: XFS_Filesystem_Structure, "Directories".
 */
#ifndef MENDFS_FORMAT_DIR_H
#define MENDFS_FORMAT_DIR_H

#include "format/da.h"

#define DIR_BLOCK_MAGIC 0x58444233u /* "XDB3" */
#define DIR_DATA_MAGIC 0x58444433u  /* "XDD3" */
#define DIR_FREE_MAGIC 0x58444633u  /* "XDF3" */
#define DIR_LEAF1_MAGIC 0x3df1
#define DIR_LEAFN_MAGIC 0x3dff

/* Types as entries have them. */
enum {
	DIR_FT_UNKNOWN,
	DIR_FT_FILE,
	DIR_FT_DIR,
	DIR_FT_CHAR,
	DIR_FT_BLOCK,
	DIR_FT_FIFO,
	DIR_FT_SOCKET,
	DIR_FT_SYMLINK,
	DIR_FT_WHITEOUT,
	DIR_FT_COUNT,
};

#define DIR_NAME_MAX 255
#define DIR_ALIGN 8
#define DIR_BESTS 3
#define DIR_FREE_TAG 0xffffu
#define DIR_NO_BEST 0xffffu /* in a best-free table: no such data block */
#define DIR_SPACE_BYTES (1ull << 35)

#define DIR_BLOCK_HDR_FIELDS(F, A, S)  \
	F(S, be32, magic, FIELD_MAGIC) \
	F(S, le32, crc, FIELD_CRC)     \
	F(S, be64, blkno, FIELD_DADDR) \
	F(S, be64, lsn, FIELD_LSN)     \
	A(S, u8, 16, uuid, FIELD_UUID) \
	F(S, be64, owner, FIELD_INO)

/* Of block and data blocks; the three longest free runs, longest first. */
#define DIR_DATA_FIELDS(F, A, S)             \
	DIR_BLOCK_HDR_FIELDS(F, A, S)        \
	F(S, be16, best0_offset, FIELD_UINT) \
	F(S, be16, best0_length, FIELD_UINT) \
	F(S, be16, best1_offset, FIELD_UINT) \
	F(S, be16, best1_length, FIELD_UINT) \
	F(S, be16, best2_offset, FIELD_UINT) \
	F(S, be16, best2_length, FIELD_UINT) \
	F(S, be32, pad, FIELD_PAD)
LAYOUT_STRUCT(dir_data, DIR_DATA_FIELDS);

/* The fixed start of an entry; name, type and, aligned to the end, tag follow. */
#define DIR_ENTRY_FIELDS(F, A, S)      \
	F(S, be64, inumber, FIELD_INO) \
	F(S, u8, namelen, FIELD_UINT)
LAYOUT_STRUCT(dir_data_entry, DIR_ENTRY_FIELDS);
/* The start of a free run; its last two bytes are a tag. */
#define DIR_UNUSED_FIELDS(F, A, S)     \
	F(S, be16, freetag, FIELD_HEX) \
	F(S, be16, length, FIELD_UINT)
LAYOUT_STRUCT(dir_data_unused, DIR_UNUSED_FIELDS);
#define DIR_TAG_FIELDS(F, A, S) F(S, be16, tag, FIELD_UINT)
LAYOUT_STRUCT(dir_tag, DIR_TAG_FIELDS);
#define DIR_TYPE_FIELDS(F, A, S) F(S, u8, ftype, FIELD_UINT)
LAYOUT_STRUCT(dir_ftype, DIR_TYPE_FIELDS);

#define DIR_LEAF_FIELDS(F, A, S)      \
	DA_INFO_FIELDS(F, A, S)       \
	F(S, be16, count, FIELD_UINT) \
	F(S, be16, stale, FIELD_UINT) \
	F(S, be32, pad32, FIELD_PAD)
LAYOUT_STRUCT(dir_leaf, DIR_LEAF_FIELDS);
/* address 0: stale. */
#define DIR_LEAF_ENTRY_FIELDS(F, A, S)  \
	F(S, be32, hashval, FIELD_HASH) \
	F(S, be32, address, FIELD_UINT)
LAYOUT_STRUCT(dir_leaf_entry, DIR_LEAF_ENTRY_FIELDS);
#define DIR_LEAF_TAIL_FIELDS(F, A, S) F(S, be32, bestcount, FIELD_UINT)
LAYOUT_STRUCT(dir_leaf_tail, DIR_LEAF_TAIL_FIELDS);
#define DIR_BLOCK_TAIL_FIELDS(F, A, S) \
	F(S, be32, count, FIELD_UINT)  \
	F(S, be32, stale, FIELD_UINT)
LAYOUT_STRUCT(dir_block_tail, DIR_BLOCK_TAIL_FIELDS);
#define DIR_BEST_FIELDS(F, A, S) F(S, be16, best, FIELD_UINT)
LAYOUT_STRUCT(dir_best, DIR_BEST_FIELDS);

#define DIR_FREE_FIELDS(F, A, S)        \
	DIR_BLOCK_HDR_FIELDS(F, A, S)   \
	F(S, be32, firstdb, FIELD_UINT) \
	F(S, be32, nvalid, FIELD_UINT)  \
	F(S, be32, nused, FIELD_UINT)   \
	F(S, be32, pad, FIELD_PAD)
LAYOUT_STRUCT(dir_free, DIR_FREE_FIELDS);

/* Short form. The inode numbers have 4 bytes each, or all 8 when i8count is not zero. */
#define DIR_SHORT_FIELDS(F, A, S)   \
	F(S, u8, count, FIELD_UINT) \
	F(S, u8, i8count, FIELD_UINT)
LAYOUT_STRUCT(dir_short, DIR_SHORT_FIELDS);
#define DIR_SHORT_ENTRY_FIELDS(F, A, S) \
	F(S, u8, namelen, FIELD_UINT)   \
	F(S, be16, offset, FIELD_UINT)
LAYOUT_STRUCT(dir_short_entry, DIR_SHORT_ENTRY_FIELDS);
#define DIR_INO4_FIELDS(F, A, S) F(S, be32, i4, FIELD_INO)
LAYOUT_STRUCT(dir_ino4, DIR_INO4_FIELDS);
#define DIR_INO8_FIELDS(F, A, S) F(S, be64, i8, FIELD_INO)
LAYOUT_STRUCT(dir_ino8, DIR_INO8_FIELDS);

/* One used or unused stretch of a data block, or one entry of a short form. */
struct dir_slot {
	u32 offset, size; /* in the block, or in the fork */
	bool free;
	u32 tag; /* data blocks; short form: the offset it would have in a data block */
	u64 ino;
	const u8 *name;
	u32 length;
	u8 type; /* DIR_FT_UNKNOWN without ftype */
};

static inline bool dir_has_type(const struct geometry *g)
{
	return geometry_has(g, FEATURE_FTYPE);
}
/* Bytes that an entry takes in a data block. */
static inline u32 dir_entry_size_of(bool typed, u32 name_length)
{
	u32 bytes =
	    (u32)sizeof(struct dir_data_entry) + name_length + typed + (u32)sizeof(struct dir_tag);

	return (bytes + DIR_ALIGN - 1) & ~(DIR_ALIGN - 1u);
}
static inline u32 dir_entry_size(const struct geometry *g, u32 name_length)
{
	return dir_entry_size_of(dir_has_type(g), name_length);
}
/* Where the entries of a data block end: at its end, or before the hash index of a single-block
 * directory. 0: the index does not fit. */
u32 dir_data_end(const void *block, u32 len);
/* The slot at `offset`. False when it does not fit before `end` or is not aligned. */
bool dir_data_slot(const struct geometry *g, const void *block, u32 end, u32 offset,
		   struct dir_slot *slot);
static inline u32 dir_best_offset(const struct dir_data *data, u32 i)
{
	return be16_get((&data->best0_offset)[2 * (size_t)i]);
}
static inline u32 dir_best_length(const struct dir_data *data, u32 i)
{
	return be16_get((&data->best0_offset)[2 * (size_t)i + 1]);
}
/* What best-free tables say of this block. */
static inline u32 dir_data_best(const void *block)
{
	return be16_get(((const struct dir_data *)block)->best0_length);
}

/* Data block number and offset in it of an address, and back. */
static inline u64 dir_address_block(const struct geometry *g, u32 address)
{
	return (u64)address * DIR_ALIGN / g->dir_block_size;
}
static inline u32 dir_address_offset(const struct geometry *g, u32 address)
{
	return (u32)((u64)address * DIR_ALIGN % g->dir_block_size);
}
static inline u32 dir_address(const struct geometry *g, u64 data_block, u32 offset)
{
	return (u32)((data_block * g->dir_block_size + offset) / DIR_ALIGN);
}

/* The hash index of a block directory, a leaf1 or a leafn: counts cut to what fits. */
struct dir_index {
	const struct dir_leaf_entry *entries;
	u32 count;
	u32 raw_count, stale; /* as the block has them */
	const struct dir_best *bests;
	u32 best_count, raw_best_count; /* leaf1 */
};
/* By the block's magic; false when it has none of the three. */
bool dir_index_open(const void *block, u32 len, struct dir_index *index);
/* The first entry with at least `hash`; index->count if there is none. */
u32 dir_index_find(const struct dir_index *index, u32 hash);

/* Free-index blocks. */
static inline u32 dir_free_max(u32 len)
{
	return (u32)((len - sizeof(struct dir_free)) / sizeof(struct dir_best));
}
static inline const struct dir_best *dir_free_bests(const void *block)
{
	return (const struct dir_best *)((const struct dir_free *)block + 1);
}
u32 dir_free_count(const void *block, u32 len); /* nvalid, cut to what fits */

/* Short form: false from the first that does not fit. */
struct dir_short_cursor {
	const struct geometry *g;
	const u8 *fork;
	u32 size, at, index, count;
	bool wide;
};
/* False when not even the header fits. */
bool dir_short_open(struct dir_short_cursor *c, const struct geometry *g, const void *fork,
		    u32 size, u64 *parent);
bool dir_short_next(struct dir_short_cursor *c, struct dir_slot *slot);
/* Where `.` and `..` would be in a data block, and the first entry behind them. */
#define DIR_DOT_OFFSET ((u32)sizeof(struct dir_data))
u32 dir_dotdot_offset(const struct geometry *g);
u32 dir_first_offset(const struct geometry *g);

static inline bool dir_name_is_dots(const u8 *name, u32 length)
{
	return (length == 1 && name[0] == '.') || (length == 2 && name[0] == '.' && name[1] == '.');
}
/* Neither '/' nor NUL, and not empty. */
bool dir_name_valid(const void *name, u32 length);
/* DIR_FT_* of a mode; DIR_FT_UNKNOWN for none. */
u8 dir_type_of_mode(u16 mode);

/* parts() of the blocks, and which of them the types have. */
extern const struct part_kind dir_data_kinds[], dir_block_kinds[], dir_leaf_kinds[],
    dir_leafn_kinds[], dir_free_kinds[];
void dir_data_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink);
void dir_leaf_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink);
void dir_free_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink);

#endif
