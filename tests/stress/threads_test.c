/*
 * Threads of mixed work in one volume, through what the server works with (src/fuse/change.h),
 * while snapshots are checked all the time: the books of each must balance, each thread must read
 * what it has written, and the filesystem must be sound in the end.  It is so small that what is
 * freed is soon used again, for data and for metadata, below open snapshots.  Or the space trees of
 * one AG after the other are made anew all the time (meta/ag_live.h).
 *
 * tests/threads.sh runs it under the thread sanitizer.  SECONDS_EACH, SEED, and IMAGE (where the
 * image is left for other judges, by its number) in the environment.
 */
#include "base/test.h"

#include "format/attr.h"
#include "fs/attr_modify.h"
#include "fs/file_data.h"
#include "fs/file_share.h"
#include "fs/file_truncate.h"
#include "fs/file_write.h"
#include "fs/mkfs.h"
#include "fuse/change.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "meta/ag_live.h"
#include "meta/types_table.h"
#include "scrub/repair.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS 4
#define FILES 24
#define FILE_BYTES 60000u

struct file {
	struct inum ino; /* 0: none */
	u32 version, size;
};

struct worker {
	pthread_t thread;
	struct test *test;
	u64 seed;
	struct inum dir;
	struct file file[FILES];
	u32 operations, full;
};

struct test {
	struct env env;
	int fd;
	char path[64]; /* of the image: the kernel does not mind reads beside writes */
	struct vol *vol;
	struct changer *changer;
	struct worker worker[THREADS];
	u32 findings, snapshots;	  /* the checker's */
	u32 rebuilds, given_up, gathered; /* the rebuilder's */
	u64 caught_up, stopped;
	bool stop;
};

static u32 draw(u64 *seed, u32 below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (u32)((*seed >> 20) % below);
}

static bool stopped(struct test *t)
{
	return __atomic_load_n(&t->stop, __ATOMIC_RELAXED);
}

/* 0, or there is no space. */
static bool done(struct worker *w, int err)
{
	w->operations++;
	if (err && err != -ENOSPC) {
		printf("%d: %s\n", err, trail_text());
		fflush(stdout);
		abort();
	}
	w->full += err != 0;
	return !err;
}

static void must(int err)
{
	if (err) {
		printf("%d: %s\n", err, trail_text());
		fflush(stdout);
		abort();
	}
}

/* ---- requests ---- */

struct request {
	struct names_entry at, to;
	struct names_new new;
	struct names_time now;
	struct inum ino, gone;
	struct attr attr;
	struct file_plan plan;
	struct file_share share;
	u64 off, len;
};

static int create_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return names_create(vol, txn, &r->at, &r->new, &r->ino);
}
static int remove_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return names_unlink(vol, txn, &r->at, &r->now, &r->gone);
}
static int rename_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return names_rename(vol, txn, &r->at, &r->to, 0, &r->now, &r->gone);
}
static int attr_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return attr_set(vol, txn, r->ino, &r->attr, ATTR_HOW_ANY);
}
static int prepare_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return file_write_prepare(vol, txn, r->ino, r->off, r->len, 0, &r->plan);
}
static int finish_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return file_write_finish(vol, txn, &r->plan);
}
static int cancel_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return file_write_cancel(vol, txn, &r->plan);
}
static int shrink_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct request *r = arg;

	return file_truncate_step(vol, txn, r->ino, 0, more);
}
static int share_step(struct vol *vol, struct txn *txn, void *arg, bool *more)
{
	struct request *r = arg;
	struct file_share share = r->share;
	int err = file_share_step(vol, txn, &share);

	*more = !err && share.blocks;
	r->share = err ? r->share : share;
	return err;
}

