/* Symbolic links, for reading; see symlink.h. */
#include "fs/symlink.h"

#include "base/trail.h"
#include "fs/fork.h"
#include "fs/health.h"

#include <errno.h>
#include <inttypes.h>

/* The bytes of the target in one extent, whose header says where they belong. */
static int read_extent(struct vol *vol, const struct inode *inode, const struct extent *e,
		       u32 offset, u32 left, char *to, u32 *got)
{
	const struct geometry *g = &vol->geo;
	u32 size = (u32)e->count << g->block_log, room;
	const struct symlink_hdr *header;
	struct where where = {.type = vol_type(vol, META_SYMLINK)->name,
			      .ag = inum_ag(g, inode->ino),
			      .ino = inode->ino.v,
			      .owner = inode->ino.v};
	struct buf *buf;
	int err;

	if (!fsblock_valid(g, fsblock_of(e->start), e->count))
		return fail(-EUCLEAN, "target: block %" PRIu64 " is outside the filesystem",
			    e->start);
	where.daddr = fsblock_daddr(g, fsblock_of(e->start)).v;
	err = cache_get(vol->cache, vol_type(vol, META_SYMLINK), &where, daddr_of(where.daddr),
			size, &buf);
	if (err)
		return err;
	header = (const struct symlink_hdr *)buf->data;
	room = size - (u32)sizeof(*header);
	*got = left < room ? left : room;
	if (be32_get(header->offset) != offset || be32_get(header->bytes) != *got)
		err = fail(-EUCLEAN, "target: has %u bytes from %u, expected %u from %u",
			   be32_get(header->bytes), be32_get(header->offset), *got, offset);
	else
		memcpy(to + offset, header + 1, *got);
	cache_put(vol->cache, buf);
	return err;
}

static int read_remote(struct vol *vol, const struct inode *inode, u32 length, char *target)
{
	u32 blocks = symlink_blocks(&vol->geo, length), done = 0;
	u64 off = 0;

	while (done < length) {
		struct extent e;
		u32 got = 0;
		int err = fork_lookup(vol, inode, FORK_DATA, fileoff_of(off), &e);

		if (err)
			return err;
		if (e.start == NULL64 || e.off != off || off >= blocks || !e.count)
			return fail(-EUCLEAN, "target: block %" PRIu64 " is not mapped", off);
		e.count = min_u64(e.count, blocks - off);
		err = read_extent(vol, inode, &e, done, length - done, target, &got);
		if (err)
			return err;
		done += got;
		off += e.count;
	}
	return 0;
}

int symlink_read(struct vol *vol, const struct inode *inode, char target[SYMLINK_MAX + 1])
{
	const struct fork *fork = &inode->fork[FORK_DATA];
	u32 length = (u32)min_u64(inode->size, SYMLINK_MAX + 1);
	int err = 0;

	if (!length || length > SYMLINK_MAX)
		err = fail(-EUCLEAN, "target: length is %" PRIu64, inode->size);
	else if (fork->format != FORMAT_LOCAL)
		err = read_remote(vol, inode, length, target);
	else if (length > fork->size)
		err = fail(-EUCLEAN, "target: %u bytes do not fit in the inode", length);
	else
		memcpy(target, fork->data, length);
	if (err)
		return health_blame(fail_in(err, "symlink %" PRIu64, inode->ino.v), SCRUB_SYMLINK,
				    NO_AG, inode->ino.v);
	target[length] = 0;
	return (int)length;
}
