/*
 * A full filesystem: every operation with 0 to 50 free blocks, on small filesystems of several
 * configurations.  Each ends as it should or with -ENOSPC, and then nothing of it has happened; the
 * books balance all the time; and whatever has been filled, removing files succeeds, and in the end
 * all space is free again.  xfs_repair -n is content with what is left.
 *
 * SEED, and STEP (of the number of free blocks), CONFIG (only this) in the environment.
 */
#include "base/test.h"

#include "configs.h"
#include "format/super.h"
#include "fs/ialloc.h"
#include "scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#define SIZE (48u << 20)
#define FREE_MAX 50
#define LINKED 50
#define MADE 2500
#define BIT(name) (1u << FEATURE_##name)

static const struct config {
	const char *name;
	u32 block_size, off, on;
} configs[] = {
    {"1k", 1024, 0, 0},
    {"1k-no-rmap", 1024, BIT(RMAPBT), 0},
    {"1k-plain", 1024, BIT(RMAPBT) | BIT(REFLINK) | BIT(FINOBT) | BIT(INOBTCOUNT), 0},
    {"1k-no-sparse", 1024, BIT(SPARSE), 0},
    {"1k-parents", 1024, 0, BIT(PARENT)},
    {"4k", 4096, 0, 0},
    {"4k-no-reflink", 4096, BIT(REFLINK), 0},
    {"4k-plain", 4096, BIT(RMAPBT) | BIT(REFLINK), 0},
};

static int full(struct grove *g, int err)
{
	(void)g;
	return err == -ENOSPC;
}

static u64 free_blocks(struct grove *g)
{
	struct sb sb;
	struct buf *buf;

	assert_int_equal(cache_get_raw(g->vol->cache, daddr_of(0), g->vol->geo.sector_size, &buf),
			 0);
	memcpy(&sb, buf->data, sizeof(sb));
	cache_put(g->vol->cache, buf);
	return be64_get(sb.fdblocks);
}

/* Nothing without a name is left: all was taken apart. */
static void all_forgotten(struct grove *g)
{
	struct inum ino;
	u32 ag = 0;

	g->world.print = true; /* what stands in the way is noted */
	grove_forget(g);
	orphans_flush(g->changer);
	g->world.print = false;
	if (iunlink_first(g->vol, &ag, &ino) != -ENOENT)
		grove_broken(g, "inode %llu could not be taken apart", (unsigned long long)ino.v);
}

/* All space that files may have. */
static void take_all(struct grove *g, struct grove_node *filler)
{
	u64 blocks = g->vol->geo.data_blocks, count = blocks, at = 0;

	while (count && at < 2 * blocks) {
		if (grove_allocate(g, filler, at, count))
			count /= 2;
		else
			at += count;
	}
}

/* Whatever can be made is made until nothing fits any more. */
static void fill_up(struct grove *g, struct grove_node *junk)
{
	char name[200], target[1000];
	struct grove_node *filler, *file[LINKED];
	int err = 0;

	grove_must(g, grove_create(g, junk, "filler", S_IFREG | 0600, NULL));
	filler = grove_find(g, junk, "filler")->node;
	for (u32 i = 0; i < LINKED; i++) {
		snprintf(name, sizeof(name), "linked-%u", i);
		grove_must(g, grove_create(g, junk, name, S_IFREG | 0600, NULL));
		file[i] = grove_find(g, junk, name)->node;
	}
	g->may_fail = full;
	take_all(g, filler);
	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	for (u32 i = 0, failed = 0; failed < 3 && i < MADE; i++) {
		u16 mode = i % 2 ? S_IFDIR | 0755 : S_IFLNK | 0777;

		snprintf(name, sizeof(name), "%0150u", i);
		failed = grove_create(g, junk, name, mode, S_ISLNK(mode) ? target : NULL)
			     ? failed + 1
			     : 0;
	}
	/* names need no inodes */
	err = 0;
	for (u32 i = 0; !err; i++) {
		snprintf(name, sizeof(name), "link-%0190u", i);
		err = grove_link(g, file[i % LINKED], junk, name);
	}
	if (getenv("VERBOSE"))
		printf("%llu blocks are free: %s\n", (unsigned long long)free_blocks(g),
		       trail_text());
}

