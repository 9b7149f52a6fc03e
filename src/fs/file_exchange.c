/* The exchange of the content of two files; see file_exchange.h. */
#include "fs/file_exchange.h"

#include "base/trail.h"
#include "fs/file_impl.h"
#include "fs/file_write.h"
#include "fs/fork_exchange.h"
#include "fs/names_impl.h"

#include <errno.h>
#include <sys/stat.h>

struct exchange {
	const struct file_exchange *x;
	struct file_edit first, second;
	u64 blocks;
	u64 first_size, second_size; /* when it is done */
};

struct file_stamp file_stamp_of(const struct inode *inode)
{
	return (struct file_stamp){.ino = inode->ino.v,
				   .gen = inode->gen,
				   .change = inode->change,
				   .mtime = {inode->mtime, inode->mtime_ns},
				   .ctime = {inode->ctime, inode->ctime_ns}};
}

static bool same_time(const struct names_time *a, const struct names_time *b)
{
	return a->seconds == b->seconds && a->nanoseconds == b->nanoseconds;
}

static int check_stamp(struct exchange *e)
{
	const struct file_stamp *then = e->x->stamp;
	struct file_stamp now;
	struct inode inode;

	if (!then)
		return 0;
	inode_parse(&e->second.view.geo, e->x->second, e->second.fork.buf->data, &inode);
	now = file_stamp_of(&inode);
	if (now.ino == then->ino && now.gen == then->gen && now.change == then->change &&
	    same_time(&now.mtime, &then->mtime) && same_time(&now.ctime, &then->ctime))
		return 0;
	return fail(-EBUSY, "inode %llu: it has changed meanwhile",
		    (unsigned long long)e->x->second.v);
}

static int refuse(const struct exchange *e, int err, const char *why)
{
	const struct file_exchange *x = e->x;

	return fail(err, "an exchange of inode %llu from byte %llu on and inode %llu from %llu: %s",
		    (unsigned long long)x->first.v, (unsigned long long)x->first_at,
		    (unsigned long long)x->second.v, (unsigned long long)x->second_at, why);
}

static bool same_file(const struct exchange *e)
{
	return e->x->first.v == e->x->second.v;
}

static int check_place(const struct exchange *e)
{
	const struct file_exchange *x = e->x;
	u64 mask = e->first.view.geo.block_size - 1;

	if ((x->first_at | x->second_at) & mask)
		return refuse(e, -EINVAL, "an offset is not that of a block");
	if (x->first_at > file_size(&e->first) || x->second_at > file_size(&e->second))
		return refuse(e, -EINVAL, "an offset is behind the end");
	return 0;
}

/* Both ranges end at the ends. */
static int plan_to_eof(struct exchange *e)
{
	u64 first = file_size(&e->first) - e->x->first_at;
	u64 second = file_size(&e->second) - e->x->second_at;

	if (same_file(e))
		return refuse(e, -EINVAL, "two ranges of one file cannot both be its end");
	if (first > FILE_SIZE_MAX - e->x->second_at || second > FILE_SIZE_MAX - e->x->first_at)
		return refuse(e, -EFBIG, "a file would be too large");
	e->blocks = div_up_u64(max_u64(first, second), e->first.view.geo.block_size);
	e->first_size = e->x->first_at + second;
	e->second_size = e->x->second_at + first;
	return 0;
}

static int plan_range(struct exchange *e)
{
	const struct file_exchange *x = e->x;
	u64 gap = max_u64(x->first_at, x->second_at) - min_u64(x->first_at, x->second_at);
	u32 block = e->first.view.geo.block_size;

	e->first_size = file_size(&e->first);
	e->second_size = file_size(&e->second);
	if (x->bytes > e->first_size - x->first_at || x->bytes > e->second_size - x->second_at)
		return refuse(e, -EINVAL, "a range goes on behind the end");
	if (x->bytes % block &&
	    (x->first_at + x->bytes != e->first_size || x->second_at + x->bytes != e->second_size))
		return refuse(e, -EINVAL,
			      "the ranges are not whole blocks, nor end where both files do");
	if (same_file(e) && gap < x->bytes)
		return refuse(e, -EINVAL, "the ranges overlap");
	e->blocks = div_up_u64(x->bytes, block);
	return 0;
}

static int may_change(const struct exchange *e, const struct file_edit *f)
{
	const struct dinode *d = (const struct dinode *)f->fork.buf->data;

	if (be16_get(d->flags) & (INODE_FLAG_IMMUTABLE | INODE_FLAG_APPEND))
		return refuse(e, -EPERM, "a file is immutable, or may only grow");
	return 0;
}

static int plan(struct exchange *e)
{
	int err = may_change(e, &e->first);

	if (!err)
		err = may_change(e, &e->second);
	if (!err)
		err = check_stamp(e);
	if (!err)
		err = check_place(e);
	if (!err)
		err = e->x->flags & FILE_EXCHANGE_TO_EOF ? plan_to_eof(e) : plan_range(e);
	if (!err && e->x->flags & FILE_EXCHANGE_SAME_SIZES &&
	    (e->first_size != file_size(&e->first) || e->second_size != file_size(&e->second)))
		err = refuse(e, -EOPNOTSUPP, "a file would get another size");
	return err;
}

/* Whoever gets a block that may be shared has the flag. */
static void share_flags(struct exchange *e)
{
	struct file_edit *to = e->first.shares ? &e->second : &e->first;
	struct dinode *d;

	if (e->first.shares == e->second.shares)
		return;
	d = file_core(to);
	d->flags2 = be64_make(be64_get(d->flags2) | INODE_FLAG2_REFLINK);
	to->shares = true;
}

static int touch(const struct exchange *e, struct vol *vol, struct txn *txn, struct inum ino)
{
	struct node n;
	u16 mode;
	int err = node_open(vol, txn, ino, &n);

	if (err)
		return err;
	mode = be16_get(n.d->mode);
	if (!(e->x->flags & FILE_EXCHANGE_KEEP_PRIVILEGES))
		mode &= (u16) ~(S_ISUID | (mode & S_IXGRP ? S_ISGID : 0));
	node_touch(txn, &n, NODE_MTIME | NODE_CTIME, &e->x->now);
	n.d->mode = be16_make(mode);
	return 0;
}

static int carry_out(struct exchange *e)
{
	const u32 log = e->first.view.geo.block_log;
	const struct fork_exchange range = {.first = &e->first.fork,
					    .second =
						same_file(e) ? &e->first.fork : &e->second.fork,
					    .first_at = e->x->first_at >> log,
					    .second_at = e->x->second_at >> log,
					    .count = e->blocks,
					    .written = e->x->flags & FILE_EXCHANGE_WRITTEN};
	int err = fork_exchange(&range);

	if (err)
		return err;
	share_flags(e);
	file_set_size(&e->first, e->first_size);
	file_set_size(&e->second, e->second_size);
	return 0;
}

int file_exchange(struct vol *vol, struct txn *txn, const struct file_exchange *exchange)
{
	struct exchange e = {.x = exchange};
	int err = file_edit_begin(vol, txn, exchange->first, &e.first);

	if (!err)
		err = file_edit_begin(vol, txn, exchange->second, &e.second);
	if (!err)
		err = plan(&e);
	if (!err)
		err = carry_out(&e);
	if (!err)
		err = touch(&e, vol, txn, exchange->first);
	if (!err && !same_file(&e))
		err = touch(&e, vol, txn, exchange->second);
	return err;
}
