/* What the files that write a new filesystem share; private to src/fs/mkfs*.c. */
#ifndef MENDFS_FS_MKFS_BUILD_H
#define MENDFS_FS_MKFS_BUILD_H

#include "fs/mkfs.h"

/* A run of blocks in use, and whose it is. */
struct used {
	u32 start, count;
	s64 owner;
};

/* Headers, roots, log, free list in pieces, inodes, bitmap and summary. */
#define AG_USED_MAX 48
#define FREE_LIST_MAX 8

/* One AG as it will be. */
struct ag_model {
	u32 number, length;
	struct used used[AG_USED_MAX]; /* ascending, apart */
	u32 count;
	u32 list[FREE_LIST_MAX], list_count;
	u32 free, longest; /* the free list not counted */
};

/* Blocks of the realtime bitmap, and behind them of the summary. */
struct rt_extent {
	u32 ag, start, count;
	bool summary;
};
#define RT_EXTENTS_MAX 32
#define MKFS_INODES_USED 3

struct maker {
	struct env *env;
	const struct meta_types *types;
	const struct mkfs_options *options;
	struct geometry *g;
	const struct mkfs_devices *devices;
	u32 root_block; /* in AG 0, of the first inodes */
	struct rt_extent rt[RT_EXTENTS_MAX];
	u32 rt_count;
	u8 *buffer; /* of maker_buffer_size() bytes */
};

static inline u32 maker_inodes(const struct geometry *g)
{
	return g->chunk_blocks * g->inodes_per_block;
}
static inline u64 rt_summary_blocks(const struct geometry *g)
{
	return g->rt_summary_size >> g->block_log;
}

/* Sets the checksum of an object and asks its type whether it would read it. */
int maker_seal(const struct maker *m, enum meta_id id, struct where where, void *object, u32 size);

int ag_model_init(const struct maker *m, u32 number, struct ag_model *ag);
/* The free run from *at on; false: none. *at is then behind it. */
bool ag_model_free(const struct ag_model *ag, u32 *at, struct used *run);
/* Headers and roots; the superblock's sector is left zero. */
int ag_model_write(struct maker *m, const struct ag_model *ag);

/* Finds room for the bitmap and the summary. */
int mkfs_rt_place(struct maker *m);
int mkfs_rt_write(struct maker *m);
/* The first inodes: root directory, bitmap, summary. */
int mkfs_inodes_write(struct maker *m);

#endif
