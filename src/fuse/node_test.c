/*
 * The inode cache on a real filesystem with more inodes than it has slots: nothing that is in use
 * is replaced, and what does not fit is right as well.
 */
#include "base/test.h"

#include "fs/vol.h"
#include "fuse/node.h"
#include "host/host.h"
#include "meta/types_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_SIZE (320u << 20)
#define FILES 6000 /* more than the 4096 slots */

static char dir[] = "/tmp/mendfs-node-XXXXXX";
static struct env env;
static struct vol *vol;

static int make_image(void **state)
{
	char path[64], command[512];
	FILE *f;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/proto", dir);
	f = fopen(path, "w");
	fprintf(f, "x\n0 0\nd--755 0 0\n");
	for (u32 i = 0; i < FILES; i++)
		fprintf(f, "f%u ---644 %u 0 /dev/null\n", i, i + 1);
	fprintf(f, "$\n");
	fclose(f);
	snprintf(path, sizeof(path), "%s/image", dir);
	f = fopen(path, "w");
	if (ftruncate(fileno(f), IMAGE_SIZE))
		return -1;
	fclose(f);
	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin mkfs.xfs -q -p %s/proto %s", dir,
		 path);
	if (system(command))
		return -1;
	host_env_init(&env, 0);
	struct vol_options options = {0};

	if (device_open_file(&env, path, true, &options.data))
		return -1;
	return vol_open(&env, &meta_types, &options, &vol);
}

static int remove_image(void **state)
{
	char command[64];

	(void)state;
	vol_close(vol);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* All regular files from the root's chunk on, at most `max`. */
static u32 get_all(struct node_cache *cache, const struct inode **nodes, u32 max)
{
	u32 count = 0;

	for (u64 ino = vol->geo.root_ino; count < max && ino < vol->geo.root_ino + 4u * FILES;
	     ino++) {
		const struct inode *inode;
		int err = inum_valid(&vol->geo, inum_of(ino))
			      ? node_get(cache, inum_of(ino), &inode)
			      : -ENOENT;

		if (err)
			continue;
		if (S_ISREG(inode->mode) && inode->uid)
			nodes[count++] = inode;
		else
			node_put(cache, inode);
	}
	return count;
}

static void test_more_in_use_than_slots(void **state)
{
	static const struct inode *nodes[FILES];
	static bool seen[FILES + 1];
	struct node_cache *cache;
	u32 count;

	(void)state;
	assert_int_equal(node_cache_open(vol, &cache), 0);
	count = get_all(cache, nodes, FILES);
	assert_int_equal(count, FILES);
	/* Each file has an owner of its own: no node has become another's. */
	for (u32 i = 0; i < count; i++) {
		assert_true(nodes[i]->uid >= 1 && nodes[i]->uid <= FILES);
		assert_false(seen[nodes[i]->uid]);
		seen[nodes[i]->uid] = true;
		assert_int_equal(nodes[i]->fork[0].data - nodes[i]->raw, 176); /* the core's size */
	}
	for (u32 i = 0; i < count; i++)
		node_put(cache, nodes[i]);
	node_cache_close(cache);
}

static void test_second_get_is_the_first(void **state)
{
	const struct inode *first, *second;
	struct node_cache *cache;

	(void)state;
	assert_int_equal(node_cache_open(vol, &cache), 0);
	assert_int_equal(node_get(cache, inum_of(vol->geo.root_ino), &first), 0);
	assert_int_equal(node_get(cache, inum_of(vol->geo.root_ino), &second), 0);
	assert_ptr_equal(first, second);
	node_put(cache, first);
	assert_true(S_ISDIR(second->mode));
	node_put(cache, second);
	assert_int_equal(node_get(cache, inum_of(vol->geo.root_ino + 40000), &first), -ENOENT);
	node_cache_close(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_more_in_use_than_slots),
	    cmocka_unit_test(test_second_get_is_the_first),
	};

	return cmocka_run_group_tests(tests, make_image, remove_image);
}
