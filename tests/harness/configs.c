/* Configurations of mkfs; see configs.h. */
#include "configs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define BIT(name) (1u << FEATURE_##name)

static u32 pick(u32 *number, const u32 *from, u32 count, u32 salt)
{
	u64 hash = (*number * 0x9e3779b97f4a7c15ull + salt) * 0xbf58476d1ce4e5b9ull;

	return from[(hash ^ hash >> 31) % count];
}

u64 config_of(u32 number, struct mkfs_options *o)
{
	static const u32 blocks[] = {1024, 1024, 4096, 4096, 2048, 8192, 16384, 512 * 128};
	static const u32 inodes[] = {512, 512, 1024, 2048, 256 * 1};
	static const u32 groups[] = {1, 2, 3, 4, 7};
	static const u32 sizes[] = {64, 80, 100, 200, 300};
	static const u32 off[] = {0,
				  0,
				  BIT(RMAPBT),
				  BIT(REFLINK),
				  BIT(RMAPBT) | BIT(REFLINK),
				  BIT(FINOBT) | BIT(INOBTCOUNT) | BIT(RMAPBT) | BIT(REFLINK),
				  BIT(SPARSE),
				  BIT(NREXT64) | BIT(BIGTIME) | BIT(INOBTCOUNT)};
	static const u32 on[] = {0, 0, BIT(PARENT), BIT(PARENT) | BIT(EXCHANGE), BIT(EXCHANGE)};
	u32 dir, size;

	mkfs_options_init(o);
	o->block_size = blocks[number % ARRAY_COUNT(blocks)];
	o->inode_size = pick(&number, inodes, 4, 1);
	if (o->inode_size > o->block_size / 2)
		o->inode_size = 512;
	o->ag_count = pick(&number, groups, ARRAY_COUNT(groups), 2);
	o->features_off = pick(&number, off, ARRAY_COUNT(off), 3);
	o->features_on = pick(&number, on, ARRAY_COUNT(on), 4);
	if (o->features_on & BIT(EXCHANGE) && o->features_off & BIT(REFLINK))
		o->features_on = 0;
	dir = o->block_size << number / 3 % 3;
	o->dir_block_size = dir < 4096 ? 4096 : dir > 65536 ? 65536 : dir;
	if (number % 5 == 4 && o->block_size >= 4096)
		o->sector_size = 4096;
	if (number % 7 == 6)
		o->max_inode_percent = 2;
	size = o->block_size > 4096 ? 300 + o->block_size / 100
				    : pick(&number, sizes, ARRAY_COUNT(sizes), 5);
	if (size / o->ag_count < 32)
		o->ag_count = size / 32;
	if (o->block_size > 4096)
		o->ag_count = o->ag_count > 3 ? 3 : o->ag_count;
	return (u64)size << 20;
}

void config_repair(struct grove *g, const char *path)
{
	char command[600];
	int status;

	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin; out=%s.out; j=${MENDFS_JUDGES:-}; "
		 "if [ %u = 1 ]; then [ -e \"$j/trixie/.complete\" ] || exit 77; "
		 "%s/judges/xfsprogs-new.sh xfs_repair -n -f -o force_geometry '%s' >$out 2>&1; "
		 "else command -v xfs_repair >/dev/null || exit 77; "
		 "xfs_repair -n -f -o force_geometry '%s' >$out 2>&1; fi; "
		 "s=$?; [ $s = 0 ] || grep -vE '^(Phase|No modify| *- )' $out | head -20; rm $out; "
		 "exit $s",
		 path, (unsigned)g->new_judge, TESTS, path, path);
	status = system(command);
	if (status && WEXITSTATUS(status) != 77)
		grove_broken(g, "xfs_repair -n: status %d", WEXITSTATUS(status));
}
