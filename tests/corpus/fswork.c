/*
 * fswork: does random aging work in a mounted directory, fills directories for
 * benchmarks, and prints a canonical listing of a tree.
 *
 *   fswork age  [options] DIR    seeded random work (fswork age --help)
 *   fswork fill KIND DIR [N]     million | bigdir | reflink: benchmark trees
 *   fswork sum  [-b] [-D] DIR    canonical listing, one line per name, sorted
 *
 * It fails with status 1 when an operation fails in a way that a sound
 * filesystem does not show, 3 when the filesystem went away (EIO, EUCLEAN,
 * ESHUTDOWN, EBADMSG) in the middle of the work, and 2 on wrong usage.  Errors
 * that random work is bound to meet (ENOSPC, ENOENT, EOPNOTSUPP ...) are
 * counted and printed.  "sum" prints error=NAME in the line of what could not
 * be read and ends with status 1.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT (1 << 2)
#endif
#ifndef FALLOC_FL_UNSHARE_RANGE
#define FALLOC_FL_UNSHARE_RANGE 0x40
#endif

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_GONE = 3 };
enum { XATTR_MAX = 65536, PATH_ROOM = 3000, NAME_ROOM = 256, IO_MAX = 1 << 20 };

/* ---- random numbers: splitmix64, so that a seed means the same everywhere ---- */

struct rng {
	uint64_t state;
};

static uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t rng_below(struct rng *r, uint64_t n)
{
	return n ? rng_next(r) % n : 0;
}

static bool rng_one_in(struct rng *r, uint64_t n)
{
	return rng_below(r, n) == 0;
}

/* A size whose magnitude is uniform: small ones are as likely as large ones. */
static uint64_t rng_size(struct rng *r, uint64_t max)
{
	unsigned bits = 0;

	while (bits < 63 && (UINT64_C(1) << bits) < max)
		bits++;
	uint64_t v = rng_below(r, (UINT64_C(1) << rng_below(r, bits + 1)) + 1);
	return v > max ? max : v;
}

static void rng_fill(struct rng *r, unsigned char *buf, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t v = rng_next(r);

		memcpy(buf + i, &v, n - i < 8 ? n - i : 8);
	}
}

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "fswork: out of memory\n");
		exit(STATUS_FAILED);
	}
	return p;
}

/* ---- aging: the tree as we believe it to be ---- */

struct node {
	struct node *parent;
	char *name;
	unsigned index; /* place in work.nodes */
	unsigned depth;
	unsigned children;
	mode_t type;
};

struct options {
	const char *dir;
	uint64_t seed, ops, max_file;
	unsigned seconds, jobs, max_nodes, orphans, linger, fsync_every;
	unsigned bigdir, bigname, bigkeep, fragments, attrs, rt_percent;
	bool far, projects, quiet, fill, plain;
};

struct work {
	const struct options *o;
	struct rng rng;
	struct node **nodes;
	unsigned count, room;
	unsigned *orphan_fds;
	uint64_t serial, done, errors[256];
	unsigned char *buf;
	int gone, odd;
	const char *op;
};

static bool errno_is_gone(int e)
{
	return e == EIO || e == EUCLEAN || e == ESHUTDOWN || e == EBADMSG;
}

static bool errno_is_expected(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
	case ENOENT:
	case EEXIST:
	case ENOTEMPTY:
	case ENOTDIR:
	case EISDIR:
	case EINVAL:
	case EOPNOTSUPP:
	case ENOTTY:
	case ENODATA:
	case ENAMETOOLONG:
	case EFBIG:
	case EPERM:
	case E2BIG:
	case ERANGE:
	case EXDEV:
	case EMLINK:
	case ELOOP:
	case ENXIO:
	case EBUSY:
	case ETXTBSY:
	case EMFILE:
	case ENOSYS:
		return true;
	default:
		return false;
	}
}

/* Counts the outcome of an operation; returns whether it succeeded. */
static bool note(struct work *w, long result)
{
	if (result >= 0)
		return true;
	int e = errno;

	if (e >= 0 && e < 256)
		w->errors[e]++;
	if (errno_is_gone(e)) {
		w->gone = e;
	} else if (!errno_is_expected(e)) {
		w->odd = e;
		fprintf(stderr, "fswork: %s: unexpected %s\n", w->op, strerrorname_np(e));
	}
	return false;
}

static bool path_of(const struct node *n, char *out, size_t room)
{
	size_t at = room - 1;

	out[at] = 0;
	if (!n->parent) {
		memcpy(out, ".", 2);
		return true;
	}
	for (; n->parent; n = n->parent) {
		size_t len = strlen(n->name);

		if (len + 1 > at)
			return false;
		at -= len;
		memcpy(out + at, n->name, len);
		if (n->parent->parent)
			out[--at] = '/';
	}
	memmove(out, out + at, room - at);
	return true;
}

static struct node *node_add(struct work *w, struct node *parent, const char *name, mode_t type)
{
	if (w->count == w->room) {
		w->room = w->room ? w->room * 2 : 1024;
		w->nodes = must(realloc(w->nodes, w->room * sizeof(*w->nodes)));
	}
	struct node *n = must(calloc(1, sizeof(*n)));

	*n = (struct node){
	    .parent = parent, .name = must(strdup(name)), .index = w->count, .type = type};
	if (parent) {
		n->depth = parent->depth + 1;
		parent->children++;
	}
	w->nodes[w->count++] = n;
	return n;
}

static void node_drop(struct work *w, struct node *n)
{
	struct node *last = w->nodes[--w->count];

	w->nodes[n->index] = last;
	last->index = n->index;
	n->parent->children--;
	free(n->name);
	free(n);
}

/* Picks a node of a type; 0 means any but the root. NULL when unlucky. */
static struct node *pick(struct work *w, mode_t type)
{
	for (int tries = 0; tries < 40 && w->count > 1; tries++) {
		struct node *n = w->nodes[rng_below(&w->rng, w->count)];

		if (type ? n->type == type : n->parent != NULL)
			return n;
	}
	return type == S_IFDIR ? w->nodes[0] : NULL;
}

/* Directories are few: prefer low numbers, so some grow large. */
static struct node *pick_dir(struct work *w)
{
	if (rng_one_in(&w->rng, 4))
		return w->nodes[0];
	return pick(w, S_IFDIR);
}

