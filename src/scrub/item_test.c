/* Scrub items: sound ones, requests that are none, damage and who finds it, and rebuilds by force.
 */
#include "fs/inode.h"
#include "meta/names_test.h"
#include "scrub/books.h"

#define MEMORY (4u << 20)

struct scene {
	struct test_image t;
	struct vol *vol;
	struct scrub *s;
};

static void begin(struct scene *c, bool write)
{
	static struct verdict quiet = {.raise = raise_nothing};
	struct vol_options options = {.write = write, .repair = write, .verdict = &quiet};
	const struct scrub_options how = {.memory = MEMORY};

	assert_int_equal(device_open_file(&c->t.env, c->t.path, !write, &options.data), 0);
	assert_int_equal(vol_open(&c->t.env, &meta_types, &options, &c->vol), 0);
	assert_int_equal(scrub_open(c->vol, &how, &c->s), 0);
}

static void end(struct scene *c)
{
	scrub_close(c->s);
	assert_int_equal(vol_close(c->vol), 0);
}

static int ask(struct scene *c, enum scrub_type type, u32 ag, u64 ino, u32 *flags)
{
	struct scrub_item item = {.type = type, .ag = ag, .ino = ino, .flags = *flags};
	struct inode inode;
	int err;

	if (ino && !inode_get(c->vol, inum_of(ino), &inode)) {
		item.gen = inode.gen;
		inode_put(c->vol, &inode);
	}
	err = scrub_item(c->s, &item);
	*flags = item.flags;
	return err;
}

static u64 inode_of(struct scene *c, const char *name)
{
	struct inode root;
	struct inum ino = inum_of(c->vol->geo.root_ino);
	u8 type;

	assert_int_equal(inode_get(c->vol, ino, &root), 0);
	if (name)
		assert_int_equal(dir_lookup(c->vol, &root, name, (u32)strlen(name), &ino, &type),
				 0);
	inode_put(c->vol, &root);
	return ino.v;
}

/* Calls fn for every item that there is: of AGs, the filesystem, and a few directories. */
static u32 each_item(struct scene *c,
		     void (*fn)(struct scene *c, enum scrub_type type, u32 ag, u64 ino))
{
	static const char *const name[] = {NULL, "short", "block", "leaf", "node"};
	u32 count = 0;

	for (u32 i = 0; i < SCRUB_COUNT; i++) {
		enum meta_scope scope = scrub_defs[i].scope;
		u32 times = scope == SCOPE_FS	? 1
			    : scope == SCOPE_AG ? c->vol->geo.ag_count
						: ARRAY_COUNT(name);

		for (u32 k = 0; scrub_exists(c->s, i) && k < times; k++, count++)
			fn(c, i, scope == SCOPE_AG ? k : 0,
			   scope == SCOPE_INODE ? inode_of(c, name[k]) : 0);
	}
	return count;
}

static void is_clean(struct scene *c, enum scrub_type type, u32 ag, u64 ino)
{
	u32 flags = 0;
	int err = ask(c, type, ag, ino, &flags);

	if (err == -ENOENT)
		return; /* directories have no target, and short ones no map */
	if (err || flags)
		print_error("%s, AG %u, inode %llu: %d, flags %x\n", scrub_defs[type].name, ag,
			    (unsigned long long)ino, err, flags);
	assert_int_equal(err, 0);
	assert_int_equal(flags, 0);
}

static void is_untouched(struct scene *c, enum scrub_type type, u32 ag, u64 ino)
{
	u32 flags = SCRUB_REPAIR;
	int err = ask(c, type, ag, ino, &flags);

	if (err == -ENOENT || type == SCRUB_PROBE)
		return;
	assert_int_equal(err, 0);
	assert_int_equal(flags, SCRUB_REPAIR | SCRUB_UNTOUCHED);
}

