/*
 * Space of files; see file_impl.h.
 *
 * A block belongs to a file alone unless the refcountbt has it; only files with the reflink flag
 * can have such blocks, so nobody else is asked about them.
 */
#include "fs/file_impl.h"

#include "base/trail.h"
#include "fs/health.h"
#include "fs/refcount.h"
#include "fs/refcount_modify.h"
#include "fs/rmap_modify.h"

#include <errno.h>
#include <sys/stat.h>

static const struct owner elsewhere = {(u64)OWNER_ELSEWHERE, 0};
static const struct owner cow_owner = {(u64)RMAP_OWN_COW, 0};

static int open_ag(struct vol *vol, struct txn *txn, u64 start, u64 count, struct ag *ag, u32 *bno)
{
	const struct geometry *g = &vol->geo;

	if (!fsblock_valid(g, fsblock_of(start), count))
		return fail(-EUCLEAN, "block %llu, %llu blocks, are outside the filesystem",
			    (unsigned long long)start, (unsigned long long)count);
	*bno = fsblock_bno(g, fsblock_of(start));
	return ag_open(vol, txn, fsblock_ag(g, fsblock_of(start)), ag);
}

static int give(struct vol *vol, struct txn *txn, u64 start, u64 count, const struct owner *owner)
{
	struct ag ag;
	u32 bno;
	int err = open_ag(vol, txn, start, count, &ag, &bno);

	return err ? err : space_free(&ag, bno, (u32)count, owner);
}

/* A block of the map. */
static int map_block_unused(void *arg, u64 start, u64 count)
{
	struct file_edit *f = arg;
	const struct owner owner = {f->fork.ino.v, RMAP_OFFSET_BMBT};

	return give(f->fork.vol, f->fork.txn, start, count, &owner);
}

u32 file_budget(const struct geometry *g)
{
	u32 budget = FILE_STEP * 1024 / g->block_size;

	return budget > FILE_STEP_MIN ? budget : FILE_STEP_MIN;
}

int file_edit_begin(struct vol *vol, struct txn *txn, struct inum ino, struct file_edit *f)
{
	struct inode inode;
	int err;

	*f = (struct file_edit){.fork = {.vol = vol,
					 .txn = txn,
					 .ino = ino,
					 .which = FORK_DATA,
					 .unused = map_block_unused,
					 .arg = f},
				.view = vol_in(vol, txn),
				.budget = file_budget(&vol->geo),
				.near = NULL64};
	err = inode_edit(vol, txn, ino, &f->fork.buf);
	if (err)
		return err;
	inode_parse(&vol->geo, ino, f->fork.buf->data, &inode);
	f->shares = geometry_has(&vol->geo, FEATURE_REFLINK) && inode.flags2 & INODE_FLAG2_REFLINK;
	if (!S_ISREG(inode.mode))
		return fail(-EINVAL, "inode %llu is no regular file", (unsigned long long)ino.v);
	if (inode_realtime(&inode))
		return fail(-EOPNOTSUPP,
			    "inode %llu: files of the realtime section cannot be changed",
			    (unsigned long long)ino.v);
	return 0;
}

struct dinode *file_core(struct file_edit *f)
{
	txn_dirty(f->fork.txn, f->fork.buf);
	return (struct dinode *)f->fork.buf->data;
}

u64 file_size(const struct file_edit *f)
{
	return be64_get(((const struct dinode *)f->fork.buf->data)->size);
}

void file_set_size(struct file_edit *f, u64 size)
{
	if (size != file_size(f))
		file_core(f)->size = be64_make(size);
}

u64 file_blocks(const struct file_edit *f)
{
	u32 log = f->view.geo.block_log;
	u64 size = file_size(f);

	return (size >> log) + (size & ((1u << log) - 1) ? 1 : 0);
}

/* ---- sharing ---- */