static void name_make(struct work *w, char *out)
{
	static const char alphabet[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+";
	size_t len;

	switch (rng_below(&w->rng, 10)) {
	case 0:
		len = 200 + rng_below(&w->rng, 55);
		break;
	case 1:
	case 2:
		len = 20 + rng_below(&w->rng, 60);
		break;
	default:
		len = 1 + rng_below(&w->rng, 16);
	}
	int head = snprintf(out, NAME_ROOM, "%" PRIx64, w->serial++);
	size_t at = (size_t)head;

	/* Any byte but '/' and NUL is a name; now and then use such bytes. */
	bool raw = rng_one_in(&w->rng, 30);
	for (; at < len; at++) {
		unsigned char c = (unsigned char)alphabet[rng_below(&w->rng, sizeof(alphabet) - 1)];

		if (raw) {
			c = (unsigned char)(1 + rng_below(&w->rng, 255));
			if (c == '/')
				c = 0xff;
		}
		out[at] = (char)c;
	}
	out[at] = 0;
}

/* A directory and the path of a new name in it. */
static struct node *new_place(struct work *w, char *path, char *name)
{
	struct node *dir = pick_dir(w);

	if (!path_of(dir, path, PATH_ROOM) || strlen(path) > 1600)
		dir = w->nodes[0];
	path_of(dir, path, PATH_ROOM);
	name_make(w, name);
	strcat(path, "/");
	strcat(path, name);
	return dir;
}

static void set_fsx(struct work *w, int fd, uint32_t set, uint32_t extsize, uint32_t project)
{
	struct fsxattr x;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
		return;
	x.fsx_xflags |= set;
	if (set & FS_XFLAG_COWEXTSIZE)
		x.fsx_cowextsize = extsize;
	else if (set & (FS_XFLAG_EXTSIZE | FS_XFLAG_EXTSZINHERIT))
		x.fsx_extsize = extsize;
	if (project)
		x.fsx_projid = project;
	note(w, ioctl(fd, FS_IOC_FSSETXATTR, &x));
}

static void dress_new_file(struct work *w, int fd)
{
	if (w->o->rt_percent && rng_below(&w->rng, 100) < w->o->rt_percent)
		set_fsx(w, fd, FS_XFLAG_REALTIME, 0, 0);
	if (w->o->projects && rng_one_in(&w->rng, 2))
		set_fsx(w, fd, 0, 0, 1 + (uint32_t)rng_below(&w->rng, 12));
	if (rng_one_in(&w->rng, 40))
		set_fsx(w, fd, FS_XFLAG_EXTSIZE, 65536u << rng_below(&w->rng, 3), 0);
}

static void write_some(struct work *w, int fd, bool direct)
{
	uint64_t max = w->o->max_file;
	uint64_t len = rng_size(&w->rng, max), off = rng_size(&w->rng, max);

	if (w->o->far && rng_one_in(&w->rng, 50))
		off = rng_size(&w->rng, UINT64_C(1) << 40);
	if (direct) {
		len = (len + 4095) & ~UINT64_C(4095);
		off &= ~UINT64_C(4095);
	}
	if (len > IO_MAX)
		len = IO_MAX;
	if (w->o->plain || rng_one_in(&w->rng, 8))
		memset(w->buf, (int)rng_below(&w->rng, 256), len);
	else
		rng_fill(&w->rng, w->buf, len);
	note(w, pwrite(fd, w->buf, len, (off_t)off));
}

static void op_create(struct work *w)
{
	char path[PATH_ROOM], name[NAME_ROOM];

	if (w->count > w->o->max_nodes)
		return;
	struct node *dir = new_place(w, path, name);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600 | (rng_next(&w->rng) & 0177));

	if (!note(w, fd))
		return;
	node_add(w, dir, name, S_IFREG);
	dress_new_file(w, fd);
	if (!rng_one_in(&w->rng, 5))
		write_some(w, fd, false);
	close(fd);
}

static void op_tmpfile(struct work *w)
{
	char path[PATH_ROOM], name[NAME_ROOM], self[64];

	if (w->count > w->o->max_nodes)
		return;
	struct node *dir = new_place(w, path, name);
	int fd = open(".", O_TMPFILE | O_RDWR, 0644);

	if (!note(w, fd))
		return;
	write_some(w, fd, false);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (!rng_one_in(&w->rng, 3) &&
	    note(w, linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW)))
		node_add(w, dir, name, S_IFREG);
	close(fd);
}

static void op_mkdir(struct work *w)
{
	char path[PATH_ROOM], name[NAME_ROOM];

	if (w->count > w->o->max_nodes)
		return;
	struct node *dir = new_place(w, path, name);

	if (dir->depth > 10 || !note(w, mkdir(path, 0700 | (rng_next(&w->rng) & 03077))))
		return;
	node_add(w, dir, name, S_IFDIR);
	if (rng_one_in(&w->rng, 8)) {
		int fd = open(path, O_RDONLY | O_DIRECTORY);

		if (fd < 0)
			return;
		if (rng_one_in(&w->rng, 2))
			set_fsx(w, fd, FS_XFLAG_EXTSZINHERIT, 131072, 0);
		if (w->o->projects)
			set_fsx(w, fd, FS_XFLAG_PROJINHERIT, 0,
				1 + (uint32_t)rng_below(&w->rng, 12));
		close(fd);
	}
}

static void op_mknod(struct work *w)
{
	static const mode_t types[] = {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};
	char path[PATH_ROOM], name[NAME_ROOM];

	if (w->count > w->o->max_nodes)
		return;
	struct node *dir = new_place(w, path, name);
	mode_t type = types[rng_below(&w->rng, 4)];
	dev_t dev = makedev(rng_below(&w->rng, 4096), rng_below(&w->rng, 1 << 18));

	if (note(w, mknod(path, type | 0640, dev)))
		node_add(w, dir, name, type);
}

static void op_symlink(struct work *w)
{
	char path[PATH_ROOM], name[NAME_ROOM], target[1024];

	if (w->count > w->o->max_nodes)
		return;
	struct node *dir = new_place(w, path, name);
	size_t len =
	    rng_one_in(&w->rng, 3) ? 300 + rng_below(&w->rng, 723) : 1 + rng_below(&w->rng, 60);

	if (rng_one_in(&w->rng, 20))
		len = 1023;
	for (size_t i = 0; i < len; i++)
		target[i] = (i % 9 == 8) ? '/' : (char)('a' + rng_below(&w->rng, 26));
	target[len] = 0;
	if (note(w, symlink(target, path)))
		node_add(w, dir, name, S_IFLNK);
}

