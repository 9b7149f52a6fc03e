/* Asking the reverse map; see rmap.h. */
#include "fs/rmap.h"

#include "base/trail.h"
#include "btree/seek.h"
#include "format/ag.h"
#include "fs/ag.h"

#include <errno.h>

static bool look(struct btree_tree *tree, u32 bno, u64 *owner)
{
	const struct btree_key key = {{bno, NULL64, NULL64}};
	const struct rmap_rec *rec;
	struct btree_at at = {0};
	struct btree_block b;
	bool found;

	if (btree_seek(tree, &key, &at))
		return false;
	b = btree_at_block(tree, &at);
	rec = btree_record(&b, at.index);
	found = be32_get(rec->startblock) <= bno &&
		bno - be32_get(rec->startblock) < be32_get(rec->blockcount);
	*owner = be64_get(rec->owner);
	btree_leave(tree, &at);
	return found;
}

bool rmap_owner_at(struct vol *view, struct txn *txn, struct fsblock at, u64 *owner)
{
	const struct geometry *g = &view->geo;
	struct btree_tree tree = {
	    .cache = view->cache, .g = g, .type = vol_type(view, META_RMAPBT)};
	struct ag ag;
	bool found = false;

	tree.ag = fsblock_ag(g, at);
	tree.owner = tree.ag;
	if (geometry_has(g, FEATURE_RMAPBT) && !ag_open(view, txn, tree.ag, &ag)) {
		tree.root = be32_get(ag_agf(&ag)->roots[AGF_RMAP]);
		tree.levels = be32_get(ag_agf(&ag)->levels[AGF_RMAP]);
		found = look(&tree, fsblock_bno(g, at), owner);
	}
	trail_clear();
	return found;
}

static int count_one(void *arg, const void *record)
{
	u32 *count = arg;

	(void)record;
	(*count)++;
	return 0;
}

u32 rmap_owners_at(struct vol *view, struct txn *txn, struct fsblock at)
{
	const struct geometry *g = &view->geo;
	u32 bno = fsblock_bno(g, at), count = 0;
	const struct btree_key low = {{bno, 0, 0}}, high = {{bno, NULL64, NULL64}};
	struct btree tree;
	struct ag ag;
	int err = geometry_has(g, FEATURE_RMAPBT) ? ag_open(view, txn, fsblock_ag(g, at), &ag)
						  : -EOPNOTSUPP;

	if (!err)
		err = ag_tree(&ag, META_RMAPBT, &tree);
	if (!err)
		err = btree_query(&tree, &low, &high, count_one, &count);
	trail_clear();
	return err ? 0 : count;
}
