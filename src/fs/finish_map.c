/*
 * Finishing what changes the maps of files: one mapping (BUI), and the exchange of two files'
 * ranges (XMI).
 */
#include "base/trail.h"
#include "fs/finish_impl.h"

#include <errno.h>

static int unused(void *arg, u64 start, u64 count)
{
	return finish_free_later(arg, start, count);
}

int finish_fork(struct finish *f, u64 ino, enum fork_id which, struct fork_edit *out)
{
	*out = (struct fork_edit){.vol = f->vol,
				  .txn = f->txn,
				  .ino = inum_of(ino),
				  .which = which,
				  .unused = unused,
				  .arg = f};
	return inode_edit(f->vol, f->txn, out->ino, &out->buf);
}

static int map_change(struct finish *f, const struct log_change *c)
{
	const struct extent e = {.off = c->offset,
				 .start = c->start,
				 .count = c->count,
				 .unwritten = c->flags & LOG_BMAP_UNWRITTEN};
	struct fork_edit edit;
	int err = finish_fork(f, c->ino, c->flags & LOG_MAP_ATTR ? FORK_ATTR : FORK_DATA, &edit);

	if (err)
		return err;
	switch (c->flags & LOG_INTENT_KIND) {
	case LOG_BMAP_MAP:
		return fork_map(&edit, &e);
	case LOG_BMAP_UNMAP:
		return fork_unmap(&edit, c->offset, c->count);
	default:
		return fail(-EUCLEAN, "block map intent of kind %u", c->flags & LOG_INTENT_KIND);
	}
}

/* Counts and frees are intents of their own in the log. */
int finish_bui(struct finish *f, const struct log_pending *p)
{
	int err = 0;

	for (u32 i = 0; i < p->change_count && !err; i++)
		err = map_change(f, &p->change[i]);
	return err;
}

/* ---- exchange ---- */

struct exchange {
	struct fork_edit a, b;
	u64 off_a, off_b, count, flags;
	struct be64 size_a, size_b; /* when it begins */
};

static bool stays(const struct exchange *x, const struct extent *a, const struct extent *b)
{
	if (x->flags & LOG_XMI_WRITTEN && (a->start == NULL64 || a->unwritten))
		return true;
	return a->start == b->start;
}

static int put(struct fork_edit *f, u64 off, struct extent e)
{
	e.off = off;
	return e.start == NULL64 ? 0 : fork_map(f, &e);
}

/* One piece that is one extent, or one hole, on either side. */
static int exchange_piece(struct exchange *x)
{
	struct extent a, b;
	int err = fork_piece(&x->a, x->off_a, x->off_a + x->count, &a);

	if (!err)
		err = fork_piece(&x->b, x->off_b, x->off_b + a.count, &b);
	if (err)
		return err;
	a.count = b.count;
	if (!stays(x, &a, &b)) {
		err = fork_unmap(&x->a, x->off_a, a.count);
		if (!err)
			err = fork_unmap(&x->b, x->off_b, b.count);
		if (!err)
			err = put(&x->a, x->off_a, b);
		if (!err)
			err = put(&x->b, x->off_b, a);
	}
	x->off_a += a.count;
	x->off_b += a.count;
	x->count -= a.count;
	return err;
}

static struct dinode *core_of(struct fork_edit *f)
{
	txn_dirty(f->txn, f->buf);
	return (struct dinode *)f->buf->data;
}

/* The log has the sizes that the files shall get, but the kernel's recovery (seen in 6.18) passes
 * them over and exchanges those that it finds, which differs where the range is not the whole file.
 * What is shown is what the kernel would make of it; docs/DESIGN.md has more. */
static void end_exchange(struct exchange *x)
{
	struct dinode *a = core_of(&x->a), *b = core_of(&x->b);

	if (x->flags & LOG_XMI_SET_SIZES && !(x->flags & LOG_XMI_ATTR)) {
		a->size = x->size_b;
		b->size = x->size_a;
	}
	if (x->flags & LOG_XMI_CLEAR_REFLINK1)
		a->flags2 = be64_make(be64_get(a->flags2) & ~INODE_FLAG2_REFLINK);
	if (x->flags & LOG_XMI_CLEAR_REFLINK2)
		b->flags2 = be64_make(be64_get(b->flags2) & ~INODE_FLAG2_REFLINK);
}

static int begin_exchange(struct finish *f, struct exchange *x, const struct log_xmi *l)
{
	enum fork_id which = x->flags & LOG_XMI_ATTR ? FORK_ATTR : FORK_DATA;
	int err = finish_fork(f, le64_get(l->inode1), which, &x->a);

	if (!err)
		err = finish_fork(f, le64_get(l->inode2), which, &x->b);
	if (err)
		return err;
	x->size_a = core_of(&x->a)->size;
	x->size_b = core_of(&x->b)->size;
	if (le64_get(l->inode1) == le64_get(l->inode2))
		return fail(-EUCLEAN, "an exchange of inode %llu with itself",
			    (unsigned long long)le64_get(l->inode1));
	if (be32_get(core_of(&x->a)->gen) != le32_get(l->igen1) ||
	    be32_get(core_of(&x->b)->gen) != le32_get(l->igen2))
		return fail(-EUCLEAN, "an exchange of inodes %llu and %llu, which are others now",
			    (unsigned long long)le64_get(l->inode1),
			    (unsigned long long)le64_get(l->inode2));
	if (x->flags & ~LOG_XMI_KNOWN)
		return fail(-EUCLEAN, "an exchange with flags 0x%llx",
			    (unsigned long long)x->flags);
	if (x->off_a >= FILEOFF_END || x->off_b >= FILEOFF_END || x->count > FILEOFF_END ||
	    x->off_a + x->count > FILEOFF_END || x->off_b + x->count > FILEOFF_END)
		return fail(-EUCLEAN, "an exchange beyond the end of any file");
	return 0;
}

/* The log has what of the range is left to do. */
int finish_xmi(struct finish *f, const struct log_pending *p)
{
	const struct log_xmi *l = (const struct log_xmi *)p->bytes;
	struct exchange x;
	int err;

	if (!p->regions || p->region_end[0] < sizeof(*l))
		return fail(-EUCLEAN, "an exchange intent: too short");
	x.off_a = le64_get(l->startoff1);
	x.off_b = le64_get(l->startoff2);
	x.count = le64_get(l->blockcount);
	x.flags = le64_get(l->flags);
	err = begin_exchange(f, &x, l);
	while (!err && x.count)
		err = exchange_piece(&x);
	if (!err)
		end_exchange(&x);
	return err;
}