static void op_link(struct work *w)
{
	char path[PATH_ROOM], name[NAME_ROOM], from[PATH_ROOM];
	struct node *old = pick(w, 0);

	if (!old || old->type == S_IFDIR || w->count > w->o->max_nodes ||
	    !path_of(old, from, sizeof(from)))
		return;
	struct node *dir = new_place(w, path, name);

	if (note(w, link(from, path)))
		node_add(w, dir, name, old->type);
}

static bool is_below(const struct node *n, const struct node *top)
{
	for (; n; n = n->parent)
		if (n == top)
			return true;
	return false;
}

static void node_swap(struct work *w, struct node *a, struct node *b)
{
	struct node *parent = a->parent;
	char *name = a->name;

	(void)w;
	a->parent = b->parent;
	a->name = b->name;
	b->parent = parent;
	b->name = name;
	unsigned depth = a->depth;
	a->depth = b->depth;
	b->depth = depth;
}

static void rename_exchange(struct work *w, struct node *a)
{
	char from[PATH_ROOM], to[PATH_ROOM];
	struct node *b = pick(w, 0);

	if (!b || a == b || is_below(a, b) || is_below(b, a) || !path_of(a, from, sizeof(from)) ||
	    !path_of(b, to, sizeof(to)))
		return;
	if (note(w, renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE)))
		node_swap(w, a, b);
}

static void rename_over(struct work *w, struct node *a)
{
	char from[PATH_ROOM], to[PATH_ROOM];
	struct node *b = pick(w, a->type);

	if (!b || !b->parent || a == b || b->children || is_below(b, a) ||
	    !path_of(a, from, sizeof(from)) || !path_of(b, to, sizeof(to)))
		return;
	if (!note(w, rename(from, to)))
		return;
	struct stat st;

	/* Two links of one file: rename is defined to do nothing. */
	if (lstat(from, &st) == 0)
		return;
	node_swap(w, a, b);
	node_drop(w, b);
}

static void op_rename(struct work *w)
{
	char from[PATH_ROOM], to[PATH_ROOM], name[NAME_ROOM];
	struct node *n = pick(w, 0);

	if (!n)
		return;
	switch (rng_below(&w->rng, 6)) {
	case 0:
		rename_exchange(w, n);
		return;
	case 1:
		rename_over(w, n);
		return;
	}
	struct node *dir = new_place(w, to, name);

	if (is_below(dir, n) || !path_of(n, from, sizeof(from)))
		return;
	bool whiteout = rng_one_in(&w->rng, 20);

	if (!note(w, renameat2(AT_FDCWD, from, AT_FDCWD, to,
			       whiteout ? RENAME_WHITEOUT : RENAME_NOREPLACE)))
		return;
	struct node *old_parent = n->parent;
	char *old_name = n->name;

	n->parent->children--;
	n->parent = dir;
	n->depth = dir->depth + 1;
	dir->children++;
	n->name = must(strdup(name));
	if (whiteout)
		node_add(w, old_parent, old_name, S_IFCHR);
	free(old_name);
}

static void op_remove(struct work *w)
{
	char path[PATH_ROOM];
	struct node *n = pick(w, 0);

	if (!n || n->children || !path_of(n, path, sizeof(path)))
		return;
	if (n->type == S_IFREG && w->o->orphans && rng_one_in(&w->rng, 3)) {
		unsigned slot = (unsigned)rng_below(&w->rng, w->o->orphans);
		int fd = open(path, O_RDWR);

		if (fd >= 0) {
			if (w->orphan_fds[slot])
				close((int)w->orphan_fds[slot]);
			w->orphan_fds[slot] = (unsigned)fd;
		}
	}
	if (note(w, n->type == S_IFDIR ? rmdir(path) : unlink(path)))
		node_drop(w, n);
}

static int open_random(struct work *w, int flags, char *path)
{
	struct node *n = pick(w, S_IFREG);

	if (!n || n->type != S_IFREG || !path_of(n, path, PATH_ROOM))
		return -1;
	int fd = open(path, flags);

	note(w, fd);
	return fd;
}

static void op_write(struct work *w)
{
	char path[PATH_ROOM];
	bool direct = rng_one_in(&w->rng, 6), append = rng_one_in(&w->rng, 5);
	int fd = open_random(w, O_RDWR | (direct ? O_DIRECT : 0) | (append ? O_APPEND : 0), path);

	if (fd < 0)
		return;
	unsigned times = rng_one_in(&w->rng, 6) ? 20 : 1;

	while (times-- && !w->gone)
		write_some(w, fd, direct);
	if (rng_one_in(&w->rng, 10))
		note(w, fdatasync(fd));
	close(fd);
}

static void op_truncate(struct work *w)
{
	char path[PATH_ROOM];
	int fd = open_random(w, O_RDWR, path);

	if (fd < 0)
		return;
	uint64_t size = rng_one_in(&w->rng, 4) ? 0 : rng_size(&w->rng, w->o->max_file * 2);

	note(w, ftruncate(fd, (off_t)size));
	close(fd);
}

static void op_fallocate(struct work *w)
{
	static const int modes[] = {
	    0,
	    FALLOC_FL_KEEP_SIZE,
	    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    FALLOC_FL_ZERO_RANGE,
	    FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	    FALLOC_FL_COLLAPSE_RANGE,
	    FALLOC_FL_INSERT_RANGE,
	    FALLOC_FL_UNSHARE_RANGE,
	};
	char path[PATH_ROOM];
	int fd = open_random(w, O_RDWR, path);

	if (fd < 0)
		return;
	int mode = modes[rng_below(&w->rng, sizeof(modes) / sizeof(modes[0]))];
	uint64_t off = rng_size(&w->rng, w->o->max_file),
		 len = 1 + rng_size(&w->rng, w->o->max_file);

	if (rng_one_in(&w->rng, 2) ||
	    (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))) {
		uint64_t unit = w->o->max_file >= (1 << 20) ? 65536 : 4096;

		off = off / unit * unit;
		len = (len / unit + 1) * unit;
	}
	note(w, fallocate(fd, mode, (off_t)off, (off_t)len));
	close(fd);
}

/* The kernel's argument of XFS_IOC_EXCHANGE_RANGE. */
struct exchange_range {
	int32_t file1_fd;
	uint32_t pad;
	uint64_t file1_offset, file2_offset, length, flags;
};

