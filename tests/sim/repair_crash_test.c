/*
 * Power cuts in the middle of repairs: a filesystem is damaged, and repaired on a device that knows
 * what has been flushed.  After each write the power fails.  What is then opened, with its log
 * replayed, must show no finding that the undisturbed repair did not show at the start of one of
 * its rounds: it is as before, or repaired, and never worse.  Some wrecks are repaired again, and
 * must come out clean, with the tree and the bytes that were there before the damage, or at least
 * with those that the undisturbed repair leaves.
 *
 * The undo of a repair is cut in the same way: done again, it must come to the bytes from before
 * the repair.
 *
 * SEED, CUTS (of how many writes one is looked at), DAMAGES, VERBOSE and ONLY (this test) in the
 * environment; DUMP: the folder to which the damaged images go. The seed is printed.
 */
#include "base/test.h"
#include "base/trail.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cut.h"
#include "format/verify.h"
#include "host/undo.h"
#include "meta/types_table.h"
#include "objects.h"
#include "scrub/repair.h"
#include "tree.h"

#define SIGNS_MAX 65536
#define AGAIN_EVERY 16 /* wrecks: one is repaired again */
#define CACHE (4u << 20)

struct crash {
	struct world world;
	struct sim sim;
	u8 *sound;
	u64 size, seed;
	u64 tree; /* of the sound image; of what the undisturbed repair makes, where that may lose
		   */
	bool (*chosen)(const struct meta_type *type, const char *key); /* by type, and field */
	bool exact; /* what is chosen loses nothing, whatever happens to it */
	/* All damage is mended in one step. Else there is something between before and after, and
	 * of what is mended first a check sees more. */
	bool strict;
	struct objects objects;
	u64 *sign; /* of findings that may be seen */
	u32 signs;
	u32 writes, every, cuts, again;
	bool learning, cutting;
	u64 unknown; /* findings that may not be seen */
};

static bool known(const struct crash *c, u64 sign)
{
	for (u32 i = 0; i < c->signs; i++)
		if (c->sign[i] == sign)
			return true;
	return false;
}

static void on_finding(void *arg, const struct finding *f)
{
	struct crash *c = arg;
	u64 sign = survey_digest(f);
	char line[512];

	if (f->def->severity < SEVERITY_PREEN || known(c, sign))
		return;
	if (c->learning) {
		assert_true(c->signs < SIGNS_MAX);
		c->sign[c->signs++] = sign;
		return;
	}
	c->unknown++;
	finding_print(f, line, sizeof(line));
	printf("never seen before: %s\n", line);
}

static void say(void *arg, const char *line)
{
	const struct crash *c = arg;

	if (c->world.print)
		printf("  %s\n", line);
}

/* `mendfs repair` of a device. */
static u64 repair(struct crash *c, struct device *dev, bool tell)
{
	struct verdict v = {.raise = raise_nothing};
	const struct vol_options options = {
	    .data = dev, .memory = CACHE, .write = true, .repair = true, .verdict = &v};
	const struct repair_options repair = {
	    .finding = tell ? on_finding : NULL, .say = say, .arg = c, .memory = CACHE};
	struct repair_result result = {0};
	struct vol *vol;
	int err = vol_open(&c->world.env, &meta_types, &options, &vol);

	if (!err)
		err = repair_run(vol, &repair, &result);
	if (err)
		printf("repair: %s\n", trail_text());
	assert_int_equal(err, 0);
	assert_int_equal(vol_close(vol), 0);
	return result.left;
}

/* A check of what the device shows, and, of a sound one, its tree. */
static u64 look(struct crash *c, struct device *dev, bool sound)
{
	struct verdict v = {.raise = raise_nothing};
	const struct vol_options options = {.data = dev, .memory = CACHE, .verdict = &v};
	const struct sweep_options sweep = {.finding = on_finding, .finding_arg = c};
	struct sweep_stats stats;
	struct vol *vol;
	u64 tree = 0;
	int err = vol_open(&c->world.env, &meta_types, &options, &vol);

	if (err)
		printf("open: %s\n", trail_text());
	assert_int_equal(err, 0);
	assert_int_equal(sweep_run(vol, &sweep, &stats), 0);
	if (sound)
		tree = sim_tree(vol);
	vol_close(vol);
	return tree;
}

/* For who wants to look at what made the test fail. */
static void dump(struct device *dev, const char *name)
{
	static u8 piece[1 << 16];
	const char *folder = getenv("DUMP");
	char path[256];
	FILE *file;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s.img", folder, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	for (u64 at = 0; at < dev->size; at += sizeof(piece)) {
		size_t size = min_u64(sizeof(piece), dev->size - at);

		assert_int_equal(device_read(dev, daddr_of(at), piece, size), 0);
		assert_int_equal(fwrite(piece, size, 1, file), 1);
	}
	fclose(file);
}

