/* A leaf of an attribute fork: names, small values, and where the large ones are. */
#include "format/attr.h"
#include "meta/attr_rules.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

#include <stdio.h>

#define UNITS_MAX (65536 / ATTR_ALIGN)

/* Which bytes of the block are taken: one bit for each 4 bytes. */
struct taken {
	u64 bits[UNITS_MAX / 64];
};

/* Takes [offset, offset + size); false when some of it was taken before. */
static bool take(struct taken *taken, u32 offset, u32 size)
{
	bool all = true;

	for (u32 i = offset / ATTR_ALIGN; i < (offset + size) / ATTR_ALIGN; i++) {
		u64 mask = 1ull << i % 64;

		all = all && !(taken->bits[i / 64] & mask);
		taken->bits[i / 64] |= mask;
	}
	return all;
}

static void freemap_rules(struct verdict *v, const struct attr_leaf *leaf, u32 len, u32 table_end,
			  struct taken *taken)
{
	static const char *const fields[ATTR_FREEMAPS] = {"free0", "free1", "free2"};

	for (u32 i = 0; i < ATTR_FREEMAPS; i++) {
		u32 base = attr_free_base(leaf, i), size = attr_free_size(leaf, i);
		const char *field = fields[i];

		if (base % ATTR_ALIGN || size % ATTR_ALIGN || base > len || size > len - base)
			raise_value(v, FOUND(ATTR_FREEMAP), field, base);
		else if (size && (base < table_end || !take(taken, base, size)))
			raise_value(v, FOUND(ATTR_FREEMAP_USED), field, base);
	}
}

static void remote_rules(struct verdict *v, const struct attr_slot *slot, u32 index)
{
	char field[48];

	if (attr_is_local(slot) || slot->flags & ATTR_INCOMPLETE)
		return;
	if (!slot->value_length || slot->value_length > ATTR_VALUE_MAX) {
		snprintf(field, sizeof(field), "remote[%u].valuelen", index);
		raise_value(v, FOUND(ATTR_VALUE_LENGTH), field, slot->value_length);
	}
	if (!slot->value_block) {
		snprintf(field, sizeof(field), "remote[%u].valueblk", index);
		raise_value(v, FOUND(ATTR_VALUE_BLOCK), field, slot->value_block);
	}
}

/* Entries with one hash are neighbours; no honest block has more of them than this. */
#define NEIGHBOURS_MAX 256

static void twice_rules(struct verdict *v, const void *block, u32 len, u32 index,
			const struct attr_slot *slot)
{
	struct attr_slot other;

	for (u32 n = 0; n < NEIGHBOURS_MAX && index--; n++) {
		if (be32_get(attr_leaf_entries(block)[index].hashval) != slot->hash)
			return;
		if (attr_leaf_slot(block, len, index, &other) && attr_same(&other, slot))
			attr_name_twice(v, slot);
	}
}

struct totals {
	u32 used, first, last_hash;
};

static void entry_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len,
			u32 index, struct taken *taken, struct totals *t)
{
	u32 table_end = (u32)sizeof(struct attr_leaf) +
			attr_leaf_count(block, len) * (u32)sizeof(struct attr_leaf_entry);
	struct attr_slot slot;
	bool fits = attr_leaf_slot(block, len, index, &slot);
	char field[FIELD_INDEX_TEXT];

	field_index(field, "entries", index);
	if (slot.hash < t->last_hash)
		raise_hex(v, FOUND(ATTR_ORDER), field, slot.hash, t->last_hash);
	t->last_hash = slot.hash;
	if (attr_leaf_entries(block)[index].pad2)
		raise_hex(v, FOUND(ATTR_PAD), field, attr_leaf_entries(block)[index].pad2, 0);
	if (!fits || slot.offset < table_end || slot.offset % ATTR_ALIGN) {
		raise_value(v, FOUND(ATTR_NAME_FIT), field, slot.offset);
		return;
	}
	if (!take(taken, slot.offset, slot.size))
		raise_value(v, FOUND(ATTR_OVERLAP), field, slot.offset);
	t->used += slot.size;
	t->first = slot.offset < t->first ? slot.offset : t->first;
	attr_slot_rules(v, g, &slot, "entries", index);
	remote_rules(v, &slot, index);
	if (slot.hash != attr_hash(&slot))
		raise_hex(v, FOUND(ATTR_HASH), field, slot.hash, attr_hash(&slot));
	twice_rules(v, block, len, index, &slot);
}

static void attrleaf_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct attr_leaf *leaf = block;
	u32 count = attr_leaf_count(block, len), raw = be16_get(leaf->count);
	u32 used = be16_get(leaf->usedbytes), first = attr_leaf_firstused(block);
	u32 table_end = (u32)(sizeof(*leaf) + count * sizeof(struct attr_leaf_entry));
	struct totals t = {.first = len};
	struct taken taken = {{0}};

	if (be16_get(leaf->pad) | leaf->pad1 | be32_get(leaf->pad2))
		raise_hex(v, FOUND(ATTR_PAD), "hdr",
			  be16_get(leaf->pad) | leaf->pad1 | be32_get(leaf->pad2), 0);
	if (raw > count)
		raise_u64(v, FOUND(ATTR_COUNT), "count", raw, count);
	for (u32 i = 0; i < count; i++)
		entry_rules(v, g, block, len, i, &taken, &t);
	freemap_rules(v, leaf, len, (u32)(sizeof(*leaf) + count * sizeof(struct attr_leaf_entry)),
		      &taken);
	if (used != t.used)
		raise_u64(v, FOUND(ATTR_USED_BYTES), "usedbytes", used, t.used);
	/* With holes the first used byte is a lower bound: what moved out of the block left it. */
	if (first > t.first || (first < t.first && !leaf->holes) || first < table_end ||
	    first % ATTR_ALIGN)
		raise_u64(v, FOUND(ATTR_FIRST_USED), "firstused", first, t.first);
	if (leaf->holes > 1 || (!leaf->holes && t.used != len - t.first))
		raise_u64(v, FOUND(ATTR_HOLES), "holes", leaf->holes, t.used != len - t.first);
}

static u32 attrleaf_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_attrleaf = {
    .id = META_ATTRLEAF,
    .name = "attrleaf",
    .title = "attribute leaf",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = ATTR_LEAF_MAGIC,
    .magic_offset = DA_MAGIC_OFFSET,
    .magic_width = 2,
    .crc_offset = offsetof(struct attr_leaf, crc),
    .size = attrleaf_size,
    .layout = &attr_leaf_layout,
    .parts = attr_leaf_parts,
    .kinds = attr_leaf_kinds,
    .rules = attrleaf_rules,
    .uuid_offset = offsetof(struct attr_leaf, uuid),
    .blkno_offset = offsetof(struct attr_leaf, blkno),
    .owner_offset = offsetof(struct attr_leaf, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct attr_leaf, lsn),
    REBUILT_AS_ATTRIBUTES,
    .kernel_scrub = "xchk_xattr",
};
