/* Collecting what can be damaged; see objects.h. Ends the program when memory is short. */
#include "objects.h"

#include "format/dir.h"
#include "format/inode.h"
#include "ledger/sweep.h"
#include "meta/inode.h"
#include "meta/types_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void *grown(void *array, u32 count, u32 *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? *room * 2 : 64;
	array = realloc(array, *room * size);
	if (!array)
		abort();
	return array;
}

static void add_object(struct objects *objects, const struct object *object)
{
	objects->object =
	    grown(objects->object, objects->count, &objects->room, sizeof(*objects->object));
	objects->object[objects->count++] = *object;
}

struct collecting {
	struct objects *objects;
	const struct world_images *images;
};

static void on_visited(void *arg, const struct ref *ref)
{
	struct collecting *c = arg;
	struct object object = {
	    .type = ref->type, .at = ref->at.v, .size = ref->size, .where = ref->where};

	/* a chunk of inodes is damaged inode by inode */
	if (ref->type->id == META_INODES) {
		inodes_each(&meta_types, &c->objects->geo, ref, on_visited, arg);
		return;
	}
	if (ref->ranges) {
		object.range = malloc(ref->range_count * sizeof(*object.range));
		if (!object.range)
			abort();
		memcpy(object.range, ref->ranges, ref->range_count * sizeof(*object.range));
		object.ranges = ref->range_count;
	} else if (object.at > c->images->data->dev.size ||
		   object.size > c->images->data->dev.size - object.at) {
		return;
	}
	add_object(c->objects, &object);
}

static int by_place(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->type->id > y->type->id) - (x->type->id < y->type->id);
}

/* Sorted, each once. */
static void unique(struct objects *objects)
{
	u32 kept = 0;

	qsort(objects->object, objects->count, sizeof(*objects->object), by_place);
	for (u32 i = 0; i < objects->count; i++)
		if (!kept || by_place(&objects->object[kept - 1], &objects->object[i]))
			objects->object[kept++] = objects->object[i];
		else
			free(objects->object[i].range);
	objects->count = kept;
}

static const char *kind_of(const struct geometry *g, const struct object *object, const u8 *bytes)
{
	u16 mode;

	if (object->type->id == META_SUPERBLOCK && object->where.ag)
		return ":copy";
	if (object->type->id == META_DIRFREE && be32_get(((const struct dir_free *)bytes)->firstdb))
		return ":later";
	if (object->type->id != META_INODE)
		return "";
	mode = be16_get(((const struct dinode *)bytes)->mode);
	if (!mode)
		return ":free";
	if (inode_internal(g, inum_of(be64_get(((const struct dinode *)bytes)->ino))))
		return ":internal";
	if (S_ISDIR(mode))
		return ":dir";
	if (S_ISLNK(mode))
		return ":symlink";
	return S_ISREG(mode) ? ":file" : ":special";
}

/* --- the fields of one object --- */

#define PART_NAMES 64
struct gathering {
	struct part_sink sink;
	struct objects *objects;
	u32 object;
	const u8 *bytes;
	/* how often parts of a name came so far */
	const char *name[PART_NAMES];
	u32 times[PART_NAMES], names;
};

static u32 name_index(struct gathering *g, const char *name)
{
	u32 i = 0;

	while (i < g->names && strcmp(g->name[i], name))
		i++;
	if (i == g->names) {
		if (g->names == PART_NAMES)
			abort();
		g->name[g->names++] = name;
	}
	return i;
}

static struct group *group_of(struct objects *objects, const char *key)
{
	struct group *group;

	for (u32 i = 0; i < objects->groups; i++)
		if (!strcmp(objects->group[i].key, key))
			return &objects->group[i];
	objects->group =
	    grown(objects->group, objects->groups, &objects->group_room, sizeof(*objects->group));
	group = &objects->group[objects->groups++];
	*group = (struct group){.spot = calloc(objects->per_group, sizeof(struct spot))};
	if (!group->spot)
		abort();
	snprintf(group->key, sizeof(group->key), "%s", key);
	return group;
}

/* Keeps a fair sample of all that come. */
void objects_add(struct objects *objects, const char *key, const struct spot *spot)
{
	struct group *group = group_of(objects, key);
	u64 at;

	group->seen++;
	if (group->spots < objects->per_group) {
		group->spot[group->spots++] = *spot;
		return;
	}
	at = damage_random(&objects->seed) % group->seen;
	if (at < objects->per_group)
		group->spot[at] = *spot;
}

