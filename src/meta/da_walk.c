/* The walk down a hash tree for the sweep; see da_walk.h. */
#include "meta/da_walk.h"

#include "base/trail.h"
#include "meta/findings.h"

#include <errno.h>
#include <stdio.h>

/* The nodes between the root and where the walk is. */
struct step {
	struct buf *buf;
	struct where where;
	u32 level, at, count;
};

u128 da_walk_hash(const struct sweep *sweep, u64 off)
{
	const struct fact fact = {{off, 0, 0, 0}};

	return book_hash(sweep->book, &fact);
}

int da_walk_magic(struct sweep *sweep, const struct inode *inode, enum fork_id which, u64 off,
		  u16 *magic)
{
	struct vol *vol = sweep->vol;
	struct da_place place;
	struct buf *buf;
	int err = da_place_at(vol, inode, which, off, &place);

	*magic = 0;
	if (!err && place.blocks < da_block_count(&vol->geo, which))
		return 0;
	if (!err)
		err = cache_get_ranges(vol->cache, NULL, NULL, place.range, place.count, &buf);
	if (err == -ENOMEM)
		return err;
	if (err) {
		trail_clear(); /* who reads it next will say so */
		return 0;
	}
	*magic = da_magic(buf->data);
	cache_done(vol->cache, buf);
	return 0;
}

static void found_at(struct da_walk *w, const struct where *where, const struct finding_def *def,
		     const char *field, u64 found, u64 expected)
{
	struct verdict v = sweep_verdict(w->sweep, where);

	if (!w->again)
		raise_u64(&v, def, field, found, expected);
}

/* Nothing can be said of the order of brothers behind a hole in the walk, down from `level`. */
static void lose(struct da_walk *w, u32 level)
{
	w->incomplete = true;
	for (u32 i = 0; i <= level && i <= DA_LEVELS_MAX; i++)
		w->brother[i].lost = true;
	w->any_leaf = false;
}

static void check_brothers(struct da_walk *w, const struct where *where, const void *block, u64 off,
			   u32 level)
{
	const struct da_info *info = block;
	struct da_brother *b = &w->brother[level];
	u64 before = b->any ? b->off : 0;

	if (!b->lost && be32_get(info->back) != before)
		found_at(w, where, FOUND(DA_BACK), "back", be32_get(info->back), before);
	if (!b->lost && b->any && b->forw != off)
		found_at(w, where, FOUND(DA_FORW), NULL, b->forw, off);
	*b = (struct da_brother){.any = true, .off = off, .forw = be32_get(info->forw)};
}

static void check_ends(struct da_walk *w)
{
	struct verdict v;
	const struct where where = {.type = w->node->name,
				    .ag = inum_ag(w->sweep->g, w->inode->ino),
				    .ino = w->inode->ino.v,
				    .daddr = NO_DADDR,
				    .owner = w->inode->ino.v};

	for (u32 i = 0; i <= DA_LEVELS_MAX; i++) {
		const struct da_brother *b = &w->brother[i];

		if (!b->any || b->lost || !b->forw || w->again)
			continue;
		v = sweep_verdict(w->sweep, &where);
		raise_u64(&v, FOUND(DA_FORW), NULL, b->forw, 0);
	}
}

static int read_again(const struct da_walk *w, const struct da_place *place, struct buf **out)
{
	int err =
	    cache_get_ranges(w->sweep->vol->cache, NULL, NULL, place->range, place->count, out);

	if (!err || err == -ENOMEM)
		return err;
	trail_clear();
	return 0;
}

/* Reads the block at `off`, and counts it. *out NULL: skipped, a finding says why. */
static int read_block(struct da_walk *w, u64 off, u32 level, const struct meta_type *type,
		      struct where *where, struct buf **out)
{
	struct vol *vol = w->sweep->vol;
	enum severity worst;
	struct da_place place;
	int err = da_place_at(vol, w->inode, w->which, off, &place);

