/* Single inodes of the namespace: times, link counts, targets; see names_impl.h. */
#include "base/mutate.h"
#include "base/trail.h"
#include "format/symlink.h"
#include "fs/file_truncate.h"
#include "fs/fork.h"
#include "fs/fork_modify.h"
#include "fs/names_impl.h"
#include "fs/attr_modify.h"

#include <errno.h>
#include <sys/stat.h>

int node_open(struct vol *vol, struct txn *txn, struct inum ino, struct node *out)
{
	int err = inode_edit(vol, txn, ino, &out->buf);

	out->ino = ino;
	out->d = err ? NULL : (struct dinode *)out->buf->data;
	return err;
}

struct be64 node_time(const struct node *n, const struct names_time *t)
{
	const s64 low = BIGTIME_EPOCH, high = 0x7fffffff,
		  big = (s64)(NULL64 / NS_PER_SECOND / 2) - 1 + BIGTIME_EPOCH;
	s64 seconds = t->seconds < low ? low : t->seconds;

	if (be64_get(n->d->flags2) & INODE_FLAG2_BIGTIME) {
		seconds = seconds > big ? big : seconds;
		return be64_make((u64)(seconds - BIGTIME_EPOCH) * NS_PER_SECOND + t->nanoseconds);
	}
	seconds = seconds > high ? high : seconds;
	return be64_make((u64)(u32)seconds << 32 | t->nanoseconds);
}

void node_touch(struct txn *txn, struct node *n, u32 what, const struct names_time *now)
{
	struct be64 time = node_time(n, now);

	txn_dirty(txn, n->buf);
	if (what & NODE_MTIME)
		n->d->mtime = time;
	if (what & NODE_CTIME)
		n->d->ctime = time;
	if (what & NODE_ATIME)
		n->d->atime = time;
	n->d->changecount = be64_make(be64_get(n->d->changecount) + 1);
}

int node_links(struct txn *txn, struct node *n, s64 amount)
{
	s64 links = (s64)be32_get(n->d->nlink) + amount;

	if (links > INODE_NLINK_MAX)
		return fail(-EMLINK, "inode %llu: %lld links", (unsigned long long)n->ino.v,
			    (long long)links);
	if (links < 0)
		return fail(-EUCLEAN, "inode %llu: fewer links than names",
			    (unsigned long long)n->ino.v);
	txn_dirty(txn, n->buf);
	if (MUTATE(NLINK_TWICE) && links + amount >= 0)
		links += amount;
	if (!MUTATE(NLINK))
		n->d->nlink = be32_make((u32)links);
	return 0;
}

int node_drop_link(struct vol *vol, struct txn *txn, struct node *n, struct inum *gone)
{
	int err = node_links(txn, n, -1);

	if (err || be32_get(n->d->nlink))
		return err;
	*gone = n->ino;
	if (MUTATE(UNLINKED_LOST))
		return 0;
	return iunlink_add(vol, txn, n->ino);
}

/* ---- symbolic links ---- */

struct target {
	struct vol *vol;
	struct txn *txn;
	struct node *node;
	const char *bytes;
	u32 length, done;
};

/* One extent is one buffer with one header. */
static int write_extent(void *arg, const struct extent *e)
{
	struct target *t = arg;
	const struct geometry *g = &t->vol->geo;
	const struct meta_type *type = vol_type(t->vol, META_SYMLINK);
	struct daddr at = fsblock_daddr(g, fsblock_of(e->start));
	const struct where where = {.type = type->name,
				    .ag = inum_ag(g, t->node->ino),
				    .ino = t->node->ino.v,
				    .daddr = at.v,
				    .owner = t->node->ino.v};
	u32 size = (u32)e->count << g->block_log, step;
	struct symlink_hdr *h;
	struct txn_buf *buf;
	int err = txn_new(t->txn, type, &where, at, size, &buf);

	if (err)
		return err;
	h = (struct symlink_hdr *)buf->data;
	step = (u32)min_u64(t->length - t->done, size - sizeof(*h));
	h->magic = be32_make(SYMLINK_MAGIC);
	h->offset = be32_make(t->done);
	h->bytes = be32_make(step);
	memcpy(h->uuid, g->meta_uuid.b, sizeof(h->uuid));
	h->owner = be64_make(t->node->ino.v);
	h->blkno = be64_make(at.v / 512);
	memcpy(h + 1, t->bytes + t->done, step);
	t->done += step;
	return 0;
}

static int write_remote(struct target *t)
{
	struct fork_edit f;
	struct vol view = vol_in(t->vol, t->txn);
	u32 blocks = symlink_blocks(&t->vol->geo, t->length);
	struct inode inode;
	u64 near = NULL64;
	int err;

	fork_edit_open(&f, t->vol, t->txn, t->node->ino, t->node->buf, FORK_DATA);
	t->node->d->format = FORMAT_EXTENTS;
	err = 0;
	for (u32 i = 0; i < blocks && !err; i++)
		err = fork_add_block(&f, i, near == NULL64 ? near : near + 1, &near);
	if (err)
		return err;
	inode_parse(&t->vol->geo, t->node->ino, t->node->buf->data, &inode);
	err = fork_each(&view, &inode, FORK_DATA, fileoff_of(0), write_extent, t);
	if (!err && t->done != t->length)
		err = fail(-EUCLEAN, "symlink %llu: %u bytes have no place",
			   (unsigned long long)t->node->ino.v, t->length - t->done);
	return err;
}

int node_write_target(struct vol *vol, struct txn *txn, struct node *n, const char *target)
{
	struct target t = {vol, txn, n, target, (u32)strlen(target), 0};
	struct inode inode;

	if (!t.length || t.length > SYMLINK_MAX)
		return fail(t.length ? -ENAMETOOLONG : -ENOENT, "a target of %u bytes", t.length);
	inode_parse(&vol->geo, n->ino, n->buf->data, &inode);
	txn_dirty(txn, n->buf);
	n->d->size = be64_make(t.length);
	if (t.length > inode.fork[FORK_DATA].size)
		return write_remote(&t);
	memcpy(n->buf->data + (inode.fork[FORK_DATA].data - n->buf->data), target, t.length);
	return 0;
}

/* ---- the end of an inode ---- */

/* The data of anything but a regular file: few blocks, all at once. */
static int drop_data(struct vol *vol, struct txn *txn, struct node *n)
{
	struct fork_edit f;
	int err;

	if (n->d->format != FORMAT_EXTENTS && n->d->format != FORMAT_BTREE)
		return 0;
	fork_edit_open(&f, vol, txn, n->ino, n->buf, FORK_DATA);
	err = fork_release(&f, 0, FILEOFF_END);
	return err;
}

int names_inactive_step(struct vol *vol, struct txn *txn, struct inum ino, bool *more)
{
	struct node n;
	int err = node_open(vol, txn, ino, &n);

	*more = false;
	txn_set_giving(txn);
	if (err)
		return err;
	if (be32_get(n.d->nlink))
		return fail(-EBUSY, "inode %llu has a name", (unsigned long long)ino.v);
	if (node_is(&n, S_IFREG)) {
		err = file_truncate_step(vol, txn, ino, 0, more);
		if (err || *more)
			return err;
	} else {
		err = drop_data(vol, txn, &n);
	}
	if (!err)
		err = attr_drop_all(vol, txn, ino);
	if (!err)
		err = iunlink_remove(vol, txn, ino);
	return err ? err : inode_free(vol, txn, ino);
}
