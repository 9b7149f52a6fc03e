/*
 * The second and third phase of writing: the data, and the map that has them; see file_write.h.
 *
 * New blocks are written whole.  What of them the caller's bytes do not cover is old content for
 * copies of shared blocks, as far as it lies below the size, and zeroes else.
 */
#include "fs/file_write.h"

#include "base/trail.h"
#include "fs/file_impl.h"

#include <errno.h>

/* Bytes that are put together before they are written; at least one block. */
#define BOUNCE (256u << 10)

struct writer {
	struct vol *vol;
	const struct file_plan *plan;
	const struct file_piece *piece;
	u64 start, end; /* bytes of the file: the piece */
	const u8 *bytes;
	u8 *bounce;
};

static struct daddr place_of(const struct writer *w, u64 fsblock, u64 at)
{
	const struct geometry *g = &w->vol->geo;

	return daddr_of(fsblock_daddr(g, fsblock_of(fsblock)).v + (at - w->start));
}

static u64 block_up(const struct writer *w, u64 at)
{
	u64 mask = w->vol->geo.block_size - 1;

	return (at + mask) & ~mask;
}

/* [at, at + size) as it shall be: zeroes behind the old end, old content before it, and the
 * caller's bytes on top. */
static int compose(struct writer *w, u64 at, u64 size)
{
	const struct file_plan *plan = w->plan;
	const struct file_piece *piece = w->piece;
	u64 from = max_u64(plan->off, at), until = min_u64(plan->end, at + size);
	u64 old = 0;
	int err;

	if (piece->state == FILE_PIECE_STAGED && !piece->old_unwritten && at < plan->size)
		old = min_u64(size, plan->size - at);
	if (old) {
		err = device_read(plan->dev, place_of(w, piece->old, at), w->bounce, old);
		if (err)
			return fail_in(err, "inode %llu", (unsigned long long)plan->ino.v);
	}
	memset(w->bounce + old, 0, size - old);
	if (plan->kind == FILE_PLAN_UNSHARE || from >= until)
		return 0;
	if (w->bytes)
		memcpy(w->bounce + (from - at), w->bytes + (from - plan->off), until - from);
	else
		memset(w->bounce + (from - at), 0, until - from);
	return 0;
}

static int put(struct writer *w, u64 at, const u8 *from, u64 size)
{
	int err = device_write(w->plan->dev, place_of(w, w->piece->start, at), from, size);

	return err ? fail_in(err, "inode %llu", (unsigned long long)w->plan->ino.v) : 0;
}

/* How many of the caller's bytes can be written as they are. */
static u64 direct(const struct writer *w, u64 at, u64 until)
{
	const struct file_plan *plan = w->plan;
	u64 size;

	if (!w->bytes || at < plan->off || at >= plan->end)
		return 0;
	size = min_u64(until, plan->end) - at;
	return w->piece->state == FILE_PIECE_IN_PLACE ? size
						      : size & ~(u64)(w->vol->geo.block_size - 1);
}

/* The next bytes to be put together: up to those that need not. */
static u64 composed(const struct writer *w, u64 at, u64 until)
{
	u64 next =
	    w->piece->state == FILE_PIECE_IN_PLACE ? w->plan->off : block_up(w, w->plan->off);

	return min_u64(min_u64(until - at, BOUNCE), at < next ? next - at : NULL64);
}

static int write_range(struct writer *w, u64 at, u64 until)
{
	int err = 0;

	while (!err && at < until) {
		u64 size = direct(w, at, until);

		if (size) {
			err = put(w, at, w->bytes + (at - w->plan->off), size);
		} else {
			size = composed(w, at, until);
			if (!w->bounce)
				w->bounce = env_alloc(w->vol->env, BOUNCE);
			err = w->bounce ? compose(w, at, size) : fail(-ENOMEM, "out of memory");
			if (!err)
				err = put(w, at, w->bounce, size);
		}
		at += size;
	}
	return err;
}