/* The blocks are one run, or scattered. */
static void give_some(struct grove *g, struct grove_node *junk, u32 blocks)
{
	struct grove_node *filler = grove_find(g, junk, "filler")->node;
	u32 block = g->vol->geo.block_size;
	u64 at = grove_draw(g, 10000);
	bool scattered = grove_draw(g, 2);

	grove_must(g, grove_push(g));
	if (!blocks)
		return;
	if (!scattered)
		grove_punch(g, filler, at * block, (u64)blocks * block);
	for (u32 i = 0; i < blocks && scattered; i++)
		grove_punch(g, filler, (at + i * 5ull) * block, block);
	grove_push(g);
}

/* Removing that needs space before it gives any: of blocks that all are in three files, every other
 * one in two then; chunks of inodes that all are in use, and that each have a free one then. */
#define CHUNKS 70
#define SPLITS 1500

static void prepare_removals(struct grove *g, struct grove_node *dir)
{
	u32 block = g->vol->geo.block_size;
	struct grove_node *file[4];
	char name[32];

	for (u32 i = 0; i < CHUNKS * 64; i++) {
		snprintf(name, sizeof(name), "chunk-%u", i);
		grove_must(g, grove_create(g, dir, name, S_IFREG, NULL));
	}
	for (u32 i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "shares-%u", i);
		grove_must(g, grove_create(g, dir, name, S_IFREG, NULL));
		file[i] = grove_find(g, dir, name)->node;
	}
	if (!geometry_has(&g->vol->geo, FEATURE_REFLINK))
		return;
	grove_must(g, grove_write(g, file[0], 0, SPLITS * block));
	grove_must(g, grove_share(g, file[0], file[1], 0, 0, SPLITS));
	for (u32 i = 0; i < SPLITS; i++)
		grove_must(g, grove_share(g, file[0], file[2 + i % 2], i, i, 1));
}

static void remove_hard(struct grove *g, struct grove_node *dir)
{
	char name[32];

	g->may_fail = NULL;
	g->doing = "removing what is shared";
	grove_must(g, grove_remove(g, dir, "shares-2"));
	all_forgotten(g);
	grove_check(g);
	g->doing = "removing one of each chunk";
	for (u32 i = 0; i < CHUNKS; i++) {
		snprintf(name, sizeof(name), "chunk-%u", i * 64 + 7);
		grove_must(g, grove_remove(g, dir, name));
	}
	all_forgotten(g);
	grove_check(g);
}

/* All names below go, and what they named, whatever happens. */
static void clear(struct grove *g, struct grove_node *dir)
{
	char text[256];

	g->may_fail = NULL;
	g->doing = "removing";
	for (u32 i = g->names; i-- > 0;) {
		struct grove_name *name = i < g->names ? g->name[i] : NULL;

		if (!name || name->dir != dir)
			continue;
		snprintf(text, sizeof(text), "%s", name->text);
		if (name->node->names) {
			clear(g, name->node);
			g->doing = "removing";
			i = g->names;
			continue;
		}
		assert_int_equal(grove_remove(g, dir, text), 0);
		if (!grove_draw(g, 4))
			all_forgotten(g);
		i = i + 1 < g->names ? i + 1 : g->names;
	}
}

/* One filling: scenes are made while there is room, then it is filled, then comes the work. */
static void hard_round(struct grove *g)
{
	struct grove_node *junk, *all;

	g->may_fail = NULL;
	g->doing = "preparing what is hard to remove";
	grove_must(g, grove_create(g, grove_root(g), "junk", S_IFDIR | 0755, NULL));
	grove_must(g, grove_create(g, grove_root(g), "all", S_IFDIR | 0755, NULL));
	junk = grove_find(g, grove_root(g), "junk")->node;
	all = grove_find(g, grove_root(g), "all")->node;
	prepare_removals(g, all);
	g->doing = "filling";
	fill_up(g, junk);
	grove_must(g, grove_push(g));
	remove_hard(g, all);
	clear(g, all);
	clear(g, junk);
	assert_int_equal(grove_remove(g, grove_root(g), "all"), 0);
	assert_int_equal(grove_remove(g, grove_root(g), "junk"), 0);
	all_forgotten(g);
}

