/*
 * Writing to files: random work against a model of the bytes, and what that meets too rarely.
 */
#include "base/test.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/trail.h"
#include "fs/file_impl.h"
#include "fs/file_range.h"
#include "fs/file_share.h"
#include "fs/file_truncate.h"
#include "fs/file_write.h"
#include "fs/fork.h"

#define MIB 48

static char path[] = "/tmp/mendfs-file-XXXXXX";

static void open_files(struct files *f, const char *options, u64 seed)
{
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	close(mkstemp(path));
	if (!files_make(path, MIB, options)) {
		unlink(path);
		printf("skipped: no mkfs.xfs\n");
		skip();
	}
	files_open(f, path, seed);
}

static void close_files(struct files *f)
{
	files_check(f);
	files_close(f);
	unlink(path);
}

static const char *const configs[] = {
    "-b size=1024 -m reflink=1,rmapbt=1",
    "-b size=4096 -m reflink=1,rmapbt=0 -d agcount=3",
    "-b size=1024 -m reflink=0,rmapbt=1 -i nrext64=1",
    "-b size=4096 -m reflink=0,rmapbt=0",
};

/* ---- random ---- */

static void at_random(void **state)
{
	const char *seed = getenv("SEED");
	u32 abandoned = 0, full = 0, overwritten = 0;
	struct files f;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(configs); i++) {
		open_files(&f, configs[i], seed ? strtoull(seed, NULL, 0) : i + 1);
		files_run(&f, 600);
		files_recover(&f);
		abandoned += f.abandoned;
		full += f.full;
		overwritten += f.overwritten;
		close_files(&f);
	}
	assert_true(abandoned > 50 && full > 2 && overwritten > 20);
}

/* ---- more extents than one step does ---- */

static struct inode look(struct files *f, u32 file)
{
	struct inode inode;

	files_must(f, inode_get(f->vol, f->file[file].ino, &inode));
	inode_put(f->vol, &inode);
	return inode;
}

static u64 extents(struct files *f, u32 file)
{
	return look(f, file).fork[FORK_DATA].extents;
}

static u32 more_steps(struct files *f)
{
	u32 stepped = f->stepped;

	f->stepped = 0;
	for (u32 i = 0; i < FILES_COUNT; i++)
		files_same(f, i);
	return stepped;
}

static void many_shared(struct files *f)
{
	files_share(f, 0, 1, 0, 0, FILES_MAX >> f->vol->geo.block_log);
	assert_true(more_steps(f));
	assert_true(extents(f, 1) > FILE_STEP);
	files_write(f, 1, 100, 500000);
	assert_true(more_steps(f) >= 2);
	files_unshare(f, 1, 0, FILES_MAX);
	assert_true(more_steps(f));
	files_share(f, 0, 2, 0, 100, 900);
	files_share(f, 1, 0, 3, 3, 1000);
	files_truncate(f, 2, 0);
	assert_true(more_steps(f) >= 3);
	files_check(f);
}

static void many(const char *options)
{
	struct files f;

	open_files(&f, options, 1);
	f.quiet = true;
	files_comb(&f, 0, 0, FILES_MAX);
	files_write(&f, 0, FILES_MAX - 1, 1);
	assert_true(extents(&f, 0) > FILE_STEP);
	more_steps(&f);
	files_collapse(&f, 0, 3, 2);
	assert_true(more_steps(&f));
	files_insert(&f, 0, 2, 2);
	assert_true(more_steps(&f));
	assert_true(extents(&f, 0) > FILE_STEP);
	if (geometry_has(&f.vol->geo, FEATURE_REFLINK))
		many_shared(&f);
	files_comb(&f, 3, 0, FILES_MAX);
	files_write(&f, 3, 10, 400000);
	assert_true(more_steps(&f) >= 2);
	files_comb(&f, 2, 0, FILES_MAX);
	files_allocate(&f, 2, 0, 1000);
	assert_true(more_steps(&f));
	files_comb(&f, 2, 1024, 1000000);
	files_punch(&f, 2, 100, FILES_MAX);
	assert_true(more_steps(&f));
	files_truncate(&f, 0, 12345);
	more_steps(&f);
	close_files(&f);
}

static void many_extents(void **state)
{
	(void)state;
	many(configs[0]);
	many(configs[2]);
}

