/* Extended attributes: field tables, asserts and iterators; see attr.h. */
#include "format/attr.h"

#include "format/bytes.h"

LAYOUT_TABLE(attr_leaf, ATTR_LEAF_FIELDS);
LAYOUT_TABLE(attr_leaf_entry, ATTR_LEAF_ENTRY_FIELDS);
LAYOUT_TABLE(attr_name_local, ATTR_NAME_LOCAL_FIELDS);
LAYOUT_TABLE(attr_name_remote, ATTR_NAME_REMOTE_FIELDS);
LAYOUT_TABLE(attr_short, ATTR_SHORT_FIELDS);
LAYOUT_TABLE(attr_short_entry, ATTR_SHORT_ENTRY_FIELDS);
LAYOUT_TABLE(attr_remote, ATTR_REMOTE_FIELDS);
LAYOUT_TABLE(attr_parent, ATTR_PARENT_FIELDS);

_Static_assert(sizeof(struct attr_leaf) == 80, "attribute leaf header");
_Static_assert(offsetof(struct attr_leaf, free0_base) == 64, "attr_leaf.freemap");
_Static_assert(sizeof(struct attr_leaf_entry) == 8, "attribute leaf entry");
_Static_assert(sizeof(struct attr_name_local) == 3, "local attribute name");
_Static_assert(sizeof(struct attr_name_remote) == 9, "remote attribute name");
_Static_assert(sizeof(struct attr_short) == 4, "short attribute header");
_Static_assert(sizeof(struct attr_remote) == 56, "remote value header");
_Static_assert(offsetof(struct attr_remote, owner) == 32, "attr_remote.owner");
_Static_assert(sizeof(struct attr_parent) == 12, "parent pointer");

u32 attr_leaf_count(const void *block, u32 len)
{
	u32 count = be16_get(((const struct attr_leaf *)block)->count), max = attr_leaf_max(len);

	return count < max ? count : max;
}

u32 attr_leaf_firstused(const void *block)
{
	u32 first = be16_get(((const struct attr_leaf *)block)->firstused);

	return first ? first : 1u << 16;
}

static bool local_slot(const u8 *at, u32 room, struct attr_slot *slot)
{
	const struct attr_name_local *name = (const struct attr_name_local *)at;

	if (room < sizeof(*name))
		return false;
	slot->name_length = name->namelen;
	slot->value_length = be16_get(name->valuelen);
	slot->name = at + sizeof(*name);
	slot->value = slot->name + slot->name_length;
	slot->size = (u32)sizeof(*name) + slot->name_length + slot->value_length;
	return true;
}

static bool remote_slot(const u8 *at, u32 room, struct attr_slot *slot)
{
	const struct attr_name_remote *name = (const struct attr_name_remote *)at;

	if (room < sizeof(*name))
		return false;
	slot->name_length = name->namelen;
	slot->value_length = be32_get(name->valuelen);
	slot->value_block = be32_get(name->valueblk);
	slot->name = at + sizeof(*name);
	slot->size = (u32)sizeof(*name) + ATTR_REMOTE_SPARE + slot->name_length;
	return true;
}

bool attr_leaf_slot(const void *block, u32 len, u32 index, struct attr_slot *slot)
{
	const struct attr_leaf_entry *entry = &attr_leaf_entries(block)[index];
	u32 offset = be16_get(entry->nameidx), room;
	const u8 *at = (const u8 *)block + offset;

	*slot = (struct attr_slot){
	    .offset = offset, .hash = be32_get(entry->hashval), .flags = entry->flags};
	if (offset < sizeof(struct attr_leaf) || offset >= len)
		return false;
	room = len - offset;
	if (!(attr_is_local(slot) ? local_slot(at, room, slot) : remote_slot(at, room, slot)))
		return false;
	slot->size = (slot->size + ATTR_ALIGN - 1) / ATTR_ALIGN * ATTR_ALIGN;
	return slot->size <= room;
}

