/*
 * Ways through a btree that is being changed: finding, stepping, and the query of overlapping
 * records.
 *
 * Steps go up and down the path, never by sibling pointers. Each step goes one level down, so the
 * way to a record is bounded; a query is bounded by the blocks of an AG.
 */
#include "btree/bnode.h"

#include "base/trail.h"

#include <errno.h>

/* How many entries are not above `key`. */
static u32 search(const struct btree *t, const struct bnode *n, const struct btree_key *key)
{
	u32 low = 0, high = bnode_count(n);

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		struct btree_key k;

		bnode_load_key(t, n, middle, &k);
		if (btree_key_compare(&k, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int path_root(struct btree *t, struct path *p)
{
	p->levels = t->levels;
	if (!t->levels || t->levels > BTREE_LEVELS_MAX)
		return fail(-EUCLEAN, "%s: %u levels", t->type->name, t->levels);
	p->at[t->levels - 1].index = 0;
	return bnode_root(t, &p->at[t->levels - 1].node);
}

int path_find(struct btree *t, const struct btree_key *key, struct path *p)
{
	int err = path_root(t, p);

	for (u32 level = t->levels; !err && level--;) {
		const struct bnode *n = &p->at[level].node;
		u32 index = search(t, n, key);

		p->at[level].index = level && index ? index - 1 : index;
		if (level)
			err = bnode_read(t, bnode_ptr(t, n, p->at[level].index), level - 1,
					 &p->at[level - 1].node);
	}
	return err;
}

/* Down from level to the first or last record. */
static int edge(struct btree *t, struct path *p, u32 level, bool last)
{
	int err = 0;

	while (!err && level) {
		err = bnode_read(t, bnode_ptr(t, &p->at[level].node, p->at[level].index), level - 1,
				 &p->at[level - 1].node);
		level--;
		if (!err)
			p->at[level].index = last ? bnode_count(&p->at[level].node) - 1 : 0;
	}
	return err;
}

int path_forward(struct btree *t, struct path *p)
{
	u32 level = 0;

	while (level < p->levels && p->at[level].index + 1 >= bnode_count(&p->at[level].node))
		level++;
	if (level == p->levels)
		return -ENOENT;
	p->at[level].index++;
	return edge(t, p, level, false);
}

int path_back(struct btree *t, struct path *p)
{
	u32 level = 0;

	while (level < p->levels && !p->at[level].index)
		level++;
	if (level == p->levels)
		return -ENOENT;
	p->at[level].index--;
	return edge(t, p, level, true);
}

int btree_find_le(struct btree *t, const struct btree_key *key, void *record)
{
	struct path p;
	int err = path_find(t, key, &p);

	if (!err)
		err = path_back(t, &p);
	if (!err)
		memcpy(record, bnode_entry(&p.at[0].node, p.at[0].index), p.at[0].node.stride);
	return err;
}

int btree_find_ge(struct btree *t, const struct btree_key *key, void *record)
{
	struct btree_key found;
	struct path p;
	int err = path_find(t, key, &p);

	if (err)
		return err;
	if (p.at[0].index) {
		bnode_load_key(t, &p.at[0].node, p.at[0].index - 1, &found);
		if (!btree_key_compare(&found, key))
			p.at[0].index--;
	}
	if (p.at[0].index == bnode_count(&p.at[0].node)) {
		if (!p.at[0].index)
			return -ENOENT;
		p.at[0].index--;
		err = path_forward(t, &p);
	}
	if (!err)
		memcpy(record, bnode_entry(&p.at[0].node, p.at[0].index), p.at[0].node.stride);
	return err;
}

struct query {
	struct btree *t;
	const struct btree_key *low, *high;
	int (*fn)(void *arg, const void *record);
	void *arg;
	u64 blocks; /* still to be entered */
};

/* Does the entry touch the range asked for? *behind: it, and all behind it, begin above. */
static bool touches(const struct query *q, const struct bnode *n, u32 index, bool *behind)
{
	const struct btree_schema *s = q->t->type->btree;
	struct btree_key key;

	bnode_load_key(q->t, n, index, &key);
	*behind = btree_key_compare(&key, q->high) > 0;
	if (*behind)
		return false;
	if (n->level)
		s->key_load(bnode_entry(n, index) + s->key_size, &key);
	else
		s->record_high(bnode_entry(n, index), &key);
	return btree_key_compare(&key, q->low) >= 0;
}

static int query_leaf(const struct query *q, const struct bnode *n)
{
	bool behind = false;
	int err = 0;

	for (u32 i = 0; i < bnode_count(n) && !behind && !err; i++)
		if (touches(q, n, i, &behind))
			err = q->fn(q->arg, bnode_entry(n, i));
	return err;
}

/* One level down from p->at[*level], or on from it, or up when it is done. */
static int query_step(struct query *q, struct path *p, u32 *level)
{
	struct bnode *n = &p->at[*level].node;
	u32 index = p->at[*level].index++;
	bool behind = false;

	if (index < bnode_count(n) && touches(q, n, index, &behind)) {
		if (!q->blocks--)
			return fail(-EUCLEAN, "%s %u: more blocks than the AG has",
				    q->t->type->name, q->t->ag);
		--*level;
		p->at[*level].index = 0;
		return bnode_read(q->t, bnode_ptr(q->t, n, index), *level, &p->at[*level].node);
	}
	if (index >= bnode_count(n) || behind)
		++*level;
	return 0;
}

int btree_query(struct btree *t, const struct btree_key *low, const struct btree_key *high,
		int (*fn)(void *arg, const void *record), void *arg)
{
	struct query q = {t, low, high, fn, arg, t->g->ag_blocks};
	struct path p;
	int err = path_root(t, &p);
	u32 level = t->levels - 1;

	while (!err && level < t->levels) {
		if (level) {
			err = query_step(&q, &p, &level);
			continue;
		}
		err = query_leaf(&q, &p.at[0].node);
		level++;
	}
	return err;
}
