/* Btree blocks: field tables, asserts and accessors; see btree.h. */
#include "format/btree.h"

LAYOUT_TABLE(btree_short, BTREE_SHORT_FIELDS);
LAYOUT_TABLE(btree_long, BTREE_LONG_FIELDS);
LAYOUT_TABLE(alloc_rec, ALLOC_REC_FIELDS);
LAYOUT_TABLE(inobt_rec, INOBT_REC_FIELDS);
LAYOUT_TABLE(inobt_key, INOBT_KEY_FIELDS);
LAYOUT_TABLE(btree_ptr_short, BTREE_PTR_SHORT_FIELDS);
LAYOUT_TABLE(btree_ptr_long, BTREE_PTR_LONG_FIELDS);

/* The offset word of a reverse mapping, from bit `at` on. */
#define RMAP_OFFSET_ROWS(at)                                                                   \
	{"attrfork", (at), 1, 1, FIELD_FLAGS}, {"bmbtblock", (at) + 1, 1, 1, FIELD_FLAGS},     \
	    {"unwritten", (at) + 2, 1, 1, FIELD_FLAGS}, {"unused", (at) + 3, 7, 1, FIELD_PAD}, \
	    {"offset", (at) + 10, 54, 1, FIELD_FILEOFF},

static const struct field rmap_rec_fields[] = {{"startblock", 0, 32, 1, FIELD_AGBLOCK},
					       {"blockcount", 32, 32, 1, FIELD_BLOCKS},
					       {"owner", 64, 64, 1, FIELD_OWNER},
					       RMAP_OFFSET_ROWS(128)};
const struct layout rmap_rec_layout = {"rmap_rec", rmap_rec_fields, ARRAY_COUNT(rmap_rec_fields),
				       sizeof(struct rmap_rec)};

static const struct field rmap_key_fields[] = {{"startblock", 0, 32, 1, FIELD_AGBLOCK},
					       {"owner", 32, 64, 1, FIELD_OWNER},
					       RMAP_OFFSET_ROWS(96)};
const struct layout rmap_key_layout = {"rmap_key", rmap_key_fields, ARRAY_COUNT(rmap_key_fields),
				       sizeof(struct rmap_key)};

static const struct field refcount_rec_fields[] = {
    {"cow", 0, 1, 1, FIELD_FLAGS},
    {"startblock", 1, 31, 1, FIELD_AGBLOCK},
    {"blockcount", 32, 32, 1, FIELD_BLOCKS},
    {"refcount", 64, 32, 1, FIELD_UINT},
};
const struct layout refcount_rec_layout = {"refcount_rec", refcount_rec_fields,
					   ARRAY_COUNT(refcount_rec_fields),
					   sizeof(struct refcount_rec)};
const struct layout refcount_key_layout = {"refcount_key", refcount_rec_fields, 2,
					   sizeof(struct refcount_key)};

_Static_assert(sizeof(struct btree_short) == 56, "short btree header");
_Static_assert(sizeof(struct btree_long) == 72, "long btree header");
_Static_assert(offsetof(struct btree_short, crc) == 52, "short btree crc");
_Static_assert(offsetof(struct btree_long, crc) == 64, "long btree crc");
_Static_assert(sizeof(struct alloc_rec) == 8, "alloc record");
_Static_assert(sizeof(struct inobt_rec) == 16, "inobt record");
_Static_assert(sizeof(struct rmap_rec) == 24, "rmap record");
_Static_assert(sizeof(struct rmap_key) == 20, "rmap key");
_Static_assert(sizeof(struct refcount_rec) == 12, "refcount record");

struct btree_block btree_block_of(const struct btree_schema *schema, const void *bytes, u32 len)
{
	const struct btree_short *h =
	    bytes; /* magic, level and numrecs lie alike in both headers */
	struct btree_block b = {schema, bytes, len, be16_get(h->level), be16_get(h->numrecs)};
	u32 max = b.level ? btree_max_ptrs(schema, len) : btree_max_records(schema, len);

