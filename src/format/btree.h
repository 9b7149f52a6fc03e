/*
 * Btree blocks: the short header (32-bit pointers within an AG) and the long one (64-bit, for the
 * block map), and the records of the AG trees.
 *
 * A leaf holds records behind its header; a node holds keys, and behind the room for as many keys
 * as fit with their pointers, the pointers.  Overlapping trees (rmapbt) keep a low and a high key
 * for each pointer. Source: XFS_Filesystem_Structure, "Variable Length Btrees" and the chapters of
 * each tree.
 */
#ifndef MENDFS_FORMAT_BTREE_H
#define MENDFS_FORMAT_BTREE_H

#include "format/type.h"

#define BNOBT_MAGIC 0x41423342u	     /* "AB3B" */
#define CNTBT_MAGIC 0x41423343u	     /* "AB3C" */
#define INOBT_MAGIC 0x49414233u	     /* "IAB3" */
#define FINOBT_MAGIC 0x46494233u     /* "FIB3" */
#define RMAPBT_MAGIC 0x524d4233u     /* "RMB3" */
#define REFCOUNTBT_MAGIC 0x52334643u /* "R3FC" */
#define BMBT_MAGIC 0x424d4133u	     /* "BMA3" */

/* No tree is higher: the smallest fan-out over the largest AG or file stays below. */
#define BTREE_LEVELS_MAX 16

#define BTREE_SHORT_FIELDS(F, A, S)         \
	F(S, be32, magic, FIELD_MAGIC)      \
	F(S, be16, level, FIELD_UINT)       \
	F(S, be16, numrecs, FIELD_UINT)     \
	F(S, be32, leftsib, FIELD_AGBLOCK)  \
	F(S, be32, rightsib, FIELD_AGBLOCK) \
	F(S, be64, blkno, FIELD_DADDR)      \
	F(S, be64, lsn, FIELD_LSN)          \
	A(S, u8, 16, uuid, FIELD_UUID)      \
	F(S, be32, owner, FIELD_AGNO)       \
	F(S, le32, crc, FIELD_CRC)
LAYOUT_STRUCT(btree_short, BTREE_SHORT_FIELDS);

#define BTREE_LONG_FIELDS(F, A, S)          \
	F(S, be32, magic, FIELD_MAGIC)      \
	F(S, be16, level, FIELD_UINT)       \
	F(S, be16, numrecs, FIELD_UINT)     \
	F(S, be64, leftsib, FIELD_FSBLOCK)  \
	F(S, be64, rightsib, FIELD_FSBLOCK) \
	F(S, be64, blkno, FIELD_DADDR)      \
	F(S, be64, lsn, FIELD_LSN)          \
	A(S, u8, 16, uuid, FIELD_UUID)      \
	F(S, be64, owner, FIELD_INO)        \
	F(S, le32, crc, FIELD_CRC)          \
	F(S, be32, pad, FIELD_PAD)
LAYOUT_STRUCT(btree_long, BTREE_LONG_FIELDS);

#define ALLOC_REC_FIELDS(F, A, S)             \
	F(S, be32, startblock, FIELD_AGBLOCK) \
	F(S, be32, blockcount, FIELD_BLOCKS)
LAYOUT_STRUCT(alloc_rec, ALLOC_REC_FIELDS);

/* Without sparse inodes holemask and count are the upper, zero, half of a 32-bit freecount. */
#define INOBT_REC_FIELDS(F, A, S)         \
	F(S, be32, startino, FIELD_AGINO) \
	F(S, be16, holemask, FIELD_HEX)   \
	F(S, u8, count, FIELD_UINT)       \
	F(S, u8, freecount, FIELD_UINT)   \
	F(S, be64, free, FIELD_HEX)
LAYOUT_STRUCT(inobt_rec, INOBT_REC_FIELDS);

#define INOBT_KEY_FIELDS(F, A, S) F(S, be32, startino, FIELD_AGINO)
LAYOUT_STRUCT(inobt_key, INOBT_KEY_FIELDS);

