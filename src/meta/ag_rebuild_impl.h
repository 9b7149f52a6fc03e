/* What ag_rebuild.c and ag_records.c share: the rebuild of one AG at work. */
#ifndef MENDFS_META_AG_REBUILD_IMPL_H
#define MENDFS_META_AG_REBUILD_IMPL_H

#include "btree/bulk.h"
#include "format/ag.h"
#include "format/inode.h"
#include "meta/ag_usage.h"
#include "meta/inobt_common.h"

#define RUNS_MAX 4096

/* The trees, in the order in which they take their blocks: those of RMAP_OWN_AG first, and the free
 * list behind them. */
enum { TREE_BNO, TREE_CNT, TREE_RMAP, TREE_REFC, TREE_INO, TREE_FINO, TREES };

struct run {
	u32 start, blocks;
};

struct tree_plan {
	bool wanted;
	u64 records;
	struct bulk_shape shape;
	u32 root, levels;
};

struct rebuild {
	struct repair *r;
	const struct geometry *g;
	struct vol view;
	struct txn *txn;
	u32 ag, changed; /* blocks in txn */
	bool inodes;
	struct ag_usage usage;
	struct sorter *by_size; /* the bnobt's records: blocks, start */
	bool sorted;
	struct room room[RUNS_MAX]; /* the longest first */
	u32 rooms;
	struct run run[RUNS_MAX];   /* by start */
	u32 runs, at_run, at_block; /* where the next block comes from */
	u64 need;
	struct tree_plan tree[TREES];
	u32 list_count, list[AGFL_SLOTS_MAX];
	u64 free, longest; /* of free space, as it was written */
	u64 inode_count, free_inodes;
	/* the record at hand of each source */
	struct gap gap;
	bool has_gap, has_mapping;
	struct mapping mapping;
	struct mapping own[RUNS_MAX + 3]; /* the new blocks, in the order of the reverse map */
	u32 owns, next_own, gap_run;
	struct inobt_rec *chunk; /* all of the AG */
	u32 chunks, next_chunk, next_free;
};

/* The steps of ag_rebuild(), in their order: which trees, and room to sort by size; how large they
 * are, of the gaps and records of their own blocks that there may be; how many blocks, and how many
 * for the free list; whose the blocks of the runs are; the trees, and the space headers. */
int ag_want_trees(struct rebuild *b);
void ag_plan_shapes(struct rebuild *b, u64 gaps, u64 owns);
u64 ag_tree_blocks(const struct rebuild *b);
u32 ag_list_wanted(const struct rebuild *b);
void ag_divide(struct rebuild *b);
int ag_build_trees(struct rebuild *b);
int ag_write_space(struct rebuild *b);
int ag_compare_run(const void *a, const void *b); /* by start: struct run */

/* The source of each tree's records. */
int ag_records_begin(struct rebuild *b);
int ag_free_record(void *arg, void *record);
int ag_size_record(void *arg, void *record);
int ag_rmap_record(void *arg, void *record);
int ag_share_record(void *arg, void *record);
int ag_chunk_record(void *arg, void *record);
int ag_free_chunk_record(void *arg, void *record);
/* From what was found and from the evidence: b->chunk. */
int ag_chunks_make(struct rebuild *b);

#endif