static void inspect_wreck(struct crash *c, struct wreck *r)
{
	bool before = c->learning;
	u32 signs = c->signs;

	c->learning = false;
	if (c->strict)
		look(c, &r->dev, false);
	if (c->unknown) {
		printf("write %u, mode %u\n", c->writes, r->mode);
		assert_true(false);
	}
	if (++c->cuts % (c->strict ? AGAIN_EVERY : AGAIN_EVERY / 4) == 0) {
		dump(&r->dev, "wreck");
		assert_int_equal(repair(c, &r->dev, false), 0);
		c->signs = 0; /* now nothing may be found */
		assert_true(look(c, &r->dev, true) == c->tree);
		assert_int_equal(c->unknown, 0);
		c->signs = signs;
		c->again++;
	}
	c->learning = before;
}

static void cut(void *arg)
{
	struct crash *c = arg;

	if (c->cutting || c->writes++ % c->every)
		return;
	c->cutting = true;
	for (u32 mode = 0; mode < WRECK_MODES; mode++) {
		struct wreck r;

		wreck_begin(&r, &c->sim, mode, c->seed + sim_draw(&c->seed, 1u << 30));
		inspect_wreck(c, &r);
		wreck_end(&r);
	}
	c->cutting = false;
}

/* Of the kinds that repairs can mend whatever happens to them. */
static bool of_ags(const struct meta_type *type, const char *key)
{
	(void)key;
	return type->scope == SCOPE_AG && type->rebuild && type->id != META_SUPERBLOCK;
}

static bool any_type(const struct meta_type *type, const char *key)
{
	(void)key;
	return type->rebuild != NULL && type->id != META_SUPERBLOCK;
}

/* Where the blocks of inodes are, and how many. */
static bool of_maps(const struct meta_type *type, const char *key)
{
	return type->id == META_BMBT ||
	       (type->id == META_INODE && (strstr(key, "extents") || strstr(key, "nblocks")));
}

/* The AG that it is in. */
static u32 damage_one(struct crash *c)
{
	const struct group *group;
	const struct object *object;
	const struct spot *spot;
	u8 *bytes, *before;
	u64 seed;

	do {
		group = &c->objects.group[sim_draw(&c->seed, c->objects.groups)];
		spot = &group->spot[sim_draw(&c->seed, group->spots)];
		object = &c->objects.object[spot->object];
	} while (!c->chosen(object->type, group->key));
	bytes = c->sim.durable + object->at;
	before = malloc(object->size);
	memcpy(before, bytes, object->size);
	seed = c->seed;
	damage_field((enum damage_verb)sim_draw(&c->seed, DAMAGE_VERBS), spot->field, spot->element,
		     bytes + spot->offset, &seed);
	damage_fix_crc(&c->objects.geo, object->type, before, bytes, object->size,
		       spot->offset + spot->field->bit / 8);
	if (memcmp(before, bytes, object->size) != 0)
		printf("damaged: %s at %llu\n", group->key, (unsigned long long)object->at);
	free(before);
	return (u32)(object->at / ((u64)c->objects.geo.ag_blocks << c->objects.geo.block_log));
}

/* One set of damages, repaired once to learn, and once with cuts. */
static void run_damaged(struct crash *c)
{
	u8 *damaged = malloc(c->size);
	u32 ag;

	memcpy(c->sim.durable, c->sound, c->size);
	ag = damage_one(c);
	c->strict = c->exact;
	if (sim_draw(&c->seed, 2) && damage_one(c) != ag)
		c->strict = false;
	memcpy(damaged, c->sim.durable, c->size);
	dump(&c->sim.dev, "damaged");
	c->signs = 0;
	c->learning = true;
	assert_int_equal(repair(c, &c->sim.dev, true), 0);
	sim_settle(&c->sim);
	if (!c->exact)
		c->tree = look(c, &c->sim.dev, true);

	memcpy(c->sim.durable, damaged, c->size);
	c->learning = false;
	c->sim.arg = c;
	c->sim.written = cut;
	assert_int_equal(repair(c, &c->sim.dev, false), 0);
	c->sim.written = NULL;
	sim_settle(&c->sim);
	c->signs = 0;
	assert_true(look(c, &c->sim.dev, true) == c->tree);
	assert_int_equal(c->unknown, 0);
	free(damaged);
}

/* ---- undo ---- */

struct undoing {
	struct crash *c;
	const char *file;
	const u8 *before; /* the repair */
	u32 writes, cuts;
	u64 seed;
};

static void shows(struct device *dev, const u8 *bytes)
{
	static u8 piece[1 << 16];

	for (u64 at = 0; at < dev->size; at += sizeof(piece)) {
		size_t size = min_u64(sizeof(piece), dev->size - at);

		assert_int_equal(device_read(dev, daddr_of(at), piece, size), 0);
		assert_memory_equal(piece, bytes + at, size);
	}
}

static void undo(struct undoing *u, struct device *dev)
{
	struct undo_result result;
	int err = undo_apply(&u->c->world.env, dev, u->file, false, &result);

	if (err)
		printf("undo: %s\n", trail_text());
	assert_int_equal(err, 0);
	assert_true(result.complete && result.records);
}

