/*
 * Reference count intents (CUI) and their done items (CUD): extents that are to have one owner more
 * or less, or are to become or cease to be staging for copy on write.
 */
#include "log/replay.h"

static void load(const void *element, struct log_change *change)
{
	const struct log_phys *e = element;

	*change = (struct log_change){.ino = NO_INO,
				      .start = le64_get(e->startblock),
				      .count = le32_get(e->len),
				      .flags = le32_get(e->flags)};
}

static const struct log_element *element(const struct log_item *item)
{
	static const struct log_element extent = {"extent", &log_phys_layout, load};

	(void)item;
	return &extent;
}

static const struct part_kind kinds[] = {
    {"format", &log_intent_layout}, {"extent", &log_phys_layout}, {NULL, NULL}};

const struct log_item_ops log_item_cui = {
    .type = LOG_CUI,
    .name = "cui",
    .element = element,
    .kinds = kinds,
    LOG_INTENT_FUNCTIONS,
};

const struct log_item_ops log_item_cud = {
    .type = LOG_CUD,
    .name = "cud",
    .done = LOG_CUI,
    LOG_DONE_FUNCTIONS,
};
