/* The content of files, in the volume and in the model; see grove.h. */
#include "grove.h"

#include "base/trail.h"
#include "fs/file_data.h"
#include "fs/file_range.h"
#include "fs/file_share.h"
#include "fs/file_truncate.h"
#include "fs/file_write.h"

#include <errno.h>
#include <stdlib.h>

struct work {
	struct inum ino;
	u64 off, len, size, at, end;
	enum file_plan_kind kind;
	struct file_plan plan;
	struct file_shift shift, shifted;
	struct file_share share, shared;
	const u8 *bytes;
};

/* What the file shall be. */
struct want {
	u8 *bytes; /* zeroes behind the size, as in the node */
	u64 size, room;
	bool anything; /* in between, it may look like anything */
};

/* Made in the buffer that the last one left: most writes are small, and files large. */
static struct want want_of(struct grove *g, struct grove_node *n, u64 size)
{
	struct grove_node spare = g->spare;
	struct want w = {.size = size};

	g->spare = (struct grove_node){0};
	grove_room(n, 0);
	grove_room(&spare, max_u64(n->size, size));
	memcpy(spare.bytes, n->bytes, n->size);
	memset(spare.bytes + min_u64(size, n->size), 0, spare.room - min_u64(size, n->size));
	w.bytes = spare.bytes;
	w.room = spare.room;
	return w;
}

static void leave(struct grove *g, u8 *bytes, u64 room)
{
	free(g->spare.bytes);
	g->spare.bytes = bytes;
	g->spare.room = room;
}

static u8 byte_at(const u8 *bytes, u64 size, u64 at)
{
	return at < size ? bytes[at] : 0;
}

/* An operation that has not come to its end: each byte is the old one or the new one. */
static void adopt(struct grove *g, struct grove_node *n, const struct want *w)
{
	u64 low = min_u64(n->size, w->size), high = max_u64(n->size, w->size);
	struct inode inode;
	u8 *found;

	grove_must(g, inode_get(g->vol, n->ino, &inode));
	if (inode.size < low || inode.size > high)
		grove_broken(g, "file %llu has size %llu, not from %llu to %llu",
			     (unsigned long long)n->ino.v, (unsigned long long)inode.size,
			     (unsigned long long)low, (unsigned long long)high);
	found = calloc(1, inode.size + 1);
	if (inode.size)
		grove_must(g, file_read(g->vol, &inode, 0, inode.size, found));
	for (u64 i = 0; i < inode.size && !w->anything; i++)
		if (found[i] != byte_at(n->bytes, n->size, i) &&
		    found[i] != byte_at(w->bytes, w->size, i))
			grove_broken(g, "file %llu shows %02x at %llu, neither %02x nor %02x",
				     (unsigned long long)n->ino.v, found[i], (unsigned long long)i,
				     byte_at(n->bytes, n->size, i), byte_at(w->bytes, w->size, i));
	grove_room(n, inode.size);
	memset(n->bytes, 0, n->room);
	memcpy(n->bytes, found, inode.size);
	n->size = inode.size;
	inode_put(g->vol, &inode);
	free(found);
}

static int conclude(struct grove *g, struct grove_node *n, struct want *w, int err)
{
	err = grove_judge(g, err, 0);
	if (err) {
		g->world.fail_alloc = 0; /* looking at it must not fail */
		adopt(g, n, w);
		leave(g, w->bytes, w->room);
	} else {
		leave(g, n->bytes, n->room);
		n->bytes = w->bytes;
		n->room = w->room;
		n->size = w->size;
	}
	return err;
}

/* ---- as src/fuse/write.c ---- */

static int prepare_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct work *w = arg;

	switch (w->kind) {
	case FILE_PLAN_WRITE:
		return file_write_prepare(vol, txn, w->ino, w->off, w->len, 0, &w->plan);
	case FILE_PLAN_ZERO:
		return file_zero_prepare(vol, txn, w->ino, w->off, w->len, &w->plan);
	case FILE_PLAN_UNSHARE:
		break;
	}
	return file_unshare_prepare(vol, txn, w->ino, w->off, w->len, &w->plan);
}

static int finish_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct work *w = arg;

	return file_write_finish(vol, txn, &w->plan);
}

static int cancel_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct work *w = arg;

	return file_write_cancel(vol, txn, &w->plan);
}

static int work_through(struct grove *g, struct work *w)
{
	u64 off = w->off, end = w->off + w->len, done = 0;
	int err;

	do {
		w->off = off + done;
		w->len = end - w->off;
		err = change(g->changer, prepare_step, w);
		if (err)
			return err;
		err = file_write_data(g->vol, &w->plan, w->bytes ? w->bytes + done : NULL);
		if (!err)
			err = change(g->changer, finish_step, w);
		if (err) {
			change(g->changer, cancel_step, w);
			return err;
		}
		done += file_plan_bytes(&w->plan);
	} while (!file_plan_ends(&w->plan, end));
	return 0;
}

int grove_write(struct grove *g, struct grove_node *n, u64 off, u64 length)
{
	struct want want = want_of(g, n, max_u64(n->size, off + length));
	struct work w = {.ino = n->ino, .off = off, .len = length, .bytes = want.bytes + off};

	for (u64 i = off; i < off + length; i += 1 + grove_draw(g, 4))
		want.bytes[i] = (u8)(1 + grove_draw(g, 255));
	return conclude(g, n, &want, work_through(g, &w));
}

static int shrink_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	const struct work *w = arg;

	return file_truncate_step(vol, txn, w->ino, w->size, more);
}

