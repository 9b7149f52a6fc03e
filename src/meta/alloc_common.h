/* What the two free space trees share: the rules of a record. */
#ifndef MENDFS_META_ALLOC_COMMON_H
#define MENDFS_META_ALLOC_COMMON_H

#include "meta/findings.h"
#include "meta/tree.h"

/* Records inside the AG, none empty. */
void alloc_rules(struct verdict *v, const struct geometry *g, const struct btree_schema *schema,
		 const void *block, u32 len);

#endif
