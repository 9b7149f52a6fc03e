/* The AG headers' field tables and layout asserts. */
#include "format/ag.h"

LAYOUT_TABLE(agf, AGF_FIELDS);
LAYOUT_TABLE(agi, AGI_FIELDS);
LAYOUT_TABLE(agfl, AGFL_FIELDS);
LAYOUT_TABLE(agfl_slot, AGFL_SLOT_FIELDS);

_Static_assert(sizeof(struct agf) == 224, "AGF size");
_Static_assert(offsetof(struct agf, uuid) == 64, "agf.uuid");
_Static_assert(offsetof(struct agf, lsn) == 208, "agf.lsn");
_Static_assert(offsetof(struct agf, crc) == 216, "agf.crc");
_Static_assert(sizeof(struct agi) == 344, "AGI size");
_Static_assert(offsetof(struct agi, unlinked) == 40, "agi.unlinked");
_Static_assert(offsetof(struct agi, crc) == 312, "agi.crc");
_Static_assert(offsetof(struct agi, free_root) == 328, "agi.free_root");
_Static_assert(sizeof(struct agfl) == 36, "AGFL header size");
