/* Rules that several directory blocks share; see dir_rules.h. */
#include "meta/dir_rules.h"

#include "meta/dir_name.h"
#include "meta/findings.h"

#include <inttypes.h>
#include <stdio.h>

static const char *field_of(char text[48], const char *part, u32 index, const char *field)
{
	snprintf(text, 48, "%s[%u].%s", part, index, field);
	return text;
}

void dir_pad_rule(struct verdict *v, const char *field, u64 value)
{
	if (value)
		raise_hex(v, FOUND(DIR_PAD), field, value, 0);
}

void dir_name_twice(struct verdict *v, const void *name, u32 length)
{
	char text[FINDING_TEXT];

	snprintf(text, sizeof(text), "%.*s", (int)length, (const char *)name);
	raise_text(v, FOUND(DIR_NAME_TWICE), NULL, text, NULL);
}

static bool is_internal(const struct geometry *g, u64 ino)
{
	return ino == g->rbm_ino || ino == g->rsum_ino || ino == g->uquota_ino ||
	       ino == g->gquota_ino || ino == g->pquota_ino;
}

void dir_entry_rules(struct verdict *v, const struct geometry *g, const struct dir_slot *slot,
		     const char *part, u32 index)
{
	char field[48], text[FINDING_TEXT];

	if (!dir_name_valid(slot->name, slot->length)) {
		snprintf(text, sizeof(text), "%.*s", (int)slot->length, (const char *)slot->name);
		raise_text(v, FOUND(DIR_NAME_INVALID), field_of(field, part, index, "name"), text,
			   NULL);
	}
	if (!inum_valid(g, inum_of(slot->ino)))
		raise_value(v, FOUND(DIR_ENTRY_INO), field_of(field, part, index, "inumber"),
			    slot->ino);
	else if (is_internal(g, slot->ino))
		raise_value(v, FOUND(DIR_ENTRY_INTERNAL), field_of(field, part, index, "inumber"),
			    slot->ino);
	if (dir_has_type(g) && (slot->type == DIR_FT_UNKNOWN || slot->type >= DIR_FT_COUNT))
		raise_value(v, FOUND(DIR_ENTRY_TYPE), field_of(field, part, index, "ftype"),
			    slot->type);
}

/* The longest free runs of a block, longest first; of equal ones it does not matter which. */
struct bests {
	u32 offset[DIR_BESTS], length[DIR_BESTS];
};

static void bests_add(struct bests *b, u32 offset, u32 length)
{
	u32 i = DIR_BESTS;

	while (i && b->length[i - 1] < length)
		i--;
	for (u32 j = DIR_BESTS - 1; j > i && i < DIR_BESTS; j--) {
		b->offset[j] = b->offset[j - 1];
		b->length[j] = b->length[j - 1];
	}
	if (i < DIR_BESTS) {
		b->offset[i] = offset;
		b->length[i] = length;
	}
}

/* The table must have the longest runs in order; each must be a free run of that length. */
static void bests_rules(struct verdict *v, const struct geometry *g, const void *block, u32 end,
			const struct bests *b)
{
	static const char *const lengths[] = {"best0_length", "best1_length", "best2_length"};
	static const char *const offsets[] = {"best0_offset", "best1_offset", "best2_offset"};
	const struct dir_data *header = block;

	for (u32 i = 0; i < DIR_BESTS; i++) {
		u32 offset = dir_best_offset(header, i), length = dir_best_length(header, i);
		struct dir_slot slot;

		if (length != b->length[i]) {
			raise_u64(v, FOUND(DIR_BEST_LENGTH), lengths[i], length, b->length[i]);
			continue;
		}
		if (!length) {
			if (offset)
				raise_u64(v, FOUND(DIR_BEST_OFFSET), offsets[i], offset, 0);
			continue;
		}
		if (!dir_data_slot(g, block, end, offset, &slot) || !slot.free ||
		    slot.size != length || (i && offset == dir_best_offset(header, i - 1)) ||
		    (i > 1 && offset == dir_best_offset(header, 0)))
			raise_u64(v, FOUND(DIR_BEST_OFFSET), offsets[i], offset, b->offset[i]);
	}
}

/* Of one block: inode numbers of the AG that was met last are [low, high); above `internal` there
 * is none of the filesystem's own. */
struct walk {
	const struct geometry *g;
	bool typed;
	u64 low, high, internal;
};

static struct walk walk_of(const struct geometry *g)
{
	const u64 own[] = {g->rbm_ino, g->rsum_ino, g->uquota_ino, g->gquota_ino, g->pquota_ino};
	struct walk w = {.g = g, .typed = dir_has_type(g)};

	for (u32 i = 0; i < ARRAY_COUNT(own); i++)
		if (own[i] != NULL64)
			w.internal = max_u64(w.internal, own[i]);
	return w;
}

