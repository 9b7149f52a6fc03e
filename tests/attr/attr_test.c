/*
 * Changes of attributes against a model: random ones in leaves of several block sizes, many names
 * with one hash, and the parent pointers of a file with thousands of names. The check of the whole
 * filesystem must have nothing to say, and a step that fails leaves all as it was.
 *
 * SEED in the environment; the seed is printed.
 */
#include "base/test.h"
#include "base/trail.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "fs/attr_modify.h"
#include "fs/da.h"
#include "fs/mkfs.h"
#include "fs/names.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "meta/types_table.h"

#define SIZE (1u << 30)
#define NAMES 400
#define VALUE_MAX ATTR_VALUE_MAX

struct entry {
	bool there;
	u32 length, seed;
};

struct world {
	struct env env;
	struct device dev;
	u8 *bytes;
	struct vol *vol;
	struct inum ino;
	u64 seed;
	u32 findings, forms; /* forms: as bits, 1 << format */
	u32 deepest;
	u32 (*name)(u32 i, char *to);
	struct entry entry[NAMES];
};

static u32 draw(struct world *w, u32 below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (u32)((w->seed >> 20) % below);
}

static int memory_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	const struct world *w = (struct world *)((char *)dev - offsetof(struct world, dev));

	memcpy(to, w->bytes + at.v, size);
	return 0;
}

static int memory_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct world *w = (struct world *)((char *)dev - offsetof(struct world, dev));

	memcpy(w->bytes + at.v, from, size);
	return 0;
}

static int memory_flush(struct device *dev)
{
	(void)dev;
	return 0;
}

static void memory_close(struct device *dev)
{
	(void)dev;
}

static void count_finding(struct env *env, const struct finding *finding)
{
	struct world *w = env->front;
	char text[512];

	if (finding->def->severity <= SEVERITY_WARNING)
		return;
	finding_print(finding, text, sizeof(text));
	printf("%s\n", text);
	w->findings++;
}

static void must(int err)
{
	if (err)
		printf("%s\n", trail_text());
	assert_int_equal(err, 0);
}

static void make_file(struct world *w)
{
	const struct names_entry at = {inum_of(w->vol->geo.root_ino), "file", 4};
	const struct names_new new = {.mode = 0100644};
	struct txn *txn;

	must(vol_begin(w->vol, NULL, &txn));
	must(vol_end(w->vol, txn, names_create(w->vol, txn, &at, &new, &w->ino)));
}

static struct world *open_world(u32 block_size, bool parent, u64 seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct mkfs_devices devices = {.data = &w->dev};
	struct mkfs_target target = {.data_size = SIZE};
	struct vol_options options = {.data = &w->dev};
	struct mkfs_options mkfs;
	struct geometry g;

	host_env_init(&w->env, 1);
	w->env.front = w;
	w->env.finding = count_finding;
	w->seed = seed * 0x9e3779b97f4a7c15ull + 1;
	/* not from the heap, which would go through all of it, with or without sanitizers */
	w->bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(w->bytes != MAP_FAILED);
	w->dev = (struct device){.name = "memory",
				 .size = SIZE,
				 .read = memory_read,
				 .write = memory_write,
				 .flush = memory_flush,
				 .close = memory_close};
	mkfs_options_init(&mkfs);
	mkfs.block_size = block_size;
	if (parent)
		mkfs.features_on |= 1u << FEATURE_PARENT;
	must(mkfs_plan(&w->env, &mkfs, &target, &g));
	must(mkfs_build(&w->env, &meta_types, &mkfs, &g, &devices));
	options.write = true;
	must(vol_open(&w->env, &meta_types, &options, &w->vol));
	make_file(w);
	return w;
}

static void check(struct world *w)
{
	const struct vol_options how = {0};
	struct sweep_stats stats;
	struct vol *snapshot;

	must(vol_snapshot(w->vol, &w->env, &how, &snapshot));
	must(sweep_run(snapshot, NULL, &stats));
	vol_close(snapshot);
	assert_int_equal(w->findings, 0);
}