static void op_reflink(struct work *w)
{
	char path[PATH_ROOM];
	int from = open_random(w, O_RDWR, path), to = open_random(w, O_RDWR, path);

	if (from >= 0 && to >= 0) {
		uint64_t unit = 65536, max = w->o->max_file / unit + 1;
		uint64_t src = rng_below(&w->rng, max) * unit, dst = rng_below(&w->rng, max) * unit;
		uint64_t len = rng_below(&w->rng, max) * unit;

		if (rng_one_in(&w->rng, 4)) {
			struct exchange_range x = {from, 0, src, dst, len, rng_below(&w->rng, 2)};

			note(w, ioctl(to, _IOW('X', 129, struct exchange_range), &x));
		} else if (rng_one_in(&w->rng, 3)) {
			note(w, ioctl(to, FICLONE, from));
		} else {
			struct file_clone_range c = {from, src, len, dst};

			note(w, ioctl(to, FICLONERANGE, &c));
		}
	}
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
}

static size_t xattr_value_size(struct work *w)
{
	switch (rng_below(&w->rng, 8)) {
	case 0:
		return XATTR_MAX - rng_below(&w->rng, 2) * rng_below(&w->rng, 40000);
	case 1:
	case 2:
		return rng_below(&w->rng, 6000);
	case 3:
		return 0;
	default:
		return rng_below(&w->rng, 80);
	}
}

static void xattr_set_random(struct work *w, const char *path, uint64_t pool, bool small)
{
	static const char *const spaces[] = {"user", "trusted", "security"};
	char name[NAME_ROOM];
	uint64_t id = rng_below(&w->rng, pool);
	int at = snprintf(name, sizeof(name), "%s.x%" PRIu64, spaces[(id ^ 1) % 3], id);

	/* The tail of a name depends on its number alone, so names meet again. */
	if (id % 5 == 0)
		for (; at < 120 + (int)(id % 120); at++)
			name[at] = (char)('a' + (at * 7 + (int)id) % 26);
	name[at] = 0;
	size_t len = small ? rng_below(&w->rng, 64) : xattr_value_size(w);

	if (w->o->plain)
		memset(w->buf, (int)rng_below(&w->rng, 256), len);
	else
		rng_fill(&w->rng, w->buf, len);
	note(w, lsetxattr(path, name, w->buf, len, 0));
}

static void op_xattr(struct work *w)
{
	char path[PATH_ROOM], list[8192];
	struct node *n = rng_one_in(&w->rng, 4) ? pick(w, 0) : pick(w, S_IFREG);

	if (!n || !path_of(n, path, sizeof(path)))
		return;
	unsigned many = rng_one_in(&w->rng, 40) ? 150 : 1;

	if (rng_one_in(&w->rng, 4)) {
		ssize_t len = llistxattr(path, list, sizeof(list));

		if (!note(w, len) || len == 0)
			return;
		size_t skip = rng_below(&w->rng, (uint64_t)len);
		while (skip && list[skip - 1])
			skip--;
		note(w, lremovexattr(path, list + skip));
		return;
	}
	while (many-- && !w->gone)
		xattr_set_random(w, path, 250, many > 8);
}

static void put16(unsigned char *p, unsigned v)
{
	p[0] = v & 255;
	p[1] = (v >> 8) & 255;
}

static void op_acl(struct work *w)
{
	static const unsigned tags[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20};
	unsigned char acl[4 + 8 * 6] = {2};
	char path[PATH_ROOM];
	struct node *n = rng_one_in(&w->rng, 2) ? pick(w, S_IFDIR) : pick(w, S_IFREG);

	if (!n || !path_of(n, path, sizeof(path)))
		return;
	for (unsigned i = 0; i < 6; i++) {
		unsigned char *e = acl + 4 + 8 * i;
		bool named = tags[i] == 0x02 || tags[i] == 0x08;

		put16(e, tags[i]);
		put16(e + 2, i == 0 ? 7 : (unsigned)rng_below(&w->rng, 8));
		put16(e + 4, named ? 1000 + (unsigned)rng_below(&w->rng, 30) : 0xffff);
		put16(e + 6, named ? 0 : 0xffff);
	}
	bool def = n->type == S_IFDIR && rng_one_in(&w->rng, 2);

	note(w, lsetxattr(path, def ? "system.posix_acl_default" : "system.posix_acl_access", acl,
			  sizeof(acl), 0));
}

static void op_attrs(struct work *w)
{
	char path[PATH_ROOM];
	struct node *n = pick(w, 0);

	if (!n || !path_of(n, path, sizeof(path)))
		return;
	switch (rng_below(&w->rng, 4)) {
	case 0:
		if (n->type != S_IFLNK)
			note(w, chmod(path, (rng_next(&w->rng) & 07077) | 0700));
		break;
	case 1:
		note(w, lchown(path, (uid_t)rng_below(&w->rng, 20), (gid_t)rng_below(&w->rng, 20)));
		break;
	case 2: {
		int64_t span = INT64_C(1) << (20 + rng_below(&w->rng, 15));
		struct timespec t[2] = {
		    {.tv_sec = (time_t)rng_below(&w->rng, (uint64_t)span),
		     .tv_nsec = (long)rng_below(&w->rng, 1000000000)},
		    {.tv_sec = (time_t)((int64_t)rng_below(&w->rng, (uint64_t)span) -
					(rng_one_in(&w->rng, 8) ? span / 2 : 0)),
		     .tv_nsec = (long)rng_below(&w->rng, 1000000000)},
		};
		note(w, utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW));
		break;
	}
	default:
		if (n->type == S_IFREG || n->type == S_IFDIR) {
			int fd = open(path, O_RDONLY | O_NONBLOCK);

			if (fd < 0)
				break;
			if (w->o->projects && rng_one_in(&w->rng, 2))
				set_fsx(w, fd, 0, 0, 1 + (uint32_t)rng_below(&w->rng, 12));
			else
				set_fsx(w, fd,
					rng_one_in(&w->rng, 3) ? FS_XFLAG_NOATIME : FS_XFLAG_NODUMP,
					0, 0);
			close(fd);
		}
	}
}

static void op_sync(struct work *w)
{
	char path[PATH_ROOM];
	int fd = open_random(w, O_RDONLY, path);

	if (fd < 0)
		return;
	note(w, fsync(fd));
	close(fd);
}

