/* Symbolic links, and the blocks of targets that do not fit in the inode. */
#include "format/symlink.h"
#include "meta/findings.h"

static void symlink_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct symlink_hdr *header = block;
	u32 offset = be32_get(header->offset), bytes = be32_get(header->bytes);
	u32 room = len - (u32)sizeof(*header);

	(void)g;
	if (offset >= SYMLINK_MAX)
		raise_value(v, FOUND(SYMLINK_OFFSET), "offset", offset);
	else if (!bytes || bytes > room || offset + bytes >= SYMLINK_MAX)
		raise_value(v, FOUND(SYMLINK_BYTES), "bytes", bytes);
	else if (memchr(header + 1, 0, bytes))
		raise_value(v, FOUND(SYMLINK_ZERO), NULL, offset);
}

static u32 symlink_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_symlink = {
    .id = META_SYMLINK,
    .name = "symlink",
    .title = "remote symlink target",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = SYMLINK_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct symlink_hdr, crc),
    .size = symlink_size,
    .layout = &symlink_hdr_layout,
    .parts = symlink_parts,
    .rules = symlink_rules,
    .uuid_offset = offsetof(struct symlink_hdr, uuid),
    .blkno_offset = offsetof(struct symlink_hdr, blkno),
    .owner_offset = offsetof(struct symlink_hdr, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct symlink_hdr, lsn),
    .kernel_scrub = "xchk_symlink",
};
