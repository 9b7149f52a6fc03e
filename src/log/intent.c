/*
 * The frame of the intents that announce changes of extents (EFI, RUI, CUI, BUI), and of all done
 * items; see replay.h.
 *
 * Such an intent is one region: a head, and an array of elements, which differ by type.  The files
 * of the types say what an element is; everything else is here.
 */
#include "log/replay.h"

static const struct log_element *element_of(const struct log_item *item)
{
	return log_item_ops_of(item->type)->element(item);
}

static const u8 *element_at(const struct log_item *item, const struct log_element *e, u32 i)
{
	return log_region(item, 0) + sizeof(struct log_intent) + (size_t)i * e->layout->size;
}

int log_intent_check(struct log_replay *r, const struct log_item *item)
{
	const struct log_intent *l = LOG_FORMAT(item, log_intent);
	u32 length = log_region_length(item, 0), count;

	if (!l || item->regions != 1)
		return log_item_bad(r, item, "format length", length);
	count = le32_get(l->nextents);
	if (!count || (u64)count * element_of(item)->layout->size != length - sizeof(*l))
		return log_item_bad(r, item, "nextents", count);
	return 0;
}

int log_intent_replay(struct log_replay *r, const struct log_item *item)
{
	const struct log_intent *l = LOG_CHECKED(item, log_intent);

	return log_pending_add(r, log_item_ops_of(item->type), item, le64_get(l->id));
}

void log_intent_parts(const struct log_item *item, struct log_part_sink *sink)
{
	u32 count = le32_get(LOG_CHECKED(item, log_intent)->nextents);
	const struct log_element *e = element_of(item);

	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_intent),
		   &log_intent_layout);
	for (u32 i = 0; i < count; i++)
		sink->part(sink, e->name, i, element_at(item, e, i), e->layout->size, e->layout);
}

int log_intent_changes(struct log_replay *r, const struct log_item *item, struct log_pending *p)
{
	u32 count = le32_get(LOG_CHECKED(item, log_intent)->nextents);
	const struct log_element *e = element_of(item);
	int err = log_changes_alloc(r, p, count);

	for (u32 i = 0; i < count && !err; i++)
		e->load(element_at(item, e, i), &p->change[i]);
	return err;
}

static void load_map(const void *element, struct log_change *change)
{
	const struct log_map *e = element;

	*change = (struct log_change){.ino = le64_get(e->owner),
				      .start = le64_get(e->startblock),
				      .count = le32_get(e->len),
				      .offset = le64_get(e->startoff),
				      .flags = le32_get(e->flags)};
}

const struct log_element *log_map_element(const struct log_item *item)
{
	static const struct log_element map = {"map", &log_map_layout, load_map};

	(void)item;
	return &map;
}

const struct part_kind log_map_kinds[] = {
    {"format", &log_intent_layout}, {"map", &log_map_layout}, {NULL, NULL}};

int log_done_check(struct log_replay *r, const struct log_item *item)
{
	if (!LOG_FORMAT(item, log_done) || item->regions != 1)
		return log_item_bad(r, item, "format length", log_region_length(item, 0));
	return 0;
}

int log_done_replay(struct log_replay *r, const struct log_item *item)
{
	log_pending_done(r, log_item_ops_of(item->type)->done,
			 le64_get(LOG_CHECKED(item, log_done)->id));
	return 0;
}

void log_done_parts(const struct log_item *item, struct log_part_sink *sink)
{
	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_done),
		   &log_done_layout);
}

const struct part_kind log_done_kinds[] = {{"format", &log_done_layout}, {NULL, NULL}};
