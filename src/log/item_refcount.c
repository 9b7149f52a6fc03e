/*
 * Reference count intents (CUI) and their done items (CUD): extents that are to have one owner more
 * or less, or are to become or cease to be staging for copy on write.
 */
#include "log/replay.h"

static int cui_check(struct log_replay *r, const struct log_item *item)
{
	return log_intent_check(r, item, sizeof(struct log_phys));
}

static const struct log_phys *element(const struct log_item *item, u32 i)
{
	return (const struct log_phys *)(log_region(item, 0) + sizeof(struct log_intent)) + i;
}

static int cui_changes(struct log_replay *r, const struct log_item *item, struct log_pending *p)
{
	u32 count = le32_get(LOG_CHECKED(item, log_intent)->nextents);
	int err = log_changes_alloc(r, p, count);

	for (u32 i = 0; i < count && !err; i++) {
		const struct log_phys *e = element(item, i);

		p->change[i] = (struct log_change){.ino = NO_INO,
						   .start = le64_get(e->startblock),
						   .count = le32_get(e->len),
						   .flags = le32_get(e->flags)};
	}
	return err;
}

static void cui_parts(const struct log_item *item, struct log_part_sink *sink)
{
	u32 count = le32_get(LOG_CHECKED(item, log_intent)->nextents);

	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_intent),
		   &log_intent_layout);
	for (u32 i = 0; i < count; i++)
		sink->part(sink, "extent", i, element(item, i), sizeof(struct log_phys),
			   &log_phys_layout);
}

static int cud_replay(struct log_replay *r, const struct log_item *item)
{
	log_pending_done(r, LOG_CUI, le64_get(LOG_CHECKED(item, log_done)->id));
	return 0;
}

const struct log_item_ops log_item_cui = {
    .type = LOG_CUI,
    .name = "cui",
    .check = cui_check,
    .replay = log_intent_replay,
    .parts = cui_parts,
    .changes = cui_changes,
};

const struct log_item_ops log_item_cud = {
    .type = LOG_CUD,
    .name = "cud",
    .check = log_done_check,
    .replay = cud_replay,
    .parts = log_done_parts,
};
