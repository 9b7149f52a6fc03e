/*
 * The ioctls that change something: flags and attributes of an inode, the label, the shutdown, and
 * trimming.
 *
 * Who may set which flags the kernel has looked at before it asks; what belongs to administrators
 * is for the superuser and for who has mounted it.
 */
#include "fuse/ioctl.h"

#include "base/trail.h"
#include "fs/trim.h"
#include "fuse/change.h"
#include "fuse/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define IOC_GOINGDOWN _IOR('X', 125, u32)

static void reply(fuse_req_t req, int err, const char *what, fuse_ino_t node)
{
	if (err)
		reply_failure(req, err, what, node);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}

/* ---- flags ---- */

#define FL_KNOWN                                                                                  \
	(FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NOATIME_FL | FS_NODUMP_FL | FS_SYNC_FL | FS_DAX_FL | \
	 FS_PROJINHERIT_FL)

struct flags_request {
	struct inum ino;
	struct names_flags wanted;
	struct names_time now;
	bool forced; /* may give to who has too much already */
};

static int flags_step(struct vol *vol, struct txn *txn, void *arg)
{
	const struct flags_request *r = arg;

	if (r->forced)
		txn_set_forced(txn);
	return names_set_flags(vol, txn, r->ino, &r->wanted, &r->now);
}

static struct names_flags flags_of_fsx(const struct fsxattr *fsx)
{
	struct names_flags f = {.realtime = fsx->fsx_xflags & FS_XFLAG_REALTIME,
				.extsize = fsx->fsx_extsize,
				.cowextsize = fsx->fsx_cowextsize,
				.projid = fsx->fsx_projid};

	for (u32 i = 0; i < INODE_FLAG_NAMES; i++)
		if (fsx->fsx_xflags & inode_flag_names[i].xflag)
			f.flags |= inode_flag_names[i].flag;
	if (fsx->fsx_xflags & FS_XFLAG_DAX)
		f.flags2 |= INODE_FLAG2_DAX;
	if (fsx->fsx_xflags & FS_XFLAG_COWEXTSIZE)
		f.flags2 |= INODE_FLAG2_COWEXTSIZE;
	return f;
}

/* Those of FS_IOC_SETFLAGS in place of what they stand for. */
static void replace_flags(struct fsxattr *fsx, u32 fl)
{
	for (u32 i = 0; i < INODE_FLAG_NAMES; i++) {
		if (!inode_flag_names[i].fl)
			continue;
		fsx->fsx_xflags &= ~inode_flag_names[i].xflag;
		if (fl & inode_flag_names[i].fl)
			fsx->fsx_xflags |= inode_flag_names[i].xflag;
	}
	fsx->fsx_xflags &= ~(u32)FS_XFLAG_DAX;
	if (fl & FS_DAX_FL)
		fsx->fsx_xflags |= FS_XFLAG_DAX;
}

static int current_fsx(struct server *server, struct inum ino, struct fsxattr *fsx)
{
	const struct inode *inode;
	int err;

	vol_read_begin(server->vol);
	err = node_get(server->nodes, ino, &inode);
	if (!err) {
		*fsx = fsxattr_answer(&server->vol->geo, inode);
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	return err;
}

static int set_flags(fuse_req_t req, struct inum ino, unsigned cmd, const void *in, size_t in_size)
{
	struct server *server = server_of(req);
	struct flags_request r = {.ino = ino, .now = time_now(), .forced = request_is_root(req)};
	struct fsxattr fsx;
	u32 fl = 0;
	int err = 0;

	if (cmd == (unsigned)FS_IOC_FSSETXATTR) {
		if (in_size < sizeof(fsx))
			return -EINVAL;
		memcpy(&fsx, in, sizeof(fsx));
	} else {
		if (in_size < sizeof(fl))
			return -EINVAL;
		memcpy(&fl, in, sizeof(fl));
		if (fl & ~(u32)FL_KNOWN)
			return -EOPNOTSUPP;
		err = current_fsx(server, ino, &fsx);
		if (!err)
			replace_flags(&fsx, fl);
	}
	if (err)
		return err;
	r.wanted = flags_of_fsx(&fsx);
	return change(server->changer, flags_step, &r);
}

/* ---- the filesystem ---- */

struct label_request {
	char label[IOCTL_LABEL_SIZE + 1];
	u32 ag;
};

static int label_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct label_request *r = arg;

	return label_set_step(vol, txn, r->label, &r->ag, more);
}

