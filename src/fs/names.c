/*
 * Making, linking and removing names; see names.h.
 *
 * 1. A directory's link count is 2 and one more for each directory in it.
 * 2. With parent pointers, each name but `.` and `..` has one in the inode that it names.
 */
#include "fs/names.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "format/dir.h"
#include "fs/acl.h"
#include "fs/attr_modify.h"
#include "fs/dir.h"
#include "fs/dir_modify.h"
#include "fs/names_impl.h"

#include <errno.h>
#include <sys/stat.h>

static int check_entry(const struct names_entry *at)
{
	if (!at->length)
		return fail(-EINVAL, "a name of no bytes");
	if (at->length > DIR_NAME_MAX)
		return fail(-ENAMETOOLONG, "a name of %u bytes", at->length);
	return 0;
}

/* The directory, to be changed; shall: a name is to be taken away from it. */
static int open_dir(struct vol *vol, struct txn *txn, struct inum dir, bool takes, struct node *out)
{
	int err = node_open(vol, txn, dir, out);
	u32 flags;

	if (err)
		return err;
	flags = be16_get(out->d->flags);
	if (!node_is(out, S_IFDIR))
		return fail(-ENOTDIR, "inode %llu is no directory", (unsigned long long)dir.v);
	if (flags & INODE_FLAG_IMMUTABLE || (takes && flags & INODE_FLAG_APPEND))
		return fail(-EPERM, "directory %llu may not be changed", (unsigned long long)dir.v);
	if (!be32_get(out->d->nlink))
		return fail(-ENOENT, "directory %llu has been removed", (unsigned long long)dir.v);
	return 0;
}

static int find(struct vol *vol, struct txn *txn, const struct node *dir,
		const struct names_entry *at, struct inum *ino)
{
	struct vol view = vol_in(vol, txn);
	struct inode inode;
	u8 type;

	inode_parse(&vol->geo, dir->ino, dir->buf->data, &inode);
	return dir_lookup(&view, &inode, at->name, at->length, ino, &type);
}

/* d is NULL for what has not been opened. */
static u8 type_of(const struct node *n)
{
	return n->d ? dir_type_of_mode(be16_get(n->d->mode)) : DIR_FT_UNKNOWN;
}

/* The parent pointer that belongs to a name. */
static int point(struct vol *vol, struct txn *txn, struct inum child, const struct names_entry *at,
		 const struct node *dir, bool add)
{
	int err;

	if (!geometry_has(&vol->geo, FEATURE_PARENT))
		return 0;
	err = parent_change(vol, txn, child, at->dir, be32_get(dir->d->gen), at->name, at->length,
			    add);
	/* of the name it is sure by now that it is there, or that it is not */
	if (err == -ENODATA || err == -EEXIST)
		err = fail(
		    -EUCLEAN,
		    "inode %llu: %s parent pointer '%.*s' to directory %llu, where the name %s",
		    (unsigned long long)child.v, add ? "has a" : "has no", (int)at->length,
		    at->name, (unsigned long long)at->dir.v, add ? "is not" : "is");
	return err;
}

static int enter(struct vol *vol, struct txn *txn, const struct names_entry *at,
		 const struct node *dir, const struct node *child)
{
	int err = MUTATE(NAME_NOT_ADDED) ? 0
					 : dir_add(vol, txn, at->dir, at->name, at->length,
						   child->ino, type_of(child));

	return err ? err : point(vol, txn, child->ino, at, dir, true);
}

static int leave(struct vol *vol, struct txn *txn, const struct names_entry *at,
		 const struct node *dir, const struct node *child)
{
	int err =
	    MUTATE(NAME_NOT_REMOVED) ? 0 : dir_remove(vol, txn, at->dir, at->name, at->length);

	return err ? err : point(vol, txn, child->ino, at, dir, false);
}

/* ---- new ones ---- */