static void is_made_anew(struct scene *c, enum scrub_type type, u32 ag, u64 ino)
{
	u32 flags = SCRUB_REPAIR | SCRUB_FORCE;
	int err = ask(c, type, ag, ino, &flags);

	if (err == -ENOENT || type == SCRUB_PROBE)
		return;
	if (type == SCRUB_HEALTHY) {
		assert_int_equal(err, -EOPNOTSUPP);
		return;
	}
	if (err || flags != (SCRUB_REPAIR | SCRUB_FORCE))
		print_error("%s, AG %u, inode %llu: %d, flags %x: %s\n", scrub_defs[type].name, ag,
			    (unsigned long long)ino, err, flags, trail_text());
	assert_int_equal(err, 0);
	assert_int_equal(flags, SCRUB_REPAIR | SCRUB_FORCE);
}

static void sound_is_clean(void **state)
{
	struct scene c;
	u64 made;

	(void)state;
	names_image(&c.t);
	begin(&c, true);
	assert_int_equal(scrub_survey(c.s), 0);
	made = c.s->made;
	each_item(&c, is_clean);
	/* but for the probe, with which a driver begins anew, all had one sweep */
	assert_true(c.s->made > made);
	made = c.s->made;
	for (u32 i = SCRUB_SB; i < SCRUB_COUNT; i++)
		if (scrub_exists(c.s, i) && scrub_defs[i].scope != SCOPE_INODE)
			is_clean(&c, i, 0, 0);
	assert_int_equal(c.s->made, made);
	each_item(&c, is_untouched);
	end(&c);
	test_image_drop(&c.t);
}

static void force_makes_anew(void **state)
{
	struct scene c;

	(void)state;
	names_image(&c.t);
	begin(&c, true);
	assert_true(each_item(&c, is_made_anew) > 50);
	each_item(&c, is_clean);
	end(&c);
	test_image_check(&c.t);
	assert_int_equal(c.t.total, 0);
	test_image_drop(&c.t);
}

static void no_requests(void **state)
{
	static const struct {
		struct scrub_item item;
		int err;
	} row[] = {
	    {{SCRUB_BNOBT, .ag = 4}, -ENOENT},
	    {{SCRUB_BNOBT, .ino = 128}, -EINVAL},
	    {{SCRUB_BNOBT, .flags = SCRUB_CORRUPT}, -EINVAL},
	    {{SCRUB_BNOBT, .flags = SCRUB_FORCE}, -EINVAL},
	    {{SCRUB_BNOBT, .flags = SCRUB_REPAIR}, -EROFS},
	    {{SCRUB_RMAPBT}, -ENOENT},
	    {{SCRUB_UQUOTA}, -ENOENT},
	    {{SCRUB_BMBTC, .ino = 128}, -ENOENT},
	    {{SCRUB_FSCOUNTERS, .ag = 1}, -EINVAL},
	    {{SCRUB_INODE, .ino = 1}, -ENOENT},
	    {{SCRUB_INODE, .ag = 1}, -EINVAL},
	    {{SCRUB_INODE, .ino = NULL64}, -ENOENT},
	};
	struct scene c;

	(void)state;
	test_image_make(&c.t, "-m rmapbt=0");
	begin(&c, false);
	for (u32 i = 0; i < ARRAY_COUNT(row); i++) {
		struct scrub_item item = row[i].item;
		int err = scrub_item(c.s, &item);

		if (err != row[i].err)
			print_error("row %u: %d: %s\n", i, err, trail_text());
		assert_int_equal(err, row[i].err);
	}
	end(&c);
	test_image_drop(&c.t);
}

/* A field of a header, or of the inode of a directory, is one more; the item finds it, and another
 * does not. */
struct damage {
	enum meta_id id;
	u32 ag;
	const char *dir, *field;
	enum scrub_type item, other;
	u32 flags;
};

struct change {
	const struct field *field;
};

static void add_one(void *block, u64 arg)
{
	const struct field *field = (const struct field *)(uintptr_t)arg;

	field_set(field, block, 0, field_get(field, block, 0) + 1);
}

static void hurt(struct scene *c, const struct damage *d)
{
	const struct meta_type *type = meta_types.type[d->id];
	const struct field *field = layout_field(type->layout, d->field);
	const struct geometry *g = &c->vol->geo;
	bool inode = d->id == META_INODE;
	u64 at = inode ? inum_daddr(g, inum_of(inode_of(c, d->dir))).v : type->place(g, d->ag).v;
	u32 size = inode ? g->inode_size : type->size(g);

	assert_non_null(field);
	end(c);
	test_image_change(&c->t, type, at, size, add_one, (u64)(uintptr_t)field);
	begin(c, true);
}