static int write_all(struct test *t, struct request *r, const u8 *bytes)
{
	u64 end = r->off + r->len, done_bytes = 0;
	int err;

	do {
		r->off = done_bytes;
		r->len = end - done_bytes;
		err = change(t->changer, prepare_step, r);
		if (err)
			return err;
		err = file_write_data(t->vol, &r->plan, bytes + done_bytes);
		if (!err)
			err = change(t->changer, finish_step, r);
		if (err) {
			change(t->changer, cancel_step, r);
			return err;
		}
		done_bytes += file_plan_bytes(&r->plan);
	} while (!file_plan_ends(&r->plan, end));
	return 0;
}

/* ---- what a thread does ---- */

static u32 number_of(const struct worker *w, u32 i)
{
	return (u32)(w - w->test->worker) * FILES + i;
}

static void content(const struct worker *w, u32 i, u8 *bytes)
{
	u64 seed = (number_of(w, i) + 1) * 0x9e3779b97f4a7c15ull + w->file[i].version;

	for (u32 n = 0; n < w->file[i].size; n += 8) {
		u64 word = seed * (n + 1) | 1;

		memcpy(bytes + n, &word, 8);
	}
}

/* Under a long name, so that directories have blocks. */
static struct names_entry entry(struct worker *w, u32 i, char name[64])
{
	snprintf(name, 64, "a-file-with-a-rather-long-name-%u", number_of(w, i));
	return (struct names_entry){w->dir, name, (u32)strlen(name)};
}

static void look(struct worker *w, u32 i)
{
	static __thread u8 wanted[FILE_BYTES + 8], found[FILE_BYTES + 8];
	struct file *f = &w->file[i];
	struct inode inode;

	content(w, i, wanted);
	vol_read_begin(w->test->vol);
	must(inode_get(w->test->vol, f->ino, &inode));
	if (inode.size != f->size)
		must(fail(-EUCLEAN, "file %u has size %llu, not %u", number_of(w, i),
			  (unsigned long long)inode.size, f->size));
	if (f->size)
		must(file_read(w->test->vol, &inode, 0, f->size, found));
	inode_put(w->test->vol, &inode);
	vol_read_end(w->test->vol);
	if (memcmp(wanted, found, f->size))
		must(fail(-EUCLEAN, "file %u has another content", number_of(w, i)));
}

static void make(struct worker *w, u32 i)
{
	char name[64];
	struct request r = {.at = entry(w, i, name), .new = {.mode = S_IFREG | 0644}};

	if (!done(w, change(w->test->changer, create_step, &r)))
		return;
	w->file[i] = (struct file){.ino = r.ino};
}

static void empty(struct worker *w, u32 i)
{
	struct request r = {.ino = w->file[i].ino};

	if (done(w, change_series(w->test->changer, shrink_step, &r, 0)))
		w->file[i].size = 0;
}

static void fill(struct worker *w, u32 i)
{
	static __thread u8 bytes[FILE_BYTES + 8];
	struct request r = {.ino = w->file[i].ino};

	file_lock(w->test->changer, r.ino);
	empty(w, i);
	w->file[i].version++;
	w->file[i].size = 8 * draw(&w->seed, FILE_BYTES / 8);
	r.len = w->file[i].size;
	content(w, i, bytes);
	if (!done(w, write_all(w->test, &r, bytes)))
		empty(w, i);
	file_unlock(w->test->changer, w->file[i].ino);
}

static void drop(struct worker *w, u32 i)
{
	char name[64];
	struct request r = {.at = entry(w, i, name)};

	if (!done(w, change(w->test->changer, remove_step, &r)))
		return;
	orphan_add(w->test->changer, r.gone);
	orphan_forget(w->test->changer, r.gone);
	w->file[i].ino = inum_of(0);
}

/* There and back, through the directory of the next. */
static void move(struct worker *w, u32 i)
{
	struct test *t = w->test;
	char name[64];
	struct request r = {.at = entry(w, i, name), .to = entry(w, i, name)};

	r.to.dir = t->worker[((u32)(w - t->worker) + 1) % THREADS].dir;
	if (!done(w, change(t->changer, rename_step, &r)))
		return;
	r.to.dir = r.at.dir;
	r.at.dir = t->worker[((u32)(w - t->worker) + 1) % THREADS].dir;
	while (!done(w, change(t->changer, rename_step, &r)))
		;
}

