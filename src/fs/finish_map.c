/*
 * Finishing what changes the maps of files: one mapping (BUI), and the exchange of two files'
 * ranges (XMI).
 */
#include "base/trail.h"
#include "fs/finish_impl.h"
#include "fs/fork_exchange.h"

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
	struct fork_exchange range;
	u64 flags;
	struct be64 size_a, size_b; /* when it begins */
};

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
	const struct fork_exchange *r = &x->range;
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
	if (r->first_at >= FILEOFF_END || r->second_at >= FILEOFF_END || r->count > FILEOFF_END ||
	    r->first_at + r->count > FILEOFF_END || r->second_at + r->count > FILEOFF_END)
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
	x.flags = le64_get(l->flags);
	x.range = (struct fork_exchange){.first = &x.a,
					 .second = &x.b,
					 .first_at = le64_get(l->startoff1),
					 .second_at = le64_get(l->startoff2),
					 .count = le64_get(l->blockcount),
					 .written = x.flags & LOG_XMI_WRITTEN};
	err = begin_exchange(f, &x, l);
	if (!err)
		err = fork_exchange(&x.range);
	if (!err)
		end_exchange(&x);
	return err;
}