static int set_label(struct server *server, const void *in, size_t in_size)
{
	struct label_request r = {.ag = 0};

	memcpy(r.label, in, min_u64(in_size, IOCTL_LABEL_SIZE));
	return change_series(server->changer, label_step, &r, sizeof(r));
}

enum going { GOING_FLUSH, GOING_LOG, GOING_NOW };

/* The kernel does not bring the word with it, since the number says that it would only be read. It
 * is looked for where the program has it; who may not look takes it that the log is to be written,
 * which loses least. */
static enum going going_word(fuse_req_t req, const void *user)
{
	char path[32];
	u32 word = GOING_LOG;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)fuse_req_ctx(req)->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return GOING_LOG;
	if (pread(fd, &word, sizeof(word), (off_t)(uintptr_t)user) != sizeof(word) ||
	    word > GOING_NOW)
		word = GOING_LOG;
	close(fd);
	return word;
}

static int go_down(struct server *server, enum going how)
{
	struct journal *j = server->vol->journal;
	int err = how == GOING_NOW ? 0 : journal_force(j, journal_number(j), how == GOING_FLUSH);

	atomic_store(&server->down, true);
	vol_stop(server->vol);
	return err;
}

/* The range comes in and goes out, with how much it was. */
static void trim(fuse_req_t req, fuse_ino_t node, const void *in, size_t in_size, size_t out_size)
{
	struct server *server = server_of(req);
	struct fstrim_range range;
	u64 bytes = server->vol->geo.data_blocks << server->vol->geo.block_log;
	struct trim t = {0};
	int err = in_size < sizeof(range) || out_size < sizeof(range) ? -EINVAL : 0;

	if (!err) {
		memcpy(&range, in, sizeof(range));
		err = range.start >= bytes || range.len < server->vol->geo.block_size ? -EINVAL : 0;
	}
	if (!err) {
		t.at = range.start;
		t.end = range.len > bytes - range.start ? bytes : range.start + range.len;
		t.least = range.minlen;
		orphans_flush(server->changer);
		err = trim_run(server->vol, &t);
	}
	if (err) {
		reply_failure(req, err, "trim", node);
		return;
	}
	range.len = t.discarded;
	fuse_reply_ioctl(req, 0, &range, sizeof(range));
}

void change_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, const void *user, const void *in,
		  size_t in_size, size_t out_size)
{
	struct server *server = server_of(req);
	bool known = cmd == (unsigned)FS_IOC_SETFLAGS || cmd == (unsigned)FS_IOC_FSSETXATTR ||
		     cmd == (unsigned)FS_IOC_SETFSLABEL || cmd == (unsigned)FITRIM ||
		     cmd == (unsigned)IOC_GOINGDOWN;
	bool of_inode = cmd == (unsigned)FS_IOC_SETFLAGS || cmd == (unsigned)FS_IOC_FSSETXATTR;

	if (!known)
		fuse_reply_err(req, ENOTTY);
	else if (!of_inode && !request_is_admin(req))
		fuse_reply_err(req, EPERM);
	else if (!server->changer)
		fuse_reply_err(req, EROFS);
	else if (of_inode)
		reply(req, set_flags(req, node_inum(server, node), cmd, in, in_size),
		      "setting flags", node);
	else if (cmd == (unsigned)FS_IOC_SETFSLABEL)
		reply(req, set_label(server, in, in_size), "setting the label", node);
	else if (cmd == (unsigned)IOC_GOINGDOWN)
		reply(req, go_down(server, going_word(req, user)), "going down", node);
	else
		trim(req, node, in, in_size, out_size);
}
