/* A block of directory entries. */
#include "format/dir.h"
#include "meta/dir_change.h"
#include "meta/dir_rules.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

static void dirdata_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	dir_data_rules(v, g, block, len);
}

static u32 dirdata_size(const struct geometry *g)
{
	return g->dir_block_size;
}

const struct meta_type meta_dirdata = {
    .id = META_DIRDATA,
    .name = "dirdata",
    .title = "directory data block",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = DIR_DATA_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct dir_data, crc),
    .size = dirdata_size,
    .layout = &dir_data_layout,
    .parts = dir_data_parts,
    .kinds = dir_data_kinds,
    .rules = dirdata_rules,
    .change = dir_change_data,
    .uuid_offset = offsetof(struct dir_data, uuid),
    .blkno_offset = offsetof(struct dir_data, blkno),
    .owner_offset = offsetof(struct dir_data, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct dir_data, lsn),
    REBUILT_AS_DIRECTORY,
    .kernel_scrub = "xchk_directory",
};
