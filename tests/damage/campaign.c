/*
 * The damage campaign: damages one field after the other on an image in memory, checks it, puts it
 * back, and says what the check found.
 *
 *	campaign [OPTION...] IMAGE
 *
 *	--rt=FILE       the realtime device
 *	--name=NAME     of the image, in the output (default: its path)
 *	--seed=N        which places are damaged, and what is random
 *	--per=N         places for each field (default 2); every verb at each
 *	--count=N       only so many images, drawn from all of these
 *	--pairs=N       instead: so many images with two damages in different objects
 *	--judge=COMMAND run COMMAND with the image's path for each, and say its exit status;
 *	                the damage is written to the file then, and put back
 *	--log           instead of the structures on the disk: the log, which is dirty.  Of what
 *goes unnoticed it is said whether the replay comes to another filesystem ("effect")
 *	--repair        repair each, check and judge what comes out, and put it back
 *	--cuts=N        and cut the power at N places of each repair, and repair what that leaves
 *	--census        and say how many names and bytes of files are lost after it
 *	--repairer=NAME=COMMAND  and repair the same by running COMMAND with the image's path; any
 *	                number of them; "by" says which repair a line is about
 *	--types=A,B,..  only objects of these types
 *	--list          print the objects and fields
 *	--kinds         print all there is to damage on any image (kinds.h); needs no IMAGE
 *
 * Output: a JSON object for each damaged image, one a line; the first line is about the image as it
 * was.  Exit status 0, or 2 when the check of the image itself is not silent.
 */
#include "census.h"
#include "kinds.h"
#include "log_objects.h"
#include "mend.h"
#include "outside.h"

#include "base/trail.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct campaign {
	struct world world;
	struct image data, rt;
	struct world_images images;
	struct objects objects;
	const char *path, *name, *judge;
	u64 seed, count, pairs, cuts;
	u32 per;
	const char *types; /* NULL: all */
	u32 chosen;	   /* groups of these types, the first */
	bool list, kinds, log, repair, census;
	struct outside outside[OUTSIDE_MAX];
	u32 outsiders;
	struct sound *sound;  /* with outsiders */
	struct census before; /* with census */
	u64 digest;	      /* of the sound log's replay */
};

/* One damage, and what puts it back. */
struct damage {
	const struct group *group;
	const struct spot *spot;
	enum damage_verb verb;
	bool fix_crc;
	u64 seed;
	u8 *before;
	u64 old_value, new_value;
};

/* False when the verb changes nothing; then nothing is to be undone. */
static bool damage_apply(struct campaign *c, struct damage *d)
{
	const struct object *object = &c->objects.object[d->spot->object];
	const struct spot *spot = d->spot;
	u8 *now = malloc(object->size);
	u64 seed = d->seed;
	bool changed;

	d->before = malloc(object->size);
	if (!d->before || !now)
		abort();
	object_read(object, &c->data, d->before);
	memcpy(now, d->before, object->size);
	if (object->record.blocks)
		log_object_open(object, now);
	d->old_value = field_get(spot->field, now + spot->offset, spot->element);
	damage_field(d->verb, spot->field, spot->element, now + spot->offset, &seed);
	d->new_value = field_get(spot->field, now + spot->offset, spot->element);
	if (object->record.blocks)
		log_object_store(&c->world, &c->objects, object, &c->data, d->before, now,
				 d->fix_crc);
	changed = memcmp(d->before, now, object->size);
	if (changed && d->fix_crc && !object->record.blocks)
		damage_fix_crc(&c->objects.geo, object->type, d->before, now, object->size,
			       spot->offset + spot->field->bit / 8);
	if (changed)
		object_write(object, &c->data, now);
	else
		free(d->before);
	free(now);
	return changed;
}

static void damage_undo(struct campaign *c, struct damage *d)
{
	object_write(&c->objects.object[d->spot->object], &c->data, d->before);
	free(d->before);
}

