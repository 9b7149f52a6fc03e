/* The field tables of realtime bitmap and summary; see realtime.h. */
#include "format/realtime.h"

LAYOUT_TABLE(rtbitmap_word, RTBITMAP_WORD_FIELDS);
LAYOUT_TABLE(rtsummary_word, RTSUMMARY_WORD_FIELDS);
