/* The one leaf of a directory: its hash index and the best free space of its data blocks. */
#include "format/dir.h"
#include "meta/findings.h"

static u32 dirleaf_size(const struct geometry *g)
{
	return g->dir_block_size;
}

const struct meta_type meta_dirleaf = {
    .id = META_DIRLEAF,
    .name = "dirleaf",
    .title = "directory leaf with best-free table",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = DIR_LEAF1_MAGIC,
    .magic_offset = DA_MAGIC_OFFSET,
    .magic_width = 2,
    .crc_offset = offsetof(struct dir_leaf, crc),
    .size = dirleaf_size,
    .layout = &dir_leaf_layout,
    .parts = dir_leaf_parts,
    .uuid_offset = offsetof(struct dir_leaf, uuid),
    .blkno_offset = offsetof(struct dir_leaf, blkno),
    .owner_offset = offsetof(struct dir_leaf, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct dir_leaf, lsn),
    .kernel_scrub = "xchk_directory",
};