/* --- output --- */

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ')
			printf("\\u%04x", (unsigned)*text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void print_damage(const struct campaign *c, const struct damage *d)
{
	const struct object *object = &c->objects.object[d->spot->object];

	printf("{\"key\":\"%s\",\"at\":%" PRIu64 ",\"type\":\"%s\",\"part\":\"%s\",\"index\":%u,"
	       "\"element\":%u,\"verb\":\"%s\",\"crc\":%s,\"old\":%" PRIu64 ",\"new\":%" PRIu64 "}",
	       d->group->key, object->at, object->type->name, d->spot->part, d->spot->index,
	       d->spot->element, damage_verb_name(d->verb), d->fix_crc ? "true" : "false",
	       d->old_value, d->new_value);
}

static void print_found(const struct campaign *c, int err)
{
	char ids[4096];

	world_ids(&c->world, ids, sizeof(ids));
	printf("\"ids\":\"%s\",\"error\":", ids);
	if (err)
		print_string(trail_text());
	else
		printf("null");
}

static int check(struct campaign *c)
{
	world_reset(&c->world);
	return world_check(&c->world, &c->images, NULL, NULL);
}

static void report(struct campaign *c, const struct damage *d, u32 damages, int err)
{
	printf("{\"base\":\"%s\",\"damage\":[", c->name);
	for (u32 i = 0; i < damages; i++) {
		if (i)
			putchar(',');
		print_damage(c, &d[i]);
	}
	printf("],");
	print_found(c, err);
	if (c->judge)
		printf(",\"judge\":%d", outside_run(c->judge, c->path));
	if (c->log && !err && !c->world.findings &&
	    log_replay_digest(&c->world, &c->images) == c->digest)
		printf(",\"effect\":false");
	printf("}\n");
}

/* After how many of the cuts a second repair leaves something, or cannot be done. */
static u64 count_bad_cuts(struct campaign *c, u64 writes)
{
	u64 bad = 0;

	for (u64 i = 1; i <= c->cuts; i++) {
		struct mend first = {.power = writes * i / (c->cuts + 1)}, second = {.power = 0};
		u64 left;

		if (!first.power)
			continue;
		mend_image(&c->world, &first, &c->data, c->images.rt, &left);
		bad += mend_image(&c->world, &second, &c->data, c->images.rt, &left) || left;
		mend_undo(&second);
		mend_undo(&first);
	}
	return bad;
}

/* What a repair made of the damage. refused: why it could not be done. */
static void report_mended(struct campaign *c, const struct damage *d, u32 damages, const char *by,
			  const char *refused)
{
	int err = check(c);

	printf("{\"base\":\"%s\",\"by\":\"%s\",\"repair\":[", c->name, by);
	for (u32 i = 0; i < damages; i++) {
		if (i)
			putchar(',');
		print_damage(c, &d[i]);
	}
	printf("],\"refused\":");
	print_string(refused);
	putchar(',');
	print_found(c, err);
	if (c->judge)
		printf(",\"judge\":%d", outside_run(c->judge, c->path));
	if (c->census) {
		struct census after;
		u64 names, bytes;

		if (census_take(&c->world, &c->images, &after))
			trail_clear();
		census_lost(&c->before, &after, &names, &bytes);
		census_free(&after);
		printf(",\"lost_names\":%" PRIu64 ",\"lost_bytes\":%" PRIu64, names, bytes);
	}
}

static void repair_inside(struct campaign *c, const struct damage *d, u32 damages)
{
	struct mend mend = {.power = 0};
	char text[TRAIL_MAX];
	u64 left;
	int err = mend_image(&c->world, &mend, &c->data, c->images.rt, &left);

	snprintf(text, sizeof(text), "%s", err ? trail_text() : "");
	report_mended(c, d, damages, "mendfs", text);
	printf(",\"left\":%" PRIu64, left);
	mend_undo(&mend);
	if (c->cuts)
		printf(",\"bad_cuts\":%" PRIu64, count_bad_cuts(c, mend.writes));
	printf("}\n");
}

static void repair_outside(struct campaign *c, const struct damage *d, u32 damages,
			   const struct outside *o)
{
	char text[32] = "";
	u8 *damaged[2];
	int status;

	for (u32 i = 0; i < damages; i++) {
		const struct object *object = &c->objects.object[d[i].spot->object];

		damaged[i] = malloc(object->size);
		if (!damaged[i])
			abort();
		object_read(object, &c->data, damaged[i]);
	}
	status = outside_run(o->command, c->path);
	if (status)
		snprintf(text, sizeof(text), "exit status %d", status);
	report_mended(c, d, damages, o->name, text);
	printf("}\n");
	sound_restore(c->sound, &c->data);
	for (u32 i = 0; i < damages; i++) {
		object_write(&c->objects.object[d[i].spot->object], &c->data, damaged[i]);
		free(damaged[i]);
	}
}

/* All repair the same. Not what nobody can find: there is nothing to repair. */
static void report_repair(struct campaign *c, const struct damage *d, u32 damages)
{
	if (c->census && !check(c) && !c->world.findings)
		return;
	trail_clear();
	repair_inside(c, d, damages);
	for (u32 i = 0; i < c->outsiders; i++)
		repair_outside(c, d, damages, &c->outside[i]);
}

/* --- the campaign --- */

static void run_one(struct campaign *c, struct damage *d)
{
	if (!damage_apply(c, d))
		return;
	if (c->repair)
		report_repair(c, d, 1);
	else
		report(c, d, 1, check(c));
	damage_undo(c, d);
}

static bool type_chosen(const struct campaign *c, u32 object)
{
	const char *name = c->objects.object[object].type->name, *at = c->types;
	size_t length = strlen(name);

	for (; at && *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == length && !memcmp(at, name, length))
			return true;
	return !c->types;
}

/* Groups of other types are left out. Returns how many objects are not. */
static u32 choose_types(struct campaign *c)
{
	u32 to = 0, objects = 0;

	for (u32 i = 0; i < c->objects.groups; i++)
		if (type_chosen(c, c->objects.group[i].spot[0].object)) {
			struct group kept = c->objects.group[i];

			c->objects.group[i] = c->objects.group[to];
			c->objects.group[to++] = kept;
		}
	c->chosen = to;
	for (u32 i = 0; i < c->objects.count; i++)
		objects += type_chosen(c, i);
	return objects;
}

static struct damage drawn(struct campaign *c)
{
	const struct group *group = &c->objects.group[damage_random(&c->seed) % c->chosen];
	struct damage d = {.group = group,
			   .spot = &group->spot[damage_random(&c->seed) % group->spots],
			   .verb = (enum damage_verb)(damage_random(&c->seed) % DAMAGE_VERBS),
			   .seed = damage_random(&c->seed)};

	d.fix_crc = d.spot->field->kind != FIELD_CRC && damage_random(&c->seed) % 16;
	return d;
}

static void run_drawn(struct campaign *c)
{
	for (u64 i = 0; i < c->count; i++) {
		struct damage d = drawn(c);

		run_one(c, &d);
	}
}

static void run_all(struct campaign *c)
{
	for (u32 g = 0; g < c->chosen; g++) {
		const struct group *group = &c->objects.group[g];

		for (u32 i = 0; i < group->spots * DAMAGE_VERBS; i++) {
			struct damage d = {.group = group,
					   .spot = &group->spot[i / DAMAGE_VERBS],
					   .verb = (enum damage_verb)(i % DAMAGE_VERBS),
					   .seed = damage_random(&c->seed),
					   .fix_crc = true};

			if (d.spot->field->kind == FIELD_CRC || damage_random(&c->seed) % 32 == 0)
				d.fix_crc = false;
			run_one(c, &d);
		}
	}
}

/* Found alone? Says whether a pair that went unnoticed should have been noticed. */
static bool found_alone(struct campaign *c, struct damage *d)
{
	bool found;

	if (!damage_apply(c, d))
		return false;
	found = check(c) || c->world.findings;
	damage_undo(c, d);
	return found;
}

static void run_pairs(struct campaign *c)
{
	for (u64 i = 0; i < c->pairs; i++) {
		struct damage d[2] = {drawn(c), drawn(c)};
		int err;

		if (d[0].spot->object == d[1].spot->object)
			continue;
		if (!damage_apply(c, &d[0]))
			continue;
		if (!damage_apply(c, &d[1])) {
			damage_undo(c, &d[0]);
			continue;
		}
		err = c->repair ? 0 : check(c);
		if (c->repair)
			report_repair(c, d, 2);
		else
			report(c, d, 2, err);
		damage_undo(c, &d[1]);
		damage_undo(c, &d[0]);
		if (!c->repair && !err && !c->world.findings &&
		    (found_alone(c, &d[0]) || found_alone(c, &d[1])))
			printf("{\"base\":\"%s\",\"cancelled\":[\"%s\",\"%s\"]}\n", c->name,
			       d[0].group->key, d[1].group->key);
	}
}

static void list(const struct campaign *c)
{
	u32 count[META_COUNT] = {0};

	for (u32 i = 0; i < c->objects.count; i++)
		count[c->objects.object[i].type->id]++;
	for (u32 i = 0; i < c->objects.count; i++) {
		const struct meta_type *type = c->objects.object[i].type;

		if (count[type->id])
			printf("%s: %u objects\n", type->name, count[type->id]);
		count[type->id] = 0;
	}
	for (u32 i = 0; i < c->objects.groups; i++)
		printf("%s\t%" PRIu64 "\n", c->objects.group[i].key, c->objects.group[i].seen);
}

static int run(struct campaign *c)
{
	u32 objects;
	int err = c->log ? log_objects_collect(&c->world, &c->images, c->per, c->seed, &c->objects)
			 : objects_collect(&c->world, &c->images, c->per, c->seed, &c->objects);

	if (!err && c->log)
		c->digest = log_replay_digest(&c->world, &c->images);

	objects = choose_types(c);
	if (!c->list) {
		printf("{\"base\":\"%s\",\"objects\":%u,\"fields\":%u,", c->name, objects,
		       c->chosen);
		print_found(c, err);
		if (c->judge)
			printf(",\"judge\":%d", outside_run(c->judge, c->path));
		printf("}\n");
	}
	if (err) {
		fprintf(stderr, "%s: %s\n", c->path, trail_text());
		return 2;
	}
	if (c->census && census_take(&c->world, &c->images, &c->before))
		return 2;
	if (c->outsiders)
		c->sound = sound_keep(&c->data);
	if (c->list)
		list(c);
	else if (c->world.findings || !c->chosen)
		return 2;
	else if (c->pairs)
		run_pairs(c);
	else if (c->count)
		run_drawn(c);
	else
		run_all(c);
	return 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: campaign [--rt=FILE] [--name=NAME] [--seed=N] [--per=N] [--count=N] "
		"[--pairs=N] [--judge=COMMAND] [--log] [--repair] [--cuts=N] [--census] "
		"[--repairer=NAME=COMMAND] [--types=A,B] [--list] [--verbose] IMAGE, or --kinds\n");
	return 1;
}

