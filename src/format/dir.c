/* Directories: field tables, asserts and iterators; see dir.h. */
#include "format/dir.h"

LAYOUT_TABLE(dir_data, DIR_DATA_FIELDS);
LAYOUT_TABLE(dir_data_entry, DIR_ENTRY_FIELDS);
LAYOUT_TABLE(dir_data_unused, DIR_UNUSED_FIELDS);
LAYOUT_TABLE(dir_tag, DIR_TAG_FIELDS);
LAYOUT_TABLE(dir_ftype, DIR_TYPE_FIELDS);
LAYOUT_TABLE(dir_leaf, DIR_LEAF_FIELDS);
LAYOUT_TABLE(dir_leaf_entry, DIR_LEAF_ENTRY_FIELDS);
LAYOUT_TABLE(dir_leaf_tail, DIR_LEAF_TAIL_FIELDS);
LAYOUT_TABLE(dir_block_tail, DIR_BLOCK_TAIL_FIELDS);
LAYOUT_TABLE(dir_best, DIR_BEST_FIELDS);
LAYOUT_TABLE(dir_free, DIR_FREE_FIELDS);
LAYOUT_TABLE(dir_short, DIR_SHORT_FIELDS);
LAYOUT_TABLE(dir_short_entry, DIR_SHORT_ENTRY_FIELDS);
LAYOUT_TABLE(dir_ino4, DIR_INO4_FIELDS);
LAYOUT_TABLE(dir_ino8, DIR_INO8_FIELDS);

_Static_assert(sizeof(struct dir_data) == 64, "directory data header");
_Static_assert(offsetof(struct dir_data, crc) == 4, "dir_data.crc");
_Static_assert(offsetof(struct dir_data, owner) == 40, "dir_data.owner");
_Static_assert(offsetof(struct dir_data, best0_offset) == 48, "dir_data.best0");
_Static_assert(sizeof(struct dir_data_entry) == 9, "directory entry");
_Static_assert(sizeof(struct dir_leaf) == 64, "directory leaf header");
_Static_assert(sizeof(struct dir_leaf_entry) == 8, "directory leaf entry");
_Static_assert(sizeof(struct dir_block_tail) == 8, "block directory tail");
_Static_assert(sizeof(struct dir_free) == 64, "free index header");
_Static_assert(sizeof(struct dir_short) == 2, "short directory header");
_Static_assert(sizeof(struct dir_short_entry) == 3, "short directory entry");

static u32 block_magic(const void *block)
{
	return be32_get(((const struct dir_data *)block)->magic);
}

static const struct dir_block_tail *block_tail(const void *block, u32 len)
{
	return (const struct dir_block_tail *)((const u8 *)block + len -
					       sizeof(struct dir_block_tail));
}

/* How many leaf entries fit between a data header and a tail. */
static u32 block_index_max(u32 len)
{
	return (u32)((len - sizeof(struct dir_data) - sizeof(struct dir_block_tail)) /
		     sizeof(struct dir_leaf_entry));
}

u32 dir_data_end(const void *block, u32 len)
{
	u32 count;

	if (block_magic(block) != DIR_BLOCK_MAGIC)
		return len;
	count = be32_get(block_tail(block, len)->count);
	if (count > block_index_max(len))
		return 0;
	return len - (u32)sizeof(struct dir_block_tail) -
	       count * (u32)sizeof(struct dir_leaf_entry);
}

static u32 tag_at(const u8 *end)
{
	struct be16 tag;

	memcpy(&tag, end - sizeof(tag), sizeof(tag));
	return be16_get(tag);
}

static bool free_slot(const u8 *at, u32 room, struct dir_slot *slot)
{
	u32 length = be16_get(((const struct dir_data_unused *)at)->length);

	if (length < DIR_ALIGN || length % DIR_ALIGN || length > room)
		return false;
	slot->free = true;
	slot->size = length;
	slot->tag = tag_at(at + length);
	return true;
}

bool dir_data_slot(const struct geometry *g, const void *block, u32 end, u32 offset,
		   struct dir_slot *slot)
{
	const u8 *at = (const u8 *)block + offset;
	const struct dir_data_entry *entry = (const struct dir_data_entry *)at;

	*slot = (struct dir_slot){.offset = offset};
	if (offset < sizeof(struct dir_data) || offset % DIR_ALIGN || offset >= end ||
	    end - offset < DIR_ALIGN)
		return false;
	if (be16_get(((const struct dir_data_unused *)at)->freetag) == DIR_FREE_TAG)
		return free_slot(at, end - offset, slot);
	if (end - offset < dir_entry_size(g, 1) || !entry->namelen)
		return false;
	slot->size = dir_entry_size(g, entry->namelen);
	if (slot->size > end - offset)
		return false;
	slot->ino = be64_get(entry->inumber);
	slot->length = entry->namelen;
	slot->name = at + sizeof(*entry);
	slot->type = dir_has_type(g) ? slot->name[slot->length] : DIR_FT_UNKNOWN;
	slot->tag = tag_at(at + slot->size);
	return true;
}