/* What a file takes from its directory. */
static void inherit(const struct node *dir, struct node *n)
{
	u32 from = be16_get(dir->d->flags), flags = 0;
	bool is_dir = node_is(n, S_IFDIR), regular = node_is(n, S_IFREG);

	flags |= from & (INODE_FLAG_NODUMP | INODE_FLAG_NOATIME | INODE_FLAG_SYNC |
			 INODE_FLAG_NODEFRAG | INODE_FLAG_NOSYMLINKS);
	if (!is_dir && !regular)
		flags = 0;
	if (is_dir)
		flags |= from & (INODE_FLAG_EXTSZINHERIT | INODE_FLAG_PROJINHERIT);
	else if (regular && from & INODE_FLAG_EXTSZINHERIT)
		flags |= INODE_FLAG_EXTSIZE;
	if (flags & (INODE_FLAG_EXTSZINHERIT | INODE_FLAG_EXTSIZE))
		n->d->extsize = dir->d->extsize;
	if (from & INODE_FLAG_PROJINHERIT) {
		n->d->projid_lo = dir->d->projid_lo;
		n->d->projid_hi = dir->d->projid_hi;
	}
	if (be64_get(dir->d->flags2) & INODE_FLAG2_COWEXTSIZE && (is_dir || regular)) {
		n->d->flags2 = be64_make(be64_get(n->d->flags2) | INODE_FLAG2_COWEXTSIZE);
		n->d->cowextsize = dir->d->cowextsize;
	}
	n->d->flags = be16_make((u16)flags);
}

/* The ACLs, when the inode is all there but for its name. */
static int give_acls(struct vol *vol, struct txn *txn, const struct node *n, const struct acl *dflt,
		     const struct acl *access)
{
	int err = 0;

	if (access->bytes)
		err = acl_give(vol, txn, n->ino, ACL_ACCESS_NAME, access);
	if (!err && dflt->bytes && node_is(n, S_IFDIR))
		err = acl_give(vol, txn, n->ino, ACL_DEFAULT_NAME, dflt);
	return err;
}

static int fill(struct vol *vol, struct txn *txn, const struct node *dir,
		const struct names_new *new, u16 mode, struct node *n)
{
	struct be32 *device;
	struct inum ino;
	int err;

	if (be16_get(dir->d->mode) & S_ISGID && S_ISDIR(mode))
		mode |= S_ISGID;
	err = inode_alloc(vol, txn, dir->ino, mode, &ino, &n->buf);
	if (err)
		return err;
	n->ino = ino;
	n->d = (struct dinode *)n->buf->data;
	n->d->uid = be32_make(new->uid);
	n->d->gid = be16_get(dir->d->mode) & S_ISGID || new->group_of_dir ? dir->d->gid
									  : be32_make(new->gid);
	inherit(dir, n);
	node_touch(txn, n, NODE_ATIME | NODE_MTIME | NODE_CTIME, &new->now);
	n->d->crtime = n->d->ctime;
	if (S_ISCHR(mode) || S_ISBLK(mode)) {
		device = (struct be32 *)(n->d + 1);
		*device = be32_make(new->major << 18 | (new->minor & 0x3ffff));
	}
	if (S_ISLNK(mode))
		err = node_write_target(vol, txn, n, new->target);
	if (S_ISDIR(mode))
		err = dir_init(vol, txn, n->ino, dir->ino);
	return err;
}

/* The default ACL of the directory stands in for the mask of the program. Links have none. */
static int make(struct vol *vol, struct txn *txn, const struct node *dir,
		const struct names_new *new, struct node *n)
{
	struct acl dflt = {.env = vol->env}, access = {.env = vol->env};
	u16 mode = new->mode;
	int err = 0;

	if (!S_ISLNK(mode))
		err = acl_load(vol, txn, dir->ino, ACL_DEFAULT_NAME, &dflt);
	if (!err && dflt.bytes)
		err = acl_load(vol, txn, dir->ino, ACL_DEFAULT_NAME, &access);
	if (!err && access.bytes) {
		if (!acl_narrow(&access, &mode))
			acl_drop(&access);
	} else if (!S_ISLNK(mode)) {
		mode &= (u16) ~new->umask;
	}
	if (!err)
		err = fill(vol, txn, dir, new, mode, n);
	if (!err)
		err = give_acls(vol, txn, n, &dflt, &access);
	acl_drop(&dflt);
	acl_drop(&access);
	return err;
}

