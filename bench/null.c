/*
 * A filesystem that is nothing but its FUSE server: bench-null TABLE DIR
 *
 * The kernel's requests come through the loop of src/fuse/server.c, with the same capabilities and
 * the same times for which answers may be kept, and are answered from a table of names and one of
 * inodes in memory (mapped from the file TABLE, so that they are there for the next mount). What
 * is written is thrown away and reads as zeroes.  So it is the floor of what a mount can cost, and
 * no more than that: nobody's permissions, no link counts, no listings. Runs in the foreground.
 */
#include "fuse/server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOTS (1u << 20) /* names, a power of two */
#define KEEP (365.0 * 24 * 3600)

struct name {
	u64 dir, ino; /* ino 0: never used; 1: used once */
	char name[32];
};

struct null_inode {
	u32 mode, unused;
	u64 size;
};

struct table {
	u64 inodes;
	struct name name[SLOTS];
	struct null_inode inode[SLOTS];
};

static struct table *table;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static u8 zeroes[SERVER_MAX_READ];

static u32 slot_of(u64 dir, const char *name)
{
	u64 hash = dir * 0x9e3779b97f4a7c15ull;

	for (; *name; name++)
		hash = (hash ^ (u8)*name) * 0x100000001b3ull;
	return (u32)(hash >> 24);
}

static struct name *find(u64 dir, const char *name)
{
	for (u32 i = slot_of(dir, name);; i++) {
		struct name *n = &table->name[i % SLOTS];

		if (!n->ino)
			return NULL;
		if (n->ino > 1 && n->dir == dir && !strcmp(n->name, name))
			return n;
	}
}

static int enter(u64 dir, const char *name, u64 ino)
{
	u32 i = slot_of(dir, name);

	if (strlen(name) >= sizeof(table->name[0].name))
		return ENAMETOOLONG;
	while (table->name[i % SLOTS].ino > 1)
		i++;
	table->name[i % SLOTS] = (struct name){.dir = dir, .ino = ino};
	strcpy(table->name[i % SLOTS].name, name);
	return 0;
}

static struct stat attributes(u64 ino)
{
	const struct null_inode *inode = &table->inode[ino];
	struct stat st = {.st_ino = ino,
			  .st_mode = inode->mode,
			  .st_nlink = 1,
			  .st_blksize = 4096,
			  .st_size = (off_t)inode->size,
			  .st_blocks = (blkcnt_t)(inode->size / 512)};

	return st;
}

static struct fuse_entry_param entry(u64 ino)
{
	struct fuse_entry_param e = {.ino = ino, .attr_timeout = KEEP, .entry_timeout = KEEP};

	if (ino)
		e.attr = attributes(ino);
	return e;
}

static void null_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fuse_entry_param e;
	struct name *n;

	pthread_mutex_lock(&mutex);
	n = find(dir, name);
	e = entry(n ? n->ino : 0);
	pthread_mutex_unlock(&mutex);
	fuse_reply_entry(req, &e);
}

static int make(fuse_ino_t dir, const char *name, mode_t mode, struct fuse_entry_param *e)
{
	u64 ino;
	int err;

	pthread_mutex_lock(&mutex);
	ino = table->inodes + 1 < SLOTS ? table->inodes++ : 0;
	err = !ino ? ENOSPC : find(dir, name) ? EEXIST : enter(dir, name, ino);
	if (!err) {
		table->inode[ino] = (struct null_inode){.mode = mode};
		*e = entry(ino);
	}
	pthread_mutex_unlock(&mutex);
	return err;
}

static void null_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	struct fuse_entry_param e;
	int err = make(dir, name, (mode & 07777) | S_IFDIR, &e);

	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_entry(req, &e);
}

static void null_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
			struct fuse_file_info *fi)
{
	struct fuse_entry_param e;
	int err = make(dir, name, (mode & 07777) | S_IFREG, &e);

	fi->keep_cache = 1;
	fi->noflush = 1;
	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_create(req, &e, fi);
}

static void null_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct name *n;

	pthread_mutex_lock(&mutex);
	n = find(dir, name);
	if (n)
		n->ino = 1;
	pthread_mutex_unlock(&mutex);
	fuse_reply_err(req, n ? 0 : ENOENT);
}

