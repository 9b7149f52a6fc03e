/* A leaf of a directory whose hash index is a tree. */
#include "format/dir.h"
#include "meta/dir_change.h"
#include "meta/dir_rules.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

static void dirleafn_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct dir_leaf *leaf = block;
	struct dir_index index;

	(void)g;
	dir_index_open(block, len, &index);
	dir_pad_rule(v, "pad", be16_get(leaf->pad));
	dir_pad_rule(v, "pad32", be32_get(leaf->pad32));
	dir_index_rules(v, &index, index.count);
}

static u32 dirleafn_size(const struct geometry *g)
{
	return g->dir_block_size;
}

const struct meta_type meta_dirleafn = {
    .id = META_DIRLEAFN,
    .name = "dirleafn",
    .title = "directory leaf of a tree",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = DIR_LEAFN_MAGIC,
    .magic_offset = DA_MAGIC_OFFSET,
    .magic_width = 2,
    .crc_offset = offsetof(struct dir_leaf, crc),
    .size = dirleafn_size,
    .layout = &dir_leaf_layout,
    .parts = dir_leaf_parts,
    .kinds = dir_leafn_kinds,
    .rules = dirleafn_rules,
    .change = dir_change_index,
    .uuid_offset = offsetof(struct dir_leaf, uuid),
    .blkno_offset = offsetof(struct dir_leaf, blkno),
    .owner_offset = offsetof(struct dir_leaf, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct dir_leaf, lsn),
    REBUILT_AS_DIRECTORY,
    .kernel_scrub = "xchk_directory, xchk_da_btree",
};
