/* The block of a directory that has only one: entries, and their hash index at the end. */
#include "format/dir.h"
#include "meta/findings.h"

static u32 dirblock_size(const struct geometry *g)
{
	return g->dir_block_size;
}

const struct meta_type meta_dirblock = {
    .id = META_DIRBLOCK,
    .name = "dirblock",
    .title = "single-block directory",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = DIR_BLOCK_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct dir_data, crc),
    .size = dirblock_size,
    .layout = &dir_data_layout,
    .parts = dir_data_parts,
    .uuid_offset = offsetof(struct dir_data, uuid),
    .blkno_offset = offsetof(struct dir_data, blkno),
    .owner_offset = offsetof(struct dir_data, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct dir_data, lsn),
    .kernel_scrub = "xchk_directory",
};
