/*
 * What stat() and statfs() answer, as XFS counts it. Pure functions.
 *
 * The free blocks that XFS reports leave out what it sets aside in each AG; the number of inodes is
 * what there is and what the free space could hold, up to the limit that the superblock gives.
 */
#include "format/quota.h"
#include "fuse/request.h"

#include "base/trail.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Free blocks that every AG keeps for its free list and for btree splits: XFS never lets user data
 * have them. */
#define AG_SET_ASIDE_BLOCKS 8
#define STAT_UNIT_LOG 9 /* st_blocks counts 512 bytes */
#define INUM_BITS 56	/* an inode number has no more */
#define NAME_LENGTH_MAX 255

static u64 preferred_io_size(const struct geometry *g, const struct inode *inode)
{
	u64 page = (u64)sysconf(_SC_PAGESIZE);

	if (inode->flags & INODE_FLAG_REALTIME) {
		u64 blocks = inode->flags & INODE_FLAG_EXTSIZE && inode->extsize
				 ? inode->extsize
				 : g->rt_extent_size;

		return blocks << g->block_log;
	}
	return max_u64(page, g->block_size);
}

void stat_fill(const struct geometry *g, const struct inode *inode, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = inode->ino.v;
	st->st_mode = inode->mode;
	st->st_nlink = inode->nlink;
	st->st_uid = inode->uid;
	st->st_gid = inode->gid;
	if (S_ISBLK(inode->mode) || S_ISCHR(inode->mode))
		st->st_rdev = inode->rdev;
	st->st_size = (off_t)inode->size;
	st->st_blksize = (blksize_t)preferred_io_size(g, inode);
	st->st_blocks = (blkcnt_t)(inode->nblocks << (g->block_log - STAT_UNIT_LOG));
	st->st_atim = (struct timespec){inode->atime, inode->atime_ns};
	st->st_mtim = (struct timespec){inode->mtime, inode->mtime_ns};
	st->st_ctim = (struct timespec){inode->ctime, inode->ctime_ns};
}

/* The most inodes that the percentage allows, in whole chunks; 0: no limit. */
static u64 inode_limit(const struct geometry *g)
{
	u64 blocks = (u64)((u128)g->data_blocks * g->max_inode_percent / 100);

	return blocks / g->chunk_blocks * g->chunk_blocks << g->inopb_log;
}

void statfs_fill(const struct geometry *g, struct statvfs *st)
{
	u64 aside = (u64)g->ag_count * AG_SET_ASIDE_BLOCKS;
	u64 free_blocks = g->fdblocks > aside ? g->fdblocks - aside : 0;
	u64 limit = inode_limit(g), used = g->icount - min_u64(g->icount, g->ifree);
	u64 files = min_u64(g->icount + (free_blocks << g->inopb_log), 1ull << INUM_BITS);

	if (limit)
		files = min_u64(files, limit);
	files = max_u64(files, g->icount);
	memset(st, 0, sizeof(*st));
	st->f_bsize = g->block_size;
	st->f_frsize = g->block_size;
	st->f_blocks = g->data_blocks - (g->log_internal ? g->log_blocks : 0);
	st->f_bfree = free_blocks;
	st->f_bavail = free_blocks;
	st->f_files = files;
	st->f_ffree = files - used;
	st->f_favail = st->f_ffree;
	st->f_namemax = NAME_LENGTH_MAX;
}

/* What of a resource its limit leaves; the soft one where there is one, as in the kernel. */
static u64 limit_of(const struct be64 *hard, const struct be64 *soft)
{
	return be64_get(*soft) ? be64_get(*soft) : be64_get(*hard);
}

void statfs_limit(const struct dquot *d, struct statvfs *st)
{
	u64 blocks = limit_of(&d->blk_hardlimit, &d->blk_softlimit), used = be64_get(d->bcount);
	u64 files = limit_of(&d->ino_hardlimit, &d->ino_softlimit), inodes = be64_get(d->icount);

	if (blocks && blocks < st->f_blocks) {
		st->f_blocks = blocks;
		st->f_bfree = st->f_bavail = blocks - min_u64(used, blocks);
	}
	if (files && files < st->f_files) {
		st->f_files = files;
		st->f_ffree = st->f_favail = files - min_u64(inodes, files);
	}
}
