/* Requests that change names, inodes and attributes; see change.h. */
#include "fuse/change.h"

#include "base/trail.h"
#include "fs/attr_modify.h"
#include "fuse/acl.h"
#include "fuse/node.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static struct names_entry entry_of(struct server *server, fuse_ino_t dir, const char *name)
{
	return (struct names_entry){node_inum(server, dir), name, (u32)strlen(name)};
}

static void reply(fuse_req_t req, int err, const char *what, fuse_ino_t node)
{
	if (err)
		reply_failure(req, err, what, node);
	else
		fuse_reply_err(req, 0);
}

/* ---- new names ---- */

struct create {
	struct names_entry at;
	struct names_new new;
	struct inum ino;
};

static int create_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct create *c = arg;

	return names_create(vol, txn, &c->at, &c->new, &c->ino);
}

static int fill_entry(struct server *server, struct inum ino, struct fuse_entry_param *e)
{
	const struct inode *inode;
	int err;

	vol_read_begin(server->vol);
	err = node_get(server->nodes, ino, &inode);
	if (!err) {
		entry_fill(server, inode, e);
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	return err;
}

static int make(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t device,
		const char *target, struct fuse_entry_param *e)
{
	struct server *server = server_of(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct create c = {.at = entry_of(server, dir, name),
			   .new = {.mode = (u16)mode,
				   .umask = (u16)(ctx->umask & 0777),
				   .group_of_dir = server->options.grpid,
				   .uid = ctx->uid,
				   .gid = ctx->gid,
				   .major = major(device),
				   .minor = minor(device),
				   .target = target,
				   .now = time_now()}};
	int err = change(server->changer, create_step, &c);

	return err ? err : fill_entry(server, c.ino, e);
}

static void make_and_reply(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
			   dev_t device, const char *target)
{
	struct fuse_entry_param e = {0};
	int err = make(req, dir, name, mode, device, target, &e);

	if (err)
		reply_failure(req, err, "create", dir);
	else
		fuse_reply_entry(req, &e);
}

static void do_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t device)
{
	make_and_reply(req, dir, name, mode & S_IFMT ? mode : mode | S_IFREG, device, NULL);
}

static void do_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	make_and_reply(req, dir, name, (mode & ~(mode_t)S_IFMT) | S_IFDIR, 0, NULL);
}

static void do_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name)
{
	make_and_reply(req, dir, name, S_IFLNK | 0777, 0, target);
}

static void reply_opened(fuse_req_t req, int err, fuse_ino_t dir, const struct fuse_entry_param *e,
			 struct fuse_file_info *fi)
{
	if (err) {
		reply_failure(req, err, "create", dir);
		return;
	}
	opened(server_of(req), fi);
	fuse_reply_create(req, e, fi);
}

static void do_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	struct fuse_entry_param e = {0};
	int err = make(req, dir, name, (mode & ~(mode_t)S_IFMT) | S_IFREG, 0, NULL, &e);

	reply_opened(req, err, dir, &e, fi);
}

#ifdef HAVE_FUSE_TMPFILE
static int tmpfile_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct create *c = arg;

	return names_tmpfile(vol, txn, c->at.dir, &c->new, &c->ino);
}

/* It has no name from the start; when it is forgotten, and has got none by then, it is taken apart.
 */
static void do_tmpfile(fuse_req_t req, fuse_ino_t dir, mode_t mode, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fuse_entry_param e = {0};
	struct create c = {.at = {.dir = node_inum(server, dir)},
			   .new = {.mode = (u16)((mode & ~(mode_t)S_IFMT) | S_IFREG),
				   .umask = (u16)(ctx->umask & 0777),
				   .group_of_dir = server->options.grpid,
				   .uid = ctx->uid,
				   .gid = ctx->gid,
				   .now = time_now()}};
	int err = change(server->changer, tmpfile_step, &c);

	if (!err) {
		orphan_add(server->changer, c.ino);
		err = fill_entry(server, c.ino, &e);
	}
	reply_opened(req, err, dir, &e, fi);
}
#endif

struct link {
	struct names_entry at;
	struct inum ino;
	struct names_time now;
};

static int link_step(struct vol *vol, struct txn *txn, void *arg)
{
	const struct link *l = arg;

	return names_link(vol, txn, &l->at, l->ino, &l->now);
}

static void do_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t dir, const char *name)
{
	struct server *server = server_of(req);
	struct link l = {entry_of(server, dir, name), node_inum(server, node), time_now()};
	struct fuse_entry_param e = {0};
	int err = change(server->changer, link_step, &l);

	if (!err)
		err = fill_entry(server, l.ino, &e);
	if (err)
		reply_failure(req, err, "link", node);
	else
		fuse_reply_entry(req, &e);
}

/* ---- fewer names ---- */

struct removal {
	struct names_entry at, to;
	struct names_time now;
	u32 flags;
	bool dir;
	struct inum gone;
};

static int remove_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct removal *r = arg;

	return r->dir ? names_rmdir(vol, txn, &r->at, &r->now, &r->gone)
		      : names_unlink(vol, txn, &r->at, &r->now, &r->gone);
}