/* The first, middle and last element of an array. */
static void add_field(struct gathering *g, const struct part *part, const struct field *field)
{
	const struct object *object = &g->objects->object[g->object];
	struct spot spot = {g->object, part->name, part->index, part->offset, field, 0};
	u32 step = field->count > 2 ? (field->count - 1) / 2 : 1;
	char key[GROUP_KEY];

	snprintf(key, sizeof(key), "%s%s.%s.%s", object->type->name,
		 kind_of(&g->objects->geo, object, g->bytes), part->name, field->name);
	for (u32 e = 0; e < field->count; e += step) {
		spot.element = e;
		objects_add(g->objects, key, &spot);
		if (damage_field_whole(field))
			break;
	}
}

struct declared {
	const struct part *part;
	bool found;
};

static void compare_kind(void *arg, const struct part_kind *kind)
{
	struct declared *d = arg;
	const struct layout *layout = d->part->layout;
	bool same = !strcmp(kind->name, d->part->name);

	for (u32 i = 0; same && i < layout->field_count; i++)
		same = layout_field(kind->layout, layout->fields[i].name) != NULL;
	d->found |= same;
}

/* What the descriptor does not say that there can be, nobody would miss where it is not. */
static void expect_declared(const struct meta_type *type, const struct part *part)
{
	struct declared d = {part, false};

	type_kinds_each(type, compare_kind, &d);
	if (d.found)
		return;
	fprintf(stderr, "part %s of %s is none of its kinds\n", part->name, type->name);
	abort();
}

static void on_part(struct part_sink *sink, const struct part *part)
{
	struct gathering *g = (struct gathering *)sink;
	const struct object *object = &g->objects->object[g->object];
	u32 nth = ++g->times[name_index(g, part->name)];

	if (part->offset > object->size || part->layout->size > object->size - part->offset) {
		fprintf(stderr, "part %s of %s reaches beyond it\n", part->name,
			object->type->name);
		abort();
	}
	if (!objects_wanted(nth))
		return;
	expect_declared(object->type, part);
	for (u32 i = 0; i < part->layout->field_count; i++)
		add_field(g, part, &part->layout->fields[i]);
}

static void gather(struct objects *objects, u32 index, const u8 *bytes)
{
	const struct object *object = &objects->object[index];
	struct gathering g = {
	    .sink = {on_part}, .objects = objects, .object = index, .bytes = bytes};
	const struct part whole = {.name = "hdr", .layout = object->type->layout};

	if (object->type->parts)
		object->type->parts(&objects->geo, bytes, object->size, &g.sink);
	else if (object->type->layout)
		on_part(&g.sink, &whole);
}

static void gather_object(struct objects *objects, u32 index, const struct image *image)
{
	const struct object *object = &objects->object[index];
	u8 *bytes = malloc(object->size);

	if (!bytes)
		abort();
	object_read(object, image, bytes);
	gather(objects, index, bytes);
	free(bytes);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->key, ((const struct group *)b)->key);
}

static int geometry_load(struct world *world, const struct world_images *images,
			 struct geometry *geo)
{
	const struct vol_options options = {.data = &images->data->dev,
					    .log = images->log ? &images->log->dev : NULL,
					    .no_recovery = true};
	struct vol *vol;
	int err = vol_open(&world->env, &meta_types, &options, &vol);

	if (err)
		return err;
	*geo = vol->geo;
	vol_close(vol);
	return 0;
}

int objects_collect(struct world *world, const struct world_images *images, u32 per_group, u64 seed,
		    struct objects *out)
{
	struct collecting collecting = {out, images};
	int err;

	*out = (struct objects){.per_group = per_group, .seed = seed};
	err = geometry_load(world, images, &out->geo);
	if (!err)
		err = world_check(world, images, on_visited, &collecting);
	if (err)
		return err;
	unique(out);
	for (u32 i = 0; i < out->count; i++)
		gather_object(out, i, images->data);
	qsort(out->group, out->groups, sizeof(*out->group), by_key);
	return 0;
}

void objects_free(struct objects *objects)
{
	for (u32 i = 0; i < objects->groups; i++)
		free(objects->group[i].spot);
	for (u32 i = 0; i < objects->count; i++)
		free(objects->object[i].range);
	free(objects->group);
	free(objects->object);
}

void object_read(const struct object *object, const struct image *image, u8 *to)
{
	if (!object->range)
		memcpy(to, image->bytes + object->at, object->size);
	for (u32 i = 0; i < object->ranges; to += object->range[i++].size)
		memcpy(to, image->bytes + object->range[i].at.v, object->range[i].size);
}

void object_write(const struct object *object, struct image *image, const u8 *from)
{
	if (!object->range)
		memcpy(image->bytes + object->at, from, object->size);
	for (u32 i = 0; i < object->ranges; from += object->range[i++].size)
		memcpy(image->bytes + object->range[i].at.v, from, object->range[i].size);
}
