/*
 * The server: its life, names to nodes, answers to what has no file of its own; see server.h.
 *
 * Locking: server->lock guards the list of scratch memory and the set of noted lines, for a few
 * instructions each.  All else is set before the first request.
 */
#include "fuse/server.h"

#include "base/trail.h"
#include "format/super.h"
#include "fs/dir.h"
#include "fs/health.h"
#include "fs/quota.h"
#include "fs/symlink.h"
#include "fuse/behind.h"
#include "fuse/change.h"
#include "fuse/exchange.h"
#include "fuse/ioctl.h"
#include "fuse/node.h"
#include "fuse/request.h"
#include "scrub/item.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int server_create(struct vol *vol, const struct server_options *options, struct server **out)
{
	struct server *server = env_alloc(vol->env, sizeof(*server));
	const struct heal_options heal = {
	    .policy = options->heal, .wake = server_wake, .arg = server};
	int err;

	if (!server)
		return fail(-ENOMEM, "out of memory");
	server->vol = vol;
	server->options = *options;
	server->lock = vol->env->lock_create(vol->env);
	err = server->lock ? node_cache_open(vol, &server->nodes) : fail(-ENOMEM, "out of memory");
	if (!err)
		err = health_open(vol);
	if (!err)
		err = changer_open(vol, &server->changer);
	if (!err && server->changer)
		server->changer->sync = options->sync;
	if (!err && server->changer && options->discard)
		err = discards_open(server->changer);
	if (!err && server->changer)
		err = heal_open(vol, &heal, &server->heal);
	if (!err && server->changer)
		server->changer->heal = server->heal;
	if (!err && server->changer)
		err = behind_open(server);
	if (!err)
		err = ioctl_scrub_open(server);
	if (err) {
		server_destroy(server);
		return err;
	}
	*out = server;
	return 0;
}

void server_destroy(struct server *server)
{
	if (!server)
		return;
	behind_close(server);
	while (server->scratches) {
		struct scratch *next = server->scratches->next;

		env_free(server->vol->env, server->scratches);
		server->scratches = next;
	}
	exchanges_close(server);
	changer_close(server->changer);
	heal_close(server->heal);
	scrub_close(server->scrub);
	health_close(server->vol);
	node_cache_close(server->nodes);
	if (server->lock)
		server->vol->env->lock_destroy(server->vol->env, server->lock);
	env_free(server->vol->env, server);
}

struct inum node_inum(const struct server *server, fuse_ino_t node)
{
	return inum_of(node == FUSE_ROOT_ID ? server->vol->geo.root_ino : node);
}

fuse_ino_t inum_node(const struct server *server, struct inum ino)
{
	return ino.v == server->vol->geo.root_ino ? FUSE_ROOT_ID : ino.v;
}

struct scratch *scratch_take(struct server *server, size_t size)
{
	struct env *env = server->vol->env;
	struct scratch *scratch;

	env->lock_take(server->lock);
	scratch = server->scratches;
	if (scratch)
		server->scratches = scratch->next;
	env->lock_drop(server->lock);
	if (scratch && scratch->size >= size)
		return scratch;
	env_free(env, scratch);
	scratch = env_alloc(env, sizeof(*scratch) + size);
	if (scratch)
		scratch->size = size;
	return scratch;
}

void scratch_drop(struct server *server, struct scratch *scratch)
{
	struct env *env = server->vol->env;

	if (!scratch)
		return;
	env->lock_take(server->lock);
	scratch->next = server->scratches;
	server->scratches = scratch;
	env->lock_drop(server->lock);
}

/* True the first time. A line whose hash shares its place with another may be told again. */
static bool note_is_new(struct server *server, const char *line)
{
	struct env *env = server->vol->env;
	u64 hash = 0xcbf29ce484222325ull; /* FNV-1a */
	bool is_new;

	for (const char *c = line; *c; c++)
		hash = (hash ^ (u8)*c) * 0x100000001b3ull;
	env->lock_take(server->lock);
	is_new = server->noted[hash % NOTES_REMEMBERED] != hash;
	server->noted[hash % NOTES_REMEMBERED] = hash;
	env->lock_drop(server->lock);
	return is_new;
}

