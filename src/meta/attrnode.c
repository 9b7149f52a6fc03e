/* A node of the hash tree of an attribute fork. */
#include "format/attr.h"
#include "meta/dir_rules.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

/* Offset 0 is the root, nobody's child. */
static void attrnode_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	(void)g;
	da_node_rules(v, block, len, 1, NULL32, 1);
}

static u32 attrnode_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_attrnode = {
    .id = META_ATTRNODE,
    .name = "attrnode",
    .title = "attribute tree node",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = DA_NODE_MAGIC,
    .magic_offset = DA_MAGIC_OFFSET,
    .magic_width = 2,
    .crc_offset = offsetof(struct da_node, crc),
    .size = attrnode_size,
    .layout = &da_node_layout,
    .parts = da_node_parts,
    .kinds = da_node_kinds,
    .rules = attrnode_rules,
    .uuid_offset = offsetof(struct da_node, uuid),
    .blkno_offset = offsetof(struct da_node, blkno),
    .owner_offset = offsetof(struct da_node, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct da_node, lsn),
    REBUILT_AS_ATTRIBUTES,
    .kernel_scrub = "xchk_da_btree",
};
