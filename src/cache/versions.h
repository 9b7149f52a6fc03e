/*
 * What has been committed and is not on the device yet, version by version.
 *
 * A unit is a stretch of the device that a transaction writes as one: a block, a header's sector,
 * an inode cluster, a piece of a directory block.  Each commit has a number and gives each unit
 * that it changes a new version: a reference to the cache's buffer, which is immutable.  Where the
 * next commit changes the unit again, the old version goes, unless somebody is pinned to a number
 * that needs it: an open snapshot, or the journal, which writes one number to the log and later
 * home to the device while commits go on.  So a snapshot costs nothing until something changes, and
 * a checkpoint never holds up the writer.
 *
 * A snapshot is a device: all metadata as of its number, for as long as it is open, whatever is
 * committed and written home meanwhile.  Whoever reads a filesystem from a device (check, inspect)
 * reads a snapshot as well.  Old versions that only snapshots need go to a spill file when they are
 * more than `memory` bytes; when that fails, the snapshots that needed them fail with -EIO, not the
 * commit.
 *
 * Units of one moment do not overlap; a unit that is freed keeps its old versions for those who are
 * pinned, and another unit may lie over it from then on.
 *
 * Locking: one lock over all, held for short. Commits are in order because their caller has one
 * writer at a time; freeze to settle is the journal's, which has one thread in there at a time.
 * Reading a device may go on in any number of threads.
 */
#ifndef MENDFS_CACHE_VERSIONS_H
#define MENDFS_CACHE_VERSIONS_H

#include "cache/cache.h"

struct versions;

/* Changes are tracked in chunks of this many bytes. */
#define VERSION_CHUNK 128u
#define VERSION_MAP_WORDS 16 /* of 32 chunks: a unit has 64 KiB at most */

/* Sets the bits of the chunks that [from, end) touches and in which two contents differ; both have
 * whole chunks. */
void version_map_differences(const u8 *before, const u8 *after, u32 from, u32 end, u32 *map);

int versions_open(struct env *env, struct device *home, size_t memory, struct versions **out);
/* The cache that reads from versions_device(), and whose buffers commits bring. */
void versions_attach(struct versions *v, struct cache *cache);
/* All snapshots have been closed. What has not been written home is lost. */
void versions_close(struct versions *v);
/* The device as of the last commit. Writes go home: nothing but file data may be written. Belongs
 * to the versions; closing it does nothing. */
struct device *versions_device(struct versions *v);

/* What a commit does to one unit. */
struct version_change {
	struct cache_range range;
	struct buf *buf;    /* the new content; held by versions for as long as needed */
	u32 offset;	    /* of the unit in it */
	struct buf *before; /* the content before, same offset; NULL: it was not the same unit */
	const u32 *map;	    /* the chunks of buf that differ from it, if that is known already */
};
/* Space that a commit frees, in bytes of the device: units inside are no more, unless the same
 * commit changes them. */
struct version_freed {
	u64 at, size;
	bool data; /* of files: no snapshot shows it */
};
/* All of it happens, or on an error nothing. Returns the commit's number in *number. */
int versions_commit(struct versions *v, const struct version_change *changes, u32 count,
		    const struct version_freed *freed, u32 freed_count, u64 *number);
u64 versions_number(struct versions *v);

/* All metadata as of now. Closed by device_close(). */
int versions_snapshot(struct versions *v, struct device **out);
/* What lies at home in this free space, block by block, is kept for the snapshots that show it: the
 * caller is going to write there past the versions. For who commits; what freed it is durable. */
int versions_keep(struct versions *v, u64 at, u64 size, u32 block);
/* The number of the oldest open snapshot, or NULL64. */
u64 versions_oldest(struct versions *v);

/* ---- for the journal ---- */

/* A unit's change, as the log is to say it. */
struct version_item {
	struct cache_range range;
	const u8 *bytes;	    /* NULL: the unit has been freed */
	bool logged;		    /* the log has it from before */
	bool pieces;		    /* of a buffer of several */
	u32 map[VERSION_MAP_WORDS]; /* chunks that have changed, or all of them */
};
/* What waits for the log, in bytes with all chunks, and in units. */
void versions_pending(struct versions *v, u64 *bytes, u64 *units);
/* Bytes of memory that hold what is not yet home. */
u64 versions_memory(struct versions *v);
/* All that was committed up to now shall go to the log: *number is pinned. */
int versions_freeze(struct versions *v, u64 *number);
/* Calls fn for each unit that changed since the freeze before and up to this one; bytes stay until
 * versions_thaw(). */
int versions_frozen_each(struct versions *v, int (*fn)(void *arg, const struct version_item *item),
			 void *arg);
/* The log has it all (logged), or does not. */
void versions_thaw(struct versions *v, bool logged);
/* Writes home what the log has, in the order of the device, and flushes. Afterwards nothing in the
 * log is needed any more that was there before. From its start on, the next change of each unit is
 * given with all its chunks, so that whatever a torn write has left is made whole by replay. */
int versions_write_home(struct versions *v);

#endif
