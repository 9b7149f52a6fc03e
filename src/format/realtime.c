/* The field tables of realtime bitmap and summary; see realtime.h. */
#include "format/realtime.h"

LAYOUT_TABLE(rtbitmap_word, RTBITMAP_WORD_FIELDS);
LAYOUT_TABLE(rtsummary_word, RTSUMMARY_WORD_FIELDS);

_Static_assert(sizeof(struct rtbitmap_word) * 8 == RT_WORD_BITS, "rtbitmap word size");
_Static_assert(sizeof(struct rtsummary_word) == 4, "rtsummary word size");