struct op {
	const char *name;
	void (*run)(struct work *w);
	unsigned weight;
};

static const struct op ops[] = {
    {"create", op_create, 22},	    {"tmpfile", op_tmpfile, 2},
    {"mkdir", op_mkdir, 4},	    {"mknod", op_mknod, 2},
    {"symlink", op_symlink, 4},	    {"link", op_link, 5},
    {"rename", op_rename, 12},	    {"remove", op_remove, 16},
    {"write", op_write, 14},	    {"truncate", op_truncate, 5},
    {"fallocate", op_fallocate, 7}, {"reflink", op_reflink, 7},
    {"xattr", op_xattr, 9},	    {"acl", op_acl, 2},
    {"attrs", op_attrs, 6},	    {"fsync", op_sync, 1},
};

static const struct op *op_pick(struct work *w)
{
	unsigned total = 0;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		total += ops[i].weight;
	uint64_t at = rng_below(&w->rng, total);

	for (size_t i = 0;; i++) {
		if (at < ops[i].weight)
			return &ops[i];
		at -= ops[i].weight;
	}
}

/* ---- aging: large structures on purpose ---- */

/* One directory with many names: real files now and then, links otherwise. */
static void make_bigdir(struct work *w)
{
	char name[PATH_ROOM], first[PATH_ROOM] = "";
	unsigned want = w->o->bigdir, len = w->o->bigname ? w->o->bigname : 40;

	w->op = "bigdir";
	if (!note(w, mkdir("big", 0755)) || len > 250)
		return;
	for (unsigned i = 0; i < want && !w->gone; i++) {
		int at = snprintf(name, sizeof(name), "big/%u-", i);

		for (unsigned span = len / 2 + (unsigned)rng_below(&w->rng, len / 2 + 1);
		     at < (int)span + 4; at++)
			name[at] = (char)('a' + rng_below(&w->rng, 26));
		name[at] = 0;
		if (i % 16 == 0) {
			int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);

			if (!note(w, fd))
				break;
			close(fd);
			memcpy(first, name, sizeof(first));
		} else if (!note(w, link(first, name))) {
			break;
		}
	}
	if (w->o->bigkeep >= 100)
		return;
	DIR *d = opendir("big");

	for (struct dirent *e; d && (e = readdir(d)) && !w->gone;)
		if (e->d_name[0] != '.' && rng_below(&w->rng, 100) >= w->o->bigkeep) {
			snprintf(name, sizeof(name), "big/%s", e->d_name);
			note(w, unlink(name));
		}
	if (d)
		closedir(d);
}

/* Files of very many extents: data and holes by turns, one kept and one thinned out. */
static void make_fragments(struct work *w)
{
	struct stat st;

	w->op = "fragments";
	for (int f = 0; f < 2 && !w->gone; f++) {
		int fd = open(f ? "frag.thin" : "frag", O_CREAT | O_RDWR | O_TRUNC, 0644);

		if (!note(w, fd) || fstat(fd, &st) < 0)
			return;
		size_t bs = (size_t)st.st_blksize > IO_MAX ? 4096 : (size_t)st.st_blksize;

		/* The size first: what is written inside it gets no preallocation behind it. */
		if (!note(w, ftruncate(fd, (off_t)(2 * bs * w->o->fragments))))
			return;
		rng_fill(&w->rng, w->buf, bs);
		for (unsigned i = 0; i < w->o->fragments && !w->gone; i++)
			if (!note(w, pwrite(fd, w->buf, bs, (off_t)(2 * bs * i))))
				break;
		note(w, fsync(fd));
		for (unsigned i = 0; f && i < w->o->fragments && !w->gone; i++)
			if (!rng_one_in(&w->rng, 3))
				note(w, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						  (off_t)(2 * bs * i), (off_t)bs));
		if (!f) {
			int copy = open("frag.copy", O_CREAT | O_RDWR, 0644);

			if (copy >= 0) {
				note(w, ioctl(copy, FICLONE, fd));
				close(copy);
			}
		}
		close(fd);
	}
}

/* One file with many attributes of all sizes: node form, remote values, a large attribute fork. */
static void make_attrs(struct work *w)
{
	int fd = open("attrs", O_CREAT | O_WRONLY, 0600);

	w->op = "attrs";
	if (!note(w, fd))
		return;
	close(fd);
	for (unsigned i = 0; i < w->o->attrs && !w->gone; i++)
		xattr_set_random(w, "attrs", w->o->attrs * 2, i % 10 != 0);
}

/* Files that fill the filesystem up to a reserve of MiB, then every other one goes. */
static void make_full(struct work *w)
{
	char name[64];
	unsigned made = 0;

	w->op = "fill";
	if (!note(w, mkdir("full", 0755)))
		return;
	memset(w->buf, 0x5a, IO_MAX);
	for (bool more = true; more && !w->gone; made++) {
		snprintf(name, sizeof(name), "full/%u", made);
		int fd = open(name, O_CREAT | O_WRONLY, 0644);

		if (fd < 0)
			break;
		more = write(fd, w->buf, 1 + rng_below(&w->rng, IO_MAX / 4)) > 0;
		close(fd);
	}
	for (unsigned i = 0; i < made && !w->gone; i++)
		if (!rng_one_in(&w->rng, 4)) {
			snprintf(name, sizeof(name), "full/%u", i);
			note(w, unlink(name));
		}
}

static void age_report(const struct work *w)
{
	printf("fswork: seed %" PRIu64 ": %" PRIu64 " operations, %u names left", w->o->seed,
	       w->done, w->count - 1);
	for (int e = 0; e < 256; e++)
		if (w->errors[e])
			printf(", %s %" PRIu64, strerrorname_np(e) ? strerrorname_np(e) : "?",
			       w->errors[e]);
	printf("\n");
	fflush(stdout);
}

