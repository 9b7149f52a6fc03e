/*
 * Inodes and forks of real filesystems: what mkfs.xfs puts into an image from a protofile reads as
 * xfs_db prints it, for each inode size and block size.
 */
#include "base/test.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "format/verify.h"
#include "fs/fork.h"
#include "host/host.h"
#include "meta/types_table.h"

#define IMAGE_SIZE (64u << 20)
#define FILE_SIZE 200000
#define FILES 70 /* with the others, more than a chunk of inodes */

static char dir[] = "/tmp/mendfs-inode-XXXXXX";
static char image[64], proto[64], content[64];

static void write_proto(void)
{
	FILE *f = fopen(content, "w");

	for (u32 i = 0; i < FILE_SIZE; i++)
		fputc((int)(i * 31 >> 5), f);
	fclose(f);
	f = fopen(proto, "w");
	fprintf(f, "/dev/null\n0 0\nd--755 0 0\n");
	fprintf(f, "big ---644 7 8 %s\n", content);
	fprintf(f, "link l--777 0 0 target-of-the-link\n");
	fprintf(f, "null c--666 0 0 1 3\nsda b--660 0 6 259 70000\npipe p--600 0 0\n");
	fprintf(f, "sub d--755 1000 1000\n");
	for (u32 i = 0; i < FILES; i++)
		fprintf(f, "a-file-with-a-longer-name-%u ---644 0 0 /dev/null\n", i);
	fprintf(f, "$\n$\n");
	fclose(f);
}

static void make_image(const char *options)
{
	char command[512];
	FILE *f = fopen(image, "w");

	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), IMAGE_SIZE), 0);
	fclose(f);
	if (system("command -v mkfs.xfs >/dev/null && command -v xfs_db >/dev/null")) {
		printf("skipped: xfsprogs is not installed\n");
		skip();
	}
	snprintf(command, sizeof(command),
		 "TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 mkfs.xfs -q -f %s -p %s %s >/dev/null",
		 options, proto, image);
	assert_int_equal(system(command), 0);
}

static struct vol *open_image(struct env *env)
{
	struct vol_options options = {0};
	struct vol *vol;

	host_env_init(env, 1);
	assert_int_equal(device_open_file(env, image, true, &options.data), 0);
	assert_int_equal(vol_open(env, &meta_types, &options, &vol), 0);
	return vol;
}

/* What xfs_db says of the inode. */
struct said {
	unsigned long long size, nblocks, nextents, gen;
	unsigned mode, nlink, uid, gid, format, forkoff, dev, extents;
	struct extent extent[64];
};

static void read_line(struct said *s, char *line)
{
	unsigned long long off, start, count;
	unsigned flag, index;
	char *rest;

	sscanf(line, "core.mode = %o", &s->mode);
	sscanf(line, "core.format = %u", &s->format);
	sscanf(line, "core.nlinkv2 = %u", &s->nlink);
	sscanf(line, "core.uid = %u", &s->uid);
	sscanf(line, "core.gid = %u", &s->gid);
	sscanf(line, "core.size = %llu", &s->size);
	sscanf(line, "core.nblocks = %llu", &s->nblocks);
	sscanf(line, "core.nextents = %llu", &s->nextents);
	sscanf(line, "core.forkoff = %u", &s->forkoff);
	sscanf(line, "core.gen = %llu", &s->gen);
	sscanf(line, "u3.dev = %x", &s->dev);
	/* "0:[0,24,4,0] 1:[..." */
	for (char *word = strtok_r(line, " \t\n", &rest); word;
	     word = strtok_r(NULL, " \t\n", &rest)) {
		if (sscanf(word, "%u:[%llu,%llu,%llu,%u]", &index, &off, &start, &count, &flag) !=
			5 ||
		    index >= ARRAY_COUNT(s->extent))
			continue;
		s->extent[index] = (struct extent){off, start, count, flag};
		s->extents = index + 1;
	}
}

static void ask_xfs_db(u64 ino, struct said *s)
{
	char command[256], line[4096];
	FILE *f;

	memset(s, 0, sizeof(*s));
	snprintf(command, sizeof(command), "xfs_db -r -c 'inode %llu' -c print %s",
		 (unsigned long long)ino, image);
	f = popen(command, "r");
	while (fgets(line, sizeof(line), f))
		read_line(s, line);
	assert_int_equal(pclose(f), 0);
}

