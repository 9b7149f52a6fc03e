/* Requests for file data: read and lseek; see fs/file_data.h. */
#include "fuse/request.h"

#include "base/trail.h"
#include "fs/file_data.h"
#include "fuse/node.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_reply(fuse_req_t req, struct server *server, const struct inode *inode, u64 off,
		       u64 size)
{
	struct scratch *scratch = scratch_take(server, size);
	int err = scratch ? file_read(server->vol, inode, off, size, scratch->bytes)
			  : fail(-ENOMEM, "out of memory");

	if (err)
		reply_failure(req, err, "read", inum_node(server, inode->ino));
	else
		fuse_reply_buf(req, (const char *)scratch->bytes, size);
	scratch_drop(server, scratch);
}

void do_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	const struct inode *inode;
	int err = node_get(server->nodes, node_inum(server, node), &inode);
	u64 from = (u64)off;

	(void)fi;
	if (err) {
		reply_failure(req, err, "read", node);
		return;
	}
	if (!S_ISREG(inode->mode))
		fuse_reply_err(req, S_ISDIR(inode->mode) ? EISDIR : EINVAL);
	else if (from >= inode->size || !size)
		fuse_reply_buf(req, NULL, 0);
	else
		read_reply(req, server, inode, from, min_u64(size, inode->size - from));
	node_put(server->nodes, inode);
}

void do_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	const struct inode *inode;
	s64 at = node_get(server->nodes, node_inum(server, node), &inode);

	(void)fi;
	if (!at) {
		if (!S_ISREG(inode->mode) || (whence != SEEK_DATA && whence != SEEK_HOLE))
			at = -EINVAL;
		else
			at = off < 0 ? -ENXIO
				     : file_seek(server->vol, inode, (u64)off, whence == SEEK_DATA);
		node_put(server->nodes, inode);
	}
	if (at == -ENXIO)
		fuse_reply_err(req, ENXIO);
	else if (at < 0)
		reply_failure(req, (int)at, "lseek", node);
	else
		fuse_reply_lseek(req, at);
}
