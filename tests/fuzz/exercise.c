/*
 * Everything that the library does with an image, without regard for what is found; see
 * fuzz_image.h.
 */
#include "fuzz_image.h"

#include "base/trail.h"
#include "format/inode.h"
#include "fs/attr.h"
#include "fs/dir.h"
#include "fs/fork.h"
#include "fs/symlink.h"
#include "meta/types_table.h"

#include <stdio.h>
#include <stdlib.h>

#define ENTRIES_MAX 20000 /* of one directory or fork: enough for the bases, and bounded */
#define CACHE_BYTES (2u << 20)

struct reading {
	struct vol *vol;
	const struct inode *inode;
	u32 left;
	u64 sum; /* so that every byte that is handed out is read */
};

static void read_bytes(struct reading *r, const void *bytes, u32 length)
{
	for (u32 i = 0; i < length; i++)
		r->sum += ((const u8 *)bytes)[i];
}

static int on_entry(void *arg, const struct dir_entry *entry)
{
	struct reading *r = arg;
	struct inum ino;
	u8 type;

	read_bytes(r, entry->name, entry->length);
	if (r->left % 16 == 0)
		r->sum +=
		    (u64)dir_lookup(r->vol, r->inode, entry->name, entry->length, &ino, &type);
	return !r->left--;
}

static int on_attr(void *arg, const struct attr *attr)
{
	struct reading *r = arg;
	static u8 value[65536];
	s64 length;

	read_bytes(r, attr->name, attr->name_length);
	if (attr->value)
		read_bytes(r, attr->value, attr->value_length);
	length = attr_get(r->vol, r->inode, attr->flags, attr->name, attr->name_length, value,
			  sizeof(value));
	if (length > (s64)sizeof(value))
		abort();
	if (length > 0)
		read_bytes(r, value, (u32)length);
	return !r->left--;
}

static int on_extent(void *arg, const struct extent *extent)
{
	struct reading *r = arg;

	r->sum += extent->count;
	return !r->left--;
}

static void read_inode(struct vol *vol, u64 number)
{
	static char target[SYMLINK_MAX + 1];
	struct reading r = {.vol = vol};
	struct inode inode;
	struct extent e;

	if (inode_get(vol, inum_of(number), &inode))
		return;
	r.inode = &inode;
	r.left = ENTRIES_MAX;
	dir_each(vol, &inode, 0, on_entry, &r);
	r.left = ENTRIES_MAX;
	attr_each(vol, &inode, on_attr, &r);
	if (symlink_read(vol, &inode, target) > 0)
		read_bytes(&r, target, (u32)strlen(target));
	for (u32 which = FORK_DATA; which <= FORK_ATTR; which++) {
		r.left = ENTRIES_MAX;
		fork_each(vol, &inode, (enum fork_id)which, fileoff_of(0), on_extent, &r);
		fork_lookup(vol, &inode, (enum fork_id)which, fileoff_of(number % 999), &e);
	}
	inode_put(vol, &inode);
}

struct printing {
	struct part_sink sink;
	const u8 *bytes;
	u32 len;
};

static void print_part(struct part_sink *sink, const struct part *part)
{
	struct printing *p = (struct printing *)sink;
	char text[256];

	if (part->offset > p->len || part->layout->size > p->len - part->offset)
		abort(); /* the descriptor's fault */
	for (u32 i = 0; i < part->layout->field_count; i++)
		field_print(&part->layout->fields[i], p->bytes + part->offset, text, sizeof(text));
}

/* The bytes of an object as any type of its size, as inspect may be told to. */
static void print_object(const struct geometry *g, const struct object *object, const u8 *bytes)
{
	struct printing p = {{print_part}, bytes, object->size};
	struct verdict v = {.where = object->where};

	if (object->type->parts)
		object->type->parts(g, bytes, object->size, &p.sink);
	if (object->type->rules)
		object->type->rules(&v, g, bytes, object->size);
}

#define UNTOUCHED_READ 8 /* one in so many */

static bool is_touched(const struct touched *touched, const struct object *object)
{
	for (u32 i = 0; i < touched->count; i++)
		if (touched->at[i] >= object->at && touched->at[i] - object->at < object->size)
			return true;
	return false;
}

static void read_object(struct vol *vol, const struct object *object, const u8 *bytes)
{
	if (object->type->id == META_INODE && ((const struct dinode *)bytes)->mode.b[0])
		read_inode(vol, be64_get(((const struct dinode *)bytes)->ino));
	/* Types of one size in any filesystem: others check their own. */
	if (object->size == object->type->size(&vol->geo))
		print_object(&vol->geo, object, bytes);
}

static void read_all(struct world *world, const struct world_images *images,
		     const struct objects *objects, const struct touched *touched)
{
	const struct vol_options options = {.data = &images->data->dev,
					    .log = images->log ? &images->log->dev : NULL,
					    .rt = images->rt ? &images->rt->dev : NULL,
					    .memory = CACHE_BYTES,
					    .accept_loss = true,
					    .no_recovery = true};
	struct vol_options lenient = options;
	struct verdict quiet = {.raise = NULL};
	struct vol *vol;

	(void)world;
	if (vol_open(&world->env, &meta_types, &options, &vol)) {
		lenient.verdict = &quiet;
		if (vol_open(&world->env, &meta_types, &lenient, &vol))
			return;
	}
	read_inode(vol, vol->geo.root_ino);
	for (u32 i = 0; objects && i < objects->count; i++) {
		const struct object *object = &objects->object[i];

		if (i % UNTOUCHED_READ == 0 || is_touched(touched, object))
			read_object(vol, object, images->data->bytes + object->at);
	}
	vol_close(vol);
}

void fuzz_exercise(struct world *world, const struct world_images *images,
		   const struct objects *objects, const struct touched *touched)
{
	world_check(world, images, NULL, NULL);
	read_all(world, images, objects, touched);
	if (world->live) {
		fprintf(stderr, "%llu allocations leaked\n", (unsigned long long)world->live);
		abort();
	}
	if (world->alloc_failed) {
		fprintf(stderr, "memory above the limit of %zu bytes\n", world->limit);
		abort();
	}
}