static int set_size(struct grove *g, struct grove_node *n, u64 size)
{
	u32 block = g->vol->geo.block_size;
	struct work w = {.ino = n->ino, .off = size, .size = size};
	int err = 0;

	if (size > n->size)
		return work_through(g, &w);
	err = change_series(g->changer, shrink_step, &w, 0);
	w.kind = FILE_PLAN_ZERO;
	w.len = size % block ? block - size % block : 0;
	return err || !w.len ? err : work_through(g, &w);
}

int grove_truncate(struct grove *g, struct grove_node *n, u64 size)
{
	struct want want = want_of(g, n, size);

	return conclude(g, n, &want, set_size(g, n, size));
}

static int punch_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct work *w = arg;
	u64 at = w->at;
	int err = file_punch_step(vol, txn, w->ino, &at, w->end);

	*more = !err && at < w->end;
	w->at = err ? w->at : at;
	return err;
}

int grove_punch(struct grove *g, struct grove_node *n, u64 off, u64 length)
{
	struct want want = want_of(g, n, n->size);
	u32 log = g->vol->geo.block_log;
	struct work w = {.ino = n->ino,
			 .kind = FILE_PLAN_ZERO,
			 .off = off,
			 .len = length,
			 .at = div_up_u64(off, 1ull << log),
			 .end = (off + length) >> log};
	int err = 0;

	if (off < n->size)
		memset(want.bytes + off, 0, min_u64(length, n->size - off));
	if (w.at < w.end)
		err = change_series(g->changer, punch_step, &w, 0);
	return conclude(g, n, &want, err ? err : work_through(g, &w));
}

static int allocate_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct work *w = arg;
	u64 at = w->at;
	int err = file_allocate_step(vol, txn, w->ino, &at, w->end);

	*more = !err && at < w->end;
	w->at = err ? w->at : at;
	return err;
}

int grove_allocate(struct grove *g, struct grove_node *n, u64 at, u64 count)
{
	struct want want = want_of(g, n, n->size);
	struct work w = {.ino = n->ino, .at = at, .end = at + count};

	return conclude(g, n, &want, change_series(g->changer, allocate_step, &w, 0));
}

static int shift_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct work *w = arg;
	struct file_shift shift = w->shifted;
	int err =
	    w->kind ? file_insert_step(vol, txn, &shift) : file_collapse_step(vol, txn, &shift);

	*more = !err && !shift.done;
	w->shift = shift;
	return err;
}

/* A step that was rolled back, also by its commit, is begun again from where it was. */
static int shift_all(struct grove *g, struct work *w)
{
	bool more = true;
	int err = 0;

	while (more && !err) {
		struct txn *txn;
		u32 tries = 0;

		do {
			err = vol_begin(g->vol, NULL, &txn);
			if (!err)
				err = vol_end(g->vol, txn, shift_step(g->vol, txn, w, &more));
		} while (err == -EAGAIN && tries++ < 4 && !journal_push(g->vol->journal));
		w->shifted = w->shift;
	}
	return err == -EAGAIN ? -ENOSPC : err;
}

/* A shift wants nothing behind the end, and nothing in the rest of the last block. */
static int shift(struct grove *g, struct grove_node *n, struct want *want, u64 at, u64 count,
		 bool insert)
{
	struct work w = {
	    .ino = n->ino, .kind = insert, .shifted = file_shift_of(n->ino, at, count)};
	int err = set_size(g, n, n->size);

	if (!err)
		want->anything = true;
	return err ? err : shift_all(g, &w);
}

int grove_collapse(struct grove *g, struct grove_node *n, u64 at, u64 count)
{
	u32 log = g->vol->geo.block_log;
	u64 to = at << log, bytes = count << log;
	struct want want = want_of(g, n, n->size - bytes);

	memcpy(want.bytes + to, n->bytes + to + bytes, n->size - bytes - to);
	return conclude(g, n, &want, shift(g, n, &want, at, count, false));
}

int grove_insert(struct grove *g, struct grove_node *n, u64 at, u64 count)
{
	u32 log = g->vol->geo.block_log;
	u64 from = at << log, bytes = count << log;
	struct want want = want_of(g, n, n->size + bytes);

	memset(want.bytes + from, 0, bytes);
	memcpy(want.bytes + from + bytes, n->bytes + from, n->size - from);
	return conclude(g, n, &want, shift(g, n, &want, at, count, true));
}

static int share_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct work *w = arg;
	struct file_share share = w->share;
	int err = file_share_step(vol, txn, &share);

	*more = !err && share.blocks;
	if (!err)
		w->share = share;
	return err;
}

int grove_share(struct grove *g, struct grove_node *from, struct grove_node *to, u64 from_at,
		u64 to_at, u64 count)
{
	u32 log = g->vol->geo.block_log;
	u64 start = from_at << log, place = to_at << log;
	u64 len = min_u64(count << log, from->size - start), end = place + len;
	struct want want = want_of(g, to, max_u64(to->size, end));
	struct work w = {.share = {from->ino, to->ino, from_at, to_at, count, end}};
	int err = 0;

	memcpy(want.bytes + place, from->bytes + start, len);
	if (place > to->size)
		err = set_size(g, to, place);
	if (!err)
		err = change_series(g->changer, share_step, &w, 0);
	return conclude(g, to, &want, err);
}

int grove_unshare(struct grove *g, struct grove_node *n)
{
	struct want want = want_of(g, n, n->size);
	struct work w = {.ino = n->ino, .kind = FILE_PLAN_UNSHARE, .len = n->size};

	return conclude(g, n, &want, work_through(g, &w));
}
