/*
 * Exchange intents (XMI) and their done items (XMD): ranges of two files whose mappings are still
 * to be exchanged.
 */
#include "log/replay.h"

static int xmi_check(struct log_replay *r, const struct log_item *item)
{
	if (!LOG_FORMAT(item, log_xmi) || item->regions != 1)
		return log_item_bad(r, item, "format length", log_region_length(item, 0));
	return 0;
}

static int xmi_replay(struct log_replay *r, const struct log_item *item)
{
	return log_pending_add(r, &log_item_xmi, item, le64_get(LOG_CHECKED(item, log_xmi)->id));
}

/* Two changes, one for each file: the range of it whose mapping goes to the other. */
static int xmi_changes(struct log_replay *r, const struct log_item *item, struct log_pending *p)
{
	const struct log_xmi *l = LOG_CHECKED(item, log_xmi);
	int err = log_changes_alloc(r, p, 2);

	if (err)
		return err;
	p->change[0] = (struct log_change){.ino = le64_get(l->inode1),
					   .start = NULL64,
					   .count = le64_get(l->blockcount),
					   .offset = le64_get(l->startoff1),
					   .flags = (u32)le64_get(l->flags)};
	p->change[1] = p->change[0];
	p->change[1].ino = le64_get(l->inode2);
	p->change[1].offset = le64_get(l->startoff2);
	return 0;
}

static void xmi_parts(const struct log_item *item, struct log_part_sink *sink)
{
	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_xmi), &log_xmi_layout);
}

static const struct part_kind kinds[] = {{"format", &log_xmi_layout}, {NULL, NULL}};

const struct log_item_ops log_item_xmi = {
    .type = LOG_XMI,
    .name = "xmi",
    .check = xmi_check,
    .replay = xmi_replay,
    .parts = xmi_parts,
    .kinds = kinds,
    .changes = xmi_changes,
};

const struct log_item_ops log_item_xmd = {
    .type = LOG_XMD,
    .name = "xmd",
    .done = LOG_XMI,
    LOG_DONE_FUNCTIONS,
};
