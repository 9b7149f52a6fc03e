/* The one leaf of a directory: its hash index and the best free space of its data blocks. */
#include "format/dir.h"
#include "meta/dir_change.h"
#include "meta/dir_rules.h"
#include "meta/findings.h"
#include "meta/rebuild.h"

static void dirleaf_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct dir_leaf *leaf = block;
	struct dir_index index;

	(void)g;
	dir_index_open(block, len, &index);
	dir_pad_rule(v, "pad", be16_get(leaf->pad));
	dir_pad_rule(v, "pad32", be32_get(leaf->pad32));
	if (be32_get(leaf->forw) || be32_get(leaf->back))
		raise_value(v, FOUND(DIR_LEAF_SIBLING), NULL,
			    be32_get(leaf->forw) | be32_get(leaf->back));
	if (index.raw_best_count > index.best_count)
		raise_u64(v, FOUND(DIR_BESTS_COUNT), "bestcount", index.raw_best_count,
			  index.best_count);
	dir_index_rules(v, &index, index.count);
}

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
    .kinds = dir_leaf_kinds,
    .rules = dirleaf_rules,
    .change = dir_change_index,
    .uuid_offset = offsetof(struct dir_leaf, uuid),
    .blkno_offset = offsetof(struct dir_leaf, blkno),
    .owner_offset = offsetof(struct dir_leaf, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct dir_leaf, lsn),
    REBUILT_AS_DIRECTORY,
    .kernel_scrub = "xchk_directory",
};