/* ---- where blocks are ---- */

static void places(void **state)
{
	struct files f;
	struct inode inode;
	u64 blocks;

	(void)state;
	open_files(&f, configs[0], 3);
	f.quiet = true;
	files_grow(&f, 0, 5000);
	files_grow(&f, 0, 5300);
	assert_int_equal(look(&f, 0).nblocks, 0); /* a hole */
	files_allocate(&f, 1, 0, 1000);
	assert_int_equal(extents(&f, 1), 1);
	inode = look(&f, 1);
	assert_true(inode.flags & INODE_FLAG_PREALLOC);
	assert_int_equal(inode.nblocks, 1000);
	files_write(&f, 1, 1024, 1024); /* in the middle of unwritten blocks */
	assert_int_equal(extents(&f, 1), 3);
	files_write(&f, 1, 0, 1024);
	assert_int_equal(extents(&f, 1), 2);
	blocks = f.vol->geo.block_size;
	for (u32 i = 0; i < 100; i++)
		files_write(&f, 2, i * blocks, blocks);
	assert_true(extents(&f, 2) <= 2);
	close_files(&f);
}

/* Large files begin at a stripe, and go on where they are. */
static void stripes(void **state)
{
	struct files f;
	struct extent e = {0};
	struct inode inode;

	(void)state;
	open_files(&f, "-b size=1024 -d su=32k,sw=2", 3);
	f.quiet = true;
	files_write(&f, 0, 0, 5000);
	for (u32 i = 1; i < FILES_COUNT; i++) {
		files_write(&f, i, 0, 100000);
		files_must(&f, inode_get(f.vol, f.file[i].ino, &inode));
		files_must(&f, fork_lookup(f.vol, &inode, FORK_DATA, fileoff_of(0), &e));
		inode_put(f.vol, &inode);
		assert_int_equal(e.start % 32, 0);
	}
	files_write(&f, 3, 100000, 100000);
	assert_int_equal(extents(&f, 3), 1);
	close_files(&f);
}

static void write_once(struct files *f, u32 file, u64 off, u64 len, u64 spare)
{
	static const u8 bytes[4096] = {1};
	struct file_plan plan;

	files_begin(f);
	files_must(f,
		   file_write_prepare(f->vol, f->txn, f->file[file].ino, off, len, spare, &plan));
	files_commit(f);
	files_must(f, file_write_data(f->vol, &plan, bytes));
	files_begin(f);
	files_must(f, file_write_finish(f->vol, f->txn, &plan));
	files_commit(f);
	memcpy(f->file[file].bytes + off, bytes, len);
	f->file[file].size = max_u64(f->file[file].size, off + len);
	files_same(f, file);
}

static void trim(struct files *f, u32 file)
{
	bool more = true;

	files_begin(f);
	files_must(f, file_trim_step(f->vol, f->txn, f->file[file].ino, &more));
	assert_false(more);
	files_commit(f);
}

static void spare_blocks(void **state)
{
	struct files f;
	struct file_edit edit;

	(void)state;
	open_files(&f, configs[0], 3);
	write_once(&f, 0, 0, 100, 64);
	assert_int_equal(look(&f, 0).nblocks, 65);
	write_once(&f, 0, 100, 2000, 64);
	assert_int_equal(look(&f, 0).nblocks, 65);
	trim(&f, 0);
	assert_int_equal(look(&f, 0).nblocks, 3);
	files_allocate(&f, 0, 0, 50);
	trim(&f, 0);
	assert_int_equal(look(&f, 0).nblocks, 50); /* were asked for */
	files_begin(&f);
	files_must(&f, file_edit_begin(f.vol, f.txn, f.file[1].ino, &edit));
	file_core(&edit)->flags = be16_make(INODE_FLAG_EXTSIZE);
	file_core(&edit)->extsize = be32_make(16);
	files_commit(&f);
	write_once(&f, 1, 20 * 1024 + 5, 10, 0);
	assert_int_equal(look(&f, 1).nblocks, 16);
	write_once(&f, 1, 16 * 1024, 4096, 0);
	assert_int_equal(look(&f, 1).nblocks, 16);
	assert_true(file_spare(&f.vol->geo, 10, 1000000) >= 64);
	assert_int_equal(file_spare(&f.vol->geo, 1u << 20, 64000), 1000);
	close_files(&f);
}

