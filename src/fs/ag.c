/*
 * One AG inside a transaction; see ag.h.
 *
 * The counters of the AGF that belong to the trees (roots, levels, btreeblks, rmap_blocks,
 * refcount_blocks) and to the free list are kept here and nowhere else.
 */
#include "fs/ag.h"

#include "base/mutate.h"
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

int ag_open_inodes(struct ag *ag)
{
	return ag->agi_buf ? 0 : get_header(ag->vol, ag->txn, META_AGI, ag->number, &ag->agi_buf);
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
	if (!MUTATE(FDBLOCKS))
		sb->fdblocks = be64_make(value);
	return 0;
}

/* Adds to a count of inodes, which is never below zero. */
static int add32(struct be32 *field, s64 amount)
{
	s64 value = (s64)be32_get(*field) + amount;

	*field = be32_make((u32)value);
	return value < 0 || value > (s64)NULL32 ? -EUCLEAN : 0;
}

static int add64(struct be64 *field, s64 amount)
{
	s64 value = (s64)(be64_get(*field) + (u64)amount);

	*field = be64_make((u64)value);
	return value < 0 ? -EUCLEAN : 0;
}

int ag_count_inodes(struct ag *ag, s64 inodes, s64 unused)
{
	struct txn_buf *buf;
	struct sb *sb;
	int err = ag_super(ag->vol, ag->txn, &buf);

	if (err)
		return err;
	sb = (struct sb *)buf->data;
	txn_dirty(ag->txn, buf);
	txn_dirty(ag->txn, ag->agi_buf);
	if (add32(&ag_agi(ag)->count, MUTATE(AGI_COUNT) ? 0 : inodes) ||
	    add32(&ag_agi(ag)->freecount, MUTATE(AGI_FREECOUNT) ? 0 : unused) ||
	    add64(&sb->icount, MUTATE(SB_ICOUNT) ? 0 : inodes) ||
	    add64(&sb->ifree, MUTATE(SB_IFREE) ? 0 : unused))
		return fail(-EUCLEAN, "agi %u: more inodes go than there are", ag->number);
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
	if (!MUTATE(LIST_TAKE_COUNT))
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
	if (!MUTATE(LIST_PUT_SLOT))
		slot_of(ag, last)->bno = be32_make(bno);
	agf->fllast = be32_make(last);
	agf->flcount = be32_make(be32_get(agf->flcount) + 1);
	return 0;
}

/* ---- the trees ---- */

struct root_place {
	enum meta_id id;
	bool inodes; /* in the AGI, not the AGF */
	size_t root, levels;
};

static const struct root_place root_places[] = {
    {META_BNOBT, false, offsetof(struct agf, roots[AGF_BNO]),
     offsetof(struct agf, levels[AGF_BNO])},
    {META_CNTBT, false, offsetof(struct agf, roots[AGF_CNT]),
     offsetof(struct agf, levels[AGF_CNT])},
    {META_RMAPBT, false, offsetof(struct agf, roots[AGF_RMAP]),
     offsetof(struct agf, levels[AGF_RMAP])},
    {META_REFCOUNTBT, false, offsetof(struct agf, refcount_root),
     offsetof(struct agf, refcount_level)},
    {META_INOBT, true, offsetof(struct agi, root), offsetof(struct agi, level)},
    {META_FINOBT, true, offsetof(struct agi, free_root), offsetof(struct agi, free_level)},
};

static const struct root_place *place_of(enum meta_id id)
{
	u32 i = 0;

	while (root_places[i].id != id)
		i++;
	return &root_places[i];
}

static struct txn_buf *header_of(struct ag *ag, const struct root_place *place)
{
	return place->inodes ? ag->agi_buf : ag->agf_buf;
}

static struct be32 *header_field(struct ag *ag, const struct root_place *place, size_t offset)
{
	return (struct be32 *)(header_of(ag, place)->data + offset);
}

static int root_set(struct btree *t)
{
	struct ag *ag = t->arg;
	const struct root_place *place = place_of(t->type->id);

	txn_dirty(ag->txn, header_of(ag, place));
	if (MUTATE(ROOT))
		return 0;
	*header_field(ag, place, place->root) = be32_make((u32)t->root);
	*header_field(ag, place, place->levels) = be32_make(t->levels);
	return 0;
}

static int count_list_blocks(struct ag *ag, const struct btree *t, s64 amount)
{
	struct agf *agf = ag_agf(ag);
	int err = MUTATE(BTREEBLKS) ? 0 : ag_count(ag, &agf->btreeblks, amount);

	if (!err && t->type->id == META_RMAPBT && !MUTATE(RMAP_BLOCKS))
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
static const struct owner inobt_owner = {(u64)RMAP_OWN_INOBT, 0};

/* The trees of inodes and of reference counts live in free space, and are counted by the header. */
static int count_space_blocks(struct btree *t, s64 amount)
{
	struct ag *ag = t->arg;

	if (t->type->id == META_REFCOUNTBT)
		return MUTATE(REFCOUNT_BLOCKS) ? 0
					       : ag_count(ag, &ag_agf(ag)->refcount_blocks, amount);
	if (!geometry_has(&ag->vol->geo, FEATURE_INOBTCOUNT) || MUTATE(INOBT_BLOCKS))
		return 0;
	txn_dirty(ag->txn, ag->agi_buf);
	if (add32(t->type->id == META_INOBT ? &ag_agi(ag)->iblocks : &ag_agi(ag)->fblocks, amount))
		return fail(-EUCLEAN, "agi %u: more blocks of the %s go than there are", ag->number,
			    t->type->name);
	return 0;
}

static const struct owner *tree_owner(const struct btree *t)
{
	return t->type->id == META_REFCOUNTBT ? &refcount_owner : &inobt_owner;
}

static int space_tree_alloc(struct btree *t, u64 near, u64 *ptr)
{
	struct ag *ag = t->arg;
	u32 bno = 0;
	int err = space_alloc(ag, near == NULL64 ? 0 : (u32)near, tree_owner(t), &bno);

	*ptr = bno;
	return err ? err : count_space_blocks(t, 1);
}

static int space_tree_release(struct btree *t, u64 ptr)
{
	struct ag *ag = t->arg;
	int err = space_free(ag, (u32)ptr, 1, tree_owner(t));

	if (!err && ag->vol->pool)
		err = space_pool_put(ag->vol->pool, (u32)ptr, 1);
	return err ? err : count_space_blocks(t, -1);
}

static bool from_list(enum meta_id id)
{
	return id == META_BNOBT || id == META_CNTBT || id == META_RMAPBT;
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
	    .store = from_list(id) ? &list_store : &space_store,
	    .arg = ag,
	    .ag = ag->number,
	    .owner = ag->number,
	    .root = be32_get(*header_field(ag, place, place->root)),
	    .levels = be32_get(*header_field(ag, place, place->levels)),
	};
	if (!out->levels || out->levels > BTREE_LEVELS_MAX)
		return fail(-EUCLEAN, "AG %u: the %s has %u levels", ag->number, out->type->name,
			    out->levels);
	return 0;
}
