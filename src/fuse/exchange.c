/*
 * XFS_IOC_EXCHANGE_RANGE, START_COMMIT and COMMIT_RANGE: two files exchange their content
 * (fs/file_exchange.h), the one that the request comes by and one that it names by a descriptor of
 * the program.
 *
 * The kernel passes neither that descriptor's file nor how any file was opened, so both are looked
 * up where the program has them, in /proc: it must have both files open to read and write, and not
 * for appending alone. Who cannot be looked at is refused.
 *
 * What the kernel has in its cache of either file is written and forgotten before, and forgotten
 * after (exchange_flush.h), for which the server must answer: a thread of its own works off what is
 * asked, in order, and holds no lock while the kernel writes.  A program that writes to memory it
 * has mapped during the exchange may find that in either file, or in neither.
 *
 * With its cache for writing, the kernel alone knows sizes, and hears of no other: a file whose
 * size would change is refused (EOPNOTSUPP).
 */
#include "fuse/exchange.h"

#include "base/trail.h"
#include "fs/file_exchange.h"
#include "fuse/change.h"
#include "fuse/exchange_flush.h"
#include "fuse/node.h"
#include "host/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WAITING_MAX 64
#define DESCRIPTORS_MAX 65536 /* of a program, that are looked at */

#define RANGE_TO_EOF (1ull << 0)
#define RANGE_DSYNC (1ull << 1)
#define RANGE_DRY_RUN (1ull << 2)
#define RANGE_FILE1_WRITTEN (1ull << 3)
#define RANGE_KNOWN 0xfull

struct exchange_range {
	s32 file1;
	u32 pad;
	u64 file1_offset, file2_offset, length, flags;
};
_Static_assert(IOC_EXCHANGE_RANGE == _IOW('X', 129, struct exchange_range), "EXCHANGE_RANGE");

/* What tells whether the content of the second file is as it was; only ever read by who has written
 * it. Not its times, which the kernel keeps to itself for a while when it writes. */
struct freshness {
	u64 mount[2], ino;
	u32 gen, changes;
	u64 reserved[2];
};
struct commit_range {
	struct exchange_range range;
	struct freshness fresh;
};
_Static_assert(IOC_START_COMMIT == _IOR('X', 130, struct commit_range), "START_COMMIT");
_Static_assert(IOC_COMMIT_RANGE == _IOW('X', 131, struct commit_range), "COMMIT_RANGE");

struct asked {
	struct asked *next;
	fuse_req_t req;
	fuse_ino_t node; /* the second file */
	struct flush_files files;
	struct file_exchange exchange;
	struct freshness fresh; /* what it must be */
	bool starts;		/* START_COMMIT: only that is asked for */
	bool commits, dry, sync;
};

struct exchanges {
	struct server *server;
	struct flusher flusher;
	dev_t device; /* as stat() has it for all files of the mount */
	u64 mount[2]; /* drawn */
	pthread_t thread;
	bool started;
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t wake;
	struct asked *first, **last;
	u32 waiting;
	bool stop;
};

/* ---- what the program has open ---- */

struct held {
	dev_t device;
	u64 ino;
	u16 mode;
	int flags; /* of open() */
};

static int flags_of_descriptor(int pid, int fd, int *flags)
{
	char path[64], line[128];
	unsigned value = 0;
	bool found = false;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	info = fopen(path, "re");
	if (!info)
		return -errno;
	while (!found && fgets(line, sizeof(line), info))
		found = sscanf(line, "flags: %o", &value) == 1;
	fclose(info);
	*flags = (int)value;
	return found ? 0 : -EBADF;
}

/* Asks nothing of the filesystem that it is in, which may be this one. */
static int look_at(int pid, int fd, struct held *out)
{
	char path[64];
	struct statx st;

	*out = (struct held){0};
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, 0, &st))
		return errno == ENOENT ? -EBADF : -errno;
	out->device = makedev(st.stx_dev_major, st.stx_dev_minor);
	out->ino = st.stx_ino;
	out->mode = st.stx_mode;
	return flags_of_descriptor(pid, fd, &out->flags);
}

static bool may_exchange(const struct held *h)
{
	return (h->flags & O_ACCMODE) == O_RDWR && !(h->flags & O_APPEND);
}

static int first_file(const struct exchanges *e, int pid, int fd, struct held *out)
{
	int err = look_at(pid, fd, out);

	if (err)
		return err;
	if (out->device != e->device)
		return -EXDEV;
	if (S_ISDIR(out->mode))
		return -EISDIR;
	return may_exchange(out) ? 0 : -EBADF;
}

