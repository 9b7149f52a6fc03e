/*
 * Ranges of a file; see file_range.h.
 *
 * Shifting moves one extent after the other, always into the hole that the last one has left (or
 * that was made at the start): from left to right when blocks are taken out, from right to left
 * when they are put in.
 */
#include "fs/file_range.h"

#include "base/trail.h"
#include "fs/file_impl.h"
#include "fs/file_write.h"

#include <errno.h>

static int fill_gap(struct file_edit *f, u64 *at, u64 count)
{
	u64 end = *at + count, low = *at, high = end;
	struct extent e;
	int err = file_widen(f, *at, &low, &high);

	while (!err && *at < end && file_may_go_on(f)) {
		err = file_fill(f, low, high, &e);
		low = e.off + e.count;
		if (!err)
			*at = max_u64(*at, min_u64(low, end));
	}
	return err;
}

int file_allocate_step(struct vol *vol, struct txn *txn, struct inum ino, u64 *at, u64 end)
{
	struct file_edit f;
	struct dinode *d;
	int err = file_edit_begin(vol, txn, ino, &f);

	if (!err && end > FILE_SIZE_MAX >> vol->geo.block_log)
		err = fail(-EFBIG, "inode %llu: block %llu is beyond any file",
			   (unsigned long long)ino.v, (unsigned long long)end);
	if (err)
		return err;
	d = file_core(&f);
	d->flags = be16_make(be16_get(d->flags) | INODE_FLAG_PREALLOC);
	while (!err && *at < end && file_may_go_on(&f)) {
		struct extent e;

		err = fork_piece(&f.fork, *at, end, &e);
		file_spend(&f);
		if (!err && e.start != NULL64 && !e.unwritten && *at >= file_blocks(&f))
			return file_drop_written(&f, *at, end); /* left by a truncation */
		if (!err && e.start == NULL64)
			err = fill_gap(&f, at, e.count);
		else if (!err)
			*at += e.count;
	}
	return err;
}

int file_punch_step(struct vol *vol, struct txn *txn, struct inum ino, u64 *at, u64 end)
{
	struct file_edit f;
	int err = file_edit_begin(vol, txn, ino, &f);

	txn_set_giving(txn);
	return err ? err : file_drop_range(&f, at, end);
}

/* A piece of one extent goes to another offset, where a hole is. */
static int move(struct file_edit *f, struct extent e, u64 to)
{
	int err = fork_unmap(&f->fork, e.off, e.count);

	e.off = to;
	file_spend(f);
	return err ? err : fork_map(&f->fork, &e);
}

static int refuse(const struct file_shift *s, int err)
{
	return fail(err, "inode %llu: block %llu, %llu blocks: no range that can be moved",
		    (unsigned long long)s->ino.v, (unsigned long long)s->off,
		    (unsigned long long)s->count);
}

int file_collapse_step(struct vol *vol, struct txn *txn, struct file_shift *s)
{
	u64 gap_end = s->off + s->count, bytes = s->count << vol->geo.block_log;
	struct file_edit f;
	int err = file_edit_begin(vol, txn, s->ino, &f);

	if (!err && (!s->count || s->count >= FILEOFF_END || s->off >= FILEOFF_END ||
		     gap_end > file_size(&f) >> vol->geo.block_log))
		err = refuse(s, -EINVAL);
	if (!err && s->at < gap_end)
		err = file_drop_range(&f, &s->at, gap_end);
	while (!err && s->at >= gap_end && file_may_go_on(&f)) {
		struct extent e;

		err = fork_piece(&f.fork, s->at, FILEOFF_END, &e);
		s->at += err ? 0 : e.count;
		if (!err && e.start != NULL64)
			err = move(&f, e, e.off - s->count);
		if (err || s->at < FILEOFF_END)
			continue;
		s->done = true;
		file_set_size(&f, file_size(&f) - bytes);
		return 0;
	}
	return err;
}

/* The hole is made by making the file longer: until the first extent has moved, its end is one. */
static int begin_insert(struct file_edit *f, struct file_shift *s)
{
	u32 log = f->view.geo.block_log;
	u64 size = file_size(f);
	struct extent last;
	int err;

	if (!s->count || s->off << log >= size || s->off > FILE_SIZE_MAX >> log)
		return refuse(s, -EINVAL);
	if (s->count > (FILE_SIZE_MAX - size) >> log)
		return refuse(s, -EFBIG);
	err = fork_before(&f->fork, FILEOFF_END - 1, &last);
	if (!err && last.off + last.count > file_blocks(f))
		return refuse(s, -EINVAL);
	s->at = file_blocks(f);
	s->begun = true;
	file_set_size(f, size + (s->count << log));
	return err == -ENOENT ? 0 : err;
}

int file_insert_step(struct vol *vol, struct txn *txn, struct file_shift *s)
{
	struct file_edit f;
	int err = file_edit_begin(vol, txn, s->ino, &f);

	if (!err && !s->begun)
		err = begin_insert(&f, s);
	while (!err && file_may_go_on(&f) && !s->done) {
		struct extent e;
		u64 skip;

		err = s->at ? fork_before(&f.fork, s->at - 1, &e) : -ENOENT;
		s->done = err == -ENOENT || (!err && e.off + e.count <= s->off);
		if (err || s->done)
			break;
		skip = max_u64(e.off, s->off) - e.off;
		e.off += skip;
		e.start += skip;
		e.count -= skip;
		s->at = e.off;
		err = move(&f, e, e.off + s->count);
	}
	return err == -ENOENT ? 0 : err;
}
