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
					packed = {"extent", &log_extent32_layout, load};
	const struct log_intent *l = LOG_CHECKED(item, log_intent);
	u64 size = (u64)le32_get(l->nextents) * sizeof(struct log_extent) + sizeof(*l);

	return size > log_region_length(item, 0) ? &packed : &wide;
}

const struct log_item_ops log_item_efi = {
    .type = LOG_EFI,
    .name = "efi",
    .element = element,
    LOG_INTENT_FUNCTIONS,
};

const struct log_item_ops log_item_efd = {
    .type = LOG_EFD,
    .name = "efd",
    .done = LOG_EFI,
    LOG_DONE_FUNCTIONS,
};