int names_create(struct vol *vol, struct txn *txn, const struct names_entry *at,
		 const struct names_new *new, struct inum *out)
{
	struct node dir = {0}, n = {0};
	int err = check_entry(at);

	if (!err)
		err = open_dir(vol, txn, at->dir, false, &dir);
	if (!err)
		err = make(vol, txn, &dir, new, &n);
	if (!err)
		err = node_links(txn, &n, S_ISDIR(new->mode) ? 2 : 1);
	if (!err)
		err = enter(vol, txn, at, &dir, &n);
	if (!err && S_ISDIR(new->mode) && !MUTATE(MKDIR_PARENT))
		err = node_links(txn, &dir, 1);
	if (err)
		return err;
	node_touch(txn, &dir, NODE_MTIME | NODE_CTIME, &new->now);
	*out = n.ino;
	return 0;
}

int names_tmpfile(struct vol *vol, struct txn *txn, struct inum dir_ino,
		  const struct names_new *new, struct inum *out)
{
	struct node dir, n = {0};
	int err = open_dir(vol, txn, dir_ino, false, &dir);

	if (!err && !S_ISREG(new->mode))
		err = fail(-EINVAL, "only regular files can be without a name");
	if (!err)
		err = make(vol, txn, &dir, new, &n);
	if (!err)
		err = iunlink_add(vol, txn, n.ino);
	*out = n.ino;
	return err;
}

/* Nothing is brought into a directory that gives its project to all that is made in it, if it is of
 * another: it would count for both, or for none. */
static int check_project(const struct node *dir, const struct node *n)
{
	if (!(be16_get(dir->d->flags) & INODE_FLAG_PROJINHERIT) ||
	    (be16_get(dir->d->projid_lo) == be16_get(n->d->projid_lo) &&
	     be16_get(dir->d->projid_hi) == be16_get(n->d->projid_hi)))
		return 0;
	return fail(-EXDEV, "inode %llu is of another project", (unsigned long long)n->ino.v);
}

int names_link(struct vol *vol, struct txn *txn, const struct names_entry *at, struct inum ino,
	       const struct names_time *now)
{
	struct node dir, n;
	int err = check_entry(at);

	if (!err)
		err = open_dir(vol, txn, at->dir, false, &dir);
	if (!err)
		err = node_open(vol, txn, ino, &n);
	if (err)
		return err;
	if (node_is(&n, S_IFDIR) ||
	    be16_get(n.d->flags) & (INODE_FLAG_IMMUTABLE | INODE_FLAG_APPEND))
		return fail(-EPERM, "inode %llu may not be linked", (unsigned long long)ino.v);
	err = check_project(&dir, &n);
	if (err)
		return err;
	if (!be32_get(n.d->nlink))
		err = iunlink_remove(vol, txn, ino);
	if (!err)
		err = node_links(txn, &n, 1);
	if (!err)
		err = enter(vol, txn, at, &dir, &n);
	if (err)
		return err;
	node_touch(txn, &n, NODE_CTIME, now);
	node_touch(txn, &dir, NODE_MTIME | NODE_CTIME, now);
	return 0;
}

/* ---- removing ---- */

static int open_child(struct vol *vol, struct txn *txn, struct inum ino, struct node *n)
{
	int err = node_open(vol, txn, ino, n);

	if (!err && be16_get(n->d->flags) & (INODE_FLAG_IMMUTABLE | INODE_FLAG_APPEND))
		err = fail(-EPERM, "inode %llu may not be removed", (unsigned long long)ino.v);
	return err;
}

static int check_empty(struct vol *vol, struct txn *txn, const struct node *n)
{
	struct vol view = vol_in(vol, txn);
	struct inode inode;
	int err;

	inode_parse(&vol->geo, n->ino, n->buf->data, &inode);
	err = dir_is_empty(&view, &inode);
	if (err < 0)
		return err;
	return err ? 0
		   : fail(-ENOTEMPTY, "directory %llu is not empty", (unsigned long long)n->ino.v);
}

