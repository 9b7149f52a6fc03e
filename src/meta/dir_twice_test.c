/*
 * Names that are there twice, in a directory of many blocks where each name shares its hash with
 * another: those are found that are equal, and no others. Which, is drawn: SEED draws others.
 */
#include "meta/names_test.h"

#include "fs/inode.h"

#include <time.h>

#define PAIRS 400
#define TWICE 10
#define BLOCKS_MAX 4096

/* `A and a\301 have one hash. All of the first kind come first, so a pair lies in two blocks. */
static void make(struct test_image *t)
{
	char proto[] = "/tmp/mendfs-proto-XXXXXX", options[64];
	FILE *f = fdopen(mkstemp(proto), "w");

	fprintf(f, "/dev/null\n0 0\nd--755 0 0\n");
	for (u32 i = 0; i < PAIRS; i++)
		fprintf(f, "`A%06u p--644 0 0\n", i);
	for (u32 i = 0; i < PAIRS; i++)
		fprintf(f, "a\301%06u p--644 0 0\n", i);
	fprintf(f, "$\n");
	fclose(f);
	snprintf(options, sizeof(options), "-p %s", proto);
	test_image_make(t, options);
	unlink(proto);
}

struct blocks {
	u64 at[BLOCKS_MAX];
	u32 count, size;
};

static void visited(void *arg, const struct ref *ref)
{
	struct blocks *b = arg;

	if (ref->type->id != META_DIRDATA)
		return;
	assert_true(b->count < BLOCKS_MAX);
	b->at[b->count++] = ref->at.v;
	b->size = ref->size;
}

struct rename {
	char from[9], to[9];
	u32 found, size;
};

static void rename_in(void *block, u64 arg)
{
	struct rename *r = (struct rename *)(uintptr_t)arg;
	u8 *at = memmem(block, r->size, r->from, 8);

	if (at)
		memcpy(at, r->to, 8);
	r->found += at != NULL;
}

/* Name `from` becomes `to`, whichever block it is in. */
static void rename_name(struct test_image *t, const struct blocks *b, struct rename r)
{
	r.size = b->size;
	for (u32 i = 0; i < b->count && !r.found; i++)
		test_image_change(t, meta_types.type[META_DIRDATA], b->at[i], b->size, rename_in,
				  (u64)(uintptr_t)&r);
	assert_int_equal(r.found, 1);
}

static u64 root_address(const struct geometry *g)
{
	u32 agino = inum_agino(g, inum_of(g->root_ino));

	return agblock_daddr(g, inum_ag(g, inum_of(g->root_ino)), agino_bno(g, agino)).v +
	       ((u64)(agino & (g->inodes_per_block - 1)) << g->inode_log);
}

static void set_size(void *raw, u64 size)
{
	((struct dinode *)raw)->size = be64_make(size);
}

static void all_are_found(void **state)
{
	const char *wanted = getenv("SEED");
	u32 seed = wanted ? (u32)atoi(wanted) : (u32)time(NULL);
	struct blocks b = {.count = 0};
	const struct sweep_options options = {.visited = visited, .visited_arg = &b};
	struct sweep_stats stats;
	struct test_image t;
	struct geometry g;
	struct vol *vol;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	make(&t);
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	vol = test_image_open(&t);
	g = vol->geo;
	assert_int_equal(sweep_run(vol, &options, &stats), 0);
	vol_close(vol);
	assert_true(b.count > 10);
	for (u32 i = 0; i < TWICE; i++) {
		u32 n = i * (PAIRS / TWICE) + (u32)rand() % (PAIRS / TWICE);
		bool first = rand() % 2;
		struct rename r = {.found = 0};

		snprintf(r.from, sizeof(r.from), first ? "`A%06u" : "a\301%06u", n);
		snprintf(r.to, sizeof(r.to), first ? "a\301%06u" : "`A%06u", n);
		rename_name(&t, &b, r);
	}
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_DIR_NAME_TWICE], TWICE);
	assert_int_equal(t.total, TWICE);

	/* The filter is as large as the inode says, so here it is good for nothing. */
	test_image_change(&t, meta_types.type[META_INODE], root_address(&g), g.inode_size, set_size,
			  g.dir_block_size);
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_DIR_NAME_TWICE], TWICE);
	assert_int_equal(t.seen[FINDING_ID_DIR_SIZE], 1);
	assert_int_equal(t.total, TWICE + 1);
	test_image_drop(&t);
}

/* Where the index names an entry twice, that is said, too, although no name is there twice. */
static void by_a_wrong_index(void **state)
{
	static const struct names_damage rows[] = {
	    {META_DIRLEAF, {{"leaf", 203, "address", 0, 12, false}}, FINDING_ID_DIR_NAME_TWICE},
	    {META_DIRLEAF, {{"leaf", 202, "address", 0, 15, false}}, FINDING_ID_DIR_NAME_TWICE},
	    {META_DIRLEAF, {{"leaf", 203, "address", 0, 12, false}}, FINDING_ID_DIR_NAME_ALONE},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_are_found),
	    cmocka_unit_test(by_a_wrong_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
