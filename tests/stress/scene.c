/* Operations for tests that make something fail; see scene.h. */
#include "base/test.h"

#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct grove_node *at(struct scene *s, struct grove_node *dir, const char *name)
{
	return grove_find(s->g, dir, name)->node;
}

static struct grove_node *must_create(struct scene *s, struct grove_node *dir, const char *name,
				      u16 mode)
{
	assert_int_equal(grove_create(s->g, dir, name, mode, S_ISLNK(mode) ? "target" : NULL), 0);
	return at(s, dir, name);
}

static void fill(struct scene *s, struct grove_node *dir, u32 count)
{
	char name[64];

	for (u32 i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "an-entry-with-a-long-name-%u", i);
		must_create(s, dir, name, S_IFREG | 0644);
	}
}

static int create(struct scene *s)
{
	return grove_create(s->g, s->dir, "new", S_IFREG | 0644, NULL);
}
static int create_large(struct scene *s)
{
	return grove_create(s->g, s->large, "new-in-large", S_IFREG | 0644, NULL);
}
static void prepare_full(struct scene *s)
{
	fill(s, s->dir, 22); /* the next needs another form, or block */
}
static int create_many(struct scene *s)
{
	char name[32];
	int err = 0;

	for (u32 i = 0; i < 70 && !err; i++) { /* a chunk of inodes, and more */
		snprintf(name, sizeof(name), "many-%u", i);
		if (!grove_find(s->g, s->dir, name))
			err = grove_create(s->g, s->dir, name, S_IFREG | 0644, NULL);
	}
	return err;
}
static int make_dir(struct scene *s)
{
	return grove_create(s->g, s->dir, "new", S_IFDIR | 0755, NULL);
}
static int make_link(struct scene *s)
{
	return grove_create(s->g, s->dir, "new", S_IFLNK | 0777, "somewhere");
}
static int make_long_link(struct scene *s)
{
	char target[1000];

	memset(target, 'x', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	return grove_create(s->g, s->dir, "new", S_IFLNK | 0777, target);
}
static int make_device(struct scene *s)
{
	return grove_create(s->g, s->dir, "new", S_IFBLK | 0600, NULL);
}
static int link_file(struct scene *s)
{
	return grove_link(s->g, s->file, s->large, "linked");
}
static int remove_file(struct scene *s)
{
	return grove_remove(s->g, s->dir, "file");
}
static int remove_large(struct scene *s)
{
	char name[64];
	int err = 0;

	for (u32 i = 0; i < 40 && !err; i++) {
		snprintf(name, sizeof(name), "an-entry-with-a-long-name-%u", i * 7);
		if (grove_find(s->g, s->large, name))
			err = grove_remove(s->g, s->large, name);
	}
	return err;
}
static void prepare_dir(struct scene *s)
{
	must_create(s, s->dir, "empty", S_IFDIR | 0755);
}
static int remove_dir(struct scene *s)
{
	return grove_remove(s->g, s->dir, "empty");
}
static int rename_plain(struct scene *s)
{
	return grove_rename(s->g, s->dir, "file", s->large, "moved", 0);
}
static int rename_over(struct scene *s)
{
	return grove_rename(s->g, s->dir, "file", s->dir, "shared", 0);
}
static int rename_exchange(struct scene *s)
{
	return grove_rename(s->g, s->dir, "file", s->other, "sub", NAMES_EXCHANGE);
}
static int rename_whiteout(struct scene *s)
{
	return grove_rename(s->g, s->dir, "file", s->other, "elsewhere", NAMES_WHITEOUT);
}
static int rename_dir(struct scene *s)
{
	return grove_rename(s->g, s->other, "sub", s->large, "sub", 0);
}
static int set_attr(struct scene *s)
{
	return grove_setattr(s->g, s->file, 0640, 3 + s->file->uid);
}

static u8 value[60000];

static int attr_short(struct scene *s)
{
	return grove_attr(s->g, s->file, 0, "short", "value", 5);
}
static int attr_leaf(struct scene *s)
{
	return grove_attr(s->g, s->file, 0, "leaf", value, 400);
}
static int attr_remote(struct scene *s)
{
	return grove_attr(s->g, s->file, 0, "remote", value, 30000);
}
static void prepare_attrs(struct scene *s)
{
	char name[200];

	memset(name, 'n', sizeof(name));
	for (u32 i = 0; i < 12; i++) {
		snprintf(name + 180, 20, "%u", i);
		assert_int_equal(grove_attr(s->g, s->file, 0, name, value, 200), 0);
	}
}
static int attr_in_node(struct scene *s)
{
	return grove_attr(s->g, s->file, 0, "one-more", value, 100);
}
static void prepare_attr(struct scene *s)
{
	assert_int_equal(grove_attr(s->g, s->file, 0, "remote", value, 30000), 0);
}
static int attr_gone(struct scene *s)
{
	return grove_attr(s->g, s->file, 0, "remote", NULL, 0);
}

void scene_comb(struct scene *s)
{
	u32 block = s->g->vol->geo.block_size;

	for (u64 i = 0; i < 120; i++)
		assert_int_equal(grove_write(s->g, s->file, i * 2 * block, block), 0);
}
static bool can_share(const struct scene *s)
{
	return geometry_has(&s->g->vol->geo, FEATURE_REFLINK);
}
static void share(struct scene *s)
{
	u32 log = s->g->vol->geo.block_log;

	if (can_share(s))
		assert_int_equal(grove_share(s->g, s->file, s->shared, 0, 0, s->file->size >> log),
				 0);
}
static void comb_and_share(struct scene *s)
{
	scene_comb(s);
	share(s);
}
static int write_new(struct scene *s)
{
	return grove_write(s->g, s->file, 5000, 300000);
}
static int write_small(struct scene *s)
{
	return grove_write(s->g, s->file, 100, 10);
}
static int write_between(struct scene *s)
{
	return grove_write(s->g, s->file, 10000, 100000);
}
static int truncate_down(struct scene *s)
{
	return grove_truncate(s->g, s->file, 3333);
}
static int truncate_up(struct scene *s)
{
	return grove_truncate(s->g, s->file, 700001);
}
static int punch(struct scene *s)
{
	return grove_punch(s->g, s->file, 3000, 90000);
}
static int allocate(struct scene *s)
{
	return grove_allocate(s->g, s->file, 3, 200);
}
static int collapse(struct scene *s)
{
	return grove_collapse(s->g, s->file, 5, 3);
}
static int insert(struct scene *s)
{
	return grove_insert(s->g, s->file, 5, 3);
}
static int share_all(struct scene *s)
{
	u32 log = s->g->vol->geo.block_log;

	return can_share(s) ? grove_share(s->g, s->file, s->shared, 0, 3, s->file->size >> log) : 0;
}
static int unshare(struct scene *s)
{
	return grove_unshare(s->g, s->shared);
}
static void prepare_gone(struct scene *s)
{
	prepare_attrs(s);
	scene_comb(s);
	assert_int_equal(grove_remove(s->g, s->dir, "file"), 0);
	assert_int_equal(grove_create(s->g, s->dir, "file", S_IFREG | 0644, NULL), 0);
	s->file = at(s, s->dir, "file");
}
static int forget(struct scene *s)
{
	return grove_forget(s->g);
}
static int force(struct scene *s)
{
	return grove_force(s->g);
}
static int push(struct scene *s)
{
	return grove_push(s->g);
}
const struct operation operations[] = {
    {"create", NULL, create, false},
    {"create-grows", prepare_full, create, false},
    {"create-large", NULL, create_large, false},
    {"create-many", NULL, create_many, false},
    {"mkdir", NULL, make_dir, false},
    {"symlink", NULL, make_link, false},
    {"symlink-long", NULL, make_long_link, false},
    {"mknod", NULL, make_device, false},
    {"link", NULL, link_file, false},
    {"unlink", NULL, remove_file, false},
    {"unlink-large", NULL, remove_large, false},
    {"rmdir", prepare_dir, remove_dir, false},
    {"rename", NULL, rename_plain, false},
    {"rename-over", NULL, rename_over, false},
    {"rename-exchange", NULL, rename_exchange, false},
    {"rename-whiteout", NULL, rename_whiteout, false},
    {"rename-dir", NULL, rename_dir, false},
    {"setattr", NULL, set_attr, false},
    {"attr-short", NULL, attr_short, false},
    {"attr-leaf", NULL, attr_leaf, false},
    {"attr-remote", NULL, attr_remote, false},
    {"attr-node", prepare_attrs, attr_in_node, false},
    {"attr-gone", prepare_attr, attr_gone, false},
    {"write-new", NULL, write_new, false},
    {"write-small", scene_comb, write_small, false},
    {"write-between", scene_comb, write_between, false},
    {"write-shared", comb_and_share, write_between, false},
    {"truncate-down", scene_comb, truncate_down, false},
    {"truncate-shared", comb_and_share, truncate_down, false},
    {"truncate-up", scene_comb, truncate_up, false},
    {"punch", scene_comb, punch, false},
    {"punch-shared", comb_and_share, punch, false},
    {"allocate", scene_comb, allocate, false},
    {"collapse", scene_comb, collapse, false},
    {"insert", scene_comb, insert, false},
    {"share", scene_comb, share_all, false},
    {"unshare", comb_and_share, unshare, false},
    {"forget", prepare_gone, forget, true},
    {"force", scene_comb, force, false, true},
    {"push", comb_and_share, push, false, true},
};

const u32 operations_count = ARRAY_COUNT(operations);

/* ---- scenes ---- */

/* Objects of their own for an operation. */
void scene_begin(struct scene *s, const struct operation *op)
{
	char name[32];

	snprintf(name, sizeof(name), "scene-%u", ++s->scenes);
	s->dir = must_create(s, s->top, name, S_IFDIR | 0755);
	s->other = must_create(s, s->dir, "other", S_IFDIR | 0755);
	must_create(s, s->other, "sub", S_IFDIR | 0755);
	s->file = must_create(s, s->dir, "file", S_IFREG | 0644);
	s->shared = must_create(s, s->dir, "shared", S_IFREG | 0644);
	assert_int_equal(grove_write(s->g, s->file, 0, 40000), 0);
	assert_int_equal(grove_write(s->g, s->shared, 0, 9000), 0);
	if (op->prepare)
		op->prepare(s);
}

/* All names below go. */
static void clear(struct scene *s, struct grove_node *dir)
{
	struct grove *g = s->g;
	char text[256];

	for (u32 i = 0; i < g->names;) {
		struct grove_name *name = g->name[i];

		if (name->dir != dir) {
			i++;
			continue;
		}
		if (S_ISDIR(name->node->mode))
			clear(s, name->node);
		snprintf(text, sizeof(text), "%s", name->text);
		assert_int_equal(grove_remove(g, dir, text), 0);
		i = 0;
	}
}

void scene_end_large(struct scene *s)
{
	static const char *const in_large[] = {"new-in-large", "linked", "moved"};
	struct grove *g = s->g;

	for (u32 i = 0; i < ARRAY_COUNT(in_large); i++)
		if (grove_find(g, s->large, in_large[i]))
			assert_int_equal(grove_remove(g, s->large, in_large[i]), 0);
	if (grove_find(g, s->large, "sub")) {
		clear(s, grove_find(g, s->large, "sub")->node);
		assert_int_equal(grove_remove(g, s->large, "sub"), 0);
	}
}

void scene_end(struct scene *s)
{
	char name[32];

	snprintf(name, sizeof(name), "scene-%u", s->scenes);
	scene_end_large(s);
	clear(s, s->dir);
	assert_int_equal(grove_remove(s->g, s->top, name), 0);
	grove_forget(s->g);
}

void scene_open(struct scene *s, struct grove *g)
{
	*s = (struct scene){.g = g, .top = grove_root(g)};
	s->large = must_create(s, grove_root(g), "large", S_IFDIR | 0755);
	fill(s, s->large, 300);
}
