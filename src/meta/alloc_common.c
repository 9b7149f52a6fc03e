/* What the two free space trees share; see alloc_common.h. */
#include "meta/alloc_common.h"

void alloc_rules(struct verdict *v, const struct geometry *g, const struct btree_schema *schema,
		 const void *block, u32 len)
{
	struct btree_block b = btree_block_of(schema, block, len);

	for (u32 i = 0; !b.level && i < b.count; i++) {
		const struct alloc_rec *r = btree_record(&b, i);

		tree_extent_rule(v, g, i, be32_get(r->startblock), be32_get(r->blockcount),
				 FOUND(FREE_EXTENT));
	}
}
