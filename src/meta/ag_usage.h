/*
 * What an AG's space is used for, from the evidence: the reverse map, free space, and what is
 * shared, each sorted and ready to be written.  Private to the rebuild of an AG.
 */
#ifndef MENDFS_META_AG_USAGE_H
#define MENDFS_META_AG_USAGE_H

#include "meta/rebuild.h"

/* A mapping in the order of the reverse map. */
struct mapping {
	struct be32 start;
	struct be64 owner;
	struct be64 offset; /* with _ATTR and _BMBT; the key ends here */
	struct be32 blocks;
	struct be64 unwritten; /* RMAP_OFFSET_UNWRITTEN or 0 */
};
#define MAPPING_KEY offsetof(struct mapping, blocks)
/* Free space by start. */
struct gap {
	struct be32 start, blocks;
};
/* Free space that nothing old is in either, the longest first. */
struct room {
	struct be32 not_blocks, start; /* ~blocks */
	u8 at_start, at_end;	       /* of the gap that it is in */
};
/* Blocks that several files map; staging of copy-on-write has REFCOUNT_COW in start. */
struct share {
	struct be32 start, blocks, count;
};

struct ag_usage {
	struct sorter *rmaps, *gaps, *rooms, *shares;
	struct sorter *olds; /* struct gap: what old trees were in, and nothing else is */
	u64 rmap_count, gap_count, share_count;
};

/* keep_inode_trees: the blocks of inobt and finobt stay. -EUCLEAN when two claim the same blocks:
 * that has to be decided first. */
int ag_usage_make(struct repair *r, u32 ag, bool keep_inode_trees, struct ag_usage *out);
void ag_usage_free(struct ag_usage *u);

#endif