static int age_one(const struct options *o, unsigned job)
{
	struct work w = {.o = o, .rng = {.state = o->seed * 1000003 + job}};
	char sub[32];

	snprintf(sub, sizeof(sub), "w%u", job);
	if ((mkdir(sub, 0755) < 0 && errno != EEXIST) || chdir(sub) < 0) {
		perror(sub);
		return errno_is_gone(errno) ? STATUS_GONE : STATUS_FAILED;
	}
	w.buf = must(aligned_alloc(4096, IO_MAX + XATTR_MAX));
	w.orphan_fds = must(calloc(o->orphans + 1, sizeof(unsigned)));
	w.serial = rng_below(&w.rng, 1000);
	node_add(&w, NULL, ".", S_IFDIR);
	if (o->bigdir && job == 0)
		make_bigdir(&w);
	if (o->fragments && job == 0)
		make_fragments(&w);
	if (o->attrs && job == 0)
		make_attrs(&w);
	if (o->fill && job == 0)
		make_full(&w);
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!w.gone && (o->ops == 0 || w.done < o->ops)) {
		const struct op *op = op_pick(&w);

		w.op = op->name;
		op->run(&w);
		w.done++;
		if (o->fsync_every && w.done % o->fsync_every == 0)
			op_sync(&w);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (o->seconds && now.tv_sec - start.tv_sec >= o->seconds)
			break;
	}
	if (!o->quiet)
		age_report(&w);
	if (o->linger && !w.gone) {
		printf("fswork: lingering\n");
		fflush(stdout);
		sleep(o->linger);
	}
	return w.gone ? STATUS_GONE : w.odd ? STATUS_FAILED : 0;
}

static const struct option age_options[] = {
    {"seed", required_argument, NULL, 's'},    {"ops", required_argument, NULL, 'n'},
    {"seconds", required_argument, NULL, 't'}, {"jobs", required_argument, NULL, 'j'},
    {"names", required_argument, NULL, 'm'},   {"max-file", required_argument, NULL, 'f'},
    {"bigdir", required_argument, NULL, 'b'},  {"bigname", required_argument, NULL, 'l'},
    {"bigkeep", required_argument, NULL, 'k'}, {"fragments", required_argument, NULL, 'F'},
    {"attrs", required_argument, NULL, 'a'},   {"orphans", required_argument, NULL, 'o'},
    {"linger", required_argument, NULL, 'L'},  {"fsync-every", required_argument, NULL, 'y'},
    {"rt", required_argument, NULL, 'R'},      {"projects", no_argument, NULL, 'p'},
    {"plain", no_argument, NULL, 'P'},	       {"far", no_argument, NULL, 'x'},
    {"fill", no_argument, NULL, 'z'},	       {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},	       {NULL, 0, NULL, 0},
};

static int age_usage(void)
{
	fprintf(stderr,
		"usage: fswork age [options] DIR\n"
		"  --seed N         same seed, same work (default: the clock; always printed)\n"
		"  --ops N          operations per job (default 2000; 0 with --seconds: no limit)\n"
		"  --seconds N      stop after so long\n"
		"  --jobs N         processes, each in its own directory w0, w1 ...\n"
		"  --names N        names per job at most (default 3000)\n"
		"  --max-file N     usual size of files in bytes at most (default 262144)\n"
		"  --bigdir N       a directory with N names; --bigname LEN of about that length;\n"
		"                   --bigkeep PERCENT of them stay (default 70)\n"
		"  --fragments N    files of N extents\n"
		"  --attrs N        a file with N attributes\n"
		"  --fill           fill the filesystem, then free most again in pieces\n"
		"  --plain          data that compresses well\n"
		"  --far            some offsets up to 1 TiB\n"
		"  --orphans N      keep up to N unlinked files open\n"
		"  --linger N       stay N seconds at the end, with these files open\n"
		"  --fsync-every N  operations\n"
		"  --projects       use project ids\n"
		"  --rt PERCENT     of new files live in the realtime section\n");
	return STATUS_USAGE;
}

static bool age_parse(int argc, char **argv, struct options *o)
{
	for (int c; (c = getopt_long(argc, argv, "", age_options, NULL)) != -1;) {
		uint64_t v = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 's':
			o->seed = v;
			break;
		case 'n':
			o->ops = v;
			break;
		case 't':
			o->seconds = (unsigned)v;
			break;
		case 'j':
			o->jobs = (unsigned)v;
			break;
		case 'm':
			o->max_nodes = (unsigned)v;
			break;
		case 'f':
			o->max_file = v;
			break;
		case 'b':
			o->bigdir = (unsigned)v;
			break;
		case 'l':
			o->bigname = (unsigned)v;
			break;
		case 'k':
			o->bigkeep = (unsigned)v;
			break;
		case 'F':
			o->fragments = (unsigned)v;
			break;
		case 'a':
			o->attrs = (unsigned)v;
			break;
		case 'o':
			o->orphans = (unsigned)v;
			break;
		case 'L':
			o->linger = (unsigned)v;
			break;
		case 'y':
			o->fsync_every = (unsigned)v;
			break;
		case 'R':
			o->rt_percent = (unsigned)v;
			break;
		case 'p':
			o->projects = true;
			break;
		case 'P':
			o->plain = true;
			break;
		case 'x':
			o->far = true;
			break;
		case 'z':
			o->fill = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		default:
			return false;
		}
	}
	o->dir = argv[optind];
	return o->dir && !argv[optind + 1] && o->jobs > 0 && o->max_file > 0;
}

static int age_main(int argc, char **argv)
{
	struct options o = {.seed = (uint64_t)time(NULL),
			    .ops = 2000,
			    .jobs = 1,
			    .max_nodes = 3000,
			    .max_file = 262144,
			    .bigkeep = 70};
	int status = 0;

	if (!age_parse(argc, argv, &o))
		return age_usage();
	printf("fswork: seed %" PRIu64 "\n", o.seed);
	fflush(stdout);
	umask(0);
	if (chdir(o.dir) < 0) {
		perror(o.dir);
		return STATUS_FAILED;
	}
	for (unsigned j = 0; j < o.jobs; j++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(age_one(&o, j));
		if (pid < 0)
			return STATUS_FAILED;
	}
	for (int s; wait(&s) > 0;) {
		int code = WIFEXITED(s) ? WEXITSTATUS(s) : STATUS_FAILED;

		if (code && status != STATUS_FAILED)
			status = code;
	}
	return status;
}

/* ---- filling, for benchmarks ---- */

static void fill_fail(const char *what)
{
	fprintf(stderr, "fswork: %s: %s\n", what, strerror(errno));
	_exit(errno_is_gone(errno) ? STATUS_GONE : STATUS_FAILED);
}

