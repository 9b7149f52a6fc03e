/*
 * Block mapping intents (BUI) and their done items (BUD): extents still to be mapped into, or
 * unmapped from, a fork of a file.
 */
#include "log/replay.h"

const struct log_item_ops log_item_bui = {
    .type = LOG_BUI,
    .name = "bui",
    .element = log_map_element,
    .kinds = log_map_kinds,
    LOG_INTENT_FUNCTIONS,
};

const struct log_item_ops log_item_bud = {
    .type = LOG_BUD,
    .name = "bud",
    .done = LOG_BUI,
    LOG_DONE_FUNCTIONS,
};
