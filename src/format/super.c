/* The superblock's field table and layout asserts. */
#include "format/super.h"

LAYOUT_TABLE(sb, SB_FIELDS);

_Static_assert(sizeof(struct sb) == 264, "superblock size");
_Static_assert(offsetof(struct sb, logstart) == 48, "sb.logstart");
_Static_assert(offsetof(struct sb, versionnum) == 100, "sb.versionnum");
_Static_assert(offsetof(struct sb, icount) == 128, "sb.icount");
_Static_assert(offsetof(struct sb, features2) == 200, "sb.features2");
_Static_assert(offsetof(struct sb, crc) == 224, "sb.crc");
_Static_assert(offsetof(struct sb, meta_uuid) == 248, "sb.meta_uuid");