/* Small files in directories of a thousand; three in four hold data. */
static void fill_million(uint64_t total, unsigned job, unsigned jobs)
{
	static const char text[4096] = "A small file, as there are many.\n";
	char path[64];

	for (uint64_t d = job; d < total / 1000; d += jobs) {
		snprintf(path, sizeof(path), "d%04" PRIu64, d);
		if (mkdir(path, 0755) < 0 || chdir(path) < 0)
			fill_fail(path);
		for (uint64_t i = 0; i < 1000; i++) {
			snprintf(path, sizeof(path), "file-%04" PRIu64 ".txt", i);
			int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

			if (fd < 0 || (i % 4 && write(fd, text, 34 + i * 4) < 0))
				fill_fail(path);
			close(fd);
		}
		if (chdir("..") < 0)
			fill_fail("..");
	}
}

static void fill_bigdir(uint64_t total)
{
	char path[64];

	for (uint64_t i = 0; i < total; i++) {
		if (i == 0 && (mkdir("big", 0755) < 0 || chdir("big") < 0))
			fill_fail("big");
		snprintf(path, sizeof(path), "entry-%08" PRIu64 ".dat", i);
		int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

		if (fd < 0)
			fill_fail(path);
		close(fd);
	}
}

/* Two files that grow by turns, a block each: neither has two blocks in one piece. */
static void fill_reflink(uint64_t extents)
{
	int a = open("file", O_CREAT | O_EXCL | O_RDWR | O_DIRECT, 0644);
	int b = open("other", O_CREAT | O_EXCL | O_RDWR | O_DIRECT, 0644);
	unsigned char *buf = must(aligned_alloc(4096, 4096));
	char path[64];

	if (a < 0 || b < 0)
		fill_fail("file");
	memset(buf, 0x42, 4096);
	for (uint64_t i = 0; i < extents; i++)
		if (pwrite(a, buf, 4096, (off_t)(i * 4096)) < 0 ||
		    pwrite(b, buf, 4096, (off_t)(i * 4096)) < 0)
			fill_fail("file");
	for (int i = 1; i < 20; i++) {
		snprintf(path, sizeof(path), "copy%02d", i);
		int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0644);

		if (fd < 0 || ioctl(fd, FICLONE, a) < 0)
			fill_fail(path);
		close(fd);
	}
	close(a);
	close(b);
	unlink("other");
	free(buf);
}

static int fill_main(int argc, char **argv)
{
	uint64_t n = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: fswork fill million|bigdir|reflink DIR [N]\n");
		return STATUS_USAGE;
	}
	if (chdir(argv[2]) < 0) {
		perror(argv[2]);
		return STATUS_FAILED;
	}
	if (strcmp(argv[1], "million") == 0) {
		int status = 0;

		for (unsigned j = 0; j < 2; j++)
			if (fork() == 0) {
				fill_million(n ? n : 1000000, j, 2);
				_exit(0);
			}
		for (int s; wait(&s) > 0;)
			status |= WIFEXITED(s) ? WEXITSTATUS(s) : STATUS_FAILED;
		return status;
	}
	if (strcmp(argv[1], "bigdir") == 0)
		fill_bigdir(n ? n : 1000000);
	else if (strcmp(argv[1], "reflink") == 0)
		fill_reflink(n ? n : 100000);
	else
		return STATUS_USAGE;
	return 0;
}

/* ---- sum: the canonical listing ---- */

struct hash {
	uint64_t a, b;
};

static void hash_word(struct hash *h, uint64_t v)
{
	h->a = (h->a ^ v) * UINT64_C(0x9fb21c651e98df25);
	h->a ^= h->a >> 29;
	h->b = (h->b + v) * UINT64_C(0xd6e8feb86659fd93);
	h->b = (h->b << 31) | (h->b >> 33);
}

static void hash_bytes(struct hash *h, const unsigned char *p, size_t n)
{
	hash_word(h, n);
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		hash_word(h, v);
	}
	if (n) {
		uint64_t v = 0;

		memcpy(&v, p, n);
		hash_word(h, v);
	}
}

struct link_seen {
	uint64_t ino;
	char *path;
};

struct sum {
	struct link_seen *seen;
	size_t count, room; /* room is a power of two */
	dev_t dev;
	bool blocks, dir_size;
	unsigned failures;
	char path[PATH_MAX * 4];
	unsigned char *buf;
	FILE *out;
};

static void put_escaped(FILE *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c >= 127 || c == '\\')
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
}

static void sum_error(struct sum *s, const char *what)
{
	const char *name = strerrorname_np(errno);

	fprintf(s->out, " %s-error=%s", what, name ? name : "?");
	s->failures++;
}

/* The first path of an inode with several links, in listing order. */
static const char *link_first(struct sum *s, uint64_t ino, const char *path)
{
	if (s->count * 2 >= s->room) {
		size_t room = s->room ? s->room * 2 : 4096;
		struct link_seen *t = must(calloc(room, sizeof(*t)));

		for (size_t i = 0; i < s->room; i++)
			if (s->seen[i].path) {
				size_t at =
				    s->seen[i].ino * UINT64_C(0x9e3779b97f4a7c15) & (room - 1);

				while (t[at].path)
					at = (at + 1) & (room - 1);
				t[at] = s->seen[i];
			}
		free(s->seen);
		s->seen = t;
		s->room = room;
	}
	size_t at = ino * UINT64_C(0x9e3779b97f4a7c15) & (s->room - 1);

	for (; s->seen[at].path; at = (at + 1) & (s->room - 1))
		if (s->seen[at].ino == ino)
			return s->seen[at].path;
	s->seen[at] = (struct link_seen){ino, must(strdup(path))};
	s->count++;
	return NULL;
}

