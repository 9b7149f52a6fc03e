/*
 * The first phase of writing: where everything goes; see file_write.h.
 *
 * The range is walked from left to right, beginning where the file ended if that is before it.
 * Every step takes one piece that is alike: one extent or hole, shared or not.
 */
#include "base/trail.h"
#include "fs/file_impl.h"
#include "fs/file_write.h"
#include "fs/fork.h"

#include <errno.h>
#include <sys/stat.h>

#define SPARE_MIN (64u << 10) /* bytes */
#define SPARE_MAX (256u << 20)

struct planner {
	struct file_edit edit;
	struct file_plan *plan;
	u64 at;	     /* block */
	u64 first;   /* block with the first byte of the range: before it, it is only zeroed */
	u64 end;     /* behind the last block */
	u64 old_end; /* behind the last block with a byte of the file as it was */
	u64 spare;
	bool full;
};

u64 file_spare(const struct geometry *g, u64 size, u64 free_blocks)
{
	u64 spare = min_u64(max_u64(size, SPARE_MIN), SPARE_MAX) >> g->block_log;

	return min_u64(spare, free_blocks / 64);
}

static bool joins(const struct file_piece *a, const struct file_piece *b)
{
	if (a->off + a->count != b->off || a->start + a->count != b->start ||
	    a->state != b->state || a->count + b->count > EXTENT_COUNT_MAX)
		return false;
	return a->state != FILE_PIECE_STAGED ||
	       (a->old + a->count == b->old && a->old_unwritten == b->old_unwritten);
}

static void add_piece(struct planner *p, struct file_piece piece)
{
	struct file_plan *plan = p->plan;
	struct file_piece *last = &plan->piece[plan->count];

	if (plan->count && joins(last - 1, &piece)) {
		last[-1].count += piece.count;
		return;
	}
	*last = piece;
	plan->count++;
	p->full = plan->count == FILE_PLAN_PIECES;
}

/* Shared blocks: their new content gets blocks of its own. */
static int stage(struct planner *p, const struct extent *e)
{
	struct file_piece piece = {.off = p->at,
				   .old = e->start,
				   .old_unwritten = e->unwritten,
				   .state = FILE_PIECE_STAGED};
	int err = file_stage(&p->edit, p->at, e->count, &piece.start, &piece.count);

	if (err)
		return err;
	add_piece(p, piece);
	p->at += piece.count;
	return 0;
}

static int keep(struct planner *p, const struct extent *e)
{
	add_piece(p, (struct file_piece){.off = p->at,
					 .count = e->count,
					 .start = e->start,
					 .state = e->unwritten ? FILE_PIECE_UNWRITTEN
							       : FILE_PIECE_IN_PLACE});
	p->at += e->count;
	return 0;
}

/* One extent for a hole, whose blocks from `low` to `high` are wanted, and those of the plan
 * needed. */
static int fill(struct planner *p, u64 *low, u64 high, u64 end)
{
	struct extent e;
	int err = file_fill(&p->edit, *low, high, &e);

	if (err)
		return err;
	*low = e.off + e.count;
	if (*low <= p->at)
		return 0;
	e.start += p->at - e.off;
	e.count = min_u64(*low, end) - p->at;
	return keep(p, &e);
}

static int fill_hole(struct planner *p, u64 count)
{
	u64 end = p->at + count, low = p->at, high = end;
	struct extent hole;
	int err = file_widen(&p->edit, p->at, &low, &high);

	if (!err && p->spare && end == p->end && end >= p->old_end) {
		err = fork_piece(&p->edit.fork, p->at, FILEOFF_END, &hole);
		if (!err)
			high = max_u64(high, end + min_u64(p->spare, hole.count - count));
	}
	while (!err && p->at < end && !p->full && file_may_go_on(&p->edit))
		err = fill(p, &low, high, end);
	return err;
}

/* A block of the range that has something; or of what is only zeroed, and is written. */
static int use(struct planner *p, struct extent *e)
{
	bool shared, writes = p->plan->kind == FILE_PLAN_WRITE && p->at >= p->first;
	int err = 0;

	if (e->unwritten && !writes) {
		p->at += e->count;
		return 0;
	}
	err = file_shared(&p->edit, e, &shared);
	if (err)
		return err;
	if (shared)
		return stage(p, e);
	if (p->plan->kind != FILE_PLAN_UNSHARE)
		return keep(p, e);
	p->at += e->count;
	return 0;
}

static int step(struct planner *p)
{
	u64 limit = p->at < p->first ? p->first : p->end;
	struct extent e;
	int err;

	if (p->at < p->old_end)
		limit = min_u64(limit, p->old_end);
	err = fork_piece(&p->edit.fork, p->at, limit, &e);
	file_spend(&p->edit);
	if (err)
		return err;
	if (e.start != NULL64 && !e.unwritten && p->at >= p->old_end) {
		p->full = true; /* the next plan goes on */
		return file_drop_written(&p->edit, p->at, p->end);
	}
	if (e.start != NULL64)
		return use(p, &e);
	if (p->plan->kind == FILE_PLAN_WRITE && p->at >= p->first)
		return fill_hole(p, e.count);
	p->at += e.count;
	return 0;
}

