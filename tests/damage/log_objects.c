/* The log as objects; see log_objects.h. Ends the program when memory is short. */
#include "log_objects.h"

#include "format/verify.h"
#include "ledger/sweep.h"
#include "log/replay.h"
#include "meta/types_table.h"

#include <stdio.h>
#include <stdlib.h>

static const struct meta_type record_type = {.name = "log", .crc_offset = CRC_NONE};

/* A piece of a region of the transaction, where it lies. */
struct piece {
	struct piece *next;
	u32 object, offset, length;
	bool header; /* of the transaction, not of an item */
};

/* How often parts of a name came, by the group that they go to. */
struct collecting {
	struct log_part_sink sink;
	struct objects *objects;
	struct log_replay r;
	u64 base, size; /* of the log, bytes */
	bool skip;	/* the record at hand */
	u32 tid;
	struct trans {
		struct trans *next;
		u32 tid;
		bool have_header;
		struct piece *first, **end;
	} * trans;
	const struct log_item *item;
	const char *item_name;
	struct trans *of_item;
	u64 count;
};

static void *allocated(size_t size)
{
	void *bytes = calloc(1, size);

	if (!bytes)
		abort();
	return bytes;
}

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

static int on_record(void *arg, const struct log_place *place, const u8 *record)
{
	struct collecting *c = arg;
	struct objects *objects = c->objects;
	struct object object = {.type = &record_type,
				.at = c->base + (u64)place->block * LOG_BLOCK,
				.size = place->blocks * LOG_BLOCK,
				.where = {.type = "log", .ag = NO_AG, .ino = NO_INO},
				.header = place->header_blocks * LOG_BLOCK};

	(void)record;
	c->skip = object.at + object.size > c->base + c->size;
	if (c->skip)
		return 0;
	objects->object = realloc(objects->object, (objects->count + 1) * sizeof(object));
	if (!objects->object)
		abort();
	objects->object[objects->count++] = object;
	add_fields(c, "record", "hdr", 0, objects->count - 1, 0, &log_record_layout);
	for (u32 i = 1; i < place->header_blocks; i++)
		add_fields(c, "record", "ext", i, objects->count - 1, i * LOG_BLOCK,
			   &log_ext_layout);
	return 0;
}

static struct trans *trans_of(struct collecting *c, u32 tid)
{
	struct trans *t = c->trans;

	while (t && t->tid != tid)
		t = t->next;
	if (t)
		return t;
	t = allocated(sizeof(*t));
	*t = (struct trans){.next = c->trans, .tid = tid};
	t->end = &t->first;
	return c->trans = t;
}

static void drop_pieces(struct trans *t)
{
	while (t->first) {
		struct piece *p = t->first;

		t->first = p->next;
		free(p);
	}
	t->end = &t->first;
}

static int on_op(void *arg, const struct log_place *place, const u8 *bytes, u32 offset)
{
	struct collecting *c = arg;
	const struct log_op *op = (const struct log_op *)bytes;
	u32 at = place->header_blocks * LOG_BLOCK + offset;
	struct trans *t = trans_of(c, be32_get(op->tid));
	struct piece *p;

	if (!c->skip && objects_wanted((u32)++c->count % 64 + 1))
		add_fields(c, "op", "hdr", 0, c->objects->count - 1, at, &log_op_layout);
	if (op->flags & LOG_OP_START) {
		drop_pieces(t);
		t->have_header = false;
		return 0;
	}
	if (!be32_get(op->len))
		return 0;
	p = allocated(sizeof(*p));
	*p = (struct piece){.object = c->skip ? NULL32 : c->objects->count - 1,
			    .offset = at + (u32)sizeof(*op),
			    .length = be32_get(op->len),
			    .header = !t->have_header};
	if (p->header && p->length == sizeof(struct log_trans) && !c->skip)
		add_fields(c, "transaction", "hdr", 0, p->object, p->offset, &log_trans_layout);
	t->have_header |= !(op->flags & LOG_OP_CONTINUE);
	*t->end = p;
	t->end = &p->next;
	return 0;
}

/* [offset, offset + length) of the item, when it lies in one piece. */
static const struct piece *piece_of(const struct trans *t, u32 offset, u32 length, u32 *inside)
{
	u32 at = 0;

	for (const struct piece *p = t->first; p; p = p->next) {
		if (p->header)
			continue;
		if (offset >= at && offset - at < p->length) {
			*inside = offset - at;
			return length <= p->length - *inside ? p : NULL;
		}
		at += p->length;
	}
	return NULL;
}