static void index_open_block(const u8 *block, u32 len, struct dir_index *index)
{
	const struct dir_block_tail *tail = block_tail(block, len);
	u32 max = block_index_max(len);

	index->raw_count = be32_get(tail->count);
	index->stale = be32_get(tail->stale);
	index->count = index->raw_count < max ? index->raw_count : max;
	index->entries = (const struct dir_leaf_entry *)tail - index->count;
}

static void index_open_leaf(const u8 *block, u32 len, struct dir_index *index, bool with_bests)
{
	const struct dir_leaf *leaf = (const struct dir_leaf *)block;
	u32 room = len - (u32)sizeof(*leaf), max;

	if (with_bests) {
		const u8 *tail = block + len - sizeof(struct dir_leaf_tail);

		room -= (u32)sizeof(struct dir_leaf_tail);
		max = room / (u32)sizeof(struct dir_best);
		index->raw_best_count = be32_get(((const struct dir_leaf_tail *)tail)->bestcount);
		index->best_count = index->raw_best_count < max ? index->raw_best_count : max;
		index->bests = (const struct dir_best *)tail - index->best_count;
		room -= index->best_count * (u32)sizeof(struct dir_best);
	}
	max = room / (u32)sizeof(struct dir_leaf_entry);
	index->raw_count = be16_get(leaf->count);
	index->stale = be16_get(leaf->stale);
	index->count = index->raw_count < max ? index->raw_count : max;
	index->entries = (const struct dir_leaf_entry *)(leaf + 1);
}

bool dir_index_open(const void *block, u32 len, struct dir_index *index)
{
	*index = (struct dir_index){0};
	if (block_magic(block) == DIR_BLOCK_MAGIC)
		index_open_block(block, len, index);
	else if (da_magic(block) == DIR_LEAF1_MAGIC)
		index_open_leaf(block, len, index, true);
	else if (da_magic(block) == DIR_LEAFN_MAGIC)
		index_open_leaf(block, len, index, false);
	else
		return false;
	return true;
}

u32 dir_index_find(const struct dir_index *index, u32 hash)
{
	u32 low = 0, high = index->count;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (be32_get(index->entries[middle].hashval) < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

u32 dir_free_count(const void *block, u32 len)
{
	u32 count = be32_get(((const struct dir_free *)block)->nvalid), max = dir_free_max(len);

	return count < max ? count : max;
}

u32 dir_dotdot_offset(const struct geometry *g)
{
	return DIR_DOT_OFFSET + dir_entry_size(g, 1);
}

u32 dir_first_offset(const struct geometry *g)
{
	return dir_dotdot_offset(g) + dir_entry_size(g, 2);
}

static u64 short_ino(const u8 *at, bool wide)
{
	if (wide)
		return be64_get(((const struct dir_ino8 *)at)->i8);
	return be32_get(((const struct dir_ino4 *)at)->i4);
}

static u32 short_ino_size(bool wide)
{
	return wide ? sizeof(struct dir_ino8) : sizeof(struct dir_ino4);
}

bool dir_short_open(struct dir_short_cursor *c, const struct geometry *g, const void *fork,
		    u32 size, u64 *parent)
{
	const struct dir_short *header = fork;

	*c = (struct dir_short_cursor){.g = g, .fork = fork, .size = size};
	if (size < sizeof(*header))
		return false;
	c->wide = header->i8count;
	c->count = header->count;
	c->at = (u32)sizeof(*header) + short_ino_size(c->wide);
	if (c->at > size)
		return false;
	*parent = short_ino(c->fork + sizeof(*header), c->wide);
	return true;
}

bool dir_short_next(struct dir_short_cursor *c, struct dir_slot *slot)
{
	const u8 *at = c->fork + c->at;
	const struct dir_short_entry *entry = (const struct dir_short_entry *)at;
	u32 room = c->size - c->at, type = dir_has_type(c->g);

	if (c->index >= c->count || room < sizeof(*entry) || !entry->namelen)
		return false;
	*slot = (struct dir_slot){.offset = c->at, .length = entry->namelen};
	slot->size = (u32)sizeof(*entry) + slot->length + type + short_ino_size(c->wide);
	if (slot->size > room)
		return false;
	slot->tag = be16_get(entry->offset);
	slot->name = at + sizeof(*entry);
	slot->type = type ? slot->name[slot->length] : DIR_FT_UNKNOWN;
	slot->ino = short_ino(slot->name + slot->length + type, c->wide);
	c->at += slot->size;
	c->index++;
	return true;
}

bool dir_name_valid(const void *name, u32 length)
{
	return length && length <= DIR_NAME_MAX && !memchr(name, '/', length) &&
	       !memchr(name, 0, length);
}

u8 dir_type_of_mode(u16 mode)
{
	static const u8 type[16] = {
	    [001] = DIR_FT_FIFO,   [002] = DIR_FT_CHAR, [004] = DIR_FT_DIR,
	    [006] = DIR_FT_BLOCK,  [010] = DIR_FT_FILE, [012] = DIR_FT_SYMLINK,
	    [014] = DIR_FT_SOCKET,
	};

	return type[mode >> 12];
}
