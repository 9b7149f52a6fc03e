/* Symbolic links, and the blocks of targets that do not fit in the inode. */
#include "format/symlink.h"
#include "meta/findings.h"

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
    .uuid_offset = offsetof(struct symlink_hdr, uuid),
    .blkno_offset = offsetof(struct symlink_hdr, blkno),
    .owner_offset = offsetof(struct symlink_hdr, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct symlink_hdr, lsn),
    .kernel_scrub = "xchk_symlink",
};