static void one_damage(struct scene *c, const struct damage *d)
{
	u32 flags = 0, other = 0, repaired = SCRUB_REPAIR, after = 0;
	u64 ino;

	hurt(c, d);
	ino = scrub_defs[d->item].scope == SCOPE_INODE ? inode_of(c, d->dir) : 0;
	assert_int_equal(ask(c, d->item, d->ag, ino, &flags), 0);
	assert_int_equal(
	    ask(c, d->other, scrub_defs[d->other].scope == SCOPE_AG ? 2 : 0, 0, &other), 0);
	assert_int_equal(ask(c, d->item, d->ag, ino, &repaired), 0);
	assert_int_equal(ask(c, d->item, d->ag, ino, &after), 0);
	if ((flags & SCRUB_SICK) != d->flags || other || repaired != SCRUB_REPAIR || after)
		print_error("%s %s: %x, other %x, repaired %x, after %x\n",
			    meta_types.type[d->id]->name, d->field, flags, other, repaired, after);
	assert_int_equal(flags & SCRUB_SICK, d->flags);
	assert_int_equal(other, 0);
	assert_int_equal(repaired, SCRUB_REPAIR);
	assert_int_equal(after, 0);
}

static void damage_is_found_and_mended(void **state)
{
	static const struct damage row[] = {
	    {META_AGF, 1, NULL, "freeblks", SCRUB_AGF, SCRUB_BNOBT, SCRUB_XCORRUPT},
	    {META_AGF, 1, NULL, "length", SCRUB_AGF, SCRUB_CNTBT, SCRUB_CORRUPT},
	    {META_AGI, 0, NULL, "freecount", SCRUB_AGI, SCRUB_FINOBT, SCRUB_XCORRUPT},
	    {META_SUPERBLOCK, 0, NULL, "icount", SCRUB_FSCOUNTERS, SCRUB_AGI, SCRUB_XCORRUPT},
	    {META_SUPERBLOCK, 2, NULL, "dblocks", SCRUB_SB, SCRUB_NLINKS,
	     SCRUB_CORRUPT | SCRUB_XCORRUPT},
	    {META_INODE, 0, "leaf", "nlink", SCRUB_NLINKS, SCRUB_FSCOUNTERS, SCRUB_XCORRUPT},
	    {META_INODE, 0, "leaf", "nblocks", SCRUB_INODE, SCRUB_BNOBT, SCRUB_CORRUPT},
	    {META_INODE, 0, "node", "size", SCRUB_DIR, SCRUB_NLINKS, SCRUB_CORRUPT},
	};
	struct scene c;

	(void)state;
	names_image(&c.t);
	begin(&c, true);
	for (u32 i = 0; i < ARRAY_COUNT(row); i++)
		one_damage(&c, &row[i]);
	each_item(&c, is_clean);
	end(&c);
	test_image_check(&c.t);
	assert_int_equal(c.t.total, 0);
	test_image_drop(&c.t);
}

/* Every type can be found by some item, and every item but these is of some type or account. */
static void all_have_items(void **state)
{
	const u64 none = SCRUB_BIT(PROBE) | SCRUB_BIT(BMBTC) | SCRUB_BIT(HEALTHY);
	u64 all = 0;

	(void)state;
	for (u32 i = 0; i < META_COUNT; i++) {
		assert_true(meta_types.type[i]->items);
		assert_true(!meta_types.type[i]->rebuild || meta_types.type[i]->rebuilt_from);
		all |= meta_types.type[i]->items;
	}
	for (u32 i = 0; i < ACCOUNT_LONGEST; i++) {
		assert_true(account_defs[i].items);
		all |= account_defs[i].items;
	}
	assert_int_equal(all, ((1ull << SCRUB_COUNT) - 1) & ~none);
	/* numbers that programs use */
	assert_int_equal(SCRUB_FSCOUNTERS, 24);
	assert_int_equal(SCRUB_DIRTREE, 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_have_items), cmocka_unit_test(sound_is_clean),
	    cmocka_unit_test(no_requests), cmocka_unit_test(damage_is_found_and_mended),
	    cmocka_unit_test(force_makes_anew)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