static bool tells_of_damage(int err)
{
	return err_is_damage(err) || err == -EIO || err == -ENXIO || err == -ENOMEM;
}

void note_failure(struct server *server, int err)
{
	const char *line = trail_text();

	if (tells_of_damage(err) && note_is_new(server, line))
		server->vol->env->note(server->vol->env, line);
}

/* The errno that a program gets: one for all damage, since a checksum that does not fit is no
 * message of a protocol to it. */
static int error_for_program(int err)
{
	if (err == -EBADMSG)
		return EUCLEAN;
	return err == -ENXIO ? EIO : -err;
}

void reply_failure(fuse_req_t req, int err, const char *what, fuse_ino_t node)
{
	struct server *server = server_of(req);
	char number[24];

	if (!server->heal)
		health_met(server->vol->health, err);
	else if (heal_takes(server->heal, err))
		return; /* it will be tried again */
	if (tells_of_damage(err)) {
		snprintf(number, sizeof(number), "%llu",
			 (unsigned long long)node_inum(server, node).v);
		if (strstr(trail_text(), number)) /* it says whose block it was */
			fail_in(err, "%s", what);
		else
			fail_in(err, "%s: inode %s", what, number);
		note_failure(server, err);
	}
	fuse_reply_err(req, error_for_program(err));
}

void entry_fill(const struct server *server, const struct inode *inode, struct fuse_entry_param *e)
{
	e->ino = inum_node(server, inode->ino);
	e->generation = inode->gen;
	e->attr_timeout = KEEP_SECONDS;
	e->entry_timeout = KEEP_SECONDS;
	stat_fill(&server->vol->geo, inode, &e->attr);
}

/* The inode that a directory entry leads to: one that is not there is damage. */
static int child_get(struct server *server, struct inum ino, const char *name, bool is_parent,
		     const struct inode **out)
{
	int err = node_get(server->nodes, ino, out);

	if (err == -ENOENT)
		return fail(-EUCLEAN, "`%s' leads to inode %llu, which is free", name,
			    (unsigned long long)ino.v);
	if (err)
		return err;
	if (!is_parent && ino.v == server->vol->geo.root_ino) {
		node_put(server->nodes, *out);
		return fail(-EUCLEAN, "`%s' leads to the root directory", name);
	}
	return 0;
}

struct search {
	const char *name;
	u32 length;
	struct inum ino; /* of the entry that has been found */
};

static int search_entry(void *arg, const struct dir_entry *entry)
{
	struct search *search = arg;

	if (entry->length != search->length || memcmp(entry->name, search->name, entry->length))
		return 0;
	search->ino = entry->ino;
	return 1;
}

/* A damaged index costs no name: then all entries are looked through. */
static int name_find(struct server *server, const struct inode *dir, const char *name,
		     struct inum *ino)
{
	struct search search = {.name = name, .length = (u32)strlen(name)};
	u8 type;
	int err = dir_lookup(server->vol, dir, name, search.length, ino, &type);

	if (!err_is_damage(err))
		return err;
	health_met(server->vol->health, err);
	fail_in(err, "lookup");
	note_failure(server, err);
	err = dir_each(server->vol, dir, 0, search_entry, &search);
	if (err < 0)
		return err;
	*ino = search.ino;
	return err ? 0 : -ENOENT;
}

/* -ENOENT: no such name.  The directory itself is what `.` means, whatever it may be. */
static int lookup_in(struct server *server, const struct inode *dir, const char *name,
		     const struct inode **out)
{
	bool is_parent = !strcmp(name, "..");
	struct inum ino;
	int err;

	/* by a handle; the last to have it open has let go of it, and it is being taken apart */
	if (!strcmp(name, ".") && !dir->nlink)
		return -ESTALE;
	if (!strcmp(name, "."))
		return node_get(server->nodes, dir->ino, out);
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	err = name_find(server, dir, name, &ino);
	return err ? err : child_get(server, ino, name, is_parent, out);
}

/* As node_get(), for a node id of the kernel: -ESTALE when the inode is gone. */
static int request_node(struct server *server, fuse_ino_t node, const struct inode **out)
{
	int err = node_get(server->nodes, node_inum(server, node), out);

	return err == -ENOENT ? -ESTALE : err;
}