static void cut_undo(void *arg)
{
	struct undoing *u = arg;

	if (u->writes++ % 4)
		return;
	for (u32 mode = 0; mode < WRECK_MODES; mode++) {
		struct wreck r;

		wreck_begin(&r, &u->c->sim, mode, u->seed + u->writes);
		undo(u, &r.dev);
		shows(&r.dev, u->before);
		wreck_end(&r);
		u->cuts++;
	}
}

static void repair_with_undo(struct undoing *u)
{
	struct crash *c = u->c;
	struct device *kept;

	assert_int_equal(device_open_undo(&c->world.env, &c->sim.dev, u->file, &kept), 0);
	assert_int_equal(repair(c, kept, false), 0);
	sim_settle(&c->sim);
}

static void load(struct crash *c, const char *name)
{
	struct world_images images;
	struct image image;
	char command[600], path[] = "/tmp/mendfs-repair-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "xz -dc '%s/%s.img.xz' >%s", FIXTURES, name, path);
	assert_int_equal(system(command), 0);
	assert_int_equal(image_map(&c->world, path, false, &image), 0);
	images = (struct world_images){.data = &image};
	assert_int_equal(objects_collect(&c->world, &images, 2, c->seed, &c->objects), 0);
	c->size = image.dev.size;
	sim_open(&c->sim, c->size);
	c->sound = malloc(c->size);
	memcpy(c->sound, image.bytes, c->size);
	memcpy(c->sim.durable, image.bytes, c->size);
	image_unmap(&image);
	unlink(path);
}

static struct crash *start(const char *name, u64 seed,
			   bool (*chosen)(const struct meta_type *type, const char *key),
			   bool exact)
{
	struct crash *c = calloc(1, sizeof(*c));

	world_init(&c->world);
	c->world.print = test_number("VERBOSE", 0);
	c->chosen = chosen;
	c->exact = exact;
	c->seed = seed * 0x9e3779b97f4a7c15ull + 1;
	c->every = (u32)test_number("CUTS", 4 * TEST_STRIDE);
	c->sign = calloc(SIGNS_MAX, sizeof(*c->sign));
	load(c, name);
	c->tree = look(c, &c->sim.dev, true);
	assert_int_equal(c->unknown, 0);
	return c;
}

static void end(struct crash *c)
{
	sim_close(&c->sim);
	objects_free(&c->objects);
	free(c->sound);
	free(c->sign);
	free(c);
}

static void run(const char *name, u64 seed,
		bool (*chosen)(const struct meta_type *type, const char *key), bool exact)
{
	u64 damages = test_number("DAMAGES", 4);
	struct crash *c;

	seed = test_number("SEED", seed);
	c = start(name, seed, chosen, exact);
	for (u64 i = 0; i < damages; i++)
		run_damaged(c);
	printf("%s, seed %llu: %u writes, %u cuts, %u repaired again\n", name,
	       (unsigned long long)seed, c->writes, c->cuts, c->again);
	assert_true(c->cuts > 50);
	end(c);
}

static void run_undo(const char *name, u64 seed)
{
	char path[] = "/tmp/mendfs-undo-XXXXXX";
	int fd = mkstemp(path);
	struct undoing u = {.c = start(name, seed, of_ags, true), .file = path, .seed = seed};
	u8 *damaged = malloc(u.c->size);

	assert_true(fd >= 0);
	close(fd);
	unlink(path); /* it must not be there */
	for (u32 i = 0; i < 3; i++)
		damage_one(u.c);
	memcpy(damaged, u.c->sim.durable, u.c->size);
	u.before = damaged;
	repair_with_undo(&u);
	u.c->sim.arg = &u;
	u.c->sim.written = cut_undo;
	undo(&u, &u.c->sim.dev);
	u.c->sim.written = NULL;
	sim_settle(&u.c->sim);
	shows(&u.c->sim.dev, damaged);
	printf("undo: %u writes, %u cuts\n", u.writes, u.cuts);
	assert_true(u.cuts > 20);
	unlink(path);
	free(damaged);
	end(u.c);
}

static void cuts_undo(void **state)
{
	(void)state;
	run_undo("aged-1k", 5);
}

static void cuts_aged(void **state)
{
	(void)state;
	run("aged-1k", 1, of_ags, true);
}

static void cuts_parent(void **state)
{
	(void)state;
	run("parent", 2, of_ags, true);
}

static void cuts_any(void **state)
{
	(void)state;
	run("aged-1k", 3, any_type, false);
	run("parent", 4, any_type, false);
}

/* Without a reverse map: whose blocks are is decided by all claims. */
static void cuts_claims(void **state)
{
	(void)state;
	run("quota", 5, any_type, false);
	run("quota", 6, of_maps, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cuts_aged), cmocka_unit_test(cuts_parent), cmocka_unit_test(cuts_any),
	    cmocka_unit_test(cuts_claims), cmocka_unit_test(cuts_undo)};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
