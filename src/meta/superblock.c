/* The superblock and its copies: rules and postings. */
#include "format/super.h"
#include "format/type.h"
#include "meta/findings.h"

static u32 superblock_size(const struct geometry *g)
{
	return g->sector_size;
}

static struct daddr superblock_place(const struct geometry *g, u32 ag)
{
	return agblock_daddr(g, ag, 0);
}

const struct meta_type meta_superblock = {
    .id = META_SUPERBLOCK,
    .name = "superblock",
    .title = "superblock",
    .scope = SCOPE_AG,
    .class = CLASS_PRIMARY,
    .magic = SB_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct sb, crc),
    .size = superblock_size,
    .place = superblock_place,
    .layout = &sb_layout,
    .kernel_scrub = "xchk_superblock",
};