void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct server *server = server_of(req);
	struct fuse_entry_param e = {.entry_timeout = KEEP_SECONDS};
	const struct inode *dir, *child;
	int err = request_node(server, parent, &dir);

	if (!err) {
		err = lookup_in(server, dir, name, &child);
		node_put(server->nodes, dir);
	}
	if (!err) {
		entry_fill(server, child, &e);
		node_put(server->nodes, child);
	}
	if (!err || err == -ENOENT) /* e.ino 0: the kernel may remember that there is none */
		fuse_reply_entry(req, &e);
	else
		reply_failure(req, err, "lookup", parent);
}

static void do_forget(fuse_req_t req, fuse_ino_t node, u64 count)
{
	(void)node;
	(void)count;
	fuse_reply_none(req);
}

static void do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	(void)count;
	(void)forgets;
	fuse_reply_none(req);
}

/* A root that cannot be read has to be there all the same: by it a repair is asked for. */
static void stand_in(fuse_req_t req)
{
	const struct stat st = {
	    .st_ino = FUSE_ROOT_ID, .st_mode = S_IFDIR | 0500, .st_nlink = 2, .st_uid = geteuid()};

	fuse_reply_attr(req, &st, 0);
}

static void do_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	const struct inode *inode;
	struct stat st;
	int err = request_node(server, node, &inode);

	(void)fi;
	if (node == FUSE_ROOT_ID && err_is_damage(err) &&
	    !(server->heal && heal_takes(server->heal, err))) {
		note_failure(server, err);
		stand_in(req);
		return;
	}
	if (err) {
		reply_failure(req, err, "stat", node);
		return;
	}
	stat_fill(&server->vol->geo, inode, &st);
	node_put(server->nodes, inode);
	fuse_reply_attr(req, &st, KEEP_SECONDS);
}

static void do_readlink(fuse_req_t req, fuse_ino_t node)
{
	struct server *server = server_of(req);
	char target[SYMLINK_MAX + 1];
	const struct inode *inode;
	int err = request_node(server, node, &inode);

	if (!err) {
		err = S_ISLNK(inode->mode) ? symlink_read(server->vol, inode, target) : -EINVAL;
		node_put(server->nodes, inode);
	}
	if (err < 0)
		reply_failure(req, err, "readlink", node);
	else
		fuse_reply_readlink(req, target);
}

void opened(struct server *server, struct fuse_file_info *fi)
{
	fi->keep_cache = 1;
	fi->noflush = 1;
	fi->fh = atomic_load(&server->vol->home->lost);
}

/* ENOSYS tells a kernel that knows it never to ask again: there is nothing to open. */
static void do_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	if (server_of(req)->no_open) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	opened(server_of(req), fi);
	fuse_reply_open(req, fi);
}

/* Of an immutable file nothing may be opened to be changed, of one that is append-only no more than
 * that. The kernel knows nothing of these flags, and with its cache a write would have been told
 * to have gone well long before it comes here. */
static void do_open_writable(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	const struct inode *inode;
	int err = 0;

	if ((fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC) {
		err = request_node(server, node, &inode);
		if (!err) {
			if (inode->flags & INODE_FLAG_IMMUTABLE ||
			    (inode->flags & INODE_FLAG_APPEND && !(fi->flags & O_APPEND)))
				err = -EPERM;
			node_put(server->nodes, inode);
		}
	}
	if (err)
		reply_failure(req, err, "open", node);
	else
		do_open(req, node, fi);
}

static void do_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	if (server_of(req)->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	fi->cache_readdir = 1;
	fuse_reply_open(req, fi);
}

static void do_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	(void)fi;
	fuse_reply_err(req, 0);
}

/* Nothing is ever unwritten. */
static void do_fsync(fuse_req_t req, fuse_ino_t node, int data_only, struct fuse_file_info *fi)
{
	(void)data_only;
	do_release(req, node, fi);
}

