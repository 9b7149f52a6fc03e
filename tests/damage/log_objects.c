/* The log as objects; see log_objects.h. Ends the program when memory is short. */
#include "log_objects.h"

#include "format/verify.h"
#include "ledger/sweep.h"
#include "log/recover.h"
#include "meta/types_table.h"

#include <stdio.h>
#include <stdlib.h>

static const struct meta_type record_type = {.name = "log", .crc_offset = CRC_NONE};

struct collecting {
	struct objects *objects;
	const struct geometry *g;
	struct log_event format; /* of an inode, whose core comes next */
	u64 ops;
};

static void add_fields(struct collecting *c, const char *kind, const char *part, u32 index,
		       u32 object, u32 offset, const struct layout *layout)
{
	for (u32 i = 0; i < layout->field_count; i++) {
		const struct field *field = &layout->fields[i];
		struct spot spot = {object, part, index, offset, field, 0};
		u32 step = field->count > 2 ? (field->count - 1) / 2 : 1;
		char key[GROUP_KEY];

		snprintf(key, sizeof(key), "log:%s.%s.%s", kind, part, field->name);
		for (u32 e = 0; e < field->count; e += step) {
			spot.element = e;
			objects_add(c->objects, key, &spot);
			if (damage_field_whole(field))
				break;
		}
	}
}

static void add_record(struct collecting *c, const struct log_event *e)
{
	struct objects *objects = c->objects;
	struct object object = {.type = &record_type,
				.size = e->blocks * LOG_BLOCK,
				.where = {.type = "log", .ag = NO_AG, .ino = NO_INO},
				.record = *e};

	object.range = calloc(2, sizeof(*object.range));
	objects->object = realloc(objects->object, (objects->count + 1) * sizeof(object));
	if (!objects->object || !object.range)
		abort();
	object.ranges = log_ranges(c->g, e->block, e->blocks, object.range);
	object.at = object.range[0].at.v;
	objects->object[objects->count++] = object;
}

/* The record that has it, which is among the last. */
static u32 record_of(const struct collecting *c, u32 block)
{
	u32 i = c->objects->count;

	while (i-- && c->objects->object[i].record.block != block)
		;
	if (i == NULL32)
		abort();
	return i;
}

static void add_part(struct collecting *c, const struct log_event *e, const char *name)
{
	if (e->record != NULL32 && e->layout && e->layout->size <= e->length)
		add_fields(c, name, e->part_name, e->index, record_of(c, e->record), e->at,
			   e->layout);
}

/* Of a free inode most is without a meaning, as on the disk. The core tells. */
static void add_inode(struct collecting *c, const struct log_event *e)
{
	const struct log_dinode *core = e->bytes;
	const char *name = "inode";

	if (!strncmp(e->part_name, "format", strlen("format")))
		c->format = *e;
	if (strcmp(e->part_name, "core") != 0)
		return;
	if (!le16_get(core->mode))
		name = "inode:free";
	add_part(c, &c->format, name);
	add_part(c, e, name);
}

static int on_event(void *arg, const struct log_event *e)
{
	struct collecting *c = arg;

	if (e->kind == LOG_EVENT_RECORD && !e->index)
		add_record(c, e);
	if (e->kind == LOG_EVENT_OP && !objects_wanted((u32)++c->ops % 64 + 1))
		return 0;
	if (e->kind == LOG_EVENT_PART && !strcmp(e->name, "inode"))
		add_inode(c, e);
	else if (e->kind != LOG_EVENT_PART || objects_wanted(e->index + 1))
		add_part(c, e, e->name);
	return 0;
}

static int walk(struct world *world, const struct world_images *images, struct objects *out)
{
	struct verdict quiet = {.raise = raise_nothing};
	const struct log_options options = {.types = &meta_types, .verdict = &quiet};
	struct collecting c = {.objects = out, .g = &out->geo};

	return log_each(&world->env, &out->geo, &images->data->dev, NULL, &options, on_event, &c);
}

static int open_vol(struct world *world, const struct world_images *images,
		    const struct verdict *verdict, bool no_recovery, struct vol **vol)
{
	const struct vol_options options = {.data = &images->data->dev,
					    .no_recovery = no_recovery,
					    .verdict = (struct verdict *)(uintptr_t)verdict};

	return vol_open(&world->env, &meta_types, &options, vol);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->key, ((const struct group *)b)->key);
}

int log_objects_collect(struct world *world, const struct world_images *images, u32 per_group,
			u64 seed, struct objects *out)
{
	struct verdict quiet = {.raise = raise_nothing};
	struct vol *vol;
	int err;

	*out = (struct objects){.per_group = per_group, .seed = seed};
	err = open_vol(world, images, &quiet, true, &vol);
	if (err)
		return err;
	out->geo = vol->geo;
	vol_close(vol);
	err = world_check(world, images, NULL, NULL);
	if (!err)
		err = walk(world, images, out);
	qsort(out->group, out->groups, sizeof(*out->group), by_key);
	return err;
}

void log_object_open(const struct object *object, u8 *bytes)
{
	log_record_open(bytes, object->record.header_blocks, object->record.blocks);
}

void log_object_store(struct world *world, const struct objects *objects,
		      const struct object *object, struct image *image, const u8 *before, u8 *now,
		      bool fix_crc)
{
	if (log_record_store(&world->env, &objects->geo, &image->dev, NULL, &object->record, before,
			     now, fix_crc))
		abort();
}

struct digest {
	struct vol *vol;
	u64 sum;
};

/* The objects come in any order, so their digests are added up. */
static void add_to_digest(void *arg, const struct ref *ref)
{
	const struct cache_range whole = {ref->at, ref->size};
	const struct cache_range *range = ref->ranges ? ref->ranges : &whole;
	u32 count = ref->ranges ? ref->range_count : 1;
	struct digest *d = arg;
	u64 hash = 0xcbf29ce484222325ull ^ ref->at.v;
	u8 *bytes = malloc(ref->size);

	if (!bytes)
		abort();
	for (u32 i = 0; i < count; i++) {
		if (device_read(d->vol->data, range[i].at, bytes, range[i].size))
			abort();
		for (u32 at = 0; at < range[i].size; at++)
			hash = (hash ^ bytes[at]) * 0x100000001b3ull;
	}
	free(bytes);
	d->sum += hash;
}

u64 log_replay_digest(struct world *world, const struct world_images *images)
{
	struct verdict quiet = {.raise = raise_nothing};
	struct digest d = {.sum = 0};
	const struct sweep_options options = {.visited = add_to_digest, .visited_arg = &d};
	struct sweep_stats stats;
	u64 findings = world->findings;

	if (open_vol(world, images, &quiet, false, &d.vol))
		return 0;
	if (sweep_run(d.vol, &options, &stats) || world->findings != findings)
		d.sum = 0;
	vol_close(d.vol);
	return d.sum;
}