static void close_world(struct world *w)
{
	check(w);
	must(vol_close(w->vol));
	munmap(w->bytes, SIZE);
	free(w);
}

/* ---- against the model ---- */

static void value_of(const struct entry *e, u8 *to)
{
	for (u32 i = 0; i < e->length; i++)
		to[i] = (u8)(e->seed + i * 31 + (i >> 8));
}

static int count_one(void *arg, const struct attr *attr)
{
	(void)attr;
	++*(u32 *)arg;
	return 0;
}

static void same(struct world *w)
{
	static u8 got[ATTR_VALUE_MAX], wanted[VALUE_MAX];
	u32 count = 0, there = 0;
	struct inode inode;
	char name[256];

	must(inode_get(w->vol, w->ino, &inode));
	for (u32 i = 0; i < NAMES; i++) {
		const struct entry *e = &w->entry[i];
		u32 length = w->name(i, name);
		s64 size =
		    attr_get(w->vol, &inode, i % 3 ? 0 : ATTR_ROOT, name, length, got, sizeof(got));

		there += e->there;
		if (size < 0 && size != -ENODATA)
			printf("%s\n", trail_text());
		assert_int_equal(size, e->there ? (s64)e->length : -ENODATA);
		if (!e->there)
			continue;
		value_of(e, wanted);
		assert_memory_equal(got, wanted, e->length);
	}
	must(attr_each(w->vol, &inode, count_one, &count));
	assert_int_equal(count, there);
	w->forms |= inode.forkoff ? 1u << inode.fork[FORK_ATTR].format : 0;
	if (inode.forkoff && inode.fork[FORK_ATTR].extents > w->deepest)
		w->deepest = (u32)inode.fork[FORK_ATTR].extents;
	inode_put(w->vol, &inode);
}

static u32 some_length(struct world *w)
{
	switch (draw(w, 8)) {
	case 0:
		return draw(w, 9000);
	case 1:
		return w->vol->geo.block_size / 4 * 3 - 40 + draw(w, 60);
	case 2:
		return 0;
	default:
		return draw(w, 200);
	}
}

/* An operation, of which one in ten is rolled back. */
static void step(struct world *w, bool fewer)
{
	u32 i = draw(w, NAMES), kind = draw(w, 10);
	struct entry *e = &w->entry[i], new = {true, some_length(w), draw(w, 256)};
	enum attr_how how = draw(w, 4)	 ? ATTR_HOW_ANY
			    : draw(w, 2) ? ATTR_HOW_CREATE
					 : ATTR_HOW_REPLACE;
	bool remove = fewer ? kind < 8 : kind < 3, abandon = !draw(w, 10);
	static u8 value[VALUE_MAX];
	char name[256];
	const struct attr attr = {.flags = i % 3 ? 0 : ATTR_ROOT,
				  .name = name,
				  .name_length = w->name(i, name),
				  .value = value,
				  .value_length = new.length};
	int expected = 0, err;
	struct txn *txn;

	value_of(&new, value);
	if (remove)
		expected = e->there ? 0 : -ENODATA;
	else if (how == ATTR_HOW_CREATE && e->there)
		expected = -EEXIST;
	else if (how == ATTR_HOW_REPLACE && !e->there)
		expected = -ENODATA;
	must(vol_begin(w->vol, NULL, &txn));
	err = remove ? attr_remove(w->vol, txn, w->ino, &attr)
		     : attr_set(w->vol, txn, w->ino, &attr, how);
	if (err != expected)
		printf("%s\n", trail_text());
	assert_int_equal(err, expected);
	err = vol_end(w->vol, txn, err ? err : abandon ? -ECANCELED : 0);
	if (!expected && !abandon)
		must(err);
	if (expected || abandon)
		return;
	if (remove)
		e->there = false;
	else
		*e = new;
}