void geometry_now(struct server *server, struct geometry *g)
{
	struct vol *vol = server->vol;
	const struct meta_type *type = vol_type(vol, META_SUPERBLOCK);
	const struct where where = {.type = type->name, .ag = 0, .ino = NO_INO, .owner = NO_OWNER};
	struct buf *buf;

	*g = vol->geo;
	if (vol->journal &&
	    !cache_get(vol->cache, type, &where, daddr_of(0), g->sector_size, &buf)) {
		const struct sb *sb = (const struct sb *)buf->data;

		g->fdblocks = be64_get(sb->fdblocks);
		g->icount = be64_get(sb->icount);
		g->ifree = be64_get(sb->ifree);
		memcpy(g->label, sb->fname, sizeof(sb->fname));
		if (be16_get(sb->versionnum) & SB_VERSION_ATTR)
			g->features |= 1ull << FEATURE_ATTR; /* comes with the first */
		cache_put(vol->cache, buf);
	}
}

bool request_is_admin(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return !ctx->uid || ctx->uid == geteuid();
}

/* The record of the project whose limits hold for what is made in there. */
static bool project_of(struct server *server, fuse_ino_t node, struct dquot *out)
{
	const struct inode *inode;
	bool found = false;

	if (!(quota_types_enforced(&server->vol->geo) & DQUOT_PROJECT))
		return false;
	vol_read_begin(server->vol);
	if (!request_node(server, node, &inode)) {
		found = inode->flags & INODE_FLAG_PROJINHERIT &&
			!quota_read(server->vol, DQUOT_PROJECT, inode->projid, out);
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	return found;
}

static void do_statfs(fuse_req_t req, fuse_ino_t node)
{
	struct server *server = server_of(req);
	struct geometry g;
	struct statvfs st;
	struct dquot d;

	if (server->changer)
		orphans_flush(server->changer);
	geometry_now(server, &g);
	statfs_fill(&g, &st);
	if (project_of(server, node, &d))
		statfs_limit(&d, &st);
	fuse_reply_statfs(req, &st);
}

static void want(struct fuse_conn_info *conn, unsigned capability, bool wanted)
{
	if (wanted)
		conn->want |= conn->capable & capability;
	else
		conn->want &= ~capability;
}

static void do_init(void *data, struct fuse_conn_info *conn)
{
	struct server *server = data;

	want(conn, FUSE_CAP_EXPORT_SUPPORT, true);
	want(conn, FUSE_CAP_POSIX_ACL, server->options.permissions);
	/* A default ACL stands in for the umask, and only we know of it. */
	want(conn, FUSE_CAP_DONT_MASK, server->changer);
	want(conn, FUSE_CAP_READDIRPLUS, true);
	/* Attributes with every listing: the kernel's guess falls short where a program reads all
	 * names before it looks at the first, as fts does, and what it costs is little. */
	want(conn, FUSE_CAP_READDIRPLUS_AUTO, false);
	want(conn, FUSE_CAP_PARALLEL_DIROPS, true);
	want(conn, FUSE_CAP_CACHE_SYMLINKS, true);
	want(conn, FUSE_CAP_IOCTL_DIR, true);
	want(conn, FUSE_CAP_ASYNC_READ, true);
	/* The content never changes under the kernel. */
	want(conn, FUSE_CAP_AUTO_INVAL_DATA, false);
	want(conn, FUSE_CAP_EXPLICIT_INVAL_DATA, true);
	/* Who has used up his quota hears it from write(2), and not when it is too late. */
	want(conn, FUSE_CAP_WRITEBACK_CACHE,
	     server->changer && !quota_types_enforced(&server->vol->geo));
	/* The kernel knows who may keep setuid bits, and takes them away by setattr. */
	want(conn, FUSE_CAP_HANDLE_KILLPRIV, false);
	/* Answers come from memory: splicing small ones costs more than copying them. */
	want(conn, FUSE_CAP_SPLICE_READ, false);
	conn->max_write = SERVER_MAX_READ; /* decides how many pages a request may have */
	conn->max_read = SERVER_MAX_READ;
	conn->time_gran = 1;
	/* whether a file may be opened to be written, only we know */
	server->no_open = conn->capable & FUSE_CAP_NO_OPEN_SUPPORT && !server->changer;
	server->no_opendir = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
	if (server->options.up)
		server->options.up(server->options.arg);
}

static const struct fuse_lowlevel_ops reading_ops = {
    .init = do_init,
    .lookup = do_lookup,
    .forget = do_forget,
    .forget_multi = do_forget_multi,
    .getattr = do_getattr,
    .readlink = do_readlink,
    .open = do_open,
    .read = do_read,
    .release = do_release,
    .fsync = do_fsync,
    .opendir = do_opendir,
    .readdir = do_readdir,
    .readdirplus = do_readdirplus,
    .releasedir = do_release,
    .fsyncdir = do_fsync,
    .statfs = do_statfs,
    .getxattr = do_getxattr,
    .listxattr = do_listxattr,
    .lseek = do_lseek,
    .ioctl = do_ioctl,
};

/* ---- the same, while others change things ---- */

static bool is_down(fuse_req_t req)
{
	if (!atomic_load_explicit(&server_of(req)->down, memory_order_relaxed))
		return false;
	fuse_reply_err(req, EIO);
	return true;
}

/* What a request reads belongs together. When it has been answered, `req` is gone. */
#define WHILE_READING(name, call, ...)                         \
	static void steady_##name(fuse_req_t req, __VA_ARGS__) \
	{                                                      \
		struct vol *vol = server_of(req)->vol;         \
		struct heal *heal = server_of(req)->heal;      \
                                                               \
		if (is_down(req))                              \
			return;                                \
		heal_arm(heal);                                \
		do {                                           \
			vol_read_begin(vol);                   \
			call;                                  \
			vol_read_end(vol);                     \
		} while (heal_again(heal));                    \
	}
WHILE_READING(open, do_open_writable(req, node, fi), fuse_ino_t node, struct fuse_file_info *fi)
WHILE_READING(lookup, do_lookup(req, dir, name), fuse_ino_t dir, const char *name)
WHILE_READING(getattr, do_getattr(req, node, fi), fuse_ino_t node, struct fuse_file_info *fi)
WHILE_READING(readlink, do_readlink(req, node), fuse_ino_t node)
WHILE_READING(read, do_read(req, node, size, off, fi), fuse_ino_t node, size_t size, off_t off,
	      struct fuse_file_info *fi)
WHILE_READING(readdir, do_readdir(req, node, size, off, fi), fuse_ino_t node, size_t size,
	      off_t off, struct fuse_file_info *fi)
WHILE_READING(readdirplus, do_readdirplus(req, node, size, off, fi), fuse_ino_t node, size_t size,
	      off_t off, struct fuse_file_info *fi)
WHILE_READING(getxattr, do_getxattr(req, node, name, size), fuse_ino_t node, const char *name,
	      size_t size)
WHILE_READING(listxattr, do_listxattr(req, node, size), fuse_ino_t node, size_t size)
WHILE_READING(lseek, do_lseek(req, node, off, whence, fi), fuse_ino_t node, off_t off, int whence,
	      struct fuse_file_info *fi)

struct fuse_lowlevel_ops server_ops(const struct server *server)
{
	struct fuse_lowlevel_ops ops = reading_ops;

	if (!server->changer)
		return ops;
	ops.open = steady_open;
	ops.lookup = steady_lookup;
	ops.getattr = steady_getattr;
	ops.readlink = steady_readlink;
	ops.read = steady_read;
	ops.readdir = steady_readdir;
	ops.readdirplus = steady_readdirplus;
	ops.getxattr = steady_getxattr;
	ops.listxattr = steady_listxattr;
	ops.lseek = steady_lseek;
	write_ops(&ops);
	change_ops(&ops);
	return ops;
}

#define THREADS_MAX 10 /* fewer than what the kernel has under way, 12: see ending.c */
#define THREADS_IDLE_MAX 4

int server_run(struct fuse_session *session, bool one_thread)
{
	struct fuse_loop_config *config;
	int err;

	if (one_thread)
		return fuse_session_loop(session);
	config = fuse_loop_cfg_create();
	if (!config)
		return fail(-ENOMEM, "out of memory");
	fuse_loop_cfg_set_clone_fd(config, 1);
	fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
	fuse_loop_cfg_set_idle_threads(config, THREADS_IDLE_MAX);
	err = fuse_session_loop_mt(session, config);
	fuse_loop_cfg_destroy(config);
	return err;
}