static void null_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t to_dir,
			const char *to, unsigned int flags)
{
	struct name *n, *old;
	int err = ENOENT;

	pthread_mutex_lock(&mutex);
	n = find(dir, name);
	old = find(to_dir, to);
	if (n) {
		u64 ino = n->ino;

		n->ino = 1;
		if (old)
			old->ino = ino;
		err = old || flags ? 0 : enter(to_dir, to, ino);
	}
	pthread_mutex_unlock(&mutex);
	fuse_reply_err(req, err);
}

static void null_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	pthread_mutex_lock(&mutex);
	st = attributes(node);
	pthread_mutex_unlock(&mutex);
	fuse_reply_attr(req, &st, KEEP);
}

static void null_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st, int what,
			 struct fuse_file_info *fi)
{
	pthread_mutex_lock(&mutex);
	if (what & FUSE_SET_ATTR_SIZE)
		table->inode[node].size = (u64)st->st_size;
	pthread_mutex_unlock(&mutex);
	null_getattr(req, node, fi);
}

static void null_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	(void)fi;
	fuse_reply_err(req, ENOSYS);
}

static void null_done(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void null_fsync(fuse_req_t req, fuse_ino_t node, int data_only, struct fuse_file_info *fi)
{
	(void)data_only;
	null_done(req, node, fi);
}

static void null_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	u64 end = table->inode[node].size;

	(void)fi;
	size = (u64)off >= end ? 0 : min_u64(size, end - (u64)off);
	fuse_reply_buf(req, (const char *)zeroes, min_u64(size, sizeof(zeroes)));
}

static void null_write(fuse_req_t req, fuse_ino_t node, const char *bytes, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)bytes;
	(void)fi;
	pthread_mutex_lock(&mutex);
	if (table->inode[node].size < (u64)off + size)
		table->inode[node].size = (u64)off + size;
	pthread_mutex_unlock(&mutex);
	fuse_reply_write(req, size);
}

static void null_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	(void)node;
	(void)name;
	(void)size;
	fuse_reply_err(req, ENODATA);
}

static void null_forget(fuse_req_t req, fuse_ino_t node, uint64_t count)
{
	(void)node;
	(void)count;
	fuse_reply_none(req);
}

static void null_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	(void)count;
	(void)forgets;
	fuse_reply_none(req);
}

static void null_init(void *data, struct fuse_conn_info *conn)
{
	const unsigned wanted = FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_POSIX_ACL |
				FUSE_CAP_READDIRPLUS | FUSE_CAP_PARALLEL_DIROPS |
				FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_IOCTL_DIR | FUSE_CAP_ASYNC_READ |
				FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_WRITEBACK_CACHE;

	(void)data;
	conn->want |= conn->capable & wanted;
	conn->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA |
				  FUSE_CAP_SPLICE_READ);
	conn->max_write = SERVER_MAX_READ;
	conn->max_read = SERVER_MAX_READ;
	conn->time_gran = 1;
}

static const struct fuse_lowlevel_ops null_ops = {
    .init = null_init,
    .lookup = null_lookup,
    .forget = null_forget,
    .forget_multi = null_forget_multi,
    .getattr = null_getattr,
    .setattr = null_setattr,
    .mkdir = null_mkdir,
    .create = null_create,
    .unlink = null_unlink,
    .rename = null_rename,
    .open = null_open,
    .opendir = null_open,
    .read = null_read,
    .write = null_write,
    .release = null_done,
    .releasedir = null_done,
    .fsync = null_fsync,
    .getxattr = null_getxattr,
};

static bool open_table(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*table)))
		return false;
	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (table == MAP_FAILED)
		return false;
	if (!table->inodes)
		table->inodes = FUSE_ROOT_ID + 1;
	table->inode[FUSE_ROOT_ID].mode = S_IFDIR | 0755;
	return true;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session;
	int status = 1;

	if (argc != 3 || !open_table(argv[1])) {
		fprintf(stderr, "usage: bench-null TABLE DIR\n");
		return 2;
	}
	if (fuse_opt_add_arg(&args, "bench-null") || fuse_opt_add_arg(&args, "-o") ||
	    fuse_opt_add_arg(&args, "rw,default_permissions,max_read=" SERVER_MAX_READ_TEXT))
		return 1;
	session = fuse_session_new(&args, &null_ops, sizeof(null_ops), NULL);
	if (session && !fuse_set_signal_handlers(session)) {
		if (!fuse_session_mount(session, argv[2])) {
			status = server_run(session, false) < 0;
			fuse_session_unmount(session);
		}
		fuse_remove_signal_handlers(session);
	}
	if (session)
		fuse_session_destroy(session);
	fuse_opt_free_args(&args);
	return status;
}