int file_write_data(struct vol *vol, const struct file_plan *plan, const void *bytes)
{
	struct writer w = {.vol = vol, .plan = plan, .bytes = bytes};
	u32 log = vol->geo.block_log;
	int err = 0;

	if (plan->kind != FILE_PLAN_WRITE)
		w.bytes = NULL;
	for (u32 i = 0; i < plan->count && !err; i++) {
		w.piece = &plan->piece[i];
		w.start = w.piece->off << log;
		w.end = w.start + (w.piece->count << log);
		if (w.piece->state == FILE_PIECE_IN_PLACE)
			err = write_range(&w, max_u64(w.start, plan->zero),
					  min_u64(w.end, max_u64(plan->off, plan->end)));
		else
			err = write_range(&w, w.start, w.end);
	}
	env_free(vol->env, w.bounce);
	return err;
}

/* ---- the third phase ---- */

static int changed(const struct file_plan *plan)
{
	return fail(-EAGAIN, "inode %llu has changed while it was written to",
		    (unsigned long long)plan->ino.v);
}

static int check_piece(struct file_edit *f, const struct file_plan *plan,
		       const struct file_piece *piece)
{
	bool staged = piece->state == FILE_PIECE_STAGED;
	bool unwritten = staged ? piece->old_unwritten : piece->state == FILE_PIECE_UNWRITTEN;
	u64 done = 0;

	while (done < piece->count) {
		struct extent e;
		int err = fork_piece(&f->fork, piece->off + done, piece->off + piece->count, &e);

		if (err)
			return err;
		if (e.start == NULL64 || e.unwritten != unwritten ||
		    e.start != (staged ? piece->old : piece->start) + done)
			return changed(plan);
		done += e.count;
	}
	return 0;
}

/* The staged blocks instead of those that are shared. */
static int switch_blocks(struct file_edit *f, const struct file_piece *piece)
{
	const struct extent e = {.off = piece->off, .start = piece->start, .count = piece->count};
	u64 at = piece->off, end = at + piece->count;
	int err = file_unstage(f->fork.vol, f->fork.txn, piece->start, piece->count, false);

	while (!err && at < end) {
		f->budget = file_budget(&f->view.geo);
		err = file_drop_range(f, &at, end);
	}
	return err ? err : fork_map(&f->fork, &e);
}

static int finish_piece(struct file_edit *f, const struct file_piece *piece)
{
	switch (piece->state) {
	case FILE_PIECE_UNWRITTEN:
		return fork_convert(&f->fork, piece->off, piece->count, false);
	case FILE_PIECE_STAGED:
		return switch_blocks(f, piece);
	case FILE_PIECE_IN_PLACE:
		break;
	}
	return 0;
}

int file_write_finish(struct vol *vol, struct txn *txn, const struct file_plan *plan)
{
	struct file_edit f;
	int err = file_edit_begin(vol, txn, plan->ino, &f);
	u64 size = err ? 0 : file_size(&f);

	txn_set_forced(txn); /* the blocks were charged when they were taken */
	if (!err && size != plan->size && plan->end > min_u64(size, plan->size))
		err = changed(plan);
	for (u32 i = 0; i < plan->count && !err; i++)
		err = check_piece(&f, plan, &plan->piece[i]);
	for (u32 i = 0; i < plan->count && !err; i++)
		err = finish_piece(&f, &plan->piece[i]);
	if (!err && plan->kind == FILE_PLAN_WRITE && plan->end > size)
		file_set_size(&f, plan->end);
	return err;
}

int file_write_cancel(struct vol *vol, struct txn *txn, const struct file_plan *plan)
{
	int err = 0;

	txn_set_giving(txn);
	for (u32 i = 0; i < plan->count && !err; i++) {
		const struct file_piece *piece = &plan->piece[i];

		if (piece->state == FILE_PIECE_STAGED)
			err = file_unstage(vol, txn, piece->start, piece->count, true);
	}
	return err;
}
