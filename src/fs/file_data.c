/* The content of files, for reading; see file_data.h. */
#include "fs/file_data.h"

#include "base/trail.h"
#include "fs/fork.h"
#include "fs/health.h"

#include <errno.h>

/* fork_each() stops: the answer is complete. */
#define STOP 1

struct reader {
	struct vol *vol;
	const struct inode *inode;
	u64 at, end; /* bytes of the file; `at` is what comes next */
	u8 *to;	     /* where `at` goes */
};

static void read_zeroes(struct reader *reader, u64 until)
{
	if (until <= reader->at)
		return;
	memset(reader->to, 0, until - reader->at);
	reader->to += until - reader->at;
	reader->at = until;
}

/* The device of the file's data, and where the extent starts on it. */
static int extent_place(const struct vol *vol, const struct inode *inode,
			const struct extent *extent, struct device **dev, struct daddr *at)
{
	const struct geometry *g = &vol->geo;

	if (!inode_realtime(inode)) {
		struct fsblock start = fsblock_of(extent->start);

		if (!fsblock_valid(g, start, extent->count))
			return fail(-EUCLEAN, "block %llu of the file: no such place as block %llu",
				    (unsigned long long)extent->off,
				    (unsigned long long)extent->start);
		*dev = vol->home;
		*at = fsblock_daddr(g, start);
		return 0;
	}
	if (extent->start >= g->rt_blocks || extent->count > g->rt_blocks - extent->start)
		return fail(-EUCLEAN,
			    "block %llu of the file: no such place as realtime block %llu",
			    (unsigned long long)extent->off, (unsigned long long)extent->start);
	if (!vol->rt)
		return fail(-EIO, "its data is on the realtime device, which was not given (-o "
				  "rtdev=DEVICE)");
	*dev = vol->rt;
	*at = daddr_of(extent->start << g->block_log);
	return 0;
}

static int read_extent(void *arg, const struct extent *extent)
{
	struct reader *reader = arg;
	u32 log = reader->vol->geo.block_log;
	u64 last_block = (reader->end - 1) >> log, skip, size;
	struct device *dev = NULL;
	struct daddr at = {0};
	int err;

	if (extent->off > last_block)
		return STOP;
	read_zeroes(reader, extent->off << log);
	skip = reader->at - (extent->off << log);
	if (skip >> log >= extent->count)
		return 0;
	/* Beyond last_block the extent may reach further than 64 bits of bytes. */
	size = min_u64(extent->count, last_block - extent->off + 1) << log;
	size = min_u64(size - skip, reader->end - reader->at);
	if (extent->unwritten) {
		read_zeroes(reader, reader->at + size);
	} else {
		err = extent_place(reader->vol, reader->inode, extent, &dev, &at);
		if (!err)
			err = device_read(dev, daddr_of(at.v + skip), reader->to, size);
		if (err)
			return err;
		reader->to += size;
		reader->at += size;
	}
	return reader->at < reader->end ? 0 : STOP;
}

int file_read(struct vol *vol, const struct inode *inode, u64 off, u64 size, u8 *to)
{
	struct reader reader = {vol, inode, off, off + size, to};
	int err = fork_each(vol, inode, FORK_DATA, fileoff_of(off >> vol->geo.block_log),
			    read_extent, &reader);

	if (err < 0)
		return health_blame(err, SCRUB_BMBTD, NO_AG, inode->ino.v);
	read_zeroes(&reader, reader.end);
	return 0;
}

struct seeker {
	u64 at; /* block: everything before it, from the start, is what is not looked for */
	bool found;
};

static int seek_data_extent(void *arg, const struct extent *extent)
{
	struct seeker *seeker = arg;

	if (extent->unwritten)
		return 0;
	seeker->at = max_u64(seeker->at, extent->off);
	seeker->found = true;
	return STOP;
}

static int seek_hole_extent(void *arg, const struct extent *extent)
{
	struct seeker *seeker = arg;

	if (extent->off > seeker->at || extent->unwritten)
		return STOP;
	seeker->at = max_u64(seeker->at, extent->off + extent->count);
	return 0;
}

s64 file_seek(struct vol *vol, const struct inode *inode, u64 off, bool data)
{
	u32 log = vol->geo.block_log;
	struct seeker seeker = {.at = off >> log};
	int err;

	if (off >= inode->size)
		return -ENXIO;
	err = fork_each(vol, inode, FORK_DATA, fileoff_of(seeker.at),
			data ? seek_data_extent : seek_hole_extent, &seeker);
	if (err < 0)
		return err;
	if (seeker.at > (inode->size - 1) >> log || (data && !seeker.found))
		return data ? -ENXIO : (s64)inode->size;
	return (s64)max_u64(seeker.at << log, off);
}
