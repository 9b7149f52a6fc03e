/*
 * Field tables: every on-disk structure says once which fields it has.
 *
 * A structure is one X-macro list, which makes both the C struct and the table, so they cannot
 * differ:
 *
 *	#define AGFL_FIELDS(F, A, S)                     \
 *		F(S, be32, magicnum, FIELD_MAGIC)        \
 *		F(S, be32, seqno, FIELD_AGNO)            \
 *		A(S, u8, 16, uuid, FIELD_UUID)
 *	LAYOUT_STRUCT(agfl, AGFL_FIELDS)     -> struct agfl            (in the header)
 *	LAYOUT_TABLE(agfl, AGFL_FIELDS)      -> const struct layout agfl_layout   (in
 *format/layouts.c)
 *
 * F(S, type, name, kind) is one value, A(S, type, count, name, kind) an array; S is passed through.
 *Packed records (bmbt, rmap offset) have hand-written tables in bits.  Bits are counted from the
 *most significant bit of the first byte, as on the disk.  A test proves that each table tiles its
 *structure: no gap, no overlap.
 */
#ifndef MENDFS_FORMAT_LAYOUT_H
#define MENDFS_FORMAT_LAYOUT_H

#include "base/types.h"

/* What a field means; it decides how it is printed and how damage to it is chosen. */
enum field_kind {
	FIELD_UINT,
	FIELD_INT,
	FIELD_HEX,
	FIELD_MAGIC,
	FIELD_CRC,  /* little-endian */
	FIELD_UUID, /* 16 bytes */
	FIELD_LSN,
	FIELD_AGNO,
	FIELD_AGBLOCK,
	FIELD_FSBLOCK,
	FIELD_DADDR, /* 512-byte units, as on disk */
	FIELD_FILEOFF,
	FIELD_BLOCKS, /* a count of blocks */
	FIELD_INO,
	FIELD_AGINO,
	FIELD_OWNER, /* inode number or, negative, a special rmap owner */
	FIELD_TIME,
	FIELD_MODE,
	FIELD_FLAGS,
	FIELD_ITEM, /* the type of a log item */
	FIELD_HASH,
	FIELD_STRING,
	FIELD_BYTES,
	FIELD_PAD, /* zero */
};

struct field {
	const char *name;
	u32 bit;   /* offset from the start of the structure */
	u32 width; /* bits of one element, at most 64 */
	u32 count; /* elements; 1 unless an array */
	enum field_kind kind;
	bool little; /* little-endian: whole bytes at a byte boundary */
};

struct layout {
	const char *name;
	const struct field *fields;
	u32 field_count;
	u32 size; /* bytes */
};

#define LAYOUT_T_u8 u8
#define LAYOUT_T_be16 struct be16
#define LAYOUT_T_be32 struct be32
#define LAYOUT_T_be64 struct be64
#define LAYOUT_T_le16 struct le16
#define LAYOUT_T_le32 struct le32
#define LAYOUT_T_le64 struct le64
#define LAYOUT_LITTLE_u8 false
#define LAYOUT_LITTLE_be16 false
#define LAYOUT_LITTLE_be32 false
#define LAYOUT_LITTLE_be64 false
#define LAYOUT_LITTLE_le16 true
#define LAYOUT_LITTLE_le32 true
#define LAYOUT_LITTLE_le64 true
#define LAYOUT_MEMBER(S, type, name, kind) LAYOUT_T_##type name;
#define LAYOUT_MEMBERS(S, type, count, name, kind) LAYOUT_T_##type name[count];

#define LAYOUT_STRUCT(tag, list)                         \
	struct tag {                                     \
		list(LAYOUT_MEMBER, LAYOUT_MEMBERS, tag) \
	};                                               \
	extern const struct layout tag##_layout

/* Elements of an array keep their own width; strings, uuids and bytes are arrays of u8. */
#define LAYOUT_ROW(S, type, name, kind)     \
	{#name,                             \
	 (u32)offsetof(struct S, name) * 8, \
	 (u32)sizeof(LAYOUT_T_##type) * 8,  \
	 1,                                 \
	 kind,                              \
	 LAYOUT_LITTLE_##type},
#define LAYOUT_ROWS(S, type, count, name, kind) \
	{#name,                                 \
	 (u32)offsetof(struct S, name) * 8,     \
	 (u32)sizeof(LAYOUT_T_##type) * 8,      \
	 count,                                 \
	 kind,                                  \
	 LAYOUT_LITTLE_##type},
#define LAYOUT_TABLE(tag, list)                                                            \
	static const struct field tag##_fields[] = {list(LAYOUT_ROW, LAYOUT_ROWS, tag)};   \
	const struct layout tag##_layout = {#tag, tag##_fields, ARRAY_COUNT(tag##_fields), \
					    sizeof(struct tag)}

/* The value of element `index` of a field; at most 64 bits. FIELD_CRC is little-endian, said or
 * not. */
u64 field_get(const struct field *field, const void *base, u32 index);
void field_set(const struct field *field, void *base, u32 index, u64 value);
/* NULL when the layout has no field of that name. */
const struct field *layout_field(const struct layout *layout, const char *name);
/* True when the fields cover the structure without gap and overlap, in order. For the tests. */
bool layout_tiles(const struct layout *layout);
/* The value as a person reads it, into text; always terminated. */
void field_print(const struct field *field, const void *base, char *text, size_t size);

#endif
