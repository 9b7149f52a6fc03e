/*
 * Reverse mapping intents (RUI) and their done items (RUD): extents whose owner is still to be
 * entered into, or removed from, the rmapbt.
 */
#include "log/replay.h"

static int rui_check(struct log_replay *r, const struct log_item *item)
{
	return log_intent_check(r, item, sizeof(struct log_map));
}

static const struct log_map *element(const struct log_item *item, u32 i)
{
	return (const struct log_map *)(log_region(item, 0) + sizeof(struct log_intent)) + i;
}

static int rui_changes(struct log_replay *r, const struct log_item *item, struct log_pending *p)
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

static void rui_parts(const struct log_item *item, struct log_part_sink *sink)
{
	u32 count = le32_get(LOG_CHECKED(item, log_intent)->nextents);

	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_intent),
		   &log_intent_layout);
	for (u32 i = 0; i < count; i++)
		sink->part(sink, "map", i, element(item, i), sizeof(struct log_map),
			   &log_map_layout);
}

static int rud_replay(struct log_replay *r, const struct log_item *item)
{
	log_pending_done(r, LOG_RUI, le64_get(LOG_CHECKED(item, log_done)->id));
	return 0;
}

const struct log_item_ops log_item_rui = {
    .type = LOG_RUI,
    .name = "rui",
    .check = rui_check,
    .replay = log_intent_replay,
    .parts = rui_parts,
    .changes = rui_changes,
};

const struct log_item_ops log_item_rud = {
    .type = LOG_RUD,
    .name = "rud",
    .check = log_done_check,
    .replay = rud_replay,
    .parts = log_done_parts,
};