static void set_attr(struct worker *w, u32 i)
{
	static const u8 value[9000];
	struct request r = {.ino = w->file[i].ino,
			    .attr = {.name = "some",
				     .name_length = 4,
				     .value = value,
				     .value_length = draw(&w->seed, sizeof(value))}};

	done(w, change(w->test->changer, attr_step, &r));
}

/* A copy of the first of a thread, by sharing. */
static void copy(struct worker *w, u32 i)
{
	u32 block = w->test->vol->geo.block_size;
	struct file *f = &w->file[i], *from = &w->file[0];
	struct request r = {.ino = f->ino};

	if (!i || !from->ino.v || !from->size)
		return;
	empty(w, i);
	if (f->size)
		return;
	r.share =
	    (struct file_share){from->ino, f->ino, 0, 0, div_up_u64(from->size, block), from->size};
	if (!done(w, change_series(w->test->changer, share_step, &r, 0))) {
		f->size = 1; /* some of it */
		empty(w, i);
		return;
	}
	/* its content is not its own: it is compared at once, and written anew */
	{
		struct file saved = *f;
		static __thread u8 a[FILE_BYTES + 8], b[FILE_BYTES + 8];
		struct inode inode;

		content(w, 0, a);
		vol_read_begin(w->test->vol);
		must(inode_get(w->test->vol, saved.ino, &inode));
		must(inode.size == from->size ? 0 : -EUCLEAN);
		must(file_read(w->test->vol, &inode, 0, from->size, b));
		inode_put(w->test->vol, &inode);
		vol_read_end(w->test->vol);
		must(memcmp(a, b, from->size) ? fail(-EUCLEAN, "a copy differs") : 0);
	}
	f->size = from->size;
	fill(w, i);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct journal *j = w->test->vol->journal;

	while (!stopped(w->test)) {
		u32 i = draw(&w->seed, FILES), what = draw(&w->seed, 20);

		if (!w->file[i].ino.v)
			make(w, i);
		else if (what < 8)
			fill(w, i);
		else if (what < 10)
			drop(w, i);
		else if (what < 12)
			move(w, i);
		else if (what < 14)
			set_attr(w, i);
		else if (what < 16)
			copy(w, i);
		else if (what < 19)
			look(w, i);
		else
			must(journal_force(j, journal_number(j), true));
	}
	return NULL;
}

static void count_finding(struct env *env, const struct finding *finding)
{
	struct test *t = env->front;
	char text[512];

	if (finding->def->severity <= SEVERITY_WARNING)
		return;
	finding_print(finding, text, sizeof(text));
	puts(text);
	__atomic_add_fetch(&t->findings, 1, __ATOMIC_RELAXED);
}

/* A snapshot may be old when it is looked at. */
static void *check(void *arg)
{
	struct test *t = arg;
	const struct vol_options how = {.memory = 1u << 20};
	struct sweep_stats stats;
	u64 seed = 7;

	while (!stopped(t) && !t->findings) {
		struct vol *snapshot;

		must(vol_snapshot(t->vol, &t->env, &how, &snapshot));
		usleep(draw(&seed, 100000));
		must(sweep_run(snapshot, NULL, &stats));
		must(vol_close(snapshot));
		t->snapshots++;
	}
	return NULL;
}

/* One AG after the other. It may be that there is no room, or that others need it; not more. */
/* The names are gathered beside all others, though nothing is wrong with them. */
static void gather_names(struct test *t)
{
	const struct repair_options options = {
	    .live = true, .never_stop = true, .memory = 1u << 20, .force = 1ull << META_NAMES};
	struct repair_result result;

	must(repair_run(t->vol, &options, &result));
	assert_int_equal(result.left, 0);
	t->gathered += result.rebuilt;
}