struct compare {
	const struct said *said;
	u32 count;
};

static int compare_extent(void *arg, const struct extent *e)
{
	struct compare *c = arg;
	const struct extent *want = &c->said->extent[c->count++];

	assert_int_equal(e->off, want->off);
	assert_int_equal(e->start, want->start);
	assert_int_equal(e->count, want->count);
	assert_int_equal(e->unwritten, want->unwritten);
	return 0;
}

static void check_inode(struct vol *vol, u64 ino, struct said *said)
{
	struct compare compare = {said, 0};
	struct inode inode;

	ask_xfs_db(ino, said);
	if (!said->mode) {
		assert_int_equal(inode_get(vol, inum_of(ino), &inode), -ENOENT);
		return;
	}
	if (inode_get(vol, inum_of(ino), &inode))
		print_error("%s\n", trail_text());
	assert_int_equal(inode.mode, said->mode);
	assert_int_equal(inode.fork[FORK_DATA].format, said->format);
	assert_int_equal(inode.nlink, said->nlink);
	assert_int_equal(inode.uid, said->uid);
	assert_int_equal(inode.gid, said->gid);
	assert_int_equal(inode.size, said->size);
	assert_int_equal(inode.nblocks, said->nblocks);
	assert_int_equal(inode.fork[FORK_DATA].extents, said->nextents);
	assert_int_equal(inode.forkoff, said->forkoff * 8);
	assert_int_equal(inode.gen, said->gen);
	assert_int_equal(fork_each(vol, &inode, FORK_DATA, fileoff_of(0), compare_extent, &compare),
			 0);
	assert_int_equal(compare.count, said->extents);
	inode_put(vol, &inode);
}

/* The first inodes after the root: of each type one. */
static void agrees_with_xfs_db(void **state)
{
	static const char *const options[] = {"-b size=4096",
					      "-b size=1024",
					      "-b size=2048 -i size=1024",
					      "-b size=4096 -i size=2048",
					      "-b size=16384",
					      "-b size=4096 -i sparse=0 -m bigtime=0",
					      "-i nrext64=1 -m rmapbt=1",
					      "-d agcount=3 -i sparse=0"};
	u32 types;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(options); i++) {
		struct said said;
		struct env env;
		struct vol *vol;

		make_image(options[i]);
		vol = open_image(&env);
		types = 0;
		for (u64 n = 0; n < 20; n++) {
			check_inode(vol, vol->geo.root_ino + n, &said);
			types |= 1u << (said.mode >> 12);
		}
		assert_int_equal(types >> (S_IFIFO >> 12) & 1, 1);
		assert_int_equal(types >> (S_IFCHR >> 12) & 1, 1);
		assert_int_equal(types >> (S_IFLNK >> 12) & 1, 1);
		assert_int_equal(types >> (S_IFREG >> 12) & 1, 1);
		vol_close(vol);
	}
}

static void lookups(void **state)
{
	struct inode inode;
	struct extent e;
	struct env env;
	struct vol *vol;
	u64 blocks, ino;
	u8 byte;

	(void)state;
	make_image("-b size=1024");
	vol = open_image(&env);
	for (ino = vol->geo.root_ino;; ino++) {
		assert_int_equal(inode_get(vol, inum_of(ino), &inode), 0);
		if (S_ISREG(inode.mode) && inode.size == FILE_SIZE)
			break;
		inode_put(vol, &inode);
	}
	blocks = div_up_u64(FILE_SIZE, 1024);
	assert_int_equal(fork_lookup(vol, &inode, FORK_DATA, fileoff_of(100), &e), 0);
	assert_true(e.off <= 100 && e.off + e.count > 100 && e.start != NULL64);
	assert_int_equal(
	    device_read(vol->data,
			daddr_of(fsblock_daddr(&vol->geo, fsblock_of(e.start + 100 - e.off)).v + 5),
			&byte, 1),
	    0);
	assert_int_equal(byte, (u8)((100 * 1024 + 5) * 31 >> 5));
	assert_int_equal(fork_lookup(vol, &inode, FORK_DATA, fileoff_of(blocks), &e), 0);
	assert_int_equal(e.start, NULL64);
	assert_int_equal(e.off, blocks);
	assert_int_equal(e.off + e.count, FILEOFF_END);
	assert_int_equal(fork_lookup(vol, &inode, FORK_ATTR, fileoff_of(0), &e), 0);
	assert_int_equal(e.start, NULL64);
	assert_int_equal(fork_lookup(vol, &inode, FORK_DATA, fileoff_of(FILEOFF_END), &e), -EINVAL);
	inode_put(vol, &inode);
	vol_close(vol);
}