/* The inode is a link that has no name any more; what it is when its target is gone. */
static struct inode end_link(struct files *f, struct inum ino)
{
	struct txn_buf *buf;
	struct dinode *d;
	struct inode inode;
	bool more;

	files_must(f, inode_edit(f->vol, f->txn, ino, &buf));
	txn_dirty(f->txn, buf);
	d = (struct dinode *)buf->data;
	d->mode = be16_make(S_IFLNK | 0777);
	assert_int_equal(file_truncate_step(f->vol, f->txn, ino, 0, &more), -EINVAL);
	d->nlink = be32_make(0);
	files_must(f, file_truncate_step(f->vol, f->txn, ino, 0, &more));
	assert_false(more);
	inode_parse(&f->vol->geo, ino, buf->data, &inode);
	return inode;
}

/* Symbolic links give their blocks back when nothing is left of them. */
static void links(void **state)
{
	struct inode inode = {.mode = 0};
	struct files f;
	u64 ino;

	(void)state;
	open_files(&f, configs[0], 3);
	f.quiet = true;
	files_write(&f, 0, 0, 900);
	for (ino = f.vol->geo.root_ino + 1; !S_ISLNK(inode.mode); ino++) {
		files_must(&f, inode_get(f.vol, inum_of(ino), &inode));
		inode_put(f.vol, &inode);
	}
	files_begin(&f);
	inode = end_link(&f, f.file[0].ino);
	assert_true(S_ISREG(inode.mode) && !inode.size && !inode.nblocks);
	inode = end_link(&f, inum_of(ino - 1));
	assert_true(S_ISLNK(inode.mode) && inode.size == 1);
	txn_rollback(f.txn);
	close_files(&f);
}

/* ---- nothing is done ---- */

static u64 sum_of(struct files *f)
{
	static u64 words[1u << 17];
	u64 sum = 0;

	for (u64 at = 0; at < f->vol->data->size; at += sizeof(words)) {
		files_must(f, device_read(f->vol->data, daddr_of(at), words, sizeof(words)));
		for (u32 i = 0; i < ARRAY_COUNT(words); i++)
			sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15u;
	}
	return sum;
}

static int one_step(struct files *f, u32 kind, struct file_plan *plan)
{
	struct inum a = f->file[0].ino, b = f->file[1].ino;
	struct file_shift shift = file_shift_of(a, 2, 3);
	struct file_share share = {.from = a, .to = b, .from_at = 3, .to_at = 4, .blocks = 20};
	u64 at = 1;
	bool more;

	switch (kind) {
	case 0:
		return file_write_prepare(f->vol, f->txn, a, 100, 500000, 0, plan);
	case 1:
		return file_write_finish(f->vol, f->txn, plan);
	case 2:
		return file_truncate_step(f->vol, f->txn, a, 3000, &more);
	case 3:
		return file_punch_step(f->vol, f->txn, a, &at, 40);
	case 4:
		return file_allocate_step(f->vol, f->txn, b, &at, 400);
	case 5:
		return file_collapse_step(f->vol, f->txn, &shift);
	case 6:
		return file_insert_step(f->vol, f->txn, &shift);
	case 7:
		return file_share_step(f->vol, f->txn, &share);
	case 8:
		return file_write_cancel(f->vol, f->txn, plan);
	default:
		return file_cow_cleanup(f->vol, f->txn, 0, &more);
	}
}
#define STEPS 10

/* Two files, some blocks shared, some staged by the plan. */
static void prepare_steps(struct files *f, struct file_plan *plan)
{
	open_files(f, configs[0], 5);
	f->quiet = true;
	files_comb(f, 0, 0, 50000);
	files_write(f, 1, 0, 10000);
	files_share(f, 0, 1, 0, 2, 10);
	files_begin(f);
	files_must(f, file_write_prepare(f->vol, f->txn, f->file[1].ino, 100, 30000, 0, plan));
	files_commit(f);
	files_must(f, file_write_data(f->vol, plan, NULL));
	assert_true(plan->count > 3);
}

