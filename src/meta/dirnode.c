/* A node of the hash tree of a directory. */
#include "format/dir.h"
#include "meta/dir_rules.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

static void dirnode_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	da_node_rules(v, block, len, g->dir_leaf_off, g->dir_free_off, g->dir_fsblocks);
}

static u32 dirnode_size(const struct geometry *g)
{
	return g->dir_block_size;
}

const struct meta_type meta_dirnode = {
    .id = META_DIRNODE,
    .name = "dirnode",
    .title = "directory tree node",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = DA_NODE_MAGIC,
    .magic_offset = DA_MAGIC_OFFSET,
    .magic_width = 2,
    .crc_offset = offsetof(struct da_node, crc),
    .size = dirnode_size,
    .layout = &da_node_layout,
    .parts = da_node_parts,
    .kinds = da_node_kinds,
    .rules = dirnode_rules,
    .uuid_offset = offsetof(struct da_node, uuid),
    .blkno_offset = offsetof(struct da_node, blkno),
    .owner_offset = offsetof(struct da_node, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct da_node, lsn),
    REBUILT_AS_DIRECTORY,
    .kernel_scrub = "xchk_da_btree",
};
