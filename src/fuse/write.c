/*
 * Requests that change the content of files: write, truncation, fallocate, fsync; see change.h.
 *
 * A write is prepared in a transaction, the data go to the device without any lock of the volume,
 * and a second transaction makes them the file's (fs/file_write.h).  What only overwrites needs no
 * transaction.  The file's own lock is held over all of it.
 */
#include "base/trail.h"
#include "fs/file_range.h"
#include "fs/file_share.h"
#include "fs/file_truncate.h"
#include "fs/file_write.h"
#include "fs/fork_modify.h"
#include "fuse/change.h"
#include "fuse/exchange.h"
#include "fuse/node.h"

#include <errno.h>
#include <linux/falloc.h>
#include <sys/stat.h>

struct piece_of_work {
	struct inum ino;
	u64 off, len, size;
	enum file_plan_kind kind;
	struct file_plan plan;
	const u8 *bytes;
	bool sync; /* the file is to be written through */
};

static int prepare_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct piece_of_work *w = arg;

	if (w->kind == FILE_PLAN_ZERO)
		return file_zero_prepare(vol, txn, w->ino, w->off, w->len, &w->plan);
	return file_write_prepare(vol, txn, w->ino, w->off, w->len, 0, &w->plan);
}

static int finish_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct piece_of_work *w = arg;
	struct txn_buf *buf;
	int err = file_write_finish(vol, txn, &w->plan);

	if (!err)
		err = inode_edit(vol, txn, w->ino, &buf);
	if (!err)
		w->sync = be16_get(((const struct dinode *)buf->data)->flags) & INODE_FLAG_SYNC;
	return err;
}

static int cancel_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct piece_of_work *w = arg;

	return file_write_cancel(vol, txn, &w->plan);
}

/* One plan; its staging does not outlive a failure. */
static int carry_out(struct changer *c, struct piece_of_work *w)
{
	int err = change(c, prepare_step, w);

	if (err)
		return err;
	err = file_write_data(c->vol, &w->plan, w->bytes);
	if (!err)
		err = change(c, finish_step, w);
	if (err)
		change(c, cancel_step, w);
	return err;
}

/* With too little space for a write, so much less is tried, in whole blocks; 0: no less. */
static u64 less(const struct changer *c, const struct piece_of_work *w)
{
	u64 block = c->vol->geo.block_size;

	return w->kind == FILE_PLAN_WRITE && w->len > block ? div_up_u64(w->len / 2, block) * block
							    : 0;
}

/* The whole range, plan by plan; *done is how many bytes of it. */
static int work_through(struct changer *c, struct piece_of_work *w, u64 *done)
{
	u64 off = w->off, len = w->len, end = off + len, step = len;
	const u8 *bytes = w->bytes;
	bool ends = false;
	int err = 0;

	*done = 0;
	while (!err && !ends) {
		w->off = off + *done;
		w->len = min_u64(step, len - *done);
		w->bytes = bytes ? bytes + *done : NULL;
		err = carry_out(c, w);
		if (!err) {
			*done += file_plan_bytes(&w->plan);
			ends = file_plan_ends(&w->plan, end);
			continue;
		}
		step = err == -ENOSPC || err == -EDQUOT ? less(c, w) : 0;
		err = step ? 0 : err;
	}
	return err;
}

