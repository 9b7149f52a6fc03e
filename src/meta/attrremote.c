/* A block of an attribute value that does not fit in a leaf. */
#include "format/attr.h"
#include "meta/findings.h"

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
    .uuid_offset = offsetof(struct attr_remote, uuid),
    .blkno_offset = offsetof(struct attr_remote, blkno),
    .owner_offset = offsetof(struct attr_remote, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct attr_remote, lsn),
    .kernel_scrub = "buffer verifier",
};