static void devices(void **state)
{
	u32 seen = 0;
	struct env env;
	struct vol *vol;

	(void)state;
	make_image("-b size=4096");
	vol = open_image(&env);
	for (u64 n = 0; n < 20; n++) {
		struct inode inode;

		if (inode_get(vol, inum_of(vol->geo.root_ino + n), &inode))
			continue;
		if (S_ISBLK(inode.mode)) {
			assert_int_equal(inode.rdev, makedev(259, 70000));
			seen++;
		} else if (S_ISCHR(inode.mode)) {
			assert_int_equal(inode.rdev, makedev(1, 3));
			seen++;
		}
		inode_put(vol, &inode);
	}
	assert_int_equal(seen, 2);
	vol_close(vol);
}

/* Numbers that name nothing, free inodes, and one flipped bit. */
static void refuses(void **state)
{
	struct inode inode;
	struct env env;
	struct vol *vol;
	u64 at;
	u8 byte;
	FILE *f;

	(void)state;
	make_image("-b size=4096");
	vol = open_image(&env);
	/* data of a file, and free space */
	assert_int_equal(inode_get(vol, inum_of(vol->geo.root_ino + 64), &inode), -ENOENT);
	assert_non_null(strstr(trail_text(), "chunk"));
	assert_int_equal(inode_get(vol, inum_make(&vol->geo, 1, 5000), &inode), -ENOENT);
	at = agblock_daddr(&vol->geo, 0, agino_bno(&vol->geo, (u32)vol->geo.root_ino)).v;
	assert_int_equal(inode_get(vol, inum_of(0), &inode), -ENOENT);
	assert_int_equal(inode_get(vol, inum_of(NULL64), &inode), -ENOENT);
	assert_int_equal(inode_get(vol, inum_of(1ull << vol->geo.agino_log << 20), &inode),
			 -ENOENT);
	vol_close(vol);
	f = fopen(image, "r+");
	fseek(f, (long)at + 60, SEEK_SET);
	byte = 0x55;
	assert_int_equal(fwrite(&byte, 1, 1, f), 1);
	fclose(f);
	vol = open_image(&env);
	assert_int_equal(inode_get(vol, inum_of(vol->geo.root_ino), &inode), -EBADMSG);
	assert_non_null(strstr(trail_text(), "BLOCK_CRC"));
	vol_close(vol);
}

/* --- a file that the kernel has fragmented: its FIEMAP against our walk --- */

#define PIECES 2500 /* blocks with a hole behind each: a block map of three levels */
#define PIECE 1024
#define FIEMAP_BATCH 200 /* extents asked for at a time */

struct kernel_map {
	/* blocks in between may be preallocated, and be unwritten extents */
	struct extent extent[2 * PIECES + 100];
	u32 count, seen;
	const struct geometry *g;
};

static void read_fiemap(int fd, struct kernel_map *map, u32 block_size)
{
	u64 request[(sizeof(struct fiemap) + FIEMAP_BATCH * sizeof(struct fiemap_extent)) / 8];
	struct fiemap *head = (struct fiemap *)request;
	u64 from = 0;
	bool last = false;

	while (!last) {
		memset(request, 0, sizeof(request));
		head->fm_start = from;
		head->fm_length = NULL64 - from;
		head->fm_flags = FIEMAP_FLAG_SYNC;
		head->fm_extent_count = FIEMAP_BATCH;
		/* no assertion while it is mounted: the caller unmounts, and counts */
		if (ioctl(fd, FS_IOC_FIEMAP, head) || !head->fm_mapped_extents)
			return;
		for (u32 i = 0; i < head->fm_mapped_extents; i++) {
			const struct fiemap_extent *e = &head->fm_extents[i];

			if (map->count == ARRAY_COUNT(map->extent))
				return;
			map->extent[map->count++] = (struct extent){
			    e->fe_logical / block_size, e->fe_physical, e->fe_length / block_size,
			    e->fe_flags & FIEMAP_EXTENT_UNWRITTEN};
			from = e->fe_logical + e->fe_length;
			last = e->fe_flags & FIEMAP_EXTENT_LAST;
		}
	}
}

