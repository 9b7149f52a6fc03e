/* Rules that attributes of every form share. */
#ifndef MENDFS_META_ATTR_RULES_H
#define MENDFS_META_ATTR_RULES_H

#include "format/attr.h"

/* Flags, name and value of one attribute; `part` and `index` name it: "entries[3]". */
void attr_slot_rules(struct verdict *v, const struct geometry *g, const struct attr_slot *slot,
		     const char *part, u32 index);
/* Same namespace and name, and for parent pointers the same value. */
bool attr_same(const struct attr_slot *a, const struct attr_slot *b);
void attr_name_twice(struct verdict *v, const struct attr_slot *slot);

#endif
