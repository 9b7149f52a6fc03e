/* A block of the free index: the best free space of each data block of a directory. */
#include "format/dir.h"
#include "meta/findings.h"

static u32 dirfree_size(const struct geometry *g)
{
	return g->dir_block_size;
}

const struct meta_type meta_dirfree = {
    .id = META_DIRFREE,
    .name = "dirfree",
    .title = "directory free index",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = DIR_FREE_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct dir_free, crc),
    .size = dirfree_size,
    .layout = &dir_free_layout,
    .parts = dir_free_parts,
    .uuid_offset = offsetof(struct dir_free, uuid),
    .blkno_offset = offsetof(struct dir_free, blkno),
    .owner_offset = offsetof(struct dir_free, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct dir_free, lsn),
    .kernel_scrub = "xchk_directory",
};
