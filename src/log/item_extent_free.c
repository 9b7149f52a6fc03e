/*
 * Extent freeing intents (EFI) and their done items (EFD): extents that nobody uses any more and
 * that are still to be freed.
 *
 * Kernels of 32 bits log elements of 12 bytes, others pad them to 16; the length tells which.
 */
#include "log/replay.h"

static bool is_packed(const struct log_item *item)
{
	const struct log_intent *l = LOG_CHECKED(item, log_intent);

	return (u64)le32_get(l->nextents) * sizeof(struct log_extent) + sizeof(*l) >
	       log_region_length(item, 0);
}

static int efi_check(struct log_replay *r, const struct log_item *item)
{
	return log_intent_check(r, item, sizeof(struct log_extent32));
}

/* Both forms begin alike. */
static const struct log_extent32 *element(const struct log_item *item, u32 i)
{
	size_t size = is_packed(item) ? sizeof(struct log_extent32) : sizeof(struct log_extent);

	return (const struct log_extent32 *)(log_region(item, 0) + sizeof(struct log_intent) +
					     i * size);
}

static int efi_changes(struct log_replay *r, const struct log_item *item, struct log_pending *p)
{
	u32 count = le32_get(LOG_CHECKED(item, log_intent)->nextents);
	int err = log_changes_alloc(r, p, count);

	for (u32 i = 0; i < count && !err; i++)
		p->change[i] = (struct log_change){.ino = NO_INO,
						   .start = le64_get(element(item, i)->start),
						   .count = le32_get(element(item, i)->len)};
	return err;
}

static void efi_parts(const struct log_item *item, struct log_part_sink *sink)
{
	u32 count = le32_get(LOG_CHECKED(item, log_intent)->nextents);
	const struct layout *layout = is_packed(item) ? &log_extent32_layout : &log_extent_layout;

	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_intent),
		   &log_intent_layout);
	for (u32 i = 0; i < count; i++)
		sink->part(sink, "extent", i, element(item, i), layout->size, layout);
}

static int efd_replay(struct log_replay *r, const struct log_item *item)
{
	log_pending_done(r, LOG_EFI, le64_get(LOG_CHECKED(item, log_done)->id));
	return 0;
}

const struct log_item_ops log_item_efi = {
    .type = LOG_EFI,
    .name = "efi",
    .check = efi_check,
    .replay = log_intent_replay,
    .parts = efi_parts,
    .changes = efi_changes,
};

const struct log_item_ops log_item_efd = {
    .type = LOG_EFD,
    .name = "efd",
    .check = log_done_check,
    .replay = efd_replay,
    .parts = log_done_parts,
};