static void *rebuild(void *arg)
{
	struct test *t = arg;
	struct repair repair = {.vol = t->vol};

	for (u32 ag = 0; !stopped(t); ag = (ag + 1) % t->vol->geo.ag_count) {
		struct ag_live_result result;
		int err = ag_live_rebuild(&repair, ag, 1u << 20, &result);

		if (err && err != -EAGAIN && err != -ENOSPC)
			must(err);
		t->rebuilds += !err;
		t->given_up += err != 0;
		t->caught_up += result.caught_up;
		t->stopped = max_u64(t->stopped, result.stopped);
		trail_clear();
		if (t->rebuilds % 8 == 1)
			gather_names(t);
	}
	return NULL;
}

/* What the server's thread does, all the time. */
static void *background(void *arg)
{
	struct test *t = arg;

	while (!stopped(t)) {
		orphans_flush(t->changer);
		must(journal_work(t->vol->journal));
		usleep(100);
	}
	return NULL;
}

static void make_dirs(struct test *t)
{
	char name[16];

	for (u32 i = 0; i < THREADS; i++) {
		struct request r = {.at = {inum_of(t->vol->geo.root_ino), name, 0},
				    .new = {.mode = S_IFDIR | 0755}};

		r.at.length = (u32)snprintf(name, sizeof(name), "dir-%u", i);
		must(change(t->changer, create_step, &r));
		t->worker[i].dir = r.ino;
	}
}

static struct device *open_image(struct test *t)
{
	struct device *dev;

	must(device_open_file(&t->env, t->path, false, &dev));
	return dev;
}

static void open_test(struct test *t, u32 block_size)
{
	const struct mkfs_target target = {.data_size = 40u << 20};
	struct vol_options options = {.write = true, .memory = 1u << 20};
	struct mkfs_devices devices = {0};
	struct mkfs_options mkfs;
	struct geometry g;

	memset(t, 0, sizeof(*t));
	host_env_init(&t->env, 1);
	t->env.front = t;
	t->env.finding = count_finding;
	t->fd = memfd_create("mendfs-threads", MFD_CLOEXEC);
	assert_true(t->fd >= 0);
	snprintf(t->path, sizeof(t->path), "/proc/self/fd/%d", t->fd);
	assert_int_equal(ftruncate(t->fd, (off_t)target.data_size), 0);
	devices.data = open_image(t);
	mkfs_options_init(&mkfs);
	mkfs.block_size = block_size;
	mkfs.ag_count = 2;
	must(mkfs_plan(&t->env, &mkfs, &target, &g));
	must(mkfs_build(&t->env, &meta_types, &mkfs, &g, &devices));
	options.data = devices.data;
	must(vol_open(&t->env, &meta_types, &options, &t->vol));
	must(changer_open(t->vol, &t->changer));
	make_dirs(t);
}

/* All but so many blocks go to a file. */
static void leave_little(struct test *t, u64 blocks)
{
	struct request r = {.at = {inum_of(t->vol->geo.root_ino), "filler", 6},
			    .new = {.mode = S_IFREG | 0644}};
	u32 block = t->vol->geo.block_size;
	u64 size = 0, step = 1u << 20;
	u8 *bytes = calloc(1, step);

	must(change(t->changer, create_step, &r));
	while (step >= block) {
		struct request w = {.ino = r.ino, .off = size, .len = step};
		int err = change(t->changer, prepare_step, &w);

		if (!err)
			err = file_write_data(t->vol, &w.plan, bytes);
		if (!err)
			err = change(t->changer, finish_step, &w);
		if (err == -ENOSPC)
			step /= 2;
		else
			must(err);
		size += err ? 0 : file_plan_bytes(&w.plan);
	}
	free(bytes);
	for (bool more = true; more;) {
		struct txn *txn;

		must(vol_begin(t->vol, NULL, &txn));
		must(vol_end(t->vol, txn,
			     file_truncate_step(t->vol, txn, r.ino, size - blocks * block, &more)));
	}
	must(journal_push(t->vol->journal));
}