/* True when the range could be written where it lies. An error is left to the ordinary way. */
static bool overwrite(struct server *server, struct piece_of_work *w)
{
	const struct inode *inode;
	bool can = false;
	int err;

	vol_read_begin(server->vol);
	err = node_get(server->nodes, w->ino, &inode);
	if (!err) {
		w->sync = inode->flags & INODE_FLAG_SYNC;
		err = file_overwrite_prepare(server->vol, inode, w->off, w->len, &w->plan, &can);
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	return !err && can && !file_write_data(server->vol, &w->plan, w->bytes);
}

struct touch {
	struct inum ino;
	struct names_attr attr;
	bool forced; /* may give to who has too much already */
};

static int touch_step(struct vol *vol, struct txn *txn, void *arg)
{
	const struct touch *t = arg;

	if (t->forced)
		txn_set_forced(txn);
	return names_setattr(vol, txn, t->ino, &t->attr);
}

static int touch_now(struct changer *c, struct inum ino)
{
	struct touch t = {ino, {.what = SETATTR_MTIME | SETATTR_CTIME, .mtime = time_now()}};

	t.attr.ctime = t.attr.mtime;
	return change(c, touch_step, &t);
}

static int force(struct server *server)
{
	struct journal *j = server->vol->journal;

	return journal_force(j, journal_number(j), true);
}

static void do_write(fuse_req_t req, fuse_ino_t node, const char *bytes, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct piece_of_work w = {.ino = node_inum(server, node),
				  .off = (u64)off,
				  .len = size,
				  .kind = FILE_PLAN_WRITE,
				  .bytes = (const u8 *)bytes};
	u64 done = 0;
	int err = 0;

	write_begins(&server->writes);
	file_lock(server->changer, w.ino);
	file_changed(server->changer, w.ino);
	if (overwrite(server, &w))
		done = size;
	else
		err = work_through(server->changer, &w, &done);
	/* of what the kernel writes back it tells the times itself */
	if (done && !fi->writepage)
		touch_now(server->changer, w.ino);
	file_unlock(server->changer, w.ino);
	if (w.sync && !err)
		err = force(server);
	/* of what is written back the kernel believes all or nothing */
	if (err && (!done || w.sync || fi->writepage))
		reply_failure(req, err, "write", node);
	else
		fuse_reply_write(req, (size_t)done);
	write_ends(&server->writes);
}

/* ---- size ---- */

static int shrink_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	const struct piece_of_work *w = arg;

	return file_truncate_step(vol, txn, w->ino, w->size, more);
}

