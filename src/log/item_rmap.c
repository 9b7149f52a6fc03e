/*
 * Reverse mapping intents (RUI) and their done items (RUD): extents whose owner is still to be
 * entered into, or removed from, the rmapbt.
 */
#include "log/replay.h"

const struct log_item_ops log_item_rui = {
    .type = LOG_RUI,
    .name = "rui",
    .element = log_map_element,
    .kinds = log_map_kinds,
    LOG_INTENT_FUNCTIONS,
};

const struct log_item_ops log_item_rud = {
    .type = LOG_RUD,
    .name = "rud",
    .done = LOG_RUI,
    LOG_DONE_FUNCTIONS,
};
