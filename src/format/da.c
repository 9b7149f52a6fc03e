/* The hash btree of directories and attributes; see da.h. */
#include "format/da.h"

LAYOUT_TABLE(da_info, DA_INFO_FIELDS);
LAYOUT_TABLE(da_node, DA_NODE_FIELDS);
LAYOUT_TABLE(da_node_entry, DA_NODE_ENTRY_FIELDS);

_Static_assert(sizeof(struct da_info) == 56, "da block header");
_Static_assert(offsetof(struct da_info, magic) == DA_MAGIC_OFFSET, "da_info.magic");
_Static_assert(offsetof(struct da_info, crc) == 12, "da_info.crc");
_Static_assert(offsetof(struct da_info, owner) == 48, "da_info.owner");
_Static_assert(sizeof(struct da_node) == 64, "da node header");
_Static_assert(sizeof(struct da_node_entry) == 8, "da node entry");

#define HASH_SHIFT 7 /* bits by which each byte of a name moves the hash on */

/*
 * Each byte rotates the hash by seven bits and is added without carry. The definition takes four
 * bytes at a time; bytes are at most eight bits, so nothing is lost by taking one.
 */
static u32 hash_turn(u32 hash, u32 bits)
{
	return hash << bits | hash >> (32 - bits);
}

u32 da_hash(const void *name, u32 length)
{
	const u8 *at = name;
	u32 hash = 0;

	/* Four steps in one, since each step waits for the one before. */
	for (; length >= 4; length -= 4, at += 4)
		hash = (u32)at[0] << 3 * HASH_SHIFT ^ (u32)at[1] << 2 * HASH_SHIFT ^
		       (u32)at[2] << HASH_SHIFT ^ at[3] ^ hash_turn(hash, 4 * HASH_SHIFT);
	for (; length; length--, at++)
		hash = *at ^ hash_turn(hash, HASH_SHIFT);
	return hash;
}

u32 da_node_count(const void *block, u32 len)
{
	u32 count = be16_get(((const struct da_node *)block)->count), max = da_node_max(len);

	return count < max ? count : max;
}

u32 da_node_find(const struct da_node_entry *entries, u32 count, u32 hash)
{
	u32 low = 0, high = count - 1;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (be32_get(entries[middle].hashval) < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct part_kind da_node_kinds[] = {
    {"hdr", &da_node_layout}, {"btree", &da_node_entry_layout}, {NULL, NULL}};

void da_node_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink)
{
	const struct part header = {"hdr", 0, false, 0, &da_node_layout};
	u32 count = da_node_count(block, len);

	(void)g;
	sink->part(sink, &header);
	for (u32 i = 0; i < count; i++) {
		const struct part part = {
		    "btree", i, true,
		    (u32)(sizeof(struct da_node) + i * sizeof(struct da_node_entry)),
		    &da_node_entry_layout};

		sink->part(sink, &part);
	}
}