	*out = NULL;
	*where = da_where(&vol->geo, w->inode, type, &place);
	if (err || place.blocks < da_block_count(&vol->geo, w->which)) {
		trail_clear();
		where->daddr = NO_DADDR;
		found_at(w, where, FOUND(DA_UNMAPPED), NULL, off, 0);
		lose(w, level);
		return 0;
	}
	if (++w->reached > w->limit) {
		found_at(w, where, FOUND(DA_RING), NULL, w->reached, w->limit);
		lose(w, DA_LEVELS_MAX);
		return 0;
	}
	w->sum += da_walk_hash(w->sweep, off);
	err = w->again ? read_again(w, &place, out)
		       : sweep_read(w->sweep, type, where, place.range, place.count, out, &worst);
	if (!err && *out && da_magic((*out)->data) != type->magic) {
		cache_put(vol->cache, *out);
		*out = NULL;
	}
	if (!err && !*out)
		lose(w, level);
	return err;
}

static void check_parent_hash(struct da_walk *w, const struct where *where,
			      const struct step *parent, u32 last)
{
	u32 hash;

	if (!parent)
		return;
	hash = be32_get(da_node_entries(parent->buf->data)[parent->at].hashval);
	if (hash != last)
		found_at(w, where, FOUND(DA_PARENT_HASH), NULL, last, hash);
}

static int visit_leaf(struct da_walk *w, u64 off, const struct step *parent)
{
	struct where where;
	struct buf *buf;
	u32 first, last;
	int err = read_block(w, off, 0, w->leaf, &where, &buf);

	if (err || !buf)
		return err;
	check_brothers(w, &where, buf->data, off, 0);
	if (w->hashes(buf->data, buf->size, &first, &last)) {
		check_parent_hash(w, &where, parent, last);
		if (w->any_leaf && first < w->last_hash)
			found_at(w, &where, FOUND(DA_LEAF_ORDER), NULL, first, w->last_hash);
		w->any_leaf = true;
		w->last_hash = last;
	} else if (parent) {
		found_at(w, &where, FOUND(DA_LEAF_EMPTY), NULL, 0, 1);
	}
	err = w->visit(w->arg, &where, buf);
	cache_done(w->sweep->vol->cache, buf);
	return err;
}

/* Fills `step` with the node at `off`; step->buf NULL: skipped. */
static int enter_node(struct da_walk *w, u64 off, const struct step *parent, struct step *step)
{
	u32 below = parent ? parent->level - 1 : DA_LEVELS_MAX;
	int err = read_block(w, off, below, w->node, &step->where, &step->buf);

	if (err || !step->buf)
		return err;
	step->level = be16_get(((const struct da_node *)step->buf->data)->level);
	step->count = da_node_count(step->buf->data, step->buf->size);
	step->at = 0;
	if (!step->level || step->level > below || (parent && step->level != below)) {
		found_at(w, &step->where, FOUND(DA_LEVEL_STEP), "level", step->level, below);
		cache_put(w->sweep->vol->cache, step->buf);
		step->buf = NULL;
		lose(w, below);
		return 0;
	}
	check_brothers(w, &step->where, step->buf->data, off, step->level);
	if (step->count)
		check_parent_hash(
		    w, &step->where, parent,
		    be32_get(da_node_entries(step->buf->data)[step->count - 1].hashval));
	return 0;
}

static int walk_nodes(struct da_walk *w)
{
	struct step path[DA_LEVELS_MAX];
	u32 depth = 0;
	int err = enter_node(w, w->root, NULL, &path[0]);

	if (err || !path[0].buf)
		return err;
	for (depth = 1; depth;) {
		struct step *top = &path[depth - 1];
		u64 child;

		if (err || top->at == top->count || w->reached > w->limit) {
			cache_done(w->sweep->vol->cache, top->buf);
			depth--;
			continue;
		}
		child = be32_get(da_node_entries(top->buf->data)[top->at].before);
		if (top->level == 1) {
			err = visit_leaf(w, child, top);
			top->at++;
		} else {
			/* The level goes down by one each time, so the path is long enough. */
			err = enter_node(w, child, top, &path[depth]);
			top->at++;
			if (!err && path[depth].buf)
				depth++;
		}
	}
	return err;
}

int da_walk(struct da_walk *w)
{
	u16 magic;
	int err = da_walk_magic(w->sweep, w->inode, w->which, w->root, &magic);

	if (err)
		return err;
	if (magic == DA_NODE_MAGIC)
		err = walk_nodes(w);
	else
		err = visit_leaf(w, w->root, NULL);
	if (!err)
		check_ends(w);
	return err;
}