static u32 plain_name(u32 i, char *to)
{
	return (u32)snprintf(to, 256, "%u-%.*s", i, (int)(i * 7 % 230),
			     "a-name-of-some-length-a-name-of-some-length-a-name-of-some-length-"
			     "a-name-of-some-length-a-name-of-some-length-a-name-of-some-length-"
			     "a-name-of-some-length-a-name-of-some-length-a-name-of-some-length-"
			     "a-name-of-some-length-a-name-of-some-length-");
}

/* x << 7 ^ y is the same for (x, y) and (x ^ 1, y ^ 0x80): 512 names with each of 3 hashes. */
static u32 alike_name(u32 i, char *to)
{
	for (u32 bit = 0; bit < 9; bit++) {
		bool other = i / 3 >> bit & 1;

		to[2 * bit] = other ? 'a' : '`';
		to[2 * bit + 1] = (char)(other ? 'A' ^ 0x80 : 'A');
	}
	to[18] = (char)('p' + i % 3);
	return 19;
}

static u64 seed_of(void)
{
	const char *text = getenv("SEED");
	u64 seed = text ? strtoull(text, NULL, 0) : 1;

	printf("seed %llu\n", (unsigned long long)seed);
	return seed;
}

static void run(u32 block_size, u32 (*name)(u32 i, char *to), u32 steps)
{
	struct world *w = open_world(block_size, false, seed_of() + block_size);

	w->name = name;
	for (u32 i = 0; i < steps; i++) {
		/* it grows, and shrinks to nothing, twice */
		step(w, i % (steps / 2) > steps / 4);
		if (i % 20 == 0)
			same(w);
		if (i % 200 == 0)
			check(w);
	}
	same(w);
	printf("blocks of %u bytes: forms %x, at most %u extents\n", block_size, w->forms,
	       w->deepest);
	close_world(w);
}

static void at_random(void **state)
{
	(void)state;
	run(1024, plain_name, 4000);
	run(4096, plain_name, 4000);
	run(65536, plain_name, 2000);
}

static void one_hash(void **state)
{
	(void)state;
	run(1024, alike_name, 3000);
	run(4096, alike_name, 3000);
}

/* ---- parent pointers ---- */

#define LINKS 3000

static void toggle(struct world *w, u32 n, bool add)
{
	const struct names_time now = {1, 0};
	char name[64];
	const struct names_entry at = {inum_of(w->vol->geo.root_ino), name,
				       (u32)snprintf(name, sizeof(name), "another-%u", n)};
	struct inum gone;
	struct txn *txn;

	must(vol_begin(w->vol, NULL, &txn));
	must(vol_end(w->vol, txn,
		     add ? names_link(w->vol, txn, &at, w->ino, &now)
			 : names_unlink(w->vol, txn, &at, &now, &gone)));
}

/* All names, which takes two levels of nodes, some of them again and again, and none any more. */
static void many_names(void **state)
{
	struct world *w = open_world(1024, true, seed_of());
	static bool there[LINKS];
	struct buf *root;
	struct inode inode;

	(void)state;
	for (u32 i = 0; i < LINKS; i++)
		toggle(w, i, there[i] = true);
	check(w);
	must(inode_get(w->vol, w->ino, &inode));
	must(da_read_any(w->vol, &inode, FORK_ATTR, 0, &root));
	assert_int_equal(be16_get(((const struct da_node *)root->data)->level), 2);
	cache_put(w->vol->cache, root);
	inode_put(w->vol, &inode);
	for (u32 i = 0; i < LINKS; i++) {
		u32 n = draw(w, LINKS);

		there[n] = !there[n];
		toggle(w, n, there[n]);
	}
	check(w);
	for (u32 i = 0; i < LINKS; i++)
		if (there[i * 7 % LINKS])
			toggle(w, i * 7 % LINKS, false);
	close_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(at_random),
	    cmocka_unit_test(one_hash),
	    cmocka_unit_test(many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