/* The name has gone; its inode, when that was the last. A directory had `.`, too, and its `..`
 * counted for the one it was in. */
static int lose(struct vol *vol, struct txn *txn, struct node *dir, struct node *n,
		const struct names_time *now, struct inum *gone)
{
	int err = 0;

	if (node_is(n, S_IFDIR)) {
		if (!MUTATE(RMDIR_PARENT))
			err = node_links(txn, dir, -1);
		if (!err)
			err = node_links(txn, n, -1);
	}
	node_touch(txn, n, NODE_CTIME, now);
	return err ? err : node_drop_link(vol, txn, n, gone);
}

static int take_away(struct vol *vol, struct txn *txn, const struct names_entry *at, bool want_dir,
		     const struct names_time *now, struct inum *gone)
{
	struct node dir, n;
	struct inum ino = {0};
	int err = open_dir(vol, txn, at->dir, true, &dir);

	*gone = inum_of(0);
	txn_set_giving(txn);
	if (!err)
		err = find(vol, txn, &dir, at, &ino);
	if (!err)
		err = open_child(vol, txn, ino, &n);
	if (err)
		return err;
	if (node_is(&n, S_IFDIR) != want_dir)
		return fail(want_dir ? -ENOTDIR : -EISDIR, "inode %llu is %s directory",
			    (unsigned long long)ino.v, want_dir ? "no" : "a");
	if (want_dir)
		err = check_empty(vol, txn, &n);
	if (!err)
		err = leave(vol, txn, at, &dir, &n);
	if (!err)
		err = lose(vol, txn, &dir, &n, now, gone);
	if (!err)
		node_touch(txn, &dir, NODE_MTIME | NODE_CTIME, now);
	return err;
}

int names_unlink(struct vol *vol, struct txn *txn, const struct names_entry *at,
		 const struct names_time *now, struct inum *gone)
{
	return take_away(vol, txn, at, false, now, gone);
}

int names_rmdir(struct vol *vol, struct txn *txn, const struct names_entry *at,
		const struct names_time *now, struct inum *gone)
{
	return take_away(vol, txn, at, true, now, gone);
}

/* ---- renaming ---- */

struct rename {
	struct vol *vol;
	struct txn *txn;
	const struct names_entry *from, *to;
	const struct names_time *now;
	struct node from_dir, to_dir, source, target; /* target.d NULL: there is none */
	u32 flags;
};

#define DEPTH_MAX 100000 /* directories up to the root */

/* `dir` is not `below`, nor anywhere below it. */
static int check_loop(struct rename *r, struct inum dir, struct inum below)
{
	struct vol view = vol_in(r->vol, r->txn);

	for (u32 depth = 0; depth < DEPTH_MAX; depth++) {
		struct inode inode;
		struct inum up;
		u8 type;
		int err;

		if (dir.v == below.v)
			return fail(-EINVAL, "a directory cannot go into itself");
		if (dir.v == r->vol->geo.root_ino)
			return 0;
		err = inode_get(&view, dir, &inode);
		if (!err)
			err = dir_lookup(&view, &inode, "..", 2, &up, &type);
		inode_put(&view, &inode);
		if (err)
			return err;
		dir = up;
	}
	return fail(-EUCLEAN, "directory %llu: no way up to the root", (unsigned long long)dir.v);
}

static int open_rename(struct rename *r)
{
	struct inum ino = {0};
	int err = check_entry(r->to);

	if (!err)
		err = open_dir(r->vol, r->txn, r->from->dir, true, &r->from_dir);
	if (!err)
		err = open_dir(r->vol, r->txn, r->to->dir, r->flags & NAMES_EXCHANGE, &r->to_dir);
	if (!err)
		err = find(r->vol, r->txn, &r->from_dir, r->from, &ino);
	if (!err)
		err = open_child(r->vol, r->txn, ino, &r->source);
	if (err)
		return err;
	err = find(r->vol, r->txn, &r->to_dir, r->to, &ino);
	if (err == -ENOENT)
		return r->flags & NAMES_EXCHANGE ? err : 0;
	if (!err && r->flags & NAMES_NOREPLACE)
		err = fail(-EEXIST, "the new name is there already");
	if (!err)
		err = open_child(r->vol, r->txn, ino, &r->target);
	return err;
}

