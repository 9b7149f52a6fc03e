/* Blocks that several files have; see file_share.h. */
#include "fs/file_share.h"

#include "base/trail.h"
#include "fs/file_impl.h"
#include "fs/file_write.h"
#include "fs/refcount_modify.h"

#include <errno.h>

struct sharing {
	struct file_edit from, to;
	struct file_share *s;
};

/* May the last bytes of the range be in the middle of a block? Only where both files end. */
static bool ends_well(const struct sharing *x)
{
	const struct file_share *s = x->s;
	u32 log = x->to.view.geo.block_log;
	u64 from_end = (s->from_at + s->blocks) << log, size = file_size(&x->from);
	u64 to_end = (s->to_at + s->blocks) << log;

	if (from_end <= size)
		return true;
	return max_u64(file_size(&x->to), s->size) <= to_end - (from_end - size);
}

static int check(const struct sharing *x)
{
	const struct file_share *s = x->s;
	u32 log = x->to.view.geo.block_log;
	u64 gap = max_u64(s->from_at, s->to_at) - min_u64(s->from_at, s->to_at);

	if (!geometry_has(&x->to.view.geo, FEATURE_REFLINK))
		return fail(-EOPNOTSUPP, "the filesystem cannot share blocks");
	if (s->from_at > file_blocks(&x->from) || s->blocks > file_blocks(&x->from) - s->from_at ||
	    s->to_at > FILE_SIZE_MAX >> log || s->blocks > (FILE_SIZE_MAX >> log) - s->to_at ||
	    s->to_at << log > file_size(&x->to) || (s->from.v == s->to.v && gap < s->blocks) ||
	    !ends_well(x) || s->size > (s->to_at + s->blocks) << log)
		return fail(-EINVAL, "inode %llu: block %llu, %llu blocks: cannot share inode %llu",
			    (unsigned long long)s->to.v, (unsigned long long)s->to_at,
			    (unsigned long long)s->blocks, (unsigned long long)s->from.v);
	return 0;
}

static void set_flag(struct file_edit *f)
{
	struct dinode *d = file_core(f);

	d->flags2 = be64_make(be64_get(d->flags2) | INODE_FLAG2_REFLINK);
	f->shares = true;
}

/* Drops what `to` has at the start of the piece, and cuts the piece to that. */
static int make_room(struct sharing *x, struct extent *e, bool *same)
{
	struct extent old;
	int err = fork_piece(&x->to.fork, x->s->to_at, x->s->to_at + e->count, &old);

	*same = false;
	if (err)
		return err;
	if (old.start != NULL64) {
		*same = old.start == e->start && old.unwritten == e->unwritten;
		err = *same ? 0 : file_drop(&x->to, &old);
	}
	e->count = old.count;
	return err;
}

static int share_blocks(struct sharing *x, struct extent *e)
{
	const struct geometry *g = &x->to.view.geo;
	struct extent to;
	struct ag ag;
	bool shared;
	int err = file_shared(&x->from, e, &shared);

	if (!err)
		err = ag_open(x->to.fork.vol, x->to.fork.txn, fsblock_ag(g, fsblock_of(e->start)),
			      &ag);
	if (!err)
		err = refcount_increase(&ag, fsblock_bno(g, fsblock_of(e->start)), (u32)e->count);
	to = *e;
	to.off = x->s->to_at;
	return err ? err : fork_map(&x->to.fork, &to);
}

static int share_piece(struct sharing *x)
{
	struct file_share *s = x->s;
	u64 size, end = s->size;
	u32 log = x->to.view.geo.block_log;
	struct extent e;
	bool same = false;
	int err = fork_piece(&x->from.fork, s->from_at, s->from_at + s->blocks, &e);

	if (!err)
		err = make_room(x, &e, &same);
	if (!err && !same && e.start != NULL64 && !e.unwritten)
		err = share_blocks(x, &e);
	if (err)
		return err;
	file_spend(&x->from);
	file_spend(&x->to);
	s->from_at += e.count;
	s->to_at += e.count;
	s->blocks -= e.count;
	size = min_u64(s->to_at << log, end);
	if (size > file_size(&x->to))
		file_set_size(&x->to, size);
	return 0;
}

int file_share_step(struct vol *vol, struct txn *txn, struct file_share *s)
{
	struct sharing x = {.s = s};
	int err = file_edit_begin(vol, txn, s->from, &x.from);

	if (!err)
		err = file_edit_begin(vol, txn, s->to, &x.to);
	if (!err)
		err = check(&x);
	if (err)
		return err;
	set_flag(&x.from);
	set_flag(&x.to);
	while (!err && s->blocks && file_may_go_on(&x.from) && file_may_go_on(&x.to))
		err = share_piece(&x);
	return err;
}

int file_cow_cleanup(struct vol *vol, struct txn *txn, u32 ag, bool *more)
{
	const struct btree_key first = {{REFCOUNT_COW, 0, 0}};
	struct refcount_rec record;
	struct btree t;
	struct ag headers;
	int err = 0;

	*more = false;
	txn_set_giving(txn);
	if (!geometry_has(&vol->geo, FEATURE_REFLINK))
		return 0;
	for (u32 i = 0; i < file_budget(&vol->geo) && !err; i++) {
		u32 bno;

		err = ag_open(vol, txn, ag, &headers);
		if (!err)
			err = ag_tree(&headers, META_REFCOUNTBT, &t);
		if (!err)
			err = btree_find_ge(&t, &first, &record);
		if (err)
			return err == -ENOENT ? 0 : err;
		bno = be32_get(record.startblock) & ~REFCOUNT_COW;
		err = file_unstage(vol, txn, fsblock_make(&vol->geo, ag, bno).v,
				   be32_get(record.blockcount), true);
	}
	*more = !err;
	return err;
}
