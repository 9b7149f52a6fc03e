/*
 * Extent freeing intents (EFI) and their done items (EFD): extents that nobody uses any more and
 * that are still to be freed.
 *
 * Kernels of 32 bits log elements of 12 bytes, others pad them to 16; the length tells which.
 */
#include "log/replay.h"

/* Both forms begin alike. */
static void load(const void *element, struct log_change *change)
{
	const struct log_extent32 *e = element;

	*change = (struct log_change){
	    .ino = NO_INO, .start = le64_get(e->start), .count = le32_get(e->len)};
}

static const struct log_element *element(const struct log_item *item)
{
	static const struct log_element wide = {"extent", &log_extent_layout, load},
					packed = {"extent32", &log_extent32_layout, load};
	const struct log_intent *l = LOG_CHECKED(item, log_intent);
	u64 size = (u64)le32_get(l->nextents) * sizeof(struct log_extent) + sizeof(*l);

	return size > log_region_length(item, 0) ? &packed : &wide;
}

static const struct part_kind kinds[] = {{"format", &log_intent_layout},
					 {"extent", &log_extent_layout},
					 {"extent32", &log_extent32_layout},
					 {NULL, NULL}};

const struct log_item_ops log_item_efi = {
    .type = LOG_EFI,
    .name = "efi",
    .element = element,
    .kinds = kinds,
    LOG_INTENT_FUNCTIONS,
};

/* What it says of its extents is what the intent said; its length must be right. */
const struct log_item_ops log_item_efd = {
    .type = LOG_EFD,
    .name = "efd",
    .done = LOG_EFI,
    .element = element,
    .kinds = kinds,
    .check = log_intent_check,
    .replay = log_done_replay,
    .parts = log_intent_parts,
};
