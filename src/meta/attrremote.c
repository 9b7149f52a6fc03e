/* A block of an attribute value that does not fit in a leaf. */
#include "format/attr.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

static void attrremote_rules(struct verdict *v, const struct geometry *g, const void *block,
			     u32 len)
{
	const struct attr_remote *header = block;
	u32 offset = be32_get(header->offset), bytes = be32_get(header->bytes);
	u32 room = attr_remote_room(g);

	(void)len;
	if (offset % room || offset >= ATTR_VALUE_MAX)
		raise_value(v, FOUND(ATTR_REMOTE_OFFSET), "offset", offset);
	else if (!bytes || bytes > room || bytes > ATTR_VALUE_MAX - offset)
		raise_u64(v, FOUND(ATTR_REMOTE_BYTES), "bytes", bytes,
			  min_u64(room, ATTR_VALUE_MAX - offset));
	if (be64_get(header->lsn) != NULL64)
		raise_hex(v, FOUND(ATTR_REMOTE_LSN), "lsn", be64_get(header->lsn), NULL64);
}

static u32 attrremote_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_attrremote = {
    .id = META_ATTRREMOTE,
    .name = "attrremote",
    .title = "remote attribute value block",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = ATTR_REMOTE_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct attr_remote, crc),
    .size = attrremote_size,
    .layout = &attr_remote_layout,
    .parts = attr_remote_parts,
    .kinds = attr_remote_kinds,
    .rules = attrremote_rules,
    .uuid_offset = offsetof(struct attr_remote, uuid),
    .blkno_offset = offsetof(struct attr_remote, blkno),
    .owner_offset = offsetof(struct attr_remote, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct attr_remote, lsn),
    REBUILT_AS_ATTRIBUTES,
    .kernel_scrub = "buffer verifier",
};
