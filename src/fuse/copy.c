/*
 * copy_file_range: blocks are shared where source and target lie alike in their blocks; what is in
 * front of the first whole block and behind the last is copied.
 *
 * Anything else is left to the kernel (EOPNOTSUPP), which copies through its cache.  The kernel has
 * written back what it has of the source, and forgets what it has of the target.
 */
#include "base/trail.h"
#include "fs/file_data.h"
#include "fs/file_share.h"
#include "fs/file_write.h"
#include "fuse/change.h"
#include "fuse/node.h"

#include <errno.h>
#include <sys/stat.h>

#define COPY_MAX (1ull << 30) /* bytes of one request: a bounded number of steps */

struct copy {
	struct server *server;
	struct inum from, to;
	u64 from_at, to_at, len; /* what is left to do, bytes */
	u64 done;
};

static int size_of(struct server *server, struct inum ino, u64 *size)
{
	const struct inode *inode;
	int err;

	vol_read_begin(server->vol);
	err = node_get(server->nodes, ino, &inode);
	if (!err) {
		*size = inode->size;
		err = S_ISREG(inode->mode) ? 0 : -EINVAL;
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	return err;
}

static void went(struct copy *c, u64 bytes)
{
	c->from_at += bytes;
	c->to_at += bytes;
	c->len -= bytes;
	c->done += bytes;
}

/* Less than a block. */
static int copy_bytes(struct copy *c, u64 bytes)
{
	struct server *server = c->server;
	struct scratch *scratch;
	const struct inode *inode;
	u64 done = 0;
	int err;

	if (!bytes)
		return 0;
	scratch = scratch_take(server, bytes);
	if (!scratch)
		return fail(-ENOMEM, "out of memory");
	vol_read_begin(server->vol);
	err = node_get(server->nodes, c->from, &inode);
	if (!err) {
		err = file_read(server->vol, inode, c->from_at, bytes, scratch->bytes);
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	if (!err)
		err = data_write(server, c->to, c->to_at, scratch->bytes, bytes, &done);
	went(c, done);
	scratch_drop(server, scratch);
	return err;
}

static int share_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct file_share *s = arg;
	int err = file_share_step(vol, txn, s);

	*more = !err && s->blocks;
	return err;
}

/* `bytes` from the start of a block on. */
static int share_bytes(struct copy *c, u64 bytes)
{
	const struct geometry *g = &c->server->vol->geo;
	struct file_share s = {.from = c->from,
			       .to = c->to,
			       .from_at = c->from_at >> g->block_log,
			       .to_at = c->to_at >> g->block_log,
			       .blocks = div_up_u64(bytes, g->block_size),
			       .size = c->to_at + bytes};
	int err = change_series(c->server->changer, share_step, &s, sizeof(s));
	u64 done = (s.to_at << g->block_log) - c->to_at;

	went(c, min_u64(done, bytes));
	return err;
}

static int copy_range(struct copy *c)
{
	const struct geometry *g = &c->server->vol->geo;
	u64 mask = g->block_size - 1, head = (g->block_size - (c->from_at & mask)) & mask, tail;
	u64 from_size = 0, to_size = 0;
	int err = size_of(c->server, c->from, &from_size);

	if (!err)
		err = size_of(c->server, c->to, &to_size);
	if (err)
		return err;
	c->len = c->from_at < from_size ? min_u64(c->len, from_size - c->from_at) : 0;
	if (!c->len)
		return 0;
	if ((c->from_at ^ c->to_at) & mask || !geometry_has(g, FEATURE_REFLINK) ||
	    c->len < head + g->block_size)
		return -EOPNOTSUPP;
	/* the block with the end of the source may go where the target ends */
	tail = (c->from_at + c->len) & mask;
	if (c->from_at + c->len == from_size && to_size <= c->to_at + c->len)
		tail = 0;
	if (c->to_at > to_size)
		err = data_grow(c->server, c->to, c->to_at);
	if (!err)
		err = copy_bytes(c, head);
	if (!err)
		err = share_bytes(c, c->len - tail);
	return err ? err : copy_bytes(c, tail);
}

void do_copy_file_range(fuse_req_t req, fuse_ino_t node, off_t off, struct fuse_file_info *fi,
			fuse_ino_t to_node, off_t to_off, struct fuse_file_info *to_fi, size_t len,
			int flags)
{
	struct server *server = server_of(req);
	struct copy c = {.server = server,
			 .from = node_inum(server, node),
			 .to = node_inum(server, to_node),
			 .from_at = (u64)off,
			 .to_at = (u64)to_off,
			 .len = min_u64(len, COPY_MAX)};
	int err;

	(void)fi;
	(void)to_fi;
	if (flags || off < 0 || to_off < 0) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	files_lock(server->changer, c.from, c.to);
	file_changed(server->changer, c.to);
	err = copy_range(&c);
	if (c.done)
		data_touch(server, c.to);
	files_unlock(server->changer, c.from, c.to);
	if (err && !c.done)
		reply_failure(req, err, "copy", node);
	else
		fuse_reply_write(req, (size_t)c.done);
}