static void round_of(struct scene *s, u32 blocks)
{
	struct grove *g = s->g;
	struct scene *scene = calloc(operations_count, sizeof(*scene));
	struct grove_node *junk, *all;
	u32 first = grove_draw(g, operations_count);

	g->may_fail = NULL;
	g->doing = "preparing";
	g->operation = blocks;
	grove_must(g, grove_create(g, grove_root(g), "junk", S_IFDIR | 0755, NULL));
	grove_must(g, grove_create(g, grove_root(g), "all", S_IFDIR | 0755, NULL));
	junk = grove_find(g, grove_root(g), "junk")->node;
	all = grove_find(g, grove_root(g), "all")->node;
	for (u32 i = 0; i < operations_count; i++) {
		s->top = all;
		scene_begin(s, &operations[i]);
		scene[i] = *s;
	}
	all_forgotten(g);
	g->doing = "filling";
	fill_up(g, junk);
	give_some(g, junk, blocks);
	for (u32 i = 0; i < operations_count; i++) {
		u32 n = (first + i) % operations_count;

		g->doing = operations[n].name;
		operations[n].run(&scene[n]);
		grove_check(g);
		if (!grove_draw(g, 4))
			give_some(g, junk, grove_draw(g, blocks + 1));
	}
	grove_compare(g);
	g->doing = "filling again";
	take_all(g, grove_find(g, junk, "filler")->node);
	clear(g, all);
	clear(g, junk);
	all_forgotten(g);
	assert_int_equal(grove_remove(g, grove_root(g), "all"), 0);
	assert_int_equal(grove_remove(g, grove_root(g), "junk"), 0);
	scene_end_large(s);
	all_forgotten(g);
	grove_check(g);
	free(scene);
}

static void run(const struct config *c, u64 seed, u32 step)
{
	static struct grove grove;
	struct grove *g = &grove;
	struct mkfs_options options;
	struct scene s;
	char path[64] = "/tmp/mendfs-full-XXXXXX";
	u64 before;

	close(mkstemp(path));
	mkfs_options_init(&options);
	options.block_size = c->block_size;
	options.features_off = c->off;
	options.features_on = c->on;
	options.ag_count = 2;
	options.max_inode_percent = 0;
	grove_make(g, path, SIZE, &options, seed);
	scene_open(&s, g);
	before = free_blocks(g);
	hard_round(g);
	for (u32 blocks = 0; blocks <= FREE_MAX; blocks += step + blocks / 4)
		round_of(&s, blocks);
	g->may_fail = NULL;
	g->doing = "the end";
	/* the large directory has grown, and trees keep a few blocks */
	if (free_blocks(g) + 100 < before)
		grove_broken(g, "%llu blocks are free, not about %llu",
			     (unsigned long long)free_blocks(g), (unsigned long long)before);
	grove_compare(g);
	grove_unmount(g);
	grove_check_disk(g);
	config_repair(g, path);
	printf("%s: %llu times no space\n", c->name, (unsigned long long)g->failed);
	fflush(stdout);
	grove_close(g);
	unlink(path);
}

static void full_all(void **state)
{
	u32 only = (u32)test_number("CONFIG", NULL32),
	    step = (u32)test_number("STEP", 20 * TEST_STRIDE);

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(configs); i++)
		if (only == NULL32 || only == i)
			run(&configs[i], test_number("SEED", 1) + i, step);
}

/* A record of the inobt moves to another leaf, and its chunk has inodes that are free: the guard of
 * commits took them for inodes that had never been made. */
static void moved_record(void **state)
{
	(void)state;
	run(&configs[4], 13, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(full_all),
					   cmocka_unit_test(moved_record)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