static void remove_and_reply(fuse_req_t req, fuse_ino_t dir, const char *name, bool is_dir)
{
	struct server *server = server_of(req);
	struct removal r = {.at = entry_of(server, dir, name), .now = time_now(), .dir = is_dir};
	int err = change(server->changer, remove_step, &r);

	if (!err)
		orphan_add(server->changer, r.gone);
	reply(req, err, "unlink", dir);
}

static void do_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_and_reply(req, dir, name, false);
}

static void do_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_and_reply(req, dir, name, true);
}

static int rename_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct removal *r = arg;

	return names_rename(vol, txn, &r->at, &r->to, r->flags, &r->now, &r->gone);
}

static void do_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t to_dir,
		      const char *to, unsigned int flags)
{
	struct server *server = server_of(req);
	struct removal r = {.at = entry_of(server, dir, name),
			    .to = entry_of(server, to_dir, to),
			    .now = time_now(),
			    .flags = flags};
	int err = change(server->changer, rename_step, &r);

	if (!err)
		orphan_add(server->changer, r.gone);
	reply(req, err, "rename", dir);
}

static void do_forget(fuse_req_t req, fuse_ino_t node, u64 count)
{
	struct server *server = server_of(req);

	(void)count;
	orphan_forget(server->changer, node_inum(server, node));
	fuse_reply_none(req);
}

static void do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct server *server = server_of(req);

	for (size_t i = 0; i < count; i++)
		orphan_forget(server->changer, node_inum(server, forgets[i].ino));
	fuse_reply_none(req);
}

/* ---- attributes ---- */

/* The attribute of Linux as the one that is stored; ACLs are converted into `scratch`. */
static int stored_attr(const char *name, const void *value, size_t size, u8 *scratch,
		       struct attr *out)
{
	struct wanted wanted = wanted_of(name);
	s64 length = (s64)size;

	if (!wanted.name)
		return -EOPNOTSUPP;
	if (wanted.acl && value) {
		length = acl_from_xattr(value, size, scratch, ATTR_VALUE_MAX);
		value = scratch;
	}
	if (length < 0)
		return (int)length;
	*out = (struct attr){.flags = wanted.flags,
			     .name = wanted.name,
			     .name_length = (u32)strlen(wanted.name),
			     .value = value,
			     .value_length = (u32)length};
	return 0;
}

struct attr_request {
	struct inum ino;
	struct attr attr;
	enum attr_how how;
	bool remove, none; /* none: it shall not be there, and may be so already */
	int mode;	   /* of an access ACL: the permissions; -1: they stay */
	struct names_time now;
};

static int attr_step(struct vol *vol, struct txn *txn, void *arg)
{
	const struct attr_request *r = arg;
	struct names_attr touch = {.what = SETATTR_CTIME | SETATTR_MEANT, .ctime = r->now};
	int err = r->remove || r->none ? attr_remove(vol, txn, r->ino, &r->attr)
				       : attr_set(vol, txn, r->ino, &r->attr, r->how);

	if (err == -ENODATA && r->none)
		err = 0;
	if (!err && r->mode >= 0) {
		touch.what |= SETATTR_RWX;
		touch.mode = (u16)r->mode;
	}
	return err ? err : names_setattr(vol, txn, r->ino, &touch);
}

static void do_setxattr(fuse_req_t req, fuse_ino_t node, const char *name, const char *value,
			size_t size, int flags)
{
	struct server *server = server_of(req);
	struct attr_request r = {.ino = node_inum(server, node),
				 .how = flags & 1   ? ATTR_HOW_CREATE
					: flags & 2 ? ATTR_HOW_REPLACE
						    : ATTR_HOW_ANY,
				 .mode = -1,
				 .now = time_now()};
	struct scratch *scratch = scratch_take(server, ATTR_VALUE_MAX);
	int err = scratch ? stored_attr(name, value, size, scratch->bytes, &r.attr) : -ENOMEM;

	if (!err && !strcmp(name, ACL_ACCESS_XATTR)) {
		r.mode = acl_mode(r.attr.value, r.attr.value_length);
		/* one that says no more than a mode is kept as that alone */
		r.none = acl_is_mode(r.attr.value, r.attr.value_length);
	}
	if (!err)
		err = change(server->changer, attr_step, &r);
	reply(req, err, "setxattr", node);
	scratch_drop(server, scratch);
}

static void do_removexattr(fuse_req_t req, fuse_ino_t node, const char *name)
{
	struct server *server = server_of(req);
	struct attr_request r = {
	    .ino = node_inum(server, node), .remove = true, .mode = -1, .now = time_now()};
	int err = stored_attr(name, NULL, 0, NULL, &r.attr);

	if (!err)
		err = change(server->changer, attr_step, &r);
	reply(req, err, "removexattr", node);
}

void change_ops(struct fuse_lowlevel_ops *ops)
{
	ops->mknod = do_mknod;
	ops->mkdir = do_mkdir;
	ops->symlink = do_symlink;
	ops->create = do_create;
#ifdef HAVE_FUSE_TMPFILE
	ops->tmpfile = do_tmpfile;
#endif
	ops->link = do_link;
	ops->unlink = do_unlink;
	ops->rmdir = do_rmdir;
	ops->rename = do_rename;
	ops->forget = do_forget;
	ops->forget_multi = do_forget_multi;
	ops->setxattr = do_setxattr;
	ops->removexattr = do_removexattr;
}
