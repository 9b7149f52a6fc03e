/*
 * One AG inside a transaction; see ag.h.
 *
 * The counters of the AGF that belong to the trees (roots, levels, btreeblks, rmap_blocks,
 * refcount_blocks) and to the free list are kept here and nowhere else.
 */
#include "fs/ag.h"

#include "base/trail.h"
#include "format/super.h"
#include "fs/space.h"

#include <errno.h>

static int get_header(struct vol *vol, struct txn *txn, enum meta_id id, u32 ag,
		      struct txn_buf **out)
{
	const struct meta_type *type = vol_type(vol, id);
	struct daddr at = type->place(&vol->geo, ag);
	const struct where where = {
	    .type = type->name, .ag = ag, .ino = NO_INO, .daddr = at.v, .owner = NO_OWNER};

	return txn_get(txn, type, &where, at, vol->geo.sector_size, out);
}

int ag_open(struct vol *vol, struct txn *txn, u32 number, struct ag *out)
{
	int err;

	*out = (struct ag){.vol = vol, .txn = txn, .number = number};
	if (number >= vol->geo.ag_count)
		return fail(-EUCLEAN, "there is no AG %u", number);
	err = get_header(vol, txn, META_AGF, number, &out->agf_buf);
	if (!err)
		err = get_header(vol, txn, META_AGFL, number, &out->agfl_buf);
	return err;
}

int ag_count(struct ag *ag, struct be32 *counter, s64 amount)
{
	s64 value = (s64)be32_get(*counter) + amount;

	if (value < 0 || value > geometry_ag_blocks(&ag->vol->geo, ag->number))
		return fail(-EUCLEAN, "agf %u: a counter would be %lld", ag->number,
			    (long long)value);
	txn_dirty(ag->txn, ag->agf_buf);
	*counter = be32_make((u32)value);
	return 0;
}

int ag_super(struct vol *vol, struct txn *txn, struct txn_buf **out)
{
	return get_header(vol, txn, META_SUPERBLOCK, 0, out);
}

int ag_count_free(struct vol *vol, struct txn *txn, s64 blocks)
{
	struct txn_buf *buf;
	struct sb *sb;
	int err = ag_super(vol, txn, &buf);
	u64 value;

	if (err)
		return err;
	sb = (struct sb *)buf->data;
	value = be64_get(sb->fdblocks) + (u64)blocks;
	if (value > be64_get(sb->dblocks))
		return fail(-EUCLEAN, "superblock: %lld free blocks", (long long)value);
	txn_dirty(txn, buf);
	sb->fdblocks = be64_make(value);
	return 0;
}

/* ---- the free list ---- */

static struct agfl_slot *slot_of(struct ag *ag, u32 index)
{
	return (struct agfl_slot *)(ag->agfl_buf->data + sizeof(struct agfl)) + index;
}

/* The AGF's rules have made sure that first and last are slots. */
int ag_list_take(struct ag *ag, u32 *bno)
{
	struct agf *agf = ag_agf(ag);
	u32 first = be32_get(agf->flfirst), slots = agfl_slots(&ag->vol->geo);

	if (!be32_get(agf->flcount))
		return fail(-ENOSPC, "AG %u: no block for a btree", ag->number);
	*bno = be32_get(slot_of(ag, first)->bno);
	if (*bno < geometry_ag_header_blocks(&ag->vol->geo) ||
	    *bno >= geometry_ag_blocks(&ag->vol->geo, ag->number))
		return fail(-EUCLEAN, "agfl %u: slot %u holds block %u", ag->number, first, *bno);
	txn_dirty(ag->txn, ag->agf_buf);
	agf->flfirst = be32_make((first + 1) % slots);
	agf->flcount = be32_make(be32_get(agf->flcount) - 1);
	return 0;
}

int ag_list_put(struct ag *ag, u32 bno)
{
	struct agf *agf = ag_agf(ag);
	u32 slots = agfl_slots(&ag->vol->geo), last = (be32_get(agf->fllast) + 1) % slots;

	if (be32_get(agf->flcount) >= slots)
		return fail(-ENOSPC, "agfl %u: full", ag->number);
	txn_dirty(ag->txn, ag->agf_buf);
	txn_dirty(ag->txn, ag->agfl_buf);
	slot_of(ag, last)->bno = be32_make(bno);
	agf->fllast = be32_make(last);
	agf->flcount = be32_make(be32_get(agf->flcount) + 1);
	return 0;
}

