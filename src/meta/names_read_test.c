/*
 * Attributes and symbolic links of a filesystem that Linux made (the fixture `parent`), against the
 * listing that was taken through the kernel: names, values by length and hash, targets, and as many
 * parent pointers as there are links.
 */
#include "meta/names_test.h"

#include "fs/attr.h"
#include "fs/symlink.h"

#include <errno.h>

/* The hash of the listing (tests/corpus/fswork.c). */
struct listing_hash {
	u64 a, b;
};

static void hash_word(struct listing_hash *h, u64 v)
{
	h->a = (h->a ^ v) * 0x9fb21c651e98df25ull;
	h->a ^= h->a >> 29;
	h->b = (h->b + v) * 0xd6e8feb86659fd93ull;
	h->b = h->b << 31 | h->b >> 33;
}

static u64 hash_bytes(const u8 *bytes, size_t size)
{
	struct listing_hash h = {3, 4};

	hash_word(&h, size);
	for (; size; bytes += min_u64(size, 8), size -= min_u64(size, 8)) {
		u64 v = 0;

		memcpy(&v, bytes, min_u64(size, 8));
		hash_word(&h, v);
	}
	return h.a ^ h.b;
}

/* \xNN back to bytes, in place. */
static u32 unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		unsigned c;

		if (from[0] == '\\' && sscanf(from, "\\x%2x", &c) == 1) {
			*to++ = (char)c;
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = 0;
	return (u32)(to - text);
}

struct test {
	struct vol *vol;
	u32 attrs, remote, targets, long_targets, parents;
	u8 value[ATTR_VALUE_MAX];
};

static void open_path(struct test *t, char *path, struct inode *inode)
{
	struct inum ino = inum_of(t->vol->geo.root_ino);
	char *save = NULL;

	assert_int_equal(inode_get(t->vol, ino, inode), 0);
	for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		u8 type;
		u32 length = unescape(part);

		assert_int_equal(dir_lookup(t->vol, inode, part, length, &ino, &type), 0);
		inode_put(t->vol, inode);
		assert_int_equal(inode_get(t->vol, ino, inode), 0);
		assert_int_equal(type, dir_type_of_mode(inode->mode));
	}
}

static void check_attr(struct test *t, const struct inode *inode, char *said)
{
	static const struct {
		const char *prefix;
		u8 flags;
	} space[] = {{"user.", 0}, {"trusted.", ATTR_ROOT}, {"security.", ATTR_SECURE}};
	char *equals = strrchr(said, '='), *name = strchr(said, '.') + 1;
	unsigned long long hash;
	u32 length, which = 0;
	s64 size;

	assert_int_equal(sscanf(equals, "=%lld:%llx", (long long *)&size, &hash), 2);
	*equals = 0;
	while (strncmp(said, space[which].prefix, strlen(space[which].prefix)))
		assert_true(++which < ARRAY_COUNT(space));
	length = unescape(name);
	assert_int_equal(
	    attr_get(t->vol, inode, space[which].flags, name, length, t->value, ATTR_VALUE_MAX),
	    size);
	assert_int_equal(hash_bytes(t->value, (size_t)size), hash);
	assert_int_equal(attr_get(t->vol, inode, space[which].flags, name, length, NULL, 0), size);
	if (size > 1)
		assert_int_equal(attr_get(t->vol, inode, space[which].flags, name, length, t->value,
					  (size_t)size - 1),
				 -ERANGE);
	name[length - 1] ^= 0x40; /* nobody is called that */
	assert_int_equal(attr_get(t->vol, inode, space[which].flags, name, length, t->value, 1),
			 -ENODATA);
	t->attrs++;
	t->remote += size > 4096;
}

struct counts {
	u32 plain, parents;
};

static int count_attr(void *arg, const struct attr *attr)
{
	struct counts *c = arg;

	if (attr->flags == ATTR_PARENT)
		c->parents++;
	else
		c->plain++;
	return 0;
}

static void check_target(struct test *t, const struct inode *inode, char *said)
{
	char target[SYMLINK_MAX + 1];
	u32 length = unescape(said);

	assert_int_equal(symlink_read(t->vol, inode, target), length);
	assert_string_equal(target, said);
	t->targets++;
	t->long_targets += inode->fork[FORK_DATA].format == FORMAT_EXTENTS;
}

/* path, then words; see tests/corpus/fswork.c. */
static void check_line(struct test *t, char *line)
{
	struct counts said = {0, 0}, counts = {0, 0};
	struct inode inode;
	char *save = NULL, *path;
	bool other = false;

	line[strcspn(line, "\n")] = 0;
	path = strtok_r(line, " ", &save);
	open_path(t, path + 1, &inode);
	for (char *word; (word = strtok_r(NULL, " ", &save));) {
		if (!strncmp(word, "same-as=", 8))
			other = true; /* its attributes stand where it is named first */
		if (!strncmp(word, "target=", 7))
			check_target(t, &inode, word + 7);
		if (strncmp(word, "xattr:", 6) || !strncmp(word, "xattr:system.", 13))
			continue;
		check_attr(t, &inode, word + 6);
		said.plain++;
	}
	assert_int_equal(attr_each(t->vol, &inode, count_attr, &counts), 0);
	assert_true(other || counts.plain == said.plain);
	if (inode.ino.v != t->vol->geo.root_ino)
		assert_int_equal(counts.parents,
				 dir_type_of_mode(inode.mode) == DIR_FT_DIR ? 1 : inode.nlink);
	t->parents += counts.parents;
	inode_put(t->vol, &inode);
}

static void parent(void **state)
{
	char command[512];
	static struct test t;
	struct test_image image;
	char *line = NULL;
	size_t room = 0;
	FILE *tree;

	(void)state;
	names_fixture(&image, "parent");
	t.vol = test_image_open(&image);
	snprintf(command, sizeof(command), "xz -dc %s/parent.tree.xz", names_fixtures());
	tree = popen(command, "r");
	assert_non_null(tree);
	while (getline(&line, &room, tree) > 0)
		check_line(&t, line);
	assert_int_equal(pclose(tree), 0);
	free(line);
	assert_true(t.attrs > 20 && t.remote && t.targets && t.long_targets && t.parents > 50);
	vol_close(t.vol);
	test_image_drop(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(parent)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