/* Of a file that may be changed; `forbidden` are flags that it must not have. */
static int current_size(struct server *server, struct inum ino, u32 forbidden, u64 *size)
{
	const struct inode *inode;
	int err;

	vol_read_begin(server->vol);
	err = node_get(server->nodes, ino, &inode);
	if (!err) {
		*size = inode->size;
		if (!S_ISREG(inode->mode))
			err = S_ISDIR(inode->mode) ? -EISDIR : -EINVAL;
		else if (inode->flags & forbidden)
			err = -EPERM;
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	return err;
}

static int set_size(struct server *server, struct inum ino, u32 forbidden, u64 size)
{
	const struct geometry *g = &server->vol->geo;
	struct piece_of_work w = {.ino = ino, .off = size, .size = size};
	u64 old = 0, done;
	int err = current_size(server, ino, forbidden, &old);

	if (err)
		return err;
	if (size < old) {
		err = change_series(server->changer, shrink_step, &w, 0);
		w.kind = FILE_PLAN_ZERO;
		w.len = size % g->block_size ? g->block_size - size % g->block_size : 0;
		if (!err && w.len)
			err = work_through(server->changer, &w, &done);
	} else if (size > old) {
		w.kind = FILE_PLAN_WRITE;
		err = work_through(server->changer, &w, &done);
	}
	return err;
}

static struct names_time time_of(const struct timespec *t)
{
	return (struct names_time){t->tv_sec, (u32)t->tv_nsec};
}

#define NOW_SECONDS 2

/* Is a time asked for that is not now? The kernel, which keeps the times of files that it caches,
 * gives a time also to who has said `now`. */
static bool sets_time(int what, int which, const struct timespec *t)
{
	s64 distance = t->tv_sec - time_now().seconds;

	return what & which && (distance > NOW_SECONDS || distance < -NOW_SECONDS);
}

static struct names_attr wanted_attr(const struct stat *st, int what)
{
	struct names_attr a = {.mode = (u16)st->st_mode,
			       .uid = st->st_uid,
			       .gid = st->st_gid,
			       .atime = time_of(&st->st_atim),
			       .mtime = time_of(&st->st_mtim),
			       .ctime = time_of(&st->st_ctim)};

	a.what = (what & FUSE_SET_ATTR_MODE ? SETATTR_MODE : 0) |
		 (what & FUSE_SET_ATTR_UID ? SETATTR_UID : 0) |
		 (what & FUSE_SET_ATTR_GID ? SETATTR_GID : 0);
	if (what & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
		a.what |= SETATTR_ATIME;
	if (what & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_SIZE))
		a.what |= SETATTR_MTIME;
	if (what & FUSE_SET_ATTR_ATIME_NOW)
		a.atime = time_now();
	if (what & FUSE_SET_ATTR_MTIME_NOW ||
	    (what & FUSE_SET_ATTR_SIZE && !(what & FUSE_SET_ATTR_MTIME)))
		a.mtime = time_now();
	a.what |= SETATTR_CTIME;
	/* data that are on their way bring mtime alone */
	if (sets_time(what, FUSE_SET_ATTR_ATIME, &st->st_atim) ||
	    (what & FUSE_SET_ATTR_ATIME && sets_time(what, FUSE_SET_ATTR_MTIME, &st->st_mtim)))
		a.what |= SETATTR_MEANT;
	if (!(what & FUSE_SET_ATTR_CTIME))
		a.ctime = time_now();
	return a;
}

#define TIMES                                                                  \
	(FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW | \
	 FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME)

/* The kernel tells the times of what it has unlinked when it lets go of it; nobody will look. */
static bool for_nobody(struct server *server, struct inum ino, int what)
{
	const struct inode *inode;
	bool gone = false;

	if (what & ~TIMES)
		return false;
	vol_read_begin(server->vol);
	if (!node_get(server->nodes, ino, &inode)) {
		gone = !inode->nlink;
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	return gone;
}

static void do_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st, int what,
		       struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct touch t = {node_inum(server, node), wanted_attr(st, what), request_is_root(req)};
	struct fuse_entry_param e;
	const struct inode *inode;
	int err = 0;

	file_lock(server->changer, t.ino);
	if (what & FUSE_SET_ATTR_SIZE) {
		file_changed(server->changer, t.ino);
		err = st->st_size < 0
			  ? -EINVAL
			  : set_size(server, t.ino,
				     INODE_FLAG_APPEND | (fi ? 0 : INODE_FLAG_IMMUTABLE),
				     (u64)st->st_size);
	}
	if (!err && !for_nobody(server, t.ino, what))
		err = change(server->changer, touch_step, &t);
	file_unlock(server->changer, t.ino);
	vol_read_begin(server->vol);
	if (!err)
		err = node_get(server->nodes, t.ino, &inode);
	if (!err) {
		entry_fill(server, inode, &e);
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	if (err)
		reply_failure(req, err, "setattr", node);
	else
		fuse_reply_attr(req, &e.attr, e.attr_timeout);
}

/* ---- fallocate ---- */

struct allocation {
	struct inum ino;
	u64 at, end;
	bool punch;
};

static int allocation_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct allocation *a = arg;
	int err = a->punch ? file_punch_step(vol, txn, a->ino, &a->at, a->end)
			   : file_allocate_step(vol, txn, a->ino, &a->at, a->end);

	*more = !err && a->at < a->end;
	return err;
}

/* Zeroes in what is mapped and written of the range, to its edges; inner blocks may go. */
static int make_zero(struct server *server, struct inum ino, u64 off, u64 end, bool punch)
{
	struct piece_of_work w = {.ino = ino, .off = off, .len = end - off, .kind = FILE_PLAN_ZERO};
	const struct geometry *g = &server->vol->geo;
	struct allocation a = {.ino = ino,
			       .at = div_up_u64(off, g->block_size),
			       .end = end >> g->block_log,
			       .punch = true};
	u64 done;
	int err = 0;

	if (punch && a.at < a.end)
		err = change_series(server->changer, allocation_step, &a, sizeof(a));
	return err ? err : work_through(server->changer, &w, &done);
}

static int allocate(struct server *server, struct inum ino, u64 off, u64 end)
{
	const struct geometry *g = &server->vol->geo;
	struct allocation a = {
	    .ino = ino, .at = off >> g->block_log, .end = div_up_u64(end, g->block_size)};

	return change_series(server->changer, allocation_step, &a, sizeof(a));
}

static int fallocate_range(struct server *server, struct inum ino, int mode, u64 off, u64 end)
{
	u64 size = 0;
	int err = current_size(
	    server, ino,
	    INODE_FLAG_IMMUTABLE | (mode & ~FALLOC_FL_KEEP_SIZE ? INODE_FLAG_APPEND : 0), &size);

	if (err)
		return err;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return make_zero(server, ino, off, end, true);
	if (mode & FALLOC_FL_ZERO_RANGE)
		err = make_zero(server, ino, off, end, true);
	if (!err)
		err = allocate(server, ino, off, end);
	if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > size)
		err = set_size(server, ino, 0, end);
	return err;
}

