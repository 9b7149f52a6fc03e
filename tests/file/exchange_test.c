/* The exchange of the content of files: many extents, what is written alone, and what is refused.
 * At random, among all else, it is in file_test.c. */
#include "base/test.h"
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/trail.h"
#include "fs/file_exchange.h"
#include "fs/file_impl.h"

#define MIB 48
#define BLOCK 1024u

static char path[] = "/tmp/mendfs-exchange-XXXXXX";
static const char options[] = "-b size=1024 -m reflink=1,rmapbt=1";

static void open_files(struct files *f, const char *mkfs)
{
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	close(mkstemp(path));
	if (!files_make(path, MIB, mkfs)) {
		unlink(path);
		printf("skipped: no mkfs.xfs\n");
		skip();
	}
	files_open(f, path, 1);
	f->quiet = true;
}

static void close_files(struct files *f)
{
	files_check(f);
	files_close(f);
	unlink(path);
}

static struct inode look(struct files *f, u32 file)
{
	struct inode inode;

	files_must(f, inode_get(f->vol, f->file[file].ino, &inode));
	inode_put(f->vol, &inode);
	return inode;
}

static int exchange(struct files *f, const struct file_exchange *x)
{
	int err;

	files_begin(f);
	err = file_exchange(f->vol, f->txn, x);
	assert_int_equal(vol_end(f->vol, f->txn, err), err);
	return err;
}

/* Both maps are trees, and one file is longer: extents, sizes and the tree's blocks go over. */
static void many_extents(void **state)
{
	struct inode a, b;
	struct files f;

	(void)state;
	open_files(&f, options);
	files_comb(&f, 0, 0, FILES_MAX);
	files_comb(&f, 1, BLOCK, FILES_MAX / 3);
	files_write(&f, 2, 0, 5000);
	a = look(&f, 0);
	b = look(&f, 1);
	assert_true(a.fork[FORK_DATA].format == FORMAT_BTREE && a.fork[FORK_DATA].extents > 500);
	assert_true(b.fork[FORK_DATA].format == FORMAT_BTREE);
	files_exchange(&f, 0, 1, 0, 0, NULL64);
	assert_int_equal(look(&f, 0).fork[FORK_DATA].extents, b.fork[FORK_DATA].extents);
	assert_int_equal(look(&f, 1).fork[FORK_DATA].extents, a.fork[FORK_DATA].extents);
	assert_int_equal(look(&f, 1).size, a.size);
	files_exchange(&f, 2, 1, 0, 0, NULL64);
	assert_int_equal(look(&f, 1).fork[FORK_DATA].format, FORMAT_EXTENTS);
	files_exchange(&f, 2, 2, 0, 512 * BLOCK, 256 * BLOCK);
	for (u32 i = 0; i < FILES_COUNT; i++)
		files_same(&f, i);
	close_files(&f);
}

/* Who shares blocks says so in a flag, which goes where they go. */
static void shared_blocks(void **state)
{
	struct files f;

	(void)state;
	open_files(&f, options);
	files_write(&f, 0, 0, 50000);
	files_share(&f, 0, 1, 0, 0, 49);
	files_write(&f, 2, 0, 50000);
	assert_false(look(&f, 2).flags2 & INODE_FLAG2_REFLINK);
	files_exchange(&f, 1, 2, 4096, 4096, 8192);
	assert_true(look(&f, 2).flags2 & INODE_FLAG2_REFLINK);
	files_write(&f, 2, 5000, 3000); /* is a copy: file 0 keeps its own */
	for (u32 i = 0; i < FILES_COUNT; i++)
		files_same(&f, i);
	close_files(&f);
}

/* Holes and unwritten blocks of the first file leave the second as it is. */
static void written_alone(void **state)
{
	static u8 second[32 * BLOCK], first[32 * BLOCK];
	struct file_exchange x = {.bytes = 32 * BLOCK, .flags = FILE_EXCHANGE_WRITTEN};
	struct files f;

	(void)state;
	open_files(&f, options);
	files_write(&f, 0, 32 * BLOCK - 1, 1);
	files_write(&f, 0, 4 * BLOCK, 2 * BLOCK);
	files_allocate(&f, 0, 8, 12);
	files_write(&f, 1, 0, 32 * BLOCK);
	memcpy(first, f.file[0].bytes, sizeof(first));
	memcpy(second, f.file[1].bytes, sizeof(second));
	x.first = f.file[0].ino;
	x.second = f.file[1].ino;
	files_must(&f, exchange(&f, &x));
	for (u32 at = 4; at < 32; at += at == 5 ? 26 : 1) { /* 4, 5 and 31 */
		memcpy(f.file[1].bytes + at * BLOCK, first + at * BLOCK, BLOCK);
		memcpy(f.file[0].bytes + at * BLOCK, second + at * BLOCK, BLOCK);
	}
	assert_memory_not_equal(f.file[1].bytes, second, sizeof(second));
	files_same(&f, 0);
	files_same(&f, 1);
	close_files(&f);
}