u32 attr_leaf_find(const void *block, u32 len, u32 hash)
{
	const struct attr_leaf_entry *entries = attr_leaf_entries(block);
	u32 low = 0, high = attr_leaf_count(block, len);

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (be32_get(entries[middle].hashval) < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool attr_short_open(struct attr_short_cursor *c, const void *fork, u32 size)
{
	const struct attr_short *header = fork;
	u32 total;

	*c = (struct attr_short_cursor){.fork = fork};
	if (size < sizeof(*header))
		return false;
	total = be16_get(header->totsize);
	if (total < sizeof(*header) || total > size)
		return false;
	c->size = total;
	c->count = header->count;
	c->at = sizeof(*header);
	return true;
}

bool attr_short_next(struct attr_short_cursor *c, struct attr_slot *slot)
{
	const u8 *at = c->fork + c->at;
	const struct attr_short_entry *entry = (const struct attr_short_entry *)at;
	u32 room = c->size - c->at;

	if (c->index >= c->count || room < sizeof(*entry))
		return false;
	*slot = (struct attr_slot){.offset = c->at,
				   .flags = entry->flags,
				   .name = at + sizeof(*entry),
				   .name_length = entry->namelen,
				   .value_length = entry->valuelen};
	slot->value = slot->name + slot->name_length;
	slot->size = (u32)sizeof(*entry) + slot->name_length + slot->value_length;
	if (slot->size > room)
		return false;
	c->at += slot->size;
	c->index++;
	return true;
}

bool attr_parent_get(const struct attr_slot *slot, u64 *ino, u32 *gen)
{
	const struct attr_parent *parent = (const struct attr_parent *)slot->value;

	if (!(slot->flags & ATTR_PARENT) || !parent || slot->value_length != sizeof(*parent))
		return false;
	*ino = be64_get(parent->ino);
	*gen = be32_get(parent->gen);
	return true;
}

u32 attr_parent_hash(const void *name, u32 length, u64 parent)
{
	return da_hash(name, length) ^ (u32)(parent >> 32) ^ (u32)parent;
}

u32 attr_hash(const struct attr_slot *slot)
{
	u64 parent;
	u32 gen;

	if (attr_parent_get(slot, &parent, &gen))
		return attr_parent_hash(slot->name, slot->name_length, parent);
	return da_hash(slot->name, slot->name_length);
}

static void emit(struct part_sink *sink, const char *name, u32 index, u32 offset,
		 const struct layout *layout)
{
	const struct part part = {name, index, true, offset, layout};

	sink->part(sink, &part);
}

const struct part_kind attr_leaf_kinds[] = {
    {"hdr", &attr_leaf_layout},		{"entries", &attr_leaf_entry_layout},
    {"local", &attr_name_local_layout}, {"remote", &attr_name_remote_layout},
    {"name", &name_short_layout},	{"parent", &attr_parent_layout},
    {"value", &bytes_short_layout},	{NULL, NULL},
};
const struct part_kind attr_remote_kinds[] = {
    {"hdr", &attr_remote_layout}, {"data", &bytes_short_layout}, {NULL, NULL}};

static void slot_parts(const u8 *block, const struct attr_slot *slot, u32 index, u32 *values,
		       struct part_sink *sink)
{
	u32 name = (u32)(slot->name - block);

	emit(sink, attr_is_local(slot) ? "local" : "remote", index, slot->offset,
	     attr_is_local(slot) ? &attr_name_local_layout : &attr_name_remote_layout);
	if (slot->name_length)
		emit(sink, "name", index, name, name_layout(slot->name_length));
	if (slot->value && slot->flags & ATTR_PARENT &&
	    slot->value_length == sizeof(struct attr_parent))
		emit(sink, "parent", index, name + slot->name_length, &attr_parent_layout);
	else if (slot->value)
		bytes_parts("value", name + slot->name_length, slot->value_length, values, sink);
}

void attr_leaf_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink)
{
	const struct part header = {"hdr", 0, false, 0, &attr_leaf_layout};
	u32 count = attr_leaf_count(block, len), values = 0;
	struct attr_slot slot;

	(void)g;
	sink->part(sink, &header);
	for (u32 i = 0; i < count; i++)
		emit(sink, "entries", i,
		     (u32)(sizeof(struct attr_leaf) + i * sizeof(struct attr_leaf_entry)),
		     &attr_leaf_entry_layout);
	for (u32 i = 0; i < count; i++)
		if (attr_leaf_slot(block, len, i, &slot))
			slot_parts(block, &slot, i, &values, sink);
}

void attr_remote_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink)
{
	const struct part header = {"hdr", 0, false, 0, &attr_remote_layout};
	u32 bytes = be32_get(((const struct attr_remote *)block)->bytes), index = 0;
	u32 room = len - (u32)sizeof(struct attr_remote);

	(void)g;
	sink->part(sink, &header);
	bytes_parts("data", sizeof(struct attr_remote), bytes < room ? bytes : room, &index, sink);
}
