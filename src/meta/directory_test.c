/* Directories in the inode, and what the inode says of those in blocks. */
#include "meta/names_test.h"

#include "fs/inode.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_INODE, {{"parent", 0, "i4", 0, 0, false}}, FINDING_ID_DIR_ENTRY_INO},
	    {META_INODE, {{"inumber", 2, "i4", 0, 0, false}}, FINDING_ID_DIR_ENTRY_INO},
	    {META_INODE, {{"inumber", 2, "i4", 0, 66, false}}, FINDING_ID_DIR_ENTRY_INTERNAL},
	    {META_INODE, {{"name", 2, "name", 0, '/', false}}, FINDING_ID_DIR_NAME_INVALID},
	    {META_INODE, {{"entry", 2, "namelen", 0, 255, false}}, FINDING_ID_DIR_SHORT_FIT},
	    {META_INODE, {{"entry", 2, "offset", 0, 8, false}}, FINDING_ID_DIR_SHORT_OFFSET},
	    {META_INODE,
	     {{"entry", 5, "offset", 0, 0xfff8, false}},
	     FINDING_ID_DIR_SHORT_TOO_LARGE},
	    {META_INODE, {{"type", 2, "ftype", 0, 0, false}}, FINDING_ID_DIR_ENTRY_TYPE},
	    {META_INODE, {{"type", 2, "ftype", 0, 1, false}}, FINDING_ID_LINKS_MORE_NAMES},
	    {META_INODE, {{"sfdir", 0, "count", 0, 1, true}}, FINDING_ID_DIR_SHORT_FIT},
	    {META_INODE, {{"sfdir", 0, "i8count", 0, 1, false}}, FINDING_ID_DIR_SHORT_FIT},
	    {META_INODE,
	     {{"core", 0, "size", 0, 1, true}, {"sfdir", 0, "i8count", 0, 0, false}},
	     FINDING_ID_DIR_SIZE},
	    {META_INODE, {{"name", 5, "name", 5, 1, true}}, FINDING_ID_DIR_NAME_TWICE},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

/* --- a circle of directories: names, links and `..` agree --- */

struct inumber {
	const char *part;
	u64 value;
};

static void set_inumber(void *block, u64 arg)
{
	const struct inumber *n = (const struct inumber *)(uintptr_t)arg;
	const struct names_set set = {n->part, 0, "i4", 0, n->value, false};
	struct names_object o = {.type = meta_types.type[META_INODE], .bytes = block};

	o.g.features = 1u << FEATURE_FTYPE;
	o.g.inode_size = o.size = 512;
	names_set_field(&o, &set);
}

static void set(struct test_image *t, const struct geometry *g, u64 dir, const char *part, u64 ino)
{
	const struct inumber n = {part, ino};
	u32 agino = inum_agino(g, inum_of(dir));
	u64 at = agblock_daddr(g, inum_ag(g, inum_of(dir)), agino_bno(g, agino)).v +
		 ((u64)(agino & (g->inodes_per_block - 1)) << g->inode_log);

	test_image_change(t, meta_types.type[META_INODE], at, g->inode_size, set_inumber,
			  (u64)(uintptr_t)&n);
}

static void circle(void **state)
{
	char proto[] = "/tmp/mendfs-proto-XXXXXX", options[64];
	u64 dir[4]; /* the root, a, a/b, a/b/c */
	FILE *f = fdopen(mkstemp(proto), "w");
	struct test_image t;
	struct geometry g;
	struct vol *vol;

	(void)state;
	fprintf(f, "/dev/null\n0 0\nd--755 0 0\n");
	fprintf(f, "a d--755 0 0\nb d--755 0 0\nc d--755 0 0\n$\n$\n$\n$\n");
	fclose(f);
	snprintf(options, sizeof(options), "-p %s", proto);
	test_image_make(&t, options);
	unlink(proto);
	vol = test_image_open(&t);
	g = vol->geo;
	dir[0] = g.root_ino;
	for (u32 i = 0; i < 3; i++) {
		struct inode inode;
		struct inum ino;
		u8 type;

		assert_int_equal(inode_get(vol, inum_of(dir[i]), &inode), 0);
		assert_int_equal(dir_lookup(vol, &inode, &"abc"[i], 1, &ino, &type), 0);
		inode_put(vol, &inode);
		dir[i + 1] = ino.v;
	}
	vol_close(vol);
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	/* The root has c; a has b, and b has a. */
	set(&t, &g, dir[0], "inumber", dir[3]);
	set(&t, &g, dir[3], "parent", dir[0]);
	set(&t, &g, dir[2], "inumber", dir[1]);
	set(&t, &g, dir[1], "parent", dir[2]);
	test_image_check(&t);
	assert_int_equal(t.seen[FINDING_ID_DIR_LOOP], 2);
	assert_int_equal(t.total, 2);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(circle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
