/* A leaf of an attribute fork: names, small values, and where the large ones are. */
#include "format/attr.h"
#include "meta/findings.h"

static u32 attrleaf_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_attrleaf = {
    .id = META_ATTRLEAF,
    .name = "attrleaf",
    .title = "attribute leaf",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = ATTR_LEAF_MAGIC,
    .magic_offset = DA_MAGIC_OFFSET,
    .magic_width = 2,
    .crc_offset = offsetof(struct attr_leaf, crc),
    .size = attrleaf_size,
    .layout = &attr_leaf_layout,
    .parts = attr_leaf_parts,
    .uuid_offset = offsetof(struct attr_leaf, uuid),
    .blkno_offset = offsetof(struct attr_leaf, blkno),
    .owner_offset = offsetof(struct attr_leaf, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct attr_leaf, lsn),
    .kernel_scrub = "xchk_xattr",
};