static int check_rename(struct rename *r)
{
	bool source_dir = node_is(&r->source, S_IFDIR), target_dir;
	int err = check_project(&r->to_dir, &r->source);

	if (!err && source_dir && r->from->dir.v != r->to->dir.v)
		err = check_loop(r, r->to->dir, r->source.ino);
	if (err || !r->target.d)
		return err;
	target_dir = node_is(&r->target, S_IFDIR);
	if (r->flags & NAMES_EXCHANGE)
		return target_dir && r->from->dir.v != r->to->dir.v
			   ? check_loop(r, r->from->dir, r->target.ino)
			   : 0;
	if (source_dir && !target_dir)
		return fail(-ENOTDIR, "a directory cannot replace a file");
	if (!source_dir && target_dir)
		return fail(-EISDIR, "a file cannot replace a directory");
	return target_dir ? check_empty(r->vol, r->txn, &r->target) : 0;
}

/* The directory `n` has moved from `old` to `new`. */
static int move_dotdot(struct rename *r, struct node *n, struct node *old, struct node *new)
{
	int err;

	if (!node_is(n, S_IFDIR) || old->ino.v == new->ino.v)
		return 0;
	err =
	    MUTATE(DOTDOT) ? 0 : dir_replace(r->vol, r->txn, n->ino, "..", 2, new->ino, DIR_FT_DIR);
	if (!err)
		err = node_links(r->txn, old, -1);
	return err ? err : node_links(r->txn, new, 1);
}

/* `n` gets the name `at`, which something else has, and loses the name `was`. */
static int put_over(struct rename *r, const struct names_entry *at, const struct node *dir,
		    const struct node *other, const struct names_entry *was,
		    const struct node *was_dir, const struct node *n)
{
	int err = dir_replace(r->vol, r->txn, at->dir, at->name, at->length, n->ino, type_of(n));

	if (!err)
		err = point(r->vol, r->txn, other->ino, at, dir, false);
	if (!err)
		err = point(r->vol, r->txn, n->ino, was, was_dir, false);
	return err ? err : point(r->vol, r->txn, n->ino, at, dir, true);
}

static int exchange(struct rename *r)
{
	int err = dir_replace(r->vol, r->txn, r->to->dir, r->to->name, r->to->length, r->source.ino,
			      type_of(&r->source));

	if (!err)
		err = dir_replace(r->vol, r->txn, r->from->dir, r->from->name, r->from->length,
				  r->target.ino, type_of(&r->target));
	if (!err)
		err = point(r->vol, r->txn, r->source.ino, r->from, &r->from_dir, false);
	if (!err)
		err = point(r->vol, r->txn, r->target.ino, r->to, &r->to_dir, false);
	if (!err)
		err = point(r->vol, r->txn, r->source.ino, r->to, &r->to_dir, true);
	if (!err)
		err = point(r->vol, r->txn, r->target.ino, r->from, &r->from_dir, true);
	if (!err)
		err = move_dotdot(r, &r->source, &r->from_dir, &r->to_dir);
	if (!err)
		err = move_dotdot(r, &r->target, &r->to_dir, &r->from_dir);
	node_touch(r->txn, &r->target, NODE_CTIME, r->now);
	return err;
}

/* What stays under the old name: nothing, or a whiteout (a character device 0, 0). */
static int empty_place(struct rename *r)
{
	const struct names_new whiteout = {.mode = S_IFCHR, .now = *r->now};
	struct node n = {0};
	int err;

	if (!(r->flags & NAMES_WHITEOUT))
		return dir_remove(r->vol, r->txn, r->from->dir, r->from->name, r->from->length);
	err = make(r->vol, r->txn, &r->from_dir, &whiteout, &n);
	if (!err)
		err = node_links(r->txn, &n, 1);
	if (!err)
		err = dir_replace(r->vol, r->txn, r->from->dir, r->from->name, r->from->length,
				  n.ino, DIR_FT_CHAR);
	return err ? err : point(r->vol, r->txn, n.ino, r->from, &r->from_dir, true);
}