static void set(struct files *f, u32 file, u16 mode, u16 flags)
{
	struct file_edit edit;

	files_begin(f);
	files_must(f, file_edit_begin(f->vol, f->txn, f->file[file].ino, &edit));
	file_core(&edit)->mode = be16_make(S_IFREG | mode);
	file_core(&edit)->flags = be16_make(flags);
	files_commit(f);
}

static void times_and_privileges(void **state)
{
	struct file_exchange x = {.flags = FILE_EXCHANGE_TO_EOF, .now = {1234567890, 5}};
	struct file_stamp stamp;
	struct files f;

	(void)state;
	open_files(&f, options);
	x.first = f.file[0].ino;
	x.second = f.file[1].ino;
	set(&f, 0, 06755, 0);
	set(&f, 1, 02644, 0);
	files_must(&f, exchange(&f, &x));
	assert_int_equal(look(&f, 0).mode, S_IFREG | 0755);
	assert_int_equal(look(&f, 1).mode, S_IFREG | 02644); /* no program: a mark for locks */
	assert_int_equal(look(&f, 1).mtime, 1234567890);
	assert_int_equal(look(&f, 0).ctime_ns, 5);
	set(&f, 0, 04755, 0);
	x.flags |= FILE_EXCHANGE_KEEP_PRIVILEGES;
	files_must(&f, exchange(&f, &x));
	assert_int_equal(look(&f, 0).mode, S_IFREG | 04755);

	/* the stamp is of before the last exchange, and then of now */
	struct inode inode = look(&f, 1);
	stamp = file_stamp_of(&inode);
	x.stamp = &stamp;
	files_must(&f, exchange(&f, &x));
	assert_int_equal(exchange(&f, &x), -EBUSY);
	assert_non_null(strstr(trail_text(), "changed meanwhile"));
	close_files(&f);
}

static int range(struct files *f, u32 first, u32 second, u64 first_at, u64 second_at, u64 bytes)
{
	const struct file_exchange x = {.first = f->file[first].ino,
					.second = f->file[second].ino,
					.first_at = first_at,
					.second_at = second_at,
					.bytes = bytes,
					.flags = bytes == NULL64 ? FILE_EXCHANGE_TO_EOF : 0};

	return exchange(f, &x);
}

static void refuses(void **state)
{
	struct file_exchange x = {.flags = FILE_EXCHANGE_TO_EOF | FILE_EXCHANGE_SAME_SIZES};
	struct files f;

	(void)state;
	open_files(&f, options);
	files_write(&f, 0, 0, 10000);
	files_write(&f, 1, 0, 20000);
	files_write(&f, 2, 0, 10000);
	assert_int_equal(range(&f, 0, 1, 100, 0, BLOCK), -EINVAL);
	assert_int_equal(range(&f, 0, 1, 0, 100, BLOCK), -EINVAL);
	assert_int_equal(range(&f, 0, 1, 0, 0, 100), -EINVAL);
	assert_int_equal(range(&f, 0, 1, 0, 0, 10000), -EINVAL); /* one file goes on */
	assert_int_equal(range(&f, 0, 1, 0, 0, 10 * BLOCK), -EINVAL);
	assert_int_equal(range(&f, 0, 1, 10 * BLOCK, 0, BLOCK), -EINVAL);
	assert_int_equal(range(&f, 0, 1, 0, 30 * BLOCK, NULL64), -EINVAL);
	assert_int_equal(range(&f, 0, 0, 0, BLOCK, 2 * BLOCK), -EINVAL);
	assert_int_equal(range(&f, 0, 0, 0, 0, NULL64), -EINVAL);
	assert_int_equal(range(&f, 0, 1, 0, 0, NULL64 - BLOCK + 1), -EINVAL);
	assert_int_equal(range(&f, 0, 2, 8 * BLOCK, 8 * BLOCK, 10000 - 8 * BLOCK), 0);
	assert_int_equal(range(&f, 0, 2, 8 * BLOCK, 8 * BLOCK, 10000 - 8 * BLOCK), 0);
	x.first = f.file[0].ino;
	x.second = f.file[1].ino;
	assert_int_equal(exchange(&f, &x), -EOPNOTSUPP);
	x.second = f.file[2].ino;
	assert_int_equal(exchange(&f, &x), 0);
	assert_int_equal(exchange(&f, &x), 0);
	x.second = inum_of(f.vol->geo.root_ino);
	assert_int_equal(exchange(&f, &x), -EINVAL);
	x.second = inum_of(12345678);
	assert_int_equal(exchange(&f, &x), -ENOENT);
	set(&f, 1, 0644, INODE_FLAG_IMMUTABLE);
	assert_int_equal(range(&f, 0, 1, 0, 0, BLOCK), -EPERM);
	set(&f, 1, 0644, INODE_FLAG_APPEND);
	assert_int_equal(range(&f, 1, 0, 0, 0, BLOCK), -EPERM);
	close_files(&f); /* nothing has changed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_extents),  cmocka_unit_test(shared_blocks),
	    cmocka_unit_test(written_alone), cmocka_unit_test(times_and_privileges),
	    cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
