/*
 * Reading the hash btree of a directory or of an attribute fork: blocks of a fork by offset, and
 * the way down to a hash.
 *
 * Directory blocks may be made of several filesystem blocks, in several places.  All blocks are
 * read through the cache and verified as what their magic says, with the inode as owner.
 */
#ifndef MENDFS_FS_DA_H
#define MENDFS_FS_DA_H

#include "format/da.h"
#include "fs/inode.h"

/* Where the pieces of one directory or attribute block lie. */
struct da_place {
	u64 off;    /* in the fork, in filesystem blocks */
	u32 blocks; /* of it that are mapped: all, or there is a hole in it */
	u32 count;  /* of ranges */
	struct cache_range range[CACHE_RANGES];
};

/* Filesystem blocks of one block of this fork. */
static inline u32 da_block_count(const struct geometry *g, enum fork_id which)
{
	return which == FORK_DATA ? g->dir_fsblocks : 1;
}
/* Finds the block at `off`. blocks is 0 when nothing is mapped there. */
int da_place_at(struct vol *vol, const struct inode *inode, enum fork_id which, u64 off,
		struct da_place *place);
/* Calls fn for each block of [from, to) of which anything is mapped, in order; stops when it
 * returns nonzero, and returns that. `from` is the offset of a block. */
int da_place_each(struct vol *vol, const struct inode *inode, enum fork_id which, u64 from, u64 to,
		  int (*fn)(void *arg, const struct da_place *place), void *arg);

/* Where a block of this inode is, for verification and findings. */
struct where da_where(const struct geometry *g, const struct inode *inode,
		      const struct meta_type *type, const struct da_place *place);

/* The block at `off` as `type`; -ENOENT without a trail in a hole. */
int da_read(struct vol *vol, const struct inode *inode, enum fork_id which, enum meta_id type,
	    u64 off, struct buf **out);
/* The node or leaf at `off`, verified as what its magic says. A hole is -EUCLEAN. */
int da_read_any(struct vol *vol, const struct inode *inode, enum fork_id which, u64 off,
		struct buf **out);
/* The type that a magic number stands for in that fork; META_COUNT for none. */
enum meta_id da_type_of_magic(enum fork_id which, u16 magic);

/* A leaf on the way along the tree. */
struct da_path {
	u64 off, first; /* of the leaf; of the leaf where the walk began */
	struct buf *buf;
};
/* From the root at `root` to the first leaf that may hold `hash`. The caller puts path->buf. */
int da_descend(struct vol *vol, const struct inode *inode, enum fork_id which, u64 root, u32 hash,
	       struct da_path *path);
/* To the next leaf; -ENOENT without a trail at the end. path->buf is NULL on any error. */
int da_forward(struct vol *vol, const struct inode *inode, enum fork_id which,
	       struct da_path *path);

#endif