static bool ino_good(struct walk *w, u64 ino)
{
	const struct geometry *g = w->g;
	u64 ag = ino >> g->agino_log;

	if (ino < w->low || ino >= w->high) {
		if (!inum_valid(g, inum_of(ino)))
			return false;
		w->low = (ag << g->agino_log) + ((u64)geometry_ag_header_blocks(g) << g->inopb_log);
		w->high =
		    (ag << g->agino_log) + ((u64)geometry_ag_blocks(g, (u32)ag) << g->inopb_log);
	}
	return ino > w->internal || !is_internal(g, ino);
}

/* The size of an entry with which all is right, as it is with nearly all: 0 of anything else, which
 * is then looked at closely. */
static u32 entry_good(struct walk *w, const u8 *block, u32 at, u32 end)
{
	const struct dir_data_entry *e = (const struct dir_data_entry *)(block + at);
	u32 size, length, type;
	struct be16 tag;

	if (end - at < 2 * DIR_ALIGN ||
	    be16_get(((const struct dir_data_unused *)e)->freetag) == DIR_FREE_TAG)
		return 0;
	length = e->namelen;
	size = dir_entry_size_of(w->typed, length);
	if (!length || size > end - at)
		return 0;
	type = w->typed ? block[at + sizeof(*e) + length] : (u32)DIR_FT_FILE;
	memcpy(&tag, block + at + size - sizeof(tag), sizeof(tag));
	if (be16_get(tag) != at || type == DIR_FT_UNKNOWN || type >= DIR_FT_COUNT ||
	    !ino_good(w, be64_get(e->inumber)) || !dir_name_good(block + at, length, dir_name_load))
		return 0;
	return size;
}

void dir_data_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	u32 end = dir_data_end(block, len), at = sizeof(struct dir_data), used = 0, unused = 0;
	struct walk w = walk_of(g);
	struct bests bests = {{0}, {0}};
	struct dir_slot slot = {0};
	bool after_free = false;
	char field[48];

	dir_pad_rule(v, "pad", be32_get(((const struct dir_data *)block)->pad));
	for (; at < end; at += slot.size) {
		slot.size = entry_good(&w, block, at, end);
		if (slot.size) {
			used++;
			after_free = false;
			continue;
		}
		if (!dir_data_slot(g, block, end, at, &slot)) {
			raise_value(v, FOUND(DIR_ENTRY_FIT), NULL, at);
			return;
		}
		if (slot.tag != at)
			raise_u64(v, FOUND(DIR_ENTRY_TAG),
				  field_of(field, slot.free ? "unused" : "entry",
					   slot.free ? unused : used, "tag"),
				  slot.tag, at);
		if (slot.free) {
			if (after_free)
				raise_value(v, FOUND(DIR_FREE_ADJACENT), NULL, at);
			bests_add(&bests, at, slot.size);
			unused++;
		} else {
			dir_entry_rules(v, g, &slot, "entry", used++);
		}
		after_free = slot.free;
	}
	bests_rules(v, g, block, end, &bests);
}

void dir_index_rules(struct verdict *v, const struct dir_index *index, u32 max)
{
	u32 stale = 0, last = 0;
	char field[48];

	if (index->raw_count > max)
		raise_u64(v, FOUND(DIR_INDEX_COUNT), "count", index->raw_count, max);
	for (u32 i = 0; i < index->count; i++) {
		u32 hash = be32_get(index->entries[i].hashval);

		if (hash < last)
			raise_hex(v, FOUND(DIR_INDEX_ORDER), field_of(field, "leaf", i, "hashval"),
				  hash, last);
		last = hash;
		stale += !be32_get(index->entries[i].address);
	}
	if (index->raw_count <= max && stale != index->stale)
		raise_u64(v, FOUND(DIR_INDEX_STALE), "stale", index->stale, stale);
}

void da_node_rules(struct verdict *v, const void *block, u32 len, u64 first, u64 end, u32 unit)
{
	const struct da_node *node = block;
	const struct da_node_entry *entries = da_node_entries(block);
	u32 raw = be16_get(node->count), level = be16_get(node->level), last = 0;
	u32 count = da_node_count(block, len);
	char field[48];

	dir_pad_rule(v, "pad", be16_get(node->pad));
	dir_pad_rule(v, "pad32", be32_get(node->pad32));
	if (!raw || raw > count)
		raise_u64(v, FOUND(DA_COUNT), "count", raw, da_node_max(len));
	if (!level || level > DA_LEVELS_MAX)
		raise_u64(v, FOUND(DA_LEVEL), "level", level, DA_LEVELS_MAX);
	for (u32 i = 0; i < count; i++) {
		u32 hash = be32_get(entries[i].hashval), before = be32_get(entries[i].before);

		if (hash < last)
			raise_hex(v, FOUND(DA_ORDER), field_of(field, "btree", i, "hashval"), hash,
				  last);
		last = hash;
		if (before < first || before >= end || (before - first) % unit)
			raise_value(v, FOUND(DA_POINTER), field_of(field, "btree", i, "before"),
				    before);
	}
}
