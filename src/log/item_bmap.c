/*
 * Block mapping intents (BUI) and their done items (BUD): extents still to be mapped into, or
 * unmapped from, a fork of a file.
 */
#include "log/replay.h"

static int bui_check(struct log_replay *r, const struct log_item *item)
{
	return log_intent_check(r, item, sizeof(struct log_map));
}

static const struct log_map *element(const struct log_item *item, u32 i)
{
	return (const struct log_map *)(log_region(item, 0) + sizeof(struct log_intent)) + i;
}

static int bui_changes(struct log_replay *r, const struct log_item *item, struct log_pending *p)
{
	u32 count = le32_get(LOG_CHECKED(item, log_intent)->nextents);
	int err = log_changes_alloc(r, p, count);

	for (u32 i = 0; i < count && !err; i++) {
		const struct log_map *e = element(item, i);

		p->change[i] = (struct log_change){.ino = le64_get(e->owner),
						   .start = le64_get(e->startblock),
						   .count = le32_get(e->len),
						   .offset = le64_get(e->startoff),
						   .flags = le32_get(e->flags)};
	}
	return err;
}

static void bui_parts(const struct log_item *item, struct log_part_sink *sink)
{
	u32 count = le32_get(LOG_CHECKED(item, log_intent)->nextents);

	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_intent),
		   &log_intent_layout);
	for (u32 i = 0; i < count; i++)
		sink->part(sink, "map", i, element(item, i), sizeof(struct log_map),
			   &log_map_layout);
}

static int bud_replay(struct log_replay *r, const struct log_item *item)
{
	log_pending_done(r, LOG_BUI, le64_get(LOG_CHECKED(item, log_done)->id));
	return 0;
}

const struct log_item_ops log_item_bui = {
    .type = LOG_BUI,
    .name = "bui",
    .check = bui_check,
    .replay = log_intent_replay,
    .parts = bui_parts,
    .changes = bui_changes,
};

const struct log_item_ops log_item_bud = {
    .type = LOG_BUD,
    .name = "bud",
    .check = log_done_check,
    .replay = bud_replay,
    .parts = log_done_parts,
};