/* Any descriptor will do: the kernel does not say which one it was. */
static int second_file(const struct exchanges *e, int pid, u64 ino, int *fd, int *flags)
{
	char path[64];
	struct dirent *entry;
	struct held h;
	int err = -EBADF;
	u32 seen = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (err && seen++ < DESCRIPTORS_MAX && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || look_at(pid, atoi(entry->d_name), &h) ||
		    h.device != e->device || h.ino != ino || !may_exchange(&h))
			continue;
		*flags = h.flags;
		*fd = atoi(entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

/* ---- one exchange ---- */

static int fresh_now(struct exchanges *e, struct inum ino, struct freshness *out)
{
	struct server *server = e->server;
	const struct inode *inode;
	int err;

	*out = (struct freshness){.mount = {e->mount[0], e->mount[1]}, .ino = ino.v};
	vol_read_begin(server->vol);
	err = node_get(server->nodes, ino, &inode);
	if (!err) {
		out->gen = inode->gen;
		out->changes = file_changes(server->changer, ino);
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	return err;
}

/* The file is locked. */
static int still_fresh(struct exchanges *e, const struct asked *a)
{
	struct freshness now;
	int err = a->commits ? fresh_now(e, a->exchange.second, &now) : 0;

	if (!err && a->commits && memcmp(&now, &a->fresh, sizeof(now)))
		err = fail(-EBUSY, "inode %llu: it has changed meanwhile",
			   (unsigned long long)a->exchange.second.v);
	return err;
}

static int exchange_step(struct vol *vol, struct txn *txn, void *arg)
{
	const struct asked *a = arg;
	int err = file_exchange(vol, txn, &a->exchange);

	/* a try is rolled back when it has gone well */
	return !err && a->dry ? -ECANCELED : err;
}

static int make_durable(struct server *server)
{
	struct journal *j = server->vol->journal;

	return journal_force(j, journal_number(j), true);
}

static int exchange_locked(struct exchanges *e, struct asked *a)
{
	struct changer *c = e->server->changer;
	struct file_exchange *x = &a->exchange;
	int err;

	x->now = time_now();
	files_lock(c, x->first, x->second);
	err = still_fresh(e, a);
	if (!err)
		err = change(c, exchange_step, a);
	if (!err) {
		file_changed(c, x->first);
		file_changed(c, x->second);
	}
	files_unlock(c, x->first, x->second);
	return a->dry && err == -ECANCELED ? 0 : err;
}

static void carry_out(struct exchanges *e, struct asked *a)
{
	int err = flusher_begin(&e->flusher, &a->files);

	if (!err) {
		err = exchange_locked(e, a);
		/* what cannot be forgotten any more is that of a session that ends */
		flusher_again(&e->flusher);
		flusher_end(&e->flusher);
	}
	if (!err && a->sync)
		err = make_durable(e->server);
	if (err)
		reply_failure(a->req, err, "exchange", a->node);
	else
		fuse_reply_ioctl(a->req, 0, NULL, 0);
}

static void start_commit(struct exchanges *e, struct asked *a)
{
	struct commit_range out = {0};
	int err = flusher_begin(&e->flusher, &a->files);

	if (!err) {
		err = fresh_now(e, a->exchange.second, &out.fresh);
		flusher_end(&e->flusher);
	}
	if (err)
		reply_failure(a->req, err, "start commit", a->node);
	else
		fuse_reply_ioctl(a->req, 0, &out, sizeof(out));
}

/* ---- the thread ---- */

static void *work(void *arg)
{
	struct exchanges *e = arg;
	struct asked *a;

	pthread_mutex_lock(&e->mutex);
	while (!e->stop || e->first) {
		a = e->first;
		if (!a) {
			pthread_cond_wait(&e->wake, &e->mutex);
			continue;
		}
		e->first = a->next;
		if (!e->first)
			e->last = &e->first;
		e->waiting--;
		pthread_mutex_unlock(&e->mutex);
		if (a->starts)
			start_commit(e, a);
		else
			carry_out(e, a);
		free(a);
		pthread_mutex_lock(&e->mutex);
	}
	pthread_mutex_unlock(&e->mutex);
	return NULL;
}

static int enqueue(struct exchanges *e, const struct asked *asked)
{
	struct asked *a = malloc(sizeof(*a));
	int err = a ? 0 : -ENOMEM;

	if (a) {
		*a = *asked;
		a->next = NULL;
	}
	pthread_mutex_lock(&e->mutex);
	if (!err && e->stop)
		err = -ENODEV;
	if (!err && e->waiting == WAITING_MAX)
		err = -EBUSY;
	if (!err) {
		*e->last = a;
		e->last = &a->next;
		e->waiting++;
		pthread_cond_signal(&e->wake);
	}
	pthread_mutex_unlock(&e->mutex);
	if (err)
		free(a);
	return err;
}

/* ---- requests ---- */

static int prepare(struct exchanges *e, struct asked *a, const struct exchange_range *r, int flags)
{
	struct file_exchange *x = &a->exchange;
	struct held first;
	int err;

	if (r->pad || r->flags & ~RANGE_KNOWN)
		return -EINVAL;
	err = first_file(e, (int)a->files.pid, r->file1, &first);
	if (err)
		return err;
	a->files.fd[0] = r->file1;
	a->dry = r->flags & RANGE_DRY_RUN;
	a->sync =
	    r->flags & RANGE_DSYNC || (first.flags | flags) & O_DSYNC || e->server->options.sync;
	x->first = inum_of(first.ino);
	x->first_at = r->file1_offset;
	x->second_at = r->file2_offset;
	x->bytes = r->length;
	x->flags = FILE_EXCHANGE_SAME_SIZES | (r->flags & RANGE_TO_EOF ? FILE_EXCHANGE_TO_EOF : 0) |
		   (r->flags & RANGE_FILE1_WRITTEN ? FILE_EXCHANGE_WRITTEN : 0) |
		   (request_is_admin(a->req) ? FILE_EXCHANGE_KEEP_PRIVILEGES : 0);
	return 0;
}

void exchange_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, const void *in, size_t in_size,
		    size_t out_size)
{
	struct server *server = server_of(req);
	struct exchanges *e = server->exchanges;
	struct asked a = {
	    .req = req, .node = node, .exchange = {.second = node_inum(server, node)}};
	struct commit_range r = {0};
	size_t wanted = cmd == IOC_EXCHANGE_RANGE ? sizeof(r.range)
			: cmd == IOC_COMMIT_RANGE ? sizeof(r)
						  : 0;
	int err = 0, flags = 0;

	if (!e)
		err = -EROFS;
	else if (in_size < wanted || (cmd == IOC_START_COMMIT && out_size < sizeof(r)))
		err = -EINVAL;
	if (!err && wanted)
		memcpy(&r, in, wanted);
	a.starts = cmd == IOC_START_COMMIT;
	a.commits = cmd == IOC_COMMIT_RANGE;
	a.fresh = r.fresh;
	a.files = (struct flush_files){.pid = fuse_req_ctx(req)->pid, .fd = {-1, -1}};
	if (!err)
		err = second_file(e, (int)a.files.pid, a.exchange.second.v, &a.files.fd[1], &flags);
	if (!err)
		a.files.device = e->device;
	if (!err && !a.starts)
		err = prepare(e, &a, &r.range, flags);
	if (!err)
		err = enqueue(e, &a);
	if (err)
		fuse_reply_err(req, -err);
}

static int look_at_mount(struct exchanges *e, const char *directory)
{
	struct env *env = e->server->vol->env;
	struct statx st;
	int err = env->random(env, e->mount, sizeof(e->mount));

	if (err)
		return err;
	if (statx(AT_FDCWD, directory, AT_STATX_DONT_SYNC, 0, &st))
		return fail(-errno, "%s: %s", directory, strerror(errno));
	e->device = makedev(st.stx_dev_major, st.stx_dev_minor);
	return 0;
}

int exchanges_open(struct server *server, const char *directory)
{
	struct exchanges *e;
	int err;

	if (!server->changer)
		return 0;
	e = calloc(1, sizeof(*e));
	if (!e)
		return fail(-ENOMEM, "out of memory");
	e->server = server;
	e->last = &e->first;
	pthread_mutex_init(&e->mutex, NULL);
	pthread_cond_init(&e->wake, NULL);
	server->exchanges = e;
	err = flusher_open(&e->flusher, directory);
	if (err)
		exchanges_close(server);
	return err;
}

int exchanges_start(struct server *server, const char *directory)
{
	struct exchanges *e = server->exchanges;
	int err = look_at_mount(e, directory);

	if (!err)
		err = host_thread_start(&e->thread, work, e);
	e->started = !err;
	return err;
}

void exchanges_stop(struct server *server)
{
	struct exchanges *e = server->exchanges;

	if (!e || !e->started)
		return;
	atomic_store(&e->flusher.stop, true);
	pthread_mutex_lock(&e->mutex);
	e->stop = true;
	pthread_cond_signal(&e->wake);
	pthread_mutex_unlock(&e->mutex);
	pthread_join(e->thread, NULL);
	e->started = false;
}

void exchanges_close(struct server *server)
{
	struct exchanges *e = server->exchanges;

	if (!e)
		return;
	flusher_close(&e->flusher);
	pthread_cond_destroy(&e->wake);
	pthread_mutex_destroy(&e->mutex);
	free(e);
	server->exchanges = NULL;
}

int exchanges_flush_all(struct server *server, const struct patience *patience)
{
	struct exchanges *e = server->exchanges;

	return e && e->started ? flusher_all(&e->flusher, e->device, patience) : 0;
}

bool exchanges_flush_asks(const struct server *server, fuse_req_t req)
{
	return server->exchanges && fuse_req_ctx(req)->pid == server->exchanges->flusher.pid;
}