int file_shared(struct file_edit *f, struct extent *e, bool *shared)
{
	const struct geometry *g = &f->view.geo;
	u32 ag = fsblock_ag(g, fsblock_of(e->start)), bno = fsblock_bno(g, fsblock_of(e->start));
	u64 at = bno, end = bno + e->count;
	struct refcount_hint hint = {0};
	struct refcount_record r;
	int err;

	*shared = false;
	if (!f->shares)
		return 0;
	err = refcount_next(&f->view, &hint, ag, bno, &r);
	if (!err && r.blocks && r.start > at)
		end = min_u64(end, r.start);
	while (!err && r.blocks && r.start <= at && at < end && (!*shared || file_may_go_on(f))) {
		*shared = true;
		file_spend(f);
		at = (u64)r.start + r.blocks;
		err = refcount_next(&f->view, &hint, ag, (u32)at, &r);
	}
	refcount_hint_drop(&f->view, &hint);
	if (*shared)
		end = min_u64(end, at);
	e->count = end - bno;
	return err;
}

/* Shared blocks have another owner left, so this is never called on sound filesystems. */
static int unused(struct refcount_sink *sink, u32 ag, u32 bno, u32 blocks)
{
	(void)sink;
	return fail(-EUCLEAN, "refcountbt %u: block %u, %u blocks, are shared by one owner", ag,
		    bno, blocks);
}

int file_drop(struct file_edit *f, struct extent *piece)
{
	struct refcount_sink sink = {unused};
	struct ag ag;
	bool shared;
	u32 bno;
	int err = file_shared(f, piece, &shared);

	file_spend(f);
	if (!err)
		err = fork_unmap(&f->fork, piece->off, piece->count);
	if (err)
		return err;
	if (!shared)
		return give(f->fork.vol, f->fork.txn, piece->start, piece->count, &elsewhere);
	err = open_ag(f->fork.vol, f->fork.txn, piece->start, piece->count, &ag, &bno);
	return err ? err : refcount_decrease(&ag, bno, (u32)piece->count, &sink);
}

int file_drop_range(struct file_edit *f, u64 *at, u64 end)
{
	int err = 0;

	while (!err && *at < end && file_may_go_on(f)) {
		struct extent piece;

		err = fork_piece(&f->fork, *at, end, &piece);
		if (!err && piece.start != NULL64)
			err = file_drop(f, &piece);
		if (!err)
			*at += piece.count;
	}
	return err;
}

int file_drop_written(struct file_edit *f, u64 at, u64 end)
{
	int err = 0;

	while (!err && at < end && file_may_go_on(f)) {
		struct extent piece;

		err = fork_piece(&f->fork, at, end, &piece);
		file_spend(f);
		if (!err && piece.start != NULL64 && !piece.unwritten)
			err = file_drop(f, &piece);
		at += piece.count;
	}
	return err;
}

int file_unstage(struct vol *vol, struct txn *txn, u64 start, u64 count, bool free)
{
	struct ag ag;
	u32 bno;
	int err = open_ag(vol, txn, start, count, &ag, &bno);

	if (!err)
		err = refcount_cow_remove(&ag, bno, (u32)count);
	if (err || free)
		return err ? err : space_free(&ag, bno, (u32)count, &cow_owner);
	err = space_prepare(&ag);
	return err ? err : rmap_unmap(&ag, bno, (u32)count, &cow_owner);
}

/* ---- allocation ---- */

#define GOOD_RUN \
	(64u << 10) /* bytes: so much in one piece is better than closer, in smaller ones */

/* In one AG. */
static int take_in(struct file_edit *f, u32 number, const struct space_want *want,
		   const struct owner *owner, u64 *start, u64 *count)
{
	u32 bno = 0, blocks = 0;
	struct ag ag;
	int err = ag_open(f->fork.vol, f->fork.txn, number, &ag);

	if (!err)
		err = space_take(&ag, want, owner, &bno, &blocks);
	*start = fsblock_make(&f->view.geo, number, bno).v;
	*count = blocks;
	return err;
}

/* In any AG, from that of `near` on. */
static int take_near(struct file_edit *f, u64 near, struct space_want want,
		     const struct owner *owner, u64 *start, u64 *count)
{
	const struct geometry *g = &f->view.geo;
	u32 first = fsblock_ag(g, fsblock_of(near));
	bool later = false;
	u32 fenced = 0;
	int err = -ENOSPC;

	want.near = fsblock_bno(g, fsblock_of(near));
	for (u32 i = 0; i < g->ag_count && (err == -ENOSPC || err == -EAGAIN); i++) {
		if (health_fenced(f->fork.vol, (first + i) % g->ag_count)) {
			fenced++;
			continue;
		}
		err = take_in(f, (first + i) % g->ag_count, &want, owner, start, count);
		later = later || err == -EAGAIN;
		want.near = 0;
	}
	if (fenced == g->ag_count)
		return health_refuse(first);
	if (later && err == -ENOSPC)
		return fail(-EAGAIN, "only space that was just freed is left");
	return err;
}