static void do_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t off, off_t len,
			 struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct inum ino = node_inum(server, node);
	int err = 0;

	(void)fi;
	if (exchanges_flush_asks(server, req)) {
		fuse_reply_err(req, 0);
		return;
	}
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		err = -EOPNOTSUPP;
	if (!err && (off < 0 || len <= 0))
		err = -EINVAL;
	if (!err && (u64)off + (u64)len > FILE_SIZE_MAX)
		err = -EFBIG;
	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	file_lock(server->changer, ino);
	file_changed(server->changer, ino);
	err = fallocate_range(server, ino, mode, (u64)off, (u64)off + (u64)len);
	if (!err)
		err = touch_now(server->changer, ino);
	file_unlock(server->changer, ino);
	if (err)
		reply_failure(req, err, "fallocate", node);
	else
		fuse_reply_err(req, 0);
}

/* ---- for others ---- */

int data_write(struct server *server, struct inum ino, u64 off, const u8 *bytes, u64 len, u64 *done)
{
	struct piece_of_work w = {
	    .ino = ino, .off = off, .len = len, .kind = FILE_PLAN_WRITE, .bytes = bytes};

	return work_through(server->changer, &w, done);
}

int data_grow(struct server *server, struct inum ino, u64 size)
{
	return set_size(server, ino, 0, size);
}

int data_touch(struct server *server, struct inum ino)
{
	return touch_now(server->changer, ino);
}

/* ---- durability ---- */

static void do_fsync(fuse_req_t req, fuse_ino_t node, int data_only, struct fuse_file_info *fi)
{
	const struct server *server = server_of(req);
	int err = force(server_of(req));

	(void)data_only;
	/* what was written before may have gone with a flush that others, or nobody, waited for */
	if (!err && fi && fi->fh != atomic_load(&server->vol->home->lost))
		err = fail(-EIO, "%s: what was written may be lost", server->vol->home->name);
	if (err)
		reply_failure(req, err, "fsync", node);
	else
		fuse_reply_err(req, 0);
}

/* Directories are not opened; what they hold is written anew when a flush fails. */
static void do_fsyncdir(fuse_req_t req, fuse_ino_t node, int data_only, struct fuse_file_info *fi)
{
	(void)fi;
	do_fsync(req, node, data_only, NULL);
}

void write_ops(struct fuse_lowlevel_ops *ops)
{
	ops->write = do_write;
	ops->setattr = do_setattr;
	ops->fallocate = do_fallocate;
	ops->copy_file_range = do_copy_file_range;
	ops->fsync = do_fsync;
	ops->fsyncdir = do_fsyncdir;
}