static void on_part(struct log_part_sink *sink, const char *name, u32 index, const void *bytes,
		    u32 length, const struct layout *layout)
{
	struct collecting *c = (struct collecting *)sink;
	const u8 *first = c->item->bytes, *last = first + c->item->region_end[c->item->regions - 1];
	const struct piece *p;
	u32 inside;

	if (!layout || layout->size > length || (const u8 *)bytes < first ||
	    (const u8 *)bytes + length > last || !objects_wanted(index + 1))
		return;
	p = piece_of(c->of_item, (u32)((const u8 *)bytes - first), layout->size, &inside);
	if (p && p->object != NULL32)
		add_fields(c, c->item_name, name, index, p->object, p->offset + inside, layout);
}

/* Of a free inode most is without a meaning, as on the disk. */
static bool is_free(const struct log_item *item)
{
	return item->type == LOG_INODE &&
	       !le16_get(((const struct log_dinode *)log_region(item, 1))->mode);
}

static int on_item(void *arg, struct log_trans_state *trans, const struct log_item *item)
{
	struct collecting *c = arg;
	const struct log_item_ops *ops = log_item_ops_of(item->type);

	c->item = item;
	c->of_item = trans_of(c, trans->tid);
	if (ops && !ops->check(&c->r, item)) {
		c->item_name = is_free(item) ? "inode:free" : ops->name;
		ops->parts(item, &c->sink);
	}
	drop_pieces(c->of_item);
	return 0;
}

static int walk(struct world *world, const struct world_images *images, struct objects *out)
{
	struct verdict quiet = {.raise = raise_nothing};
	const struct log_options options = {.types = &meta_types, .verdict = &quiet};
	const struct geometry *g = &out->geo;
	struct log_status status = {0};
	struct log_scan scan;
	struct log_ends ends;
	struct collecting c = {.sink = {on_part},
			       .objects = out,
			       .r = {.scan = &scan,
				     .env = &world->env,
				     .g = g,
				     .data = &images->data->dev,
				     .status = &status},
			       .base = fsblock_daddr(g, fsblock_of(g->log_start)).v,
			       .size = (u64)g->log_blocks << g->block_log};
	const struct log_visitor visitor = {
	    .record = on_record, .op = on_op, .item = on_item, .arg = &c};
	u32 reached;
	int err = log_scan_init(&scan, &world->env, g, &images->data->dev, NULL, &options);

	if (!err)
		err = log_find(&scan, &ends);
	if (!err)
		err = log_walk(&scan, ends.tail, ends.head, &visitor, &reached);
	while (c.trans) {
		struct trans *t = c.trans;

		c.trans = t->next;
		drop_pieces(t);
		free(t);
	}
	return err;
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

/* The slot of the headers that keeps the first word of a block of the body. */
static u8 *slot_of(const struct object *object, u8 *bytes, u32 block)
{
	u32 header = block / LOG_CYCLE_SLOTS;
	u8 *at = bytes + (size_t)header * LOG_BLOCK;

	if ((header + 1) * LOG_BLOCK > object->header)
		abort();
	return at +
	       (header ? offsetof(struct log_ext, cycle_data)
		       : offsetof(struct log_record, cycle_data)) +
	       (size_t)block % LOG_CYCLE_SLOTS * 4;
}

void log_object_open(const struct object *object, u8 *bytes)
{
	u32 blocks = (object->size - object->header) / LOG_BLOCK;

	for (u32 i = 0; i < blocks; i++)
		memcpy(bytes + object->header + (size_t)i * LOG_BLOCK, slot_of(object, bytes, i),
		       4);
}

void log_object_close(const struct object *object, u8 *bytes)
{
	const struct be32 cycle = ((const struct log_record *)bytes)->cycle;
	u32 blocks = (object->size - object->header) / LOG_BLOCK;

	for (u32 i = 0; i < blocks; i++) {
		u8 *word = bytes + object->header + (size_t)i * LOG_BLOCK;

		memcpy(slot_of(object, bytes, i), word, 4);
		memcpy(word, &cycle, 4);
	}
}

void log_object_seal(const struct objects *objects, const struct object *object,
		     struct image *image)
{
	const struct geometry *g = &objects->geo;
	u64 base = fsblock_daddr(g, fsblock_of(g->log_start)).v;
	u64 end = base + ((u64)g->log_blocks << g->block_log);
	const struct log_scan scan = {.g = g, .blocks = (u32)((end - base) / LOG_BLOCK)};
	u8 *bytes = image->bytes + object->at;
	struct log_place place;
	struct le32 crc;

	if (log_place_parse(&scan, (u32)((object->at - base) / LOG_BLOCK), bytes, &place) ||
	    object->at + (u64)place.blocks * LOG_BLOCK > end)
		return;
	crc = le32_make(log_record_crc(bytes, &place, LOG_RECORD_CRC_SIZE));
	memcpy(bytes + offsetof(struct log_record, crc), &crc, sizeof(crc));
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
	u8 *bytes = allocated(ref->size);

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