static u64 block_end(u32 log, u64 byte)
{
	return (byte >> log) + (byte & ((1u << log) - 1) ? 1 : 0);
}

static int prepare(struct vol *vol, struct txn *txn, struct planner *p, u64 len)
{
	struct file_plan *plan = p->plan;
	u32 log = vol->geo.block_log;
	u64 end = plan->off + len;
	int err;

	if (plan->off > FILE_SIZE_MAX || len > FILE_SIZE_MAX - plan->off)
		return fail(-EFBIG, "inode %llu: %llu bytes at %llu are beyond any file",
			    (unsigned long long)plan->ino.v, (unsigned long long)len,
			    (unsigned long long)plan->off);
	err = file_edit_begin(vol, txn, plan->ino, &p->edit);
	if (err)
		return err;
	plan->dev = vol->home;
	plan->size = file_size(&p->edit);
	plan->zero = plan->off;
	if (plan->kind == FILE_PLAN_WRITE)
		plan->zero = min_u64(plan->off, plan->size);
	p->old_end = file_blocks(&p->edit);
	p->at = plan->zero >> log;
	p->end = block_end(log, end);
	p->first = len ? plan->off >> log : p->end;
	if (plan->zero == end)
		p->at = p->end; /* nothing to do */
	while (!err && p->at < p->end && !p->full && file_may_go_on(&p->edit))
		err = step(p);
	plan->end = p->at < p->end ? p->at << log : end;
	return err;
}

int file_write_prepare(struct vol *vol, struct txn *txn, struct inum ino, u64 off, u64 len,
		       u64 spare, struct file_plan *plan)
{
	struct planner p = {.plan = plan, .spare = spare};

	*plan = (struct file_plan){.ino = ino, .kind = FILE_PLAN_WRITE, .off = off};
	return prepare(vol, txn, &p, len);
}

/* ---- in place ---- */

#define STOP 1

struct overwrite {
	struct file_plan *plan;
	u64 at, end; /* blocks */
};

static int overwrite_extent(void *arg, const struct extent *e)
{
	struct overwrite *o = arg;
	u64 skip = o->at - e->off, count;

	if (e->off > o->at || e->unwritten || o->plan->count == FILE_PLAN_PIECES)
		return STOP;
	if (skip >= e->count)
		return 0;
	count = min_u64(e->count - skip, o->end - o->at);
	o->plan->piece[o->plan->count++] = (struct file_piece){
	    .off = o->at, .count = count, .start = e->start + skip, .state = FILE_PIECE_IN_PLACE};
	o->at += count;
	return o->at < o->end ? 0 : STOP;
}

int file_overwrite_prepare(struct vol *vol, const struct inode *inode, u64 off, u64 len,
			   struct file_plan *plan, bool *can)
{
	u32 log = vol->geo.block_log;
	struct overwrite o = {plan, off >> log, block_end(log, off + len)};
	int err;

	*can = false;
	if (!S_ISREG(inode->mode) || inode_realtime(inode) || !len || off > inode->size ||
	    len > inode->size - off || inode->flags2 & INODE_FLAG2_REFLINK)
		return 0;
	*plan = (struct file_plan){.dev = vol->home,
				   .ino = inode->ino,
				   .kind = FILE_PLAN_WRITE,
				   .off = off,
				   .end = off + len,
				   .zero = off,
				   .size = inode->size};
	err = fork_each(vol, inode, FORK_DATA, fileoff_of(o.at), overwrite_extent, &o);
	for (u32 i = 0; i < plan->count && err >= 0; i++)
		if (!fsblock_valid(&vol->geo, fsblock_of(plan->piece[i].start),
				   plan->piece[i].count))
			return fail(-EUCLEAN, "inode %llu: mapped outside the filesystem",
				    (unsigned long long)inode->ino.v);
	*can = err >= 0 && o.at >= o.end;
	return err < 0 ? err : 0;
}

int file_zero_prepare(struct vol *vol, struct txn *txn, struct inum ino, u64 off, u64 len,
		      struct file_plan *plan)
{
	struct planner p = {.plan = plan};

	*plan = (struct file_plan){.ino = ino, .kind = FILE_PLAN_ZERO, .off = off};
	return prepare(vol, txn, &p, len);
}

int file_unshare_prepare(struct vol *vol, struct txn *txn, struct inum ino, u64 off, u64 len,
			 struct file_plan *plan)
{
	struct planner p = {.plan = plan};

	*plan = (struct file_plan){.ino = ino, .kind = FILE_PLAN_UNSHARE, .off = off};
	return prepare(vol, txn, &p, len);
}
