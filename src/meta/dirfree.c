/* A block of the free index: the best free space of each data block of a directory. */
#include "format/dir.h"
#include "meta/dir_change.h"
#include "meta/dir_rules.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

#include <stdio.h>

static void dirfree_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct dir_free *header = block;
	const struct dir_best *bests = dir_free_bests(block);
	u32 max = dir_free_max(len), valid = be32_get(header->nvalid), used = 0;
	u32 longest = len - (u32)sizeof(struct dir_data);
	char field[48];

	(void)g;
	dir_pad_rule(v, "pad", be32_get(header->pad));
	if (be32_get(header->firstdb) % max)
		raise_u64(v, FOUND(DIR_FREE_FIRST), "firstdb", be32_get(header->firstdb),
			  be32_get(header->firstdb) / max * max);
	if (valid > max) {
		raise_u64(v, FOUND(DIR_FREE_COUNT), "nvalid", valid, max);
		return;
	}
	for (u32 i = 0; i < valid; i++) {
		u32 best = be16_get(bests[i].best);

		if (best == DIR_NO_BEST)
			continue;
		used++;
		if (best <= longest && best % DIR_ALIGN == 0)
			continue;
		snprintf(field, sizeof(field), "bests[%u]", i);
		raise_value(v, FOUND(DIR_FREE_BEST), field, best);
	}
	if (be32_get(header->nused) != used)
		raise_u64(v, FOUND(DIR_FREE_USED), "nused", be32_get(header->nused), used);
}

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
    .kinds = dir_free_kinds,
    .rules = dirfree_rules,
    .change = dir_change_free,
    .uuid_offset = offsetof(struct dir_free, uuid),
    .blkno_offset = offsetof(struct dir_free, blkno),
    .owner_offset = offsetof(struct dir_free, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct dir_free, lsn),
    REBUILT_AS_DIRECTORY,
    .kernel_scrub = "xchk_directory",
};
