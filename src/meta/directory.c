/* Directories as a whole: every form, walked as a unit. */
#include "format/bytes.h"
#include "format/dir.h"
#include "meta/findings.h"
#include "meta/local_parts.h"

static void emit(struct part_sink *sink, const char *name, u32 index, bool repeated, u32 offset,
		 const struct layout *layout)
{
	const struct part part = {name, index, repeated, offset, layout};

	sink->part(sink, &part);
}

void dir_short_parts(const struct geometry *g, const u8 *fork, u32 size, u32 at,
		     struct part_sink *sink)
{
	const struct layout *ino_layout;
	struct dir_short_cursor c;
	struct dir_slot slot;
	u64 parent;

	if (!dir_short_open(&c, g, fork, size, &parent))
		return;
	ino_layout = c.wide ? &dir_ino8_layout : &dir_ino4_layout;
	emit(sink, "sfdir", 0, false, at, &dir_short_layout);
	emit(sink, "parent", 0, false, at + (u32)sizeof(struct dir_short), ino_layout);
	for (u32 i = 0; dir_short_next(&c, &slot); i++) {
		u32 name = at + (u32)(slot.name - fork);

		emit(sink, "entry", i, true, at + slot.offset, &dir_short_entry_layout);
		emit(sink, "name", i, true, name, name_layout(slot.length));
		if (dir_has_type(g))
			emit(sink, "type", i, true, name + slot.length, &dir_ftype_layout);
		emit(sink, "inumber", i, true, at + slot.offset + slot.size - ino_layout->size,
		     ino_layout);
	}
}

const struct meta_type meta_directory = {
    .id = META_DIRECTORY,
    .name = "directory",
    .title = "directory",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .crc_offset = CRC_NONE,
    .kernel_scrub = "xchk_directory, xchk_parent",
};
