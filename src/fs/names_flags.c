/*
 * The flags that users set on inodes, with the hints and the project that go with them, by the
 * kernel's rules; see names.h.
 */
#include "base/trail.h"
#include "fs/names_impl.h"

#include <errno.h>
#include <sys/stat.h>

/* What may be set on any inode, and what on files or on directories alone. */
#define FLAGS_ANY                                                                          \
	(INODE_FLAG_IMMUTABLE | INODE_FLAG_APPEND | INODE_FLAG_SYNC | INODE_FLAG_NOATIME | \
	 INODE_FLAG_NODUMP | INODE_FLAG_NODEFRAG | INODE_FLAG_FILESTREAM)
#define FLAGS_FILE INODE_FLAG_EXTSIZE
#define FLAGS_DIR                                                                \
	(INODE_FLAG_RTINHERIT | INODE_FLAG_PROJINHERIT | INODE_FLAG_NOSYMLINKS | \
	 INODE_FLAG_EXTSZINHERIT)
/* What stays as it is: there is no realtime section, and space that is reserved stays so. */
#define FLAGS_KEPT (INODE_FLAG_PREALLOC | INODE_FLAG_NEWRTBM | INODE_FLAG_REALTIME)
#define FLAGS2_SETTABLE (INODE_FLAG2_DAX | INODE_FLAG2_COWEXTSIZE)
#define PROJID_OLD_MAX 0xffffu

/* A hint in bytes as blocks; without its flag it is 0. */
static int hint(const struct vol *vol, const char *what, u64 bytes, bool flagged, u32 *blocks)
{
	const struct geometry *g = &vol->geo;
	u64 most = min_u64(EXTENT_COUNT_MAX, g->ag_blocks / 2);

	*blocks = 0;
	if (!flagged)
		return 0;
	if (bytes % g->block_size || bytes >> g->block_log > most)
		return fail(-EINVAL, "%s of %llu bytes", what, (unsigned long long)bytes);
	*blocks = (u32)(bytes >> g->block_log);
	return 0;
}

/* The flags that the kind of file can have; others are left out, as in the kernel. */
static void fit(const struct node *n, struct names_flags *f)
{
	bool file = node_is(n, S_IFREG), dir = node_is(n, S_IFDIR);

	f->flags &= (u16)(FLAGS_ANY | (file ? FLAGS_FILE : 0) | (dir ? FLAGS_DIR : 0));
	f->flags2 &= file || dir ? FLAGS2_SETTABLE : 0;
	/* a hint of nothing is no hint */
	if (!f->extsize)
		f->flags &= (u16) ~(INODE_FLAG_EXTSIZE | INODE_FLAG_EXTSZINHERIT);
	if (!f->cowextsize)
		f->flags2 &= ~INODE_FLAG2_COWEXTSIZE;
}

static int check(const struct vol *vol, const struct node *n, const struct names_flags *f,
		 u32 extsize)
{
	struct inode inode;

	inode_parse(&vol->geo, n->ino, n->buf->data, &inode);
	if (f->realtime != !!(inode.flags & INODE_FLAG_REALTIME))
		return fail(-EINVAL, "inode %llu: there is no realtime section",
			    (unsigned long long)n->ino.v);
	if (node_is(n, S_IFREG) && inode.fork[FORK_DATA].extents && extsize != inode.extsize)
		return fail(-EINVAL, "inode %llu has extents, and so its hint stays",
			    (unsigned long long)n->ino.v);
	if (f->flags2 & INODE_FLAG2_COWEXTSIZE && !geometry_has(&vol->geo, FEATURE_REFLINK))
		return fail(-EINVAL, "without reflink there are no hints for copies");
	if (f->projid > PROJID_OLD_MAX && !geometry_has(&vol->geo, FEATURE_PROJID32))
		return fail(-EINVAL, "project %u does not fit", f->projid);
	return 0;
}

int names_set_flags(struct vol *vol, struct txn *txn, struct inum ino,
		    const struct names_flags *wanted, const struct names_time *now)
{
	struct names_flags f = *wanted;
	u32 extsize = 0, cowextsize = 0;
	struct node n;
	int err = node_open(vol, txn, ino, &n);

	if (err)
		return err;
	fit(&n, &f);
	err = hint(vol, "extsize", f.extsize,
		   f.flags & (INODE_FLAG_EXTSIZE | INODE_FLAG_EXTSZINHERIT), &extsize);
	if (!err)
		err = hint(vol, "cowextsize", f.cowextsize, f.flags2 & INODE_FLAG2_COWEXTSIZE,
			   &cowextsize);
	if (!err)
		err = check(vol, &n, &f, extsize);
	if (err)
		return err;
	node_touch(txn, &n, NODE_CTIME, now);
	n.d->flags = be16_make((u16)((be16_get(n.d->flags) & FLAGS_KEPT) | f.flags));
	n.d->flags2 = be64_make((be64_get(n.d->flags2) & ~FLAGS2_SETTABLE) | f.flags2);
	n.d->extsize = be32_make(extsize);
	n.d->cowextsize = be32_make(cowextsize);
	n.d->projid_lo = be16_make((u16)f.projid);
	n.d->projid_hi = be16_make((u16)(f.projid >> 16));
	return 0;
}
