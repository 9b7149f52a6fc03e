/* The parts of directory blocks and of the short form, for inspect and damage. */
#include "format/bytes.h"
#include "format/dir.h"

static void emit(struct part_sink *sink, const char *name, u32 index, u32 offset,
		 const struct layout *layout)
{
	const struct part part = {name, index, true, offset, layout};

	sink->part(sink, &part);
}

static void emit_one(struct part_sink *sink, const char *name, u32 offset,
		     const struct layout *layout)
{
	const struct part part = {name, 0, false, offset, layout};

	sink->part(sink, &part);
}

/* clang-format off */
#define DATA_KINDS                                                                      \
	{"hdr", &dir_data_layout}, {"entry", &dir_data_entry_layout},                   \
	{"name", &name_short_layout}, {"type", &dir_ftype_layout}, {"tag", &dir_tag_layout}, \
	{"unused", &dir_data_unused_layout}, {"unused_tag", &dir_tag_layout}
#define LEAF_KINDS {"hdr", &dir_leaf_layout}, {"leaf", &dir_leaf_entry_layout}
#define KINDS_END {NULL, NULL}
/* clang-format on */

const struct part_kind dir_data_kinds[] = {DATA_KINDS, KINDS_END};
const struct part_kind dir_block_kinds[] = {
    DATA_KINDS, {"leaf", &dir_leaf_entry_layout}, {"tail", &dir_block_tail_layout}, KINDS_END};
const struct part_kind dir_leaf_kinds[] = {
    LEAF_KINDS, {"bests", &dir_best_layout}, {"tail", &dir_leaf_tail_layout}, KINDS_END};
const struct part_kind dir_leafn_kinds[] = {LEAF_KINDS, KINDS_END};
const struct part_kind dir_free_kinds[] = {
    {"hdr", &dir_free_layout}, {"bests", &dir_best_layout}, KINDS_END};

static u32 offset_in(const void *block, const void *at)
{
	return (u32)((const u8 *)at - (const u8 *)block);
}

static void entry_parts(const struct geometry *g, const void *block, const struct dir_slot *slot,
			u32 index, struct part_sink *sink)
{
	u32 name = offset_in(block, slot->name);

	emit(sink, "entry", index, slot->offset, &dir_data_entry_layout);
	emit(sink, "name", index, name, name_layout(slot->length));
	if (dir_has_type(g))
		emit(sink, "type", index, name + slot->length, &dir_ftype_layout);
	emit(sink, "tag", index, slot->offset + slot->size - (u32)sizeof(struct dir_tag),
	     &dir_tag_layout);
}

static void index_parts(const void *block, const struct dir_index *index, struct part_sink *sink)
{
	for (u32 i = 0; i < index->count; i++)
		emit(sink, "leaf", i, offset_in(block, &index->entries[i]), &dir_leaf_entry_layout);
	for (u32 i = 0; i < index->best_count; i++)
		emit(sink, "bests", i, offset_in(block, &index->bests[i]), &dir_best_layout);
}

void dir_data_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink)
{
	u32 end = dir_data_end(block, len), used = 0, unused = 0;
	struct dir_slot slot;
	struct dir_index index;

	emit_one(sink, "hdr", 0, &dir_data_layout);
	for (u32 at = sizeof(struct dir_data); dir_data_slot(g, block, end, at, &slot);
	     at += slot.size) {
		if (!slot.free) {
			entry_parts(g, block, &slot, used++, sink);
			continue;
		}
		emit(sink, "unused", unused, at, &dir_data_unused_layout);
		emit(sink, "unused_tag", unused++, at + slot.size - (u32)sizeof(struct dir_tag),
		     &dir_tag_layout);
	}
	if (be32_get(((const struct dir_data *)block)->magic) != DIR_BLOCK_MAGIC)
		return;
	dir_index_open(block, len, &index);
	index_parts(block, &index, sink);
	emit_one(sink, "tail", len - (u32)sizeof(struct dir_block_tail), &dir_block_tail_layout);
}

void dir_leaf_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink)
{
	struct dir_index index;

	(void)g;
	emit_one(sink, "hdr", 0, &dir_leaf_layout);
	if (!dir_index_open(block, len, &index))
		return;
	index_parts(block, &index, sink);
	if (da_magic(block) == DIR_LEAF1_MAGIC)
		emit_one(sink, "tail", len - (u32)sizeof(struct dir_leaf_tail),
			 &dir_leaf_tail_layout);
}

void dir_free_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink)
{
	u32 count = dir_free_count(block, len);

	(void)g;
	emit_one(sink, "hdr", 0, &dir_free_layout);
	for (u32 i = 0; i < count; i++)
		emit(sink, "bests", i, offset_in(block, &dir_free_bests(block)[i]),
		     &dir_best_layout);
}