/* rm_offset: attr fork, bmbt block, unwritten, 7 zero bits, 54 bits of offset. */
struct rmap_rec {
	struct be32 startblock;
	struct be32 blockcount;
	struct be64 owner;
	struct be64 offset;
};
extern const struct layout rmap_rec_layout;
struct rmap_key {
	struct be32 startblock;
	struct be64 owner;
	struct be64 offset;
};
extern const struct layout rmap_key_layout;

#define RMAP_OWN_FS (-3ll)
#define RMAP_OWN_LOG (-4ll)
#define RMAP_OWN_AG (-5ll)
#define RMAP_OWN_INOBT (-6ll)
#define RMAP_OWN_INODES (-7ll)
#define RMAP_OWN_REFC (-8ll)
#define RMAP_OWN_COW (-9ll)
#define RMAP_OFFSET_ATTR (1ull << 63)
#define RMAP_OFFSET_BMBT (1ull << 62)
#define RMAP_OFFSET_UNWRITTEN (1ull << 61)
#define RMAP_OFFSET_MASK ((1ull << 54) - 1)

/* The top bit of startblock marks CoW staging: a domain of its own, sorted behind the shared one.
 */
struct refcount_rec {
	struct be32 startblock;
	struct be32 blockcount;
	struct be32 refcount;
};
extern const struct layout refcount_rec_layout;
struct refcount_key {
	struct be32 startblock;
};
extern const struct layout refcount_key_layout;
#define REFCOUNT_COW (1u << 31)
#define REFCOUNT_MAX 0xfffffffeu

#define BTREE_PTR_SHORT_FIELDS(F, A, S) F(S, be32, ptr, FIELD_AGBLOCK)
LAYOUT_STRUCT(btree_ptr_short, BTREE_PTR_SHORT_FIELDS);
#define BTREE_PTR_LONG_FIELDS(F, A, S) F(S, be64, ptr, FIELD_FSBLOCK)
LAYOUT_STRUCT(btree_ptr_long, BTREE_PTR_LONG_FIELDS);

/* How much fits. Bytes of the header; records of a leaf, pointers of a node, of `len` bytes. */
static inline u32 btree_header_size(const struct btree_schema *s)
{
	return s->long_format ? sizeof(struct btree_long) : sizeof(struct btree_short);
}
static inline u32 btree_max_records(const struct btree_schema *s, u32 len)
{
	return (len - btree_header_size(s)) / s->record_size;
}
static inline u32 btree_max_ptrs(const struct btree_schema *s, u32 len)
{
	return (len - btree_header_size(s)) /
	       (s->key_size * (s->overlapping ? 2 : 1) + s->ptr_size);
}

/* Accessors into one block; index < btree_count(). The block need not have passed any rule. */
struct btree_block {
	const struct btree_schema *schema;
	const u8 *bytes;
	u32 len;
	u32 level;
	u32 count; /* numrecs, cut to what fits */
};
struct btree_block btree_block_of(const struct btree_schema *schema, const void *bytes, u32 len);
/* Records or pointers that the block has room for; all but roots hold at least half of it. */
static inline u32 btree_capacity(const struct btree_block *b)
{
	return b->level ? btree_max_ptrs(b->schema, b->len) : btree_max_records(b->schema, b->len);
}
const void *btree_record(const struct btree_block *b, u32 index);
/* Low key; overlapping trees: high key with high true. */
const void *btree_key_at(const struct btree_block *b, u32 index, bool high);
u64 btree_ptr(const struct btree_block *b, u32 index);
/* NULL64 for none, in both formats. */
u64 btree_left(const struct btree_block *b);
u64 btree_right(const struct btree_block *b);

static inline int btree_key_compare(const struct btree_key *a, const struct btree_key *b)
{
	for (int i = 0; i < 3; i++)
		if (a->w[i] != b->w[i])
			return a->w[i] < b->w[i] ? -1 : 1;
	return 0;
}

/* What parts blocks of the tree can have. */
void btree_kinds_each(const struct btree_schema *schema,
		      void (*fn)(void *arg, const struct part_kind *kind), void *arg);
/* Header, records or keys and pointers of one block: parts() of every btree type. */
void btree_parts(const struct btree_schema *schema, const void *block, u32 len,
		 struct part_sink *sink);

#endif
