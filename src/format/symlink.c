/* Symbolic links: field table, asserts and parts; see symlink.h. */
#include "format/symlink.h"

#include "format/bytes.h"

LAYOUT_TABLE(symlink_hdr, SYMLINK_HDR_FIELDS);

_Static_assert(sizeof(struct symlink_hdr) == 56, "remote symlink header");
_Static_assert(offsetof(struct symlink_hdr, crc) == 12, "symlink_hdr.crc");
_Static_assert(offsetof(struct symlink_hdr, blkno) == 40, "symlink_hdr.blkno");

const struct part_kind symlink_kinds[] = {
    {"hdr", &symlink_hdr_layout}, {"target", &bytes_short_layout}, {NULL, NULL}};

void symlink_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink)
{
	const struct part header = {"hdr", 0, false, 0, &symlink_hdr_layout};
	u32 bytes = be32_get(((const struct symlink_hdr *)block)->bytes), index = 0;
	u32 room = len - (u32)sizeof(struct symlink_hdr);

	(void)g;
	sink->part(sink, &header);
	bytes_parts("target", sizeof(struct symlink_hdr), bytes < room ? bytes : room, &index,
		    sink);
}
