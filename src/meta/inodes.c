/*
 * A piece of a chunk of inodes, as the inobt pushes it.
 */
#include "format/type.h"

static u32 inodes_size(const struct geometry *g)
{
	return g->cluster_blocks << g->block_log;
}

const struct meta_type meta_inodes = {
    .id = META_INODES,
    .name = "inodes",
    .title = "piece of an inode chunk",
    .scope = SCOPE_AG,
    .class = CLASS_PRIMARY,
    .crc_offset = CRC_NONE,
    .size = inodes_size,
    .kernel_scrub = "xchk_iallocbt",
};