static bool all_zero(const unsigned char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/*
 * Hashes the blocks of 4096 bytes that are not all zero, each with its number:
 * so a hole, an unwritten extent and written zeros are one and the same.
 */
static void sum_data(struct sum *s, int dirfd, const char *name, uint64_t size)
{
	struct hash h = {1, 2};
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0) {
		sum_error(s, "open");
		return;
	}
	for (uint64_t at = 0; at < size;) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			break;
		if (data > (off_t)at)
			at = (uint64_t)data & ~UINT64_C(4095);
		ssize_t got = pread(fd, s->buf, IO_MAX, (off_t)at);

		if (got < 0) {
			sum_error(s, "read");
			break;
		}
		if (got == 0)
			break;
		for (size_t i = 0; i < (size_t)got; i += 4096) {
			size_t n = (size_t)got - i < 4096 ? (size_t)got - i : 4096;

			if (!all_zero(s->buf + i, n)) {
				hash_word(&h, (at + i) / 4096);
				hash_bytes(&h, s->buf + i, n);
			}
		}
		/* A short read may end inside a block: take that block again as a whole. */
		uint64_t next = at + (uint64_t)got;

		if (next < size && next % 4096) {
			fprintf(s->out, " read-error=short");
			s->failures++;
			break;
		}
		at = next;
	}
	close(fd);
	fprintf(s->out, " data=%016" PRIx64 "%016" PRIx64, h.a, h.b);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sum_xattrs(struct sum *s, int dirfd, const char *name)
{
	char path[64 + NAME_ROOM];
	static char list[1 << 20];
	char **names = NULL;
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	ssize_t len = llistxattr(path, list, sizeof(list));
	bool whole = len >= 0;

	if (!whole && errno == E2BIG) {
		fprintf(s->out, " xattrs=too-many");
		return;
	}
	if (!whole) {
		if (errno != EOPNOTSUPP)
			sum_error(s, "listxattr");
		return;
	}
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1) {
		if ((count & (count - 1)) == 0)
			names = must(realloc(names, (count ? count * 2 : 1) * sizeof(*names)));
		names[count++] = list + at;
	}
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++) {
		struct hash h = {3, 4};
		ssize_t n = lgetxattr(path, names[i], s->buf, XATTR_MAX);

		fprintf(s->out, " xattr:");
		put_escaped(s->out, names[i]);
		if (n < 0) {
			sum_error(s, "getxattr");
			continue;
		}
		hash_bytes(&h, s->buf, (size_t)n);
		fprintf(s->out, "=%zd:%016" PRIx64, n, h.a ^ h.b);
	}
	free(names);
}

static void sum_dir(struct sum *s, int fd, size_t len);

static void sum_entry(struct sum *s, int dirfd, const char *name, size_t len)
{
	static const char types[] = "?pc?d?b?-?l?s???";
	struct stat st;

	put_escaped(s->out, s->path);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		sum_error(s, "stat");
		fputc('\n', s->out);
		return;
	}
	bool dir = S_ISDIR(st.st_mode), dev = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode);

	fprintf(s->out, " %c %04o %u:%u links=%lu", types[(st.st_mode >> 12) & 15],
		st.st_mode & 07777, st.st_uid, st.st_gid, (unsigned long)st.st_nlink);
	if (!dir || s->dir_size)
		fprintf(s->out, " size=%lld", (long long)st.st_size);
	if (s->blocks)
		fprintf(s->out, " blocks=%lld", (long long)st.st_blocks);
	if (dev)
		fprintf(s->out, " rdev=%u:%u", major(st.st_rdev), minor(st.st_rdev));
	fprintf(s->out, " mtime=%lld.%09ld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	const char *first = !dir && st.st_nlink > 1 ? link_first(s, st.st_ino, s->path) : NULL;

	if (first) {
		fprintf(s->out, " same-as=");
		put_escaped(s->out, first);
	}
	if (S_ISLNK(st.st_mode)) {
		char target[PATH_MAX + 1];
		ssize_t n = readlinkat(dirfd, name, target, PATH_MAX);

		if (n < 0) {
			sum_error(s, "readlink");
		} else {
			target[n] = 0;
			fprintf(s->out, " target=");
			put_escaped(s->out, target);
		}
	}
	if (S_ISREG(st.st_mode) && !first)
		sum_data(s, dirfd, name, (uint64_t)st.st_size);
	if (!first)
		sum_xattrs(s, dirfd, name);
	if (!dir || st.st_dev != s->dev || strcmp(name, ".") == 0) {
		fputc('\n', s->out);
		return;
	}
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0) {
		sum_error(s, "open");
		fputc('\n', s->out);
		return;
	}
	fputc('\n', s->out);
	sum_dir(s, fd, len);
}

/* Lists what is in a directory and closes fd; s->path holds its path of len bytes. */
static void sum_dir(struct sum *s, int fd, size_t len)
{
	char **names = NULL;
	size_t count = 0;
	DIR *d = fdopendir(fd);

	if (!d) {
		close(fd);
		s->failures++;
		return;
	}
	errno = 0;
	for (struct dirent *e; (e = readdir(d)); errno = 0) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if ((count & (count - 1)) == 0)
			names = must(realloc(names, (count ? count * 2 : 1) * sizeof(*names)));
		names[count++] = must(strdup(e->d_name));
	}
	if (errno) {
		put_escaped(s->out, s->path);
		sum_error(s, "readdir");
		fputc('\n', s->out);
	}
	if (count)
		qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(names[i]);

		if (len + n + 2 < sizeof(s->path)) {
			s->path[len] = '/';
			memcpy(s->path + len + 1, names[i], n + 1);
			sum_entry(s, dirfd(d), names[i], len + 1 + n);
			s->path[len] = 0;
		}
		free(names[i]);
	}
	free(names);
	closedir(d);
}

static int sum_main(int argc, char **argv)
{
	static struct sum s = {.dir_size = true};

	for (int c; (c = getopt(argc, argv, "bD")) != -1;) {
		if (c == 'b')
			s.blocks = true;
		else if (c == 'D')
			s.dir_size = false;
		else
			return STATUS_USAGE;
	}
	if (optind != argc - 1) {
		fprintf(stderr, "usage: fswork sum [-b] [-D] DIR\n"
				"  -b  with the blocks each file uses    -D  without the sizes of "
				"directories\n");
		return STATUS_USAGE;
	}
	int fd = open(argv[optind], O_RDONLY | O_DIRECTORY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(argv[optind]);
		return STATUS_FAILED;
	}
	s.dev = st.st_dev;
	s.out = stdout;
	s.buf = must(aligned_alloc(4096, IO_MAX));
	memcpy(s.path, ".", 2);
	sum_entry(&s, fd, ".", 1);
	sum_dir(&s, fd, 1);
	if (fflush(stdout) != 0 || ferror(stdout))
		return STATUS_FAILED;
	if (s.failures)
		fprintf(stderr, "fswork: sum: %u errors\n", s.failures);
	return s.failures ? STATUS_FAILED : 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "age") == 0)
		return age_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "fill") == 0)
		return fill_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "sum") == 0)
		return sum_main(argc - 1, argv + 1);
	fprintf(stderr,
		"usage: fswork age [options] DIR | fill KIND DIR [N] | sum [-b] [-D] DIR\n");
	return STATUS_USAGE;
}