/* Writes the file through the kernel; false: not allowed here. */
static bool fragment_by_kernel(struct kernel_map *map, u64 *ino)
{
	char mount_dir[80], command[256], path[96], block[PIECE];
	struct stat st;
	int fd;

	snprintf(mount_dir, sizeof(mount_dir), "%s/mnt", dir);
	assert_int_equal(mkdir(mount_dir, 0700), 0);
	snprintf(command, sizeof(command), "mount -t xfs -o loop %s %s 2>/dev/null", image,
		 mount_dir);
	if (geteuid() || system(command)) {
		rmdir(mount_dir);
		return false;
	}
	snprintf(path, sizeof(path), "%s/fragmented", mount_dir);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	memset(block, 'x', sizeof(block));
	for (u32 i = 0; fd >= 0 && i < PIECES; i++)
		if (pwrite(fd, block, PIECE, (off_t)i * 2 * PIECE) != PIECE)
			break;
	if (fd >= 0 && !fallocate(fd, 0, (off_t)(PIECES * 2 + 10) * PIECE, 40 * PIECE) &&
	    !fsync(fd) && !fstat(fd, &st)) {
		*ino = st.st_ino;
		read_fiemap(fd, map, PIECE);
	}
	close(fd);
	snprintf(command, sizeof(command), "umount %s", mount_dir);
	assert_int_equal(system(command), 0);
	rmdir(mount_dir);
	return true;
}

static int as_in_fiemap(void *arg, const struct extent *e)
{
	struct kernel_map *map = arg;
	const struct extent *want = &map->extent[map->seen++];

	assert_int_equal(e->off, want->off);
	assert_int_equal(fsblock_daddr(map->g, fsblock_of(e->start)).v, want->start);
	assert_int_equal(e->count, want->count);
	assert_int_equal(e->unwritten, want->unwritten);
	return 0;
}

static void agrees_with_the_kernel(void **state)
{
	static struct kernel_map map;
	struct inode inode;
	struct extent e;
	struct env env;
	struct vol *vol;
	u64 ino = 0;

	(void)state;
	make_image("-b size=1024");
	if (!fragment_by_kernel(&map, &ino)) {
		printf("skipped: no loop mounts here\n");
		skip();
	}
	assert_true(map.count >= PIECES);
	vol = open_image(&env);
	map.g = &vol->geo;
	assert_int_equal(inode_get(vol, inum_of(ino), &inode), 0);
	assert_int_equal(inode.fork[FORK_DATA].format, FORMAT_BTREE);
	assert_int_equal(fork_each(vol, &inode, FORK_DATA, fileoff_of(0), as_in_fiemap, &map), 0);
	assert_int_equal(map.seen, map.count);
	for (u32 i = 0; i + 1 < map.count; i += 7) {
		u64 hole = map.extent[i].off + map.extent[i].count;

		assert_int_equal(
		    fork_lookup(vol, &inode, FORK_DATA, fileoff_of(map.extent[i].off), &e), 0);
		assert_int_equal(fsblock_daddr(&vol->geo, fsblock_of(e.start)).v,
				 map.extent[i].start);
		assert_int_equal(fork_lookup(vol, &inode, FORK_DATA, fileoff_of(hole), &e), 0);
		if (hole == map.extent[i + 1].off)
			continue;
		assert_int_equal(e.start, NULL64);
		assert_int_equal(e.off + e.count, map.extent[i + 1].off);
	}
	inode_put(vol, &inode);
	vol_close(vol);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(proto, sizeof(proto), "%s/proto", dir);
	snprintf(content, sizeof(content), "%s/content", dir);
	write_proto();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(image);
	unlink(proto);
	unlink(content);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(agrees_with_xfs_db),
	    cmocka_unit_test(lookups),
	    cmocka_unit_test(devices),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(agrees_with_the_kernel),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
