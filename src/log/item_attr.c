/*
 * Attribute intents (ATTRI) and their done items (ATTRD): an attribute or parent pointer that is
 * still to be set, removed or replaced.
 *
 * The name, the new name, the value and the new value follow as regions of their own, those that
 * there are.
 */
#include "log/replay.h"

static u32 kind_of(const struct log_attri *l)
{
	return le32_get(l->op_flags) & LOG_INTENT_KIND;
}

/* The lengths that the regions behind the format must have; returns how many. */
static u32 expected_regions(const struct log_attri *l, u32 length[4], const char *name[4])
{
	u32 names = le32_get(l->name_len), value = le32_get(l->value_len), n = 0;

	name[n] = "name";
	if (kind_of(l) != LOG_ATTR_PARENT_REPLACE) {
		length[n++] = names;
	} else {
		length[n++] = names & 0xffff;
		name[n] = "new name";
		length[n++] = names >> 16;
	}
	name[n] = "value";
	if (value)
		length[n++] = value;
	name[n < 4 ? n : 3] = "new value";
	if (value && kind_of(l) == LOG_ATTR_PARENT_REPLACE)
		length[n++] = value;
	return n;
}

static int attri_check(struct log_replay *r, const struct log_item *item)
{
	const struct log_attri *l = LOG_FORMAT(item, log_attri);
	const char *name[4];
	u32 length[4], count;

	if (!l)
		return log_item_bad(r, item, "format length", log_region_length(item, 0));
	if (!kind_of(l) || kind_of(l) > LOG_ATTR_PARENT_REPLACE)
		return log_item_bad(r, item, "op_flags", le32_get(l->op_flags));
	count = expected_regions(l, length, name);
	if (item->regions != 1 + count)
		return log_item_bad(r, item, "size", item->regions);
	for (u32 i = 0; i < count; i++)
		if (length[i] > log_region_length(item, 1 + i))
			return log_item_bad(r, item, name[i], length[i]);
	return 0;
}

static int attri_replay(struct log_replay *r, const struct log_item *item)
{
	return log_pending_add(r, &log_item_attri, item,
			       le64_get(LOG_CHECKED(item, log_attri)->id));
}

static int attri_changes(struct log_replay *r, const struct log_item *item, struct log_pending *p)
{
	const struct log_attri *l = LOG_CHECKED(item, log_attri);
	int err = log_changes_alloc(r, p, 1);

	if (!err)
		p->change[0] = (struct log_change){
		    .ino = le64_get(l->ino), .start = NULL64, .flags = le32_get(l->op_flags)};
	return err;
}

static void attri_parts(const struct log_item *item, struct log_part_sink *sink)
{
	const struct log_attri *l = LOG_CHECKED(item, log_attri);
	const char *name[4];
	u32 length[4], count = expected_regions(l, length, name);

	sink->part(sink, "format", 0, l, sizeof(*l), &log_attri_layout);
	for (u32 i = 0; i < count; i++)
		sink->part(sink, name[i], 0, log_region(item, 1 + i), length[i], NULL);
}

static const struct part_kind kinds[] = {{"format", &log_attri_layout}, {NULL, NULL}};

const struct log_item_ops log_item_attri = {
    .type = LOG_ATTRI,
    .name = "attri",
    .check = attri_check,
    .replay = attri_replay,
    .parts = attri_parts,
    .kinds = kinds,
    .changes = attri_changes,
};

const struct log_item_ops log_item_attrd = {
    .type = LOG_ATTRD,
    .name = "attrd",
    .done = LOG_ATTRI,
    LOG_DONE_FUNCTIONS,
};
