/*
 * Freeing what a fork maps, and sharing the inode's room between its two forks; see fork_modify.h.
 *
 * The border lies where XFS puts it, in the middle of small inodes, unless the data fork needs
 * more. A map in btree format keeps as many root entries as it has; they are moved, since the place
 * of the pointers follows from the size of the fork.
 */
#include "base/mutate.h"
#include "base/trail.h"
#include "format/btree.h"
#include "fs/fork_modify.h"
#include "fs/space.h"

#include <errno.h>

#define UNIT 8	      /* forkoff counts these */
#define BORDER 192    /* bytes of data fork, when it does not need more */
#define ATTR_LEAST 40 /* bytes: the root of a block map with two pointers */
#define DATA_LEAST 56 /* bytes: that with three */
#define ROOT_ENTRY (sizeof(struct bmbt_key) + sizeof(struct be64))

/* Blocks of the map have a reverse mapping of their own; what the map had, none any more. */
static int free_now(void *arg, u64 start, u64 count)
{
	static const struct owner whoever = {(u64)OWNER_UNKNOWN, 0};
	struct fork_edit *f = arg;
	const struct geometry *g = &f->vol->geo;
	struct ag ag;
	int err;

	if (!fsblock_valid(g, fsblock_of(start), count))
		return fail(-EUCLEAN, "inode %llu: block %llu, %llu blocks, are outside",
			    (unsigned long long)f->ino.v, (unsigned long long)start,
			    (unsigned long long)count);
	if (MUTATE(FORK_NOT_FREED))
		return 0;
	err = ag_open(f->vol, f->txn, fsblock_ag(g, fsblock_of(start)), &ag);
	return err ? err : space_free(&ag, fsblock_bno(g, fsblock_of(start)), (u32)count, &whoever);
}

void fork_edit_open(struct fork_edit *f, struct vol *vol, struct txn *txn, struct inum ino,
		    struct txn_buf *buf, enum fork_id which)
{
	*f = (struct fork_edit){
	    .vol = vol, .txn = txn, .ino = ino, .buf = buf, .which = which, .unused = free_now};
	f->arg = f;
}

int fork_release(struct fork_edit *f, u64 off, u64 count)
{
	u64 end = off + count;
	int err = 0;

	while (off < end && !err) {
		struct extent e;

		err = fork_extent(f, off, end, &e);
		if (err)
			return err;
		if (e.start != NULL64) {
			u64 skip = off - e.off;

			e.off += skip;
			e.start += skip;
			e.count = min_u64(e.count - skip, end - off);
			err = fork_unmap(f, e.off, e.count);
			if (!err)
				err = free_now(f, e.start, e.count);
		}
		off = e.off + e.count;
	}
	return err;
}

/* Bytes that the data fork cannot do without. */
static u32 data_need(const struct inode *inode, const struct fork *fork)
{
	struct bmap_root root;
	u64 need = 0;

	switch (fork->format) {
	case FORMAT_DEV:
		return UNIT;
	case FORMAT_LOCAL:
		need = inode->size;
		break;
	case FORMAT_EXTENTS:
		need = fork->extents * sizeof(struct bmbt_rec);
		break;
	default:
		if (bmap_root_of(fork, &root))
			need = sizeof(struct bmdr) + root.count * ROOT_ENTRY;
	}
	need = need < DATA_LEAST && fork->format != FORMAT_LOCAL ? DATA_LEAST : need;
	return (u32)min_u64(round_up_u64(need, UNIT), NULL32);
}

/* The pointers of a root follow as many keys as there would be room for. */
static void move_pointers(struct fork_edit *f, const struct fork *fork, u32 size)
{
	struct be64 pointers[2048 / ROOT_ENTRY];
	u8 *bytes = f->buf->data + (fork->data - f->buf->data);
	u32 room = (u32)((size - sizeof(struct bmdr)) / ROOT_ENTRY);
	struct bmap_root root;

	if (!bmap_root_of(fork, &root) || root.count > ARRAY_COUNT(pointers))
		return;
	memcpy(pointers, root.ptrs, root.count * sizeof(*pointers));
	memcpy(bytes + sizeof(struct bmdr) + room * sizeof(struct bmbt_key), pointers,
	       root.count * sizeof(*pointers));
}

int fork_add_attr(struct fork_edit *f)
{
	struct dinode *d = (struct dinode *)f->buf->data;
	u32 all = f->vol->geo.inode_size - (u32)sizeof(*d), need, border;
	struct inode inode;
	const struct fork *fork = &inode.fork[FORK_DATA];

	inode_parse(&f->vol->geo, f->ino, f->buf->data, &inode);
	if (d->forkoff)
		return 0;
	need = data_need(&inode, fork);
	border = fork->format == FORMAT_DEV ? need : need > BORDER ? need : BORDER;
	if (border + ATTR_LEAST > all)
		return fail(-ENOSPC, "inode %llu: no room for attributes beside its data",
			    (unsigned long long)f->ino.v);
	txn_dirty(f->txn, f->buf);
	if (fork->format == FORMAT_BTREE)
		move_pointers(f, fork, border);
	memset(f->buf->data + sizeof(*d) + border, 0, all - border);
	d->forkoff = (u8)(border / UNIT);
	d->aformat = FORMAT_EXTENTS;
	return 0;
}