static void rolls_back(void **state)
{
	struct file_plan plan, copy;
	struct files f;
	u64 before;

	(void)state;
	prepare_steps(&f, &plan);
	before = sum_of(&f);
	for (u32 kind = 0; kind < STEPS; kind++) {
		copy = plan;
		files_begin(&f);
		files_must(&f, one_step(&f, kind, &copy));
		txn_rollback(f.txn);
		assert_int_equal(sum_of(&f), before);
	}
	files_begin(&f);
	files_must(&f, file_write_cancel(f.vol, f.txn, &plan));
	files_commit(&f);
	for (u32 i = 2; i < FILES_COUNT; i++)
		files_same(&f, i);
	memset(f.file[1].bytes + 100, 0, 1948); /* what was the file's alone was written in place */
	files_same(&f, 0);
	close_files(&f);
}

/* However memory runs out, nothing is done. */
static void memory_fails(void **state)
{
	struct file_plan plan, copy;
	struct files f;
	int err;

	(void)state;
	prepare_steps(&f, &plan);
	for (u32 kind = 0; kind < STEPS; kind++) {
		err = -ENOMEM;
		for (u64 n = 1; err; n += 1 + n / 8) {
			copy = plan;
			files_begin(&f);
			f.world.allocs = 0;
			f.world.fail_alloc = n;
			f.world.fail_on = true;
			err = one_step(&f, kind, &copy);
			f.world.fail_alloc = 0;
			txn_rollback(f.txn);
			if (err)
				assert_int_equal(err, -ENOMEM);
		}
	}
	files_begin(&f);
	files_must(&f, file_write_cancel(f.vol, f.txn, &plan));
	files_commit(&f);
	memset(f.file[1].bytes + 100, 0, 1948);
	close_files(&f);
}

/* The map has changed between the phases. */
static void changes_are_seen(void **state)
{
	struct file_plan plan;
	struct files f;
	u64 at = 3;

	(void)state;
	prepare_steps(&f, &plan);
	files_begin(&f);
	files_must(&f, file_punch_step(f.vol, f.txn, f.file[1].ino, &at, 4));
	assert_int_equal(file_write_finish(f.vol, f.txn, &plan), -EAGAIN);
	txn_rollback(f.txn);
	files_begin(&f);
	at = 15;
	files_must(&f, file_punch_step(f.vol, f.txn, f.file[1].ino, &at, 16));
	assert_int_equal(file_write_finish(f.vol, f.txn, &plan), -EAGAIN);
	txn_rollback(f.txn);
	files_begin(&f);
	files_must(&f, file_write_finish(f.vol, f.txn, &plan));
	assert_int_equal(file_write_finish(f.vol, f.txn, &plan), -EAGAIN);
	txn_rollback(f.txn);
	files_begin(&f);
	files_must(&f, file_write_cancel(f.vol, f.txn, &plan));
	files_commit(&f);
	memset(f.file[1].bytes + 100, 0, 1948);
	close_files(&f);
}

/* ---- what is refused ---- */

static int prepare_write(struct files *f, struct inum ino, u64 off, u64 len)
{
	struct file_plan plan;

	return file_write_prepare(f->vol, f->txn, ino, off, len, 0, &plan);
}

static int share(struct files *f, struct file_share s)
{
	s.from = f->file[s.from.v].ino;
	s.to = f->file[s.to.v].ino;
	return file_share_step(f->vol, f->txn, &s);
}

#define SHARE(FROM, TO, FROM_AT, TO_AT, BLOCKS, SIZE) \
	share(&f, (struct file_share){{FROM}, {TO}, FROM_AT, TO_AT, BLOCKS, SIZE})