static int move(struct rename *r, struct inum *gone)
{
	int err;

	if (r->target.d) {
		err = put_over(r, r->to, &r->to_dir, &r->target, r->from, &r->from_dir, &r->source);
		if (!err)
			err = lose(r->vol, r->txn, &r->to_dir, &r->target, r->now, gone);
	} else {
		err = dir_add(r->vol, r->txn, r->to->dir, r->to->name, r->to->length, r->source.ino,
			      type_of(&r->source));
		if (!err)
			err = point(r->vol, r->txn, r->source.ino, r->from, &r->from_dir, false);
		if (!err)
			err = point(r->vol, r->txn, r->source.ino, r->to, &r->to_dir, true);
	}
	if (!err)
		err = empty_place(r);
	return err ? err : move_dotdot(r, &r->source, &r->from_dir, &r->to_dir);
}

int names_rename(struct vol *vol, struct txn *txn, const struct names_entry *from,
		 const struct names_entry *to, u32 flags, const struct names_time *now,
		 struct inum *gone)
{
	struct rename r = {
	    .vol = vol, .txn = txn, .from = from, .to = to, .now = now, .flags = flags};
	int err;

	*gone = inum_of(0);
	if (flags & ~(NAMES_NOREPLACE | NAMES_EXCHANGE | NAMES_WHITEOUT) ||
	    (flags & NAMES_EXCHANGE && flags != NAMES_EXCHANGE))
		return fail(-EINVAL, "rename: flags %x", flags);
	err = open_rename(&r);
	/* two names of one inode: nothing happens */
	if (!err && r.target.d && r.target.ino.v == r.source.ino.v)
		return 0;
	if (!err)
		err = check_rename(&r);
	if (!err)
		err = flags & NAMES_EXCHANGE ? exchange(&r) : move(&r, gone);
	if (err)
		return err;
	node_touch(txn, &r.source, NODE_CTIME, now);
	node_touch(txn, &r.from_dir, NODE_MTIME | NODE_CTIME, now);
	node_touch(txn, &r.to_dir, NODE_MTIME | NODE_CTIME, now);
	return 0;
}

/* ---- attributes of inodes ---- */

#define ATTR_OWNERS (SETATTR_MODE | SETATTR_RWX | SETATTR_UID | SETATTR_GID | SETATTR_MEANT)

int names_setattr(struct vol *vol, struct txn *txn, struct inum ino, const struct names_attr *attr)
{
	struct node n;
	int err = node_open(vol, txn, ino, &n);
	u32 flags;

	if (err)
		return err;
	flags = be16_get(n.d->flags);
	if ((flags & INODE_FLAG_IMMUTABLE && attr->what & ~(SETATTR_MTIME | SETATTR_CTIME)) ||
	    (flags & INODE_FLAG_APPEND && attr->what & ATTR_OWNERS))
		return fail(-EPERM, "inode %llu may not be changed", (unsigned long long)ino.v);
	txn_dirty(txn, n.buf);
	if (attr->what & SETATTR_MODE)
		n.d->mode = be16_make((u16)((be16_get(n.d->mode) & S_IFMT) | (attr->mode & 07777)));
	if (attr->what & SETATTR_RWX)
		n.d->mode = be16_make((u16)((be16_get(n.d->mode) & ~0777u) | (attr->mode & 0777)));
	if (attr->what & SETATTR_UID)
		n.d->uid = be32_make(attr->uid);
	if (attr->what & SETATTR_GID)
		n.d->gid = be32_make(attr->gid);
	if (attr->what & SETATTR_ATIME)
		n.d->atime = node_time(&n, &attr->atime);
	if (attr->what & SETATTR_MTIME)
		n.d->mtime = node_time(&n, &attr->mtime);
	if (attr->what & SETATTR_CTIME)
		n.d->ctime = node_time(&n, &attr->ctime);
	n.d->changecount = be64_make(be64_get(n.d->changecount) + 1);
	return attr->what & SETATTR_MODE ? acl_follow_mode(vol, txn, ino, attr->mode) : 0;
}
