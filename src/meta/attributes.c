/* Extended attributes of an inode as a whole: every form, walked as a unit. */
#include "format/attr.h"
#include "format/bytes.h"
#include "meta/findings.h"
#include "meta/local_parts.h"

static void emit(struct part_sink *sink, const char *name, u32 index, u32 offset,
		 const struct layout *layout)
{
	const struct part part = {name, index, true, offset, layout};

	sink->part(sink, &part);
}

void attr_short_parts(const struct geometry *g, const u8 *fork, u32 size, u32 at,
		      struct part_sink *sink)
{
	const struct part header = {"sfattr", 0, false, at, &attr_short_layout};
	struct attr_short_cursor c;
	struct attr_slot slot;

	(void)g;
	if (size >= sizeof(struct attr_short))
		sink->part(sink, &header);
	if (!attr_short_open(&c, fork, size))
		return;
	for (u32 i = 0; attr_short_next(&c, &slot); i++) {
		u32 name = at + (u32)(slot.name - fork), value = name + slot.name_length;

		emit(sink, "attr", i, at + slot.offset, &attr_short_entry_layout);
		if (slot.name_length)
			emit(sink, "attr_name", i, name, name_layout(slot.name_length));
		if (slot.flags & ATTR_PARENT && slot.value_length == sizeof(struct attr_parent))
			emit(sink, "attr_parent", i, value, &attr_parent_layout);
		else if (slot.value_length)
			emit(sink, "attr_value", i, value, bytes_layout(slot.value_length));
	}
}

const struct meta_type meta_attributes = {
    .id = META_ATTRIBUTES,
    .name = "attributes",
    .title = "extended attributes",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .crc_offset = CRC_NONE,
    .kernel_scrub = "xchk_xattr, xchk_parent",
};