static void leave_image(const struct test *t)
{
	const char *name = getenv("IMAGE");
	static u32 number;
	char command[256];

	if (!name)
		return;
	snprintf(command, sizeof(command), "cp --sparse=always /proc/%d/fd/%d '%s.%u'",
		 (int)getpid(), t->fd, name, number++);
	assert_int_equal(system(command), 0);
}

static void close_test(struct test *t)
{
	struct vol_options options = {0};
	struct sweep_stats stats;
	struct vol *vol;

	changer_close(t->changer);
	must(vol_close(t->vol));
	options.data = open_image(t);
	must(vol_open(&t->env, &meta_types, &options, &vol));
	must(sweep_run(vol, NULL, &stats));
	vol_close(vol);
	leave_image(t);
	close(t->fd);
}

static void run(u32 block_size, u64 room, bool rebuilt)
{
	static struct test test;
	struct test *t = &test;
	u32 operations = 0, no_space = 0;
	pthread_t checker, ground, rebuilder;

	open_test(t, block_size);
	leave_little(t, room);
	for (u32 i = 0; i < THREADS; i++) {
		t->worker[i].test = t;
		t->worker[i].seed = test_number("SEED", 1) * 77 + i + 1;
		assert_int_equal(pthread_create(&t->worker[i].thread, NULL, work, &t->worker[i]),
				 0);
	}
	assert_int_equal(pthread_create(&checker, NULL, check, t), 0);
	assert_int_equal(pthread_create(&ground, NULL, background, t), 0);
	if (rebuilt)
		assert_int_equal(pthread_create(&rebuilder, NULL, rebuild, t), 0);
	usleep((useconds_t)(test_number("SECONDS_EACH", rebuilt ? 2 : 3) * 1000000));
	__atomic_store_n(&t->stop, true, __ATOMIC_RELAXED);
	for (u32 i = 0; i < THREADS; i++) {
		pthread_join(t->worker[i].thread, NULL);
		operations += t->worker[i].operations;
		no_space += t->worker[i].full;
		for (u32 n = 0; n < FILES; n++)
			if (t->worker[i].file[n].ino.v)
				look(&t->worker[i], n);
	}
	pthread_join(checker, NULL);
	pthread_join(ground, NULL);
	if (rebuilt)
		pthread_join(rebuilder, NULL);
	close_test(t);
	printf("blocks of %u bytes, %llu of them free: %u operations, %u times no space, %u "
	       "snapshots\n",
	       block_size, (unsigned long long)room, operations, no_space, t->snapshots);
	if (rebuilt)
		printf("seed %llu: %u rebuilds of an AG, %u given up, %llu changes caught up "
		       "with, writers waited %llu us at most; names gathered %u times\n",
		       (unsigned long long)test_number("SEED", 1), t->rebuilds, t->given_up,
		       (unsigned long long)t->caught_up, (unsigned long long)t->stopped / 1000,
		       t->gathered);
	fflush(stdout);
	assert_true(!rebuilt || (t->rebuilds && t->gathered));
	assert_int_equal(t->findings, 0);
	assert_true(operations && t->snapshots);
}

static void threads_1k(void **state)
{
	(void)state;
	run(1024, 12000, false);
}
static void threads_4k(void **state)
{
	(void)state;
	run(4096, 2500, false);
}
/* Space is so short that what is freed must be used again. */
static void threads_full(void **state)
{
	(void)state;
	run(1024, 1800, false);
}
static void rebuilt_1k(void **state)
{
	(void)state;
	run(1024, 16000, true);
}
/* What is fenced off for new trees is half of what is left. */
static void rebuilt_full(void **state)
{
	(void)state;
	run(1024, 2000, true);
}
static void rebuilt_4k(void **state)
{
	(void)state;
	run(4096, 5000, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_1k),   cmocka_unit_test(threads_4k),
	    cmocka_unit_test(threads_full), cmocka_unit_test(rebuilt_1k),
	    cmocka_unit_test(rebuilt_full), cmocka_unit_test(rebuilt_4k)};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