/* Behind the last blocks that were taken, or what the file has in front of `off`; else where the
 * inode is. */
static u64 near_of(struct file_edit *f, u64 off, bool *goes_on)
{
	const struct geometry *g = &f->view.geo;
	struct inum ino = f->fork.ino;
	struct extent left;
	int err = off ? fork_before(&f->fork, off - 1, &left) : -ENOENT;

	*goes_on = true;
	if (f->near != NULL64 && fsblock_valid(g, fsblock_of(f->near), 1))
		return f->near;
	if (!err && fsblock_valid(g, fsblock_of(left.start), off - left.off + 1))
		return left.start + (off - left.off);
	*goes_on = false;
	if (!err)
		return left.start;
	return fsblock_make(g, inum_ag(g, ino), agino_bno(g, inum_agino(g, ino))).v;
}

static int take(struct file_edit *f, u64 off, u64 count_wanted, const struct owner *owner,
		u64 *start, u64 *count)
{
	const struct geometry *g = &f->view.geo;
	bool goes_on;
	u64 near = near_of(f, off, &goes_on);
	u32 good = GOOD_RUN >> g->block_log;
	struct space_want want = {.most = (u32)min_u64(count_wanted, EXTENT_COUNT_MAX),
				  .data = true};
	int err = -ENOSPC;

	want.least = (u32)min_u64(want.most, good ? good : 1);
	if (!goes_on && g->stripe_unit > 1 && want.most >= g->stripe_unit) {
		want.align = g->stripe_unit;
		err = take_near(f, near, want, owner, start, count);
		want.align = 0;
	}
	if (err == -ENOSPC || err == -EAGAIN)
		err = take_near(f, near, want, owner, start, count);
	want.least = 1;
	if (err == -ENOSPC || err == -EAGAIN)
		err = take_near(f, near, want, owner, start, count);
	if (err == -ENOSPC)
		return fail(err, "inode %llu: no space", (unsigned long long)f->fork.ino.v);
	f->near = *start + *count;
	return err;
}

int file_take(struct file_edit *f, u64 off, u64 want, u64 *start, u64 *count)
{
	return take(f, off, want, &elsewhere, start, count);
}

int file_stage(struct file_edit *f, u64 off, u64 want, u64 *start, u64 *count)
{
	struct ag ag;
	u32 bno;
	int err = take(f, off, want, &cow_owner, start, count);

	if (!err)
		err = open_ag(f->fork.vol, f->fork.txn, *start, *count, &ag, &bno);
	return err ? err : refcount_cow_add(&ag, bno, (u32)*count);
}

int file_fill(struct file_edit *f, u64 at, u64 end, struct extent *out)
{
	int err;

	*out = (struct extent){.off = at, .unwritten = true};
	err = file_take(f, at, end - at, &out->start, &out->count);
	file_spend(f);
	return err ? err : fork_map(&f->fork, out);
}

int file_widen(struct file_edit *f, u64 at, u64 *low, u64 *end)
{
	const struct dinode *d = (const struct dinode *)f->fork.buf->data;
	u64 hint = be16_get(d->flags) & INODE_FLAG_EXTSIZE ? be32_get(d->extsize) : 0, high = *end;
	struct extent left, hole;
	int err;

	*low = at;
	if (hint <= 1)
		return 0;
	*low -= at % hint;
	if (high % hint)
		high = min_u64(high + hint - high % hint, FILEOFF_END);
	err = fork_before(&f->fork, at, &left);
	if (!err)
		*low = max_u64(*low, left.off + left.count);
	if (err && err != -ENOENT)
		return err;
	err = fork_extent(&f->fork, at, high, &hole);
	if (err)
		return err;
	*end = max_u64(*end, min_u64(high, hole.off + hole.count));
	return 0;
}
