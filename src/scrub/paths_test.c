/* Paths within a limit of memory: those that fit are right, and the others are counted. */
#include "meta/type_test.h"

#include "scrub/paths.h"

#define FILES 300
#define PROTO "/tmp/mendfs-paths-proto"

static void make_proto(void)
{
	FILE *proto = fopen(PROTO, "w");

	assert_non_null(proto);
	fprintf(proto, "/dev/null\n0 0\nd--755 0 0\n");
	for (u32 i = 0; i < FILES; i++)
		fprintf(proto, "file-%03u p--644 0 0\n", i);
	fprintf(proto, "$\n");
	assert_int_equal(fclose(proto), 0);
}

/* The inodes of the files follow each other, in the AG of the root. */
static u64 first_file(struct vol *vol)
{
	struct paths *paths;
	u64 inos[512], first = 0;

	for (u32 i = 0; i < ARRAY_COUNT(inos); i++)
		inos[i] = vol->geo.root_ino + i;
	assert_int_equal(paths_find(vol, inos, ARRAY_COUNT(inos), PATHS_MEMORY, &paths), 0);
	assert_int_equal(paths_left(paths), 0);
	for (u32 i = 0; !first && i < ARRAY_COUNT(inos); i++)
		if (paths_get(paths, inos[i]) && !strcmp(paths_get(paths, inos[i]), "/file-000"))
			first = inos[i];
	paths_free(paths);
	return first;
}

static u32 count_right(struct vol *vol, const u64 *inos, size_t memory, u32 *left)
{
	char expected[32];
	struct paths *paths;
	u32 right = 0;

	assert_int_equal(paths_find(vol, inos, FILES, memory, &paths), 0);
	for (u32 i = 0; i < FILES; i++) {
		const char *path = paths_get(paths, inos[i]);

		snprintf(expected, sizeof(expected), "/file-%03u", i);
		assert_true(!path || !strcmp(path, expected));
		right += path != NULL;
	}
	*left = paths_left(paths);
	paths_free(paths);
	return right;
}

static void limits(void **state)
{
	/* each path of 10 bytes and what an allocation takes */
	static const struct {
		size_t memory;
		u32 right;
	} cases[] = {{PATHS_MEMORY, FILES}, {FILES * 26, FILES}, {100 * 26, 100}, {25, 0}, {0, 0}};
	struct test_image t;
	u64 inos[FILES], first;
	struct vol *vol;
	u32 left;

	(void)state;
	make_proto();
	test_image_make(&t, "-p " PROTO);
	unlink(PROTO);
	vol = test_image_open(&t);
	first = first_file(vol);
	assert_true(first);
	for (u32 i = 0; i < FILES; i++)
		inos[i] = first + i;
	for (u32 i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(count_right(vol, inos, cases[i].memory, &left), cases[i].right);
		assert_int_equal(left, FILES - cases[i].right);
	}
	vol_close(vol);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(limits)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
