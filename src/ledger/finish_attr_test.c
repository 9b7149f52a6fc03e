/* Attribute intents, finished: what the inode has then, and that the books balance. */
#include "base/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/log.h"
#include "fs/attr_modify.h"
#include "fs/finish.h"
#include "fs/mkfs_test.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "meta/types_table.h"

#define IMAGE_SIZE (320u << 20)
#define OVERLAY_MEMORY (64u << 20)

struct world {
	struct env env;
	char path[40];
	struct vol *vol;
};

static void make_image(struct world *w)
{
	struct mkfs_options options;

	memset(w, 0, sizeof(*w));
	strcpy(w->path, "/tmp/mendfs-finish-XXXXXX");
	close(mkstemp(w->path));
	assert_int_equal(truncate(w->path, IMAGE_SIZE), 0);
	host_env_init(&w->env, 1);
	mkfs_options_init(&options);
	options.ag_count = 2;
	options.block_size = 1024;
	test_mkfs(&w->env, w->path, NULL, &options);
}

static void open_vol(struct world *w)
{
	struct vol_options options = {.memory = 0};
	struct device *lower;

	assert_int_equal(device_open_file(&w->env, w->path, true, &lower), 0);
	assert_int_equal(device_open_overlay(&w->env, lower, OVERLAY_MEMORY, &options.data), 0);
	assert_int_equal(vol_open(&w->env, &meta_types, &options, &w->vol), 0);
}

/* A whole intent: format, name and value as regions. */
static struct log_pending *attr_intent(struct world *w, u64 ino, enum log_attr_kind kind,
				       const char *name, u32 value_length)
{
	u32 names = (u32)strlen(name);
	struct log_pending *p = env_alloc(&w->env, sizeof(*p));
	struct log_attri l = {.ino = le64_make(ino),
			      .op_flags = le32_make(kind),
			      .name_len = le32_make(names),
			      .value_len = le32_make(value_length)};

	p->type = LOG_ATTRI;
	p->name = "test";
	p->regions = value_length ? 3 : 2;
	p->region_end = env_array(&w->env, p->regions, sizeof(u32));
	p->bytes = env_alloc(&w->env, sizeof(l) + names + value_length);
	memcpy(p->bytes, &l, sizeof(l));
	memcpy(p->bytes + sizeof(l), name, names);
	memset(p->bytes + sizeof(l) + names, 'v', value_length);
	p->region_end[0] = sizeof(l);
	p->region_end[1] = (u32)sizeof(l) + names;
	p->region_end[p->regions - 1] = (u32)sizeof(l) + names + value_length;
	return p;
}

static int count_attr(void *arg, const struct attr *attr)
{
	(void)attr;
	++*(u32 *)arg;
	return 0;
}

static u32 attrs_of(struct world *w, u64 ino)
{
	struct inode inode;
	u32 count = 0;

	assert_int_equal(inode_get(w->vol, inum_of(ino), &inode), 0);
	assert_int_equal(attr_each(w->vol, &inode, count_attr, &count), 0);
	inode_put(w->vol, &inode);
	return count;
}

static u32 findings;

static void count_finding(struct env *env, const struct finding *finding)
{
	char text[512];

	(void)env;
	finding_print(finding, text, sizeof(text));
	print_error("%s\n", text);
	findings++;
}

static void finish_attr(struct world *w, struct log_pending *p)
{
	struct log_status status = {.pending = p, .intents = 1};
	struct sweep_stats stats;

	assert_int_equal(finish_pending(w->vol, &status), 0);
	assert_null(status.pending);
	log_status_free(&w->env, &status);
	findings = 0;
	assert_int_equal(sweep_run(w->vol, NULL, &stats), 0);
	assert_int_equal(findings, 0);
}

/* An attribute intent for an inode without an attribute fork: short, in a leaf, and with a value in
 * blocks of its own; then the fork goes with its last attribute. */
static void no_fork(void **state)
{
	static const u32 lengths[] = {5, 300, 60000};
	struct world w;
	u64 root;

	(void)state;
	make_image(&w);
	for (u32 i = 0; i < ARRAY_COUNT(lengths); i++) {
		open_vol(&w);
		w.env.finding = count_finding;
		root = w.vol->geo.root_ino;
		assert_int_equal(attrs_of(&w, root), 0);
		finish_attr(&w, attr_intent(&w, root, LOG_ATTR_SET, "some-name", lengths[i]));
		assert_int_equal(attrs_of(&w, root), 1);
		finish_attr(&w, attr_intent(&w, root, LOG_ATTR_REMOVE, "other", 0));
		assert_int_equal(attrs_of(&w, root), 1);
		finish_attr(&w, attr_intent(&w, root, LOG_ATTR_REMOVE, "some-name", 0));
		assert_int_equal(attrs_of(&w, root), 0);
		finish_attr(&w, attr_intent(&w, root, LOG_ATTR_REMOVE, "some-name", 0));
		vol_close(w.vol);
	}
	unlink(w.path);
}

static void set_one(struct world *w, u64 ino, u32 i, u32 length)
{
	static u8 value[65536];
	struct attr attr = {.value = value, .value_length = length};
	struct txn *txn;
	char name[32];

	attr.name_length = (u32)snprintf(name, sizeof(name), "attribute-%u", i);
	attr.name = name;
	assert_int_equal(vol_begin(w->vol, NULL, &txn), 0);
	assert_int_equal(
	    vol_end(w->vol, txn, attr_set(w->vol, txn, inum_of(ino), &attr, ATTR_HOW_CREATE)), 0);
}

/* Forks that no transaction builds anew: of more than 16 MiB, and of more leaves than one node
 * has. */
static void large(void **state)
{
	static const struct {
		u32 count, length;
	} cases[] = {{300, 64000}, {400, 500}};
	struct world w;
	u64 root;

	(void)state;
	make_image(&w);
	for (u32 i = 0; i < ARRAY_COUNT(cases); i++) {
		u32 count = cases[i].count;

		open_vol(&w);
		w.env.finding = count_finding;
		root = w.vol->geo.root_ino;
		for (u32 k = 0; k < count; k++)
			set_one(&w, root, k, cases[i].length);
		finish_attr(&w, attr_intent(&w, root, LOG_ATTR_SET, "new", 5));
		assert_int_equal(attrs_of(&w, root), count + 1);
		finish_attr(&w, attr_intent(&w, root, LOG_ATTR_REPLACE, "attribute-7", 60000));
		assert_int_equal(attrs_of(&w, root), count + 1);
		finish_attr(&w, attr_intent(&w, root, LOG_ATTR_REMOVE, "attribute-8", 0));
		assert_int_equal(attrs_of(&w, root), count);
		vol_close(w.vol);
	}
	unlink(w.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_fork), cmocka_unit_test(large)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
