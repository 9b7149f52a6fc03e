/* The block of a directory that has only one: entries, and their hash index at the end. */
#include "format/dir.h"
#include "meta/dir_change.h"
#include "meta/dir_rules.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

#include <stdio.h>

#define STARTS_MAX (65536 / DIR_ALIGN)

/* Where entries begin that no index entry has named yet: one bit for each 8 bytes. */
struct starts {
	u64 bits[STARTS_MAX / 64];
};

static bool start_take(struct starts *starts, u64 address)
{
	u64 mask = 1ull << address % 64, *word = &starts->bits[address / 64];
	bool was = *word & mask;

	*word &= ~mask;
	return was;
}

static void starts_fill(struct starts *starts, const struct geometry *g, const void *block, u32 end)
{
	struct dir_slot slot;

	memset(starts, 0, sizeof(*starts));
	for (u32 at = sizeof(struct dir_data); dir_data_slot(g, block, end, at, &slot);
	     at += slot.size)
		if (!slot.free)
			starts->bits[at / DIR_ALIGN / 64] |= 1ull << at / DIR_ALIGN % 64;
}

static void missing_rules(struct verdict *v, const struct starts *starts)
{
	for (u32 i = 0; i < ARRAY_COUNT(starts->bits); i++)
		for (u64 bits = starts->bits[i]; bits; bits &= bits - 1)
			raise_value(v, FOUND(DIR_INDEX_MISSING), NULL,
				    (i * 64 + (u32)__builtin_ctzll(bits)) * DIR_ALIGN);
}

static bool same_name(const struct dir_slot *a, const struct dir_slot *b)
{
	return a->length == b->length && !memcmp(a->name, b->name, a->length);
}

/* Entries with one hash are neighbours; no honest block has more of them than this. */
#define NEIGHBOURS_MAX 256

static void twice_rules(struct verdict *v, const struct geometry *g, const void *block, u32 end,
			const struct dir_index *index, u32 at, const struct dir_slot *slot)
{
	struct be32 hash = index->entries[at].hashval;

	for (u32 n = 0; n < NEIGHBOURS_MAX && at--; n++) {
		u64 offset = (u64)be32_get(index->entries[at].address) * DIR_ALIGN;
		struct dir_slot other;

		if (be32_get(index->entries[at].hashval) != be32_get(hash))
			return;
		if (offset && offset < end && dir_data_slot(g, block, end, (u32)offset, &other) &&
		    !other.free && same_name(&other, slot))
			dir_name_twice(v, slot->name, slot->length);
	}
}

static void index_rules(struct verdict *v, const struct geometry *g, const void *block, u32 end,
			const struct dir_index *index)
{
	struct starts starts;
	char field[48];

	starts_fill(&starts, g, block, end);
	for (u32 i = 0; i < index->count; i++) {
		u32 hash = be32_get(index->entries[i].hashval);
		u64 address = be32_get(index->entries[i].address);
		struct dir_slot slot;

		if (!address)
			continue;
		if (address * DIR_ALIGN >= end || !start_take(&starts, address)) {
			snprintf(field, sizeof(field), "leaf[%u].address", i);
			raise_value(v, FOUND(DIR_INDEX_ADDRESS), field, address);
			continue;
		}
		dir_data_slot(g, block, end, (u32)address * DIR_ALIGN, &slot);
		if (hash != da_hash(slot.name, slot.length)) {
			snprintf(field, sizeof(field), "leaf[%u].hashval", i);
			raise_hex(v, FOUND(DIR_INDEX_HASH), field, hash,
				  da_hash(slot.name, slot.length));
		}
		twice_rules(v, g, block, end, index, i, &slot);
	}
	missing_rules(v, &starts);
}

static void dirblock_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	u32 end = dir_data_end(block, len);
	struct dir_index index;

	dir_index_open(block, len, &index);
	dir_index_rules(v, &index, index.count);
	if (!end)
		return;
	dir_data_rules(v, g, block, len);
	index_rules(v, g, block, end, &index);
}

static u32 dirblock_size(const struct geometry *g)
{
	return g->dir_block_size;
}

const struct meta_type meta_dirblock = {
    .id = META_DIRBLOCK,
    .name = "dirblock",
    .title = "single-block directory",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = DIR_BLOCK_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct dir_data, crc),
    .size = dirblock_size,
    .layout = &dir_data_layout,
    .parts = dir_data_parts,
    .kinds = dir_block_kinds,
    .rules = dirblock_rules,
    .change = dir_change_names,
    .uuid_offset = offsetof(struct dir_data, uuid),
    .blkno_offset = offsetof(struct dir_data, blkno),
    .owner_offset = offsetof(struct dir_data, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct dir_data, lsn),
    REBUILT_AS_DIRECTORY,
    .kernel_scrub = "xchk_directory",
};