	if (b.count > max)
		b.count = max;
	return b;
}

const void *btree_record(const struct btree_block *b, u32 index)
{
	return b->bytes + btree_header_size(b->schema) + (size_t)index * b->schema->record_size;
}

const void *btree_key_at(const struct btree_block *b, u32 index, bool high)
{
	u32 stride = b->schema->key_size * (b->schema->overlapping ? 2 : 1);

	return b->bytes + btree_header_size(b->schema) + (size_t)index * stride +
	       (high ? b->schema->key_size : 0);
}

static u32 ptr_offset(const struct btree_block *b, u32 index)
{
	u32 stride = b->schema->key_size * (b->schema->overlapping ? 2 : 1);

	return btree_header_size(b->schema) + btree_max_ptrs(b->schema, b->len) * stride +
	       index * b->schema->ptr_size;
}

u64 btree_ptr(const struct btree_block *b, u32 index)
{
	const u8 *at = b->bytes + ptr_offset(b, index);

	if (b->schema->long_format) {
		struct be64 ptr;
		memcpy(&ptr, at, sizeof(ptr));
		return be64_get(ptr);
	}
	struct be32 ptr;
	memcpy(&ptr, at, sizeof(ptr));
	return be32_get(ptr);
}

static u64 widen(u32 ptr)
{
	return ptr == NULL32 ? NULL64 : ptr;
}

u64 btree_left(const struct btree_block *b)
{
	if (b->schema->long_format)
		return be64_get(((const struct btree_long *)b->bytes)->leftsib);
	return widen(be32_get(((const struct btree_short *)b->bytes)->leftsib));
}

u64 btree_right(const struct btree_block *b)
{
	if (b->schema->long_format)
		return be64_get(((const struct btree_long *)b->bytes)->rightsib);
	return widen(be32_get(((const struct btree_short *)b->bytes)->rightsib));
}

static void emit(struct part_sink *sink, const char *name, u32 index, u32 offset,
		 const struct layout *layout)
{
	const struct part part = {name, index, true, offset, layout};

	sink->part(sink, &part);
}

static const struct layout *header_layout(const struct btree_schema *schema)
{
	return schema->long_format ? &btree_long_layout : &btree_short_layout;
}

static const struct layout *ptr_layout(const struct btree_schema *schema)
{
	return schema->long_format ? &btree_ptr_long_layout : &btree_ptr_short_layout;
}

void btree_kinds_each(const struct btree_schema *schema,
		      void (*fn)(void *arg, const struct part_kind *kind), void *arg)
{
	const struct part_kind kinds[] = {
	    {"hdr", header_layout(schema)}, {"recs", schema->record_layout},
	    {"keys", schema->key_layout},   {"ptrs", ptr_layout(schema)},
	    {"high", schema->key_layout},
	};

	for (u32 i = 0; i < ARRAY_COUNT(kinds) - !schema->overlapping; i++)
		fn(arg, &kinds[i]);
}

void btree_parts(const struct btree_schema *schema, const void *block, u32 len,
		 struct part_sink *sink)
{
	struct btree_block b = btree_block_of(schema, block, len);
	const struct part header = {"hdr", 0, false, 0, header_layout(schema)};

	sink->part(sink, &header);
	for (u32 i = 0; i < b.count && !b.level; i++)
		emit(sink, "recs", i, (u32)((const u8 *)btree_record(&b, i) - b.bytes),
		     schema->record_layout);
	for (u32 i = 0; i < b.count && b.level; i++) {
		emit(sink, "keys", i, (u32)((const u8 *)btree_key_at(&b, i, false) - b.bytes),
		     schema->key_layout);
		if (schema->overlapping)
			emit(sink, "high", i,
			     (u32)((const u8 *)btree_key_at(&b, i, true) - b.bytes),
			     schema->key_layout);
	}
	for (u32 i = 0; i < b.count && b.level; i++)
		emit(sink, "ptrs", i, ptr_offset(&b, i), ptr_layout(schema));
}