/* ---- the trees ---- */

struct root_place {
	enum meta_id id;
	size_t root, levels;
};

static const struct root_place root_places[] = {
    {META_BNOBT, offsetof(struct agf, roots[AGF_BNO]), offsetof(struct agf, levels[AGF_BNO])},
    {META_CNTBT, offsetof(struct agf, roots[AGF_CNT]), offsetof(struct agf, levels[AGF_CNT])},
    {META_RMAPBT, offsetof(struct agf, roots[AGF_RMAP]), offsetof(struct agf, levels[AGF_RMAP])},
    {META_REFCOUNTBT, offsetof(struct agf, refcount_root), offsetof(struct agf, refcount_level)},
};

static const struct root_place *place_of(enum meta_id id)
{
	u32 i = 0;

	while (root_places[i].id != id)
		i++;
	return &root_places[i];
}

static struct be32 *agf_field(struct ag *ag, size_t offset)
{
	return (struct be32 *)(ag->agf_buf->data + offset);
}

static int root_set(struct btree *t)
{
	struct ag *ag = t->arg;
	const struct root_place *place = place_of(t->type->id);

	txn_dirty(ag->txn, ag->agf_buf);
	*agf_field(ag, place->root) = be32_make((u32)t->root);
	*agf_field(ag, place->levels) = be32_make(t->levels);
	return 0;
}

static int count_list_blocks(struct ag *ag, const struct btree *t, s64 amount)
{
	struct agf *agf = ag_agf(ag);
	int err = ag_count(ag, &agf->btreeblks, amount);

	if (!err && t->type->id == META_RMAPBT)
		err = ag_count(ag, &agf->rmap_blocks, amount);
	return err;
}

static int list_alloc(struct btree *t, u64 near, u64 *ptr)
{
	struct ag *ag = t->arg;
	u32 bno = 0;
	int err = ag_list_take(ag, &bno);

	(void)near;
	*ptr = bno;
	return err ? err : count_list_blocks(ag, t, 1);
}

static int list_release(struct btree *t, u64 ptr)
{
	struct ag *ag = t->arg;
	int err = ag_list_put(ag, (u32)ptr);

	return err ? err : count_list_blocks(ag, t, -1);
}

static const struct owner refcount_owner = {(u64)RMAP_OWN_REFC, 0};

static int space_tree_alloc(struct btree *t, u64 near, u64 *ptr)
{
	struct ag *ag = t->arg;
	u32 bno = 0;
	int err = space_alloc(ag, near == NULL64 ? 0 : (u32)near, &refcount_owner, &bno);

	*ptr = bno;
	return err ? err : ag_count(ag, &ag_agf(ag)->refcount_blocks, 1);
}

static int space_tree_release(struct btree *t, u64 ptr)
{
	struct ag *ag = t->arg;
	int err = space_free(ag, (u32)ptr, 1, &refcount_owner);

	return err ? err : ag_count(ag, &ag_agf(ag)->refcount_blocks, -1);
}

int ag_tree(struct ag *ag, enum meta_id id, struct btree *out)
{
	static const struct btree_store list_store = {root_set, list_alloc, list_release};
	static const struct btree_store space_store = {root_set, space_tree_alloc,
						       space_tree_release};
	const struct root_place *place = place_of(id);

	*out = (struct btree){
	    .txn = ag->txn,
	    .g = &ag->vol->geo,
	    .type = vol_type(ag->vol, id),
	    .store = id == META_REFCOUNTBT ? &space_store : &list_store,
	    .arg = ag,
	    .ag = ag->number,
	    .owner = ag->number,
	    .root = be32_get(*agf_field(ag, place->root)),
	    .levels = be32_get(*agf_field(ag, place->levels)),
	};
	if (!out->levels || out->levels > BTREE_LEVELS_MAX)
		return fail(-EUCLEAN, "agf %u: the %s has %u levels", ag->number, out->type->name,
			    out->levels);
	return 0;
}