static int parse(struct campaign *c, int argc, char **argv, const char **rt)
{
	static const struct option options[] = {
	    {"rt", required_argument, NULL, 'r'},
	    {"name", required_argument, NULL, 'n'},
	    {"seed", required_argument, NULL, 's'},
	    {"per", required_argument, NULL, 'p'},
	    {"count", required_argument, NULL, 'c'},
	    {"pairs", required_argument, NULL, '2'},
	    {"judge", required_argument, NULL, 'j'},
	    {"list", no_argument, NULL, 'l'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"log", no_argument, NULL, 'g'},
	    {"types", required_argument, NULL, 't'},
	    {"repair", no_argument, NULL, 'R'},
	    {"cuts", required_argument, NULL, 'C'},
	    {"census", no_argument, NULL, 'S'},
	    {"repairer", required_argument, NULL, 'o'},
	    {"kinds", no_argument, NULL, 'K'},
	    {0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'r')
			*rt = optarg;
		else if (o == 'n')
			c->name = optarg;
		else if (o == 's')
			c->seed = strtoull(optarg, NULL, 0);
		else if (o == 'p')
			c->per = (u32)strtoul(optarg, NULL, 0);
		else if (o == 'c')
			c->count = strtoull(optarg, NULL, 0);
		else if (o == '2')
			c->pairs = strtoull(optarg, NULL, 0);
		else if (o == 'j')
			c->judge = optarg;
		else if (o == 'g')
			c->log = true;
		else if (o == 'l')
			c->list = true;
		else if (o == 't')
			c->types = optarg;
		else if (o == 'R')
			c->repair = true;
		else if (o == 'C')
			c->cuts = strtoull(optarg, NULL, 0);
		else if (o == 'S')
			c->census = true;
		else if (o == 'o' && c->outsiders < OUTSIDE_MAX &&
			 outside_parse(&c->outside[c->outsiders], optarg))
			c->outsiders++;
		else if (o == 'v')
			c->world.print = true;
		else if (o == 'K')
			c->kinds = true;
		else
			return usage();
	}
	if (c->kinds)
		return 0;
	if (optind + 1 != argc || !c->per)
		return usage();
	c->path = argv[optind];
	c->name = c->name ? c->name : c->path;
	return 0;
}

int main(int argc, char **argv)
{
	static struct campaign c;
	const char *rt = NULL;
	int status;

	c.per = 2;
	c.seed = 1;
	world_init(&c.world);
	if (parse(&c, argc, argv, &rt))
		return 1;
	if (c.kinds) {
		kinds_print();
		return 0;
	}
	if (image_map(&c.world, c.path, c.judge || c.outsiders, &c.data))
		return 1;
	c.images.data = &c.data;
	if (rt) {
		if (image_map(&c.world, rt, false, &c.rt))
			return 1;
		c.images.rt = &c.rt;
	}
	status = run(&c);
	objects_free(&c.objects);
	census_free(&c.before);
	sound_free(c.sound);
	image_unmap(&c.rt);
	image_unmap(&c.data);
	return status;
}