static void refuses_shares(void **state)
{
	struct files f;

	(void)state;
	open_files(&f, configs[0], 5);
	files_write(&f, 0, 0, 10000);
	files_write(&f, 1, 0, 20000);
	f.quiet = true;
	files_begin(&f);
	assert_int_equal(SHARE(0, 1, 0, 0, 10, 0), -EINVAL);	 /* an end in the middle */
	assert_int_equal(SHARE(0, 1, 0, 0, 11, 0), -EINVAL);	 /* beyond the end */
	assert_int_equal(SHARE(0, 1, 20, 0, 1, 0), -EINVAL);	 /* behind it */
	assert_int_equal(SHARE(0, 1, 0, 30, 1, 0), -EINVAL);	 /* a gap */
	assert_int_equal(SHARE(0, 0, 0, 1, 2, 0), -EINVAL);	 /* overlap */
	assert_int_equal(SHARE(0, 2, 0, 0, 10, 10240), -EINVAL); /* more than there is */
	assert_int_equal(SHARE(0, 1, NULL64, 0, 1, 0), -EINVAL);
	assert_int_equal(SHARE(0, 1, 0, NULL64, 1, 0), -EINVAL);
	assert_int_equal(SHARE(0, 1, 0, 0, NULL64, 0), -EINVAL);
	files_must(&f, SHARE(0, 1, 0, 10, 10, 0));
	files_must(&f, SHARE(0, 2, 0, 0, 10, 10000));
	txn_rollback(f.txn);
	close_files(&f);
	open_files(&f, configs[3], 5);
	files_write(&f, 0, 0, 10000);
	files_begin(&f);
	assert_int_equal(SHARE(0, 1, 0, 0, 2, 0), -EOPNOTSUPP);
	txn_rollback(f.txn);
	close_files(&f);
}

static void refuses_realtime(void **state)
{
	char options[200], section[sizeof(path) + 4];
	struct file_edit edit;
	struct files f;

	(void)state;
	snprintf(section, sizeof(section), "%s.rt", path);
	close(open(section, O_CREAT | O_RDWR, 0600));
	assert_int_equal(truncate(section, 64u << 20), 0);
	snprintf(options, sizeof(options), "-m reflink=0,rmapbt=0 -r rtdev=%s", section);
	open_files(&f, options, 1);
	unlink(section);
	files_begin(&f);
	files_must(&f, file_edit_begin(f.vol, f.txn, f.file[0].ino, &edit));
	file_core(&edit)->flags = be16_make(INODE_FLAG_REALTIME);
	assert_int_equal(prepare_write(&f, f.file[0].ino, 0, 10), -EOPNOTSUPP);
	assert_non_null(strstr(trail_text(), "realtime"));
	txn_rollback(f.txn);
	files_close(&f);
	unlink(path);
}

static void refuses(void **state)
{
	struct file_shift shift;
	struct files f;
	struct inum ino;
	bool more;
	u64 at = 0;

	(void)state;
	open_files(&f, configs[0], 5);
	ino = f.file[0].ino;
	files_write(&f, 0, 0, 10000);
	files_begin(&f);
	assert_int_equal(prepare_write(&f, inum_of(f.vol->geo.root_ino), 0, 10), -EINVAL);
	assert_int_equal(prepare_write(&f, inum_of(12345678), 0, 10), -ENOENT);
	assert_int_equal(prepare_write(&f, ino, FILE_SIZE_MAX, 1), -EFBIG);
	assert_int_equal(prepare_write(&f, ino, NULL64, 1), -EFBIG);
	assert_int_equal(prepare_write(&f, ino, 1, NULL64), -EFBIG);
	assert_int_equal(file_truncate_step(f.vol, f.txn, ino, 10001, &more), -EINVAL);
	assert_int_equal(file_allocate_step(f.vol, f.txn, ino, &at, NULL64), -EFBIG);
	shift = file_shift_of(ino, 8, 3);
	assert_int_equal(file_collapse_step(f.vol, f.txn, &shift), -EINVAL);
	shift = file_shift_of(ino, NULL64, 3);
	assert_int_equal(file_collapse_step(f.vol, f.txn, &shift), -EINVAL);
	assert_int_equal(file_insert_step(f.vol, f.txn, &shift), -EINVAL);
	shift = file_shift_of(ino, 10, 3);
	assert_int_equal(file_insert_step(f.vol, f.txn, &shift), -EINVAL);
	shift = file_shift_of(ino, 3, FILE_SIZE_MAX >> 10);
	assert_int_equal(file_insert_step(f.vol, f.txn, &shift), -EFBIG);
	txn_rollback(f.txn);
	close_files(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(at_random),	cmocka_unit_test(many_extents),
	    cmocka_unit_test(places),		cmocka_unit_test(spare_blocks),
	    cmocka_unit_test(stripes),		cmocka_unit_test(links),
	    cmocka_unit_test(rolls_back),	cmocka_unit_test(memory_fails),
	    cmocka_unit_test(changes_are_seen), cmocka_unit_test(refuses_shares),
	    cmocka_unit_test(refuses_realtime), cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
