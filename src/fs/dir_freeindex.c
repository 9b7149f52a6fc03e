/*
 * The free index of a directory with many data blocks: for each the longest free run in it, so that
 * a place for a name is found without looking at them.
 *
 * Data block n is in free-index block n / dir_free_max. Blocks of the index that speak of no data
 * block are given back; nvalid is never longer than it has to be.
 */
#include "base/mutate.h"
#include "base/trail.h"
#include "fs/dir_impl.h"

#include <errno.h>

static u64 offset_of(const struct da_op *op, u64 index)
{
	return op->g->dir_free_off + index * op->g->dir_fsblocks;
}

static struct be16 *bests_of(struct txn_buf *buf)
{
	return (struct be16 *)((struct dir_free *)buf->data + 1);
}

static int make(struct da_op *op, u64 index, struct txn_buf **buf)
{
	int err = da_block_new(op, META_DIRFREE, offset_of(op, index), buf);

	if (!err)
		((struct dir_free *)(*buf)->data)->firstdb =
		    be32_make((u32)(index * dir_free_max(op->g->dir_block_size)));
	return err;
}

static void put(struct txn_buf *buf, u32 slot, u32 best)
{
	struct dir_free *f = (struct dir_free *)buf->data;
	struct be16 *bests = bests_of(buf);
	u32 valid = be32_get(f->nvalid), used = be32_get(f->nused);

	while (valid <= slot)
		bests[valid++] = be16_make(DIR_NO_BEST);
	used -= be16_get(bests[slot]) != DIR_NO_BEST;
	used += best != DIR_NO_BEST;
	bests[slot] = be16_make((u16)best);
	while (valid && be16_get(bests[valid - 1]) == DIR_NO_BEST)
		bests[--valid] = be16_make(0);
	f->nvalid = be32_make(valid);
	f->nused = be32_make(used);
}

int dir_free_set(struct da_op *op, u64 db, u32 best)
{
	u32 per = dir_free_max(op->g->dir_block_size);
	u64 index = db / per;
	struct txn_buf *buf;
	int err = da_block_get(op, META_DIRFREE, offset_of(op, index), &buf);

	if (err == -ENOENT)
		err = best == DIR_NO_BEST
			  ? fail(-EUCLEAN, "directory %llu: no free index block %llu",
				 (unsigned long long)op->ino.v, (unsigned long long)index)
			  : make(op, index, &buf);
	if (err)
		return err;
	if (!MUTATE(FREE_INDEX))
		put(buf, (u32)(db % per), best);
	if (be32_get(((struct dir_free *)buf->data)->nused))
		return 0;
	return da_block_free(op, offset_of(op, index), buf);
}

struct search {
	const struct da_op *op;
	u32 need;
	u64 db, hole, next; /* found; the first that is not there; behind all that was seen */
	bool found;
	int err;
};

static int look(void *arg, const struct da_place *place)
{
	struct search *s = arg;
	const struct geometry *g = s->op->g;
	u32 per = dir_free_max(g->dir_block_size), count;
	u64 index = (place->off - g->dir_free_off) / g->dir_fsblocks;
	const struct meta_type *type = vol_type(s->op->vol, META_DIRFREE);
	const struct dir_best *bests;
	struct inode inode;
	struct where where;
	struct buf *buf;

	da_parse(s->op, &inode);
	where = da_where(g, &inode, type, place);
	s->err =
	    cache_get_ranges(s->op->view.cache, type, &where, place->range, place->count, &buf);
	if (s->err)
		return 1;
	bests = dir_free_bests(buf->data);
	count = dir_free_count(buf->data, buf->size);
	if (s->hole == NULL64 && index * per > s->next)
		s->hole = s->next;
	for (u32 i = 0; i < count; i++) {
		u32 best = be16_get(bests[i].best);

		if (best == DIR_NO_BEST && s->hole == NULL64)
			s->hole = index * per + i;
		if (best != DIR_NO_BEST && best >= s->need) {
			s->db = index * per + i;
			s->found = true;
			break;
		}
	}
	s->next = index * per + count;
	cache_put(s->op->view.cache, buf);
	return s->found;
}

int dir_free_find(struct da_op *op, u32 need, u64 *db)
{
	struct search s = {.op = op, .need = need, .hole = NULL64};
	struct inode inode;
	int err;

	da_parse(op, &inode);
	err =
	    da_place_each(&op->view, &inode, FORK_DATA, op->g->dir_free_off, FILEOFF_END, look, &s);
	if (s.err || err < 0)
		return s.err ? s.err : err;
	*db = s.found ? s.db : s.hole == NULL64 ? s.next : s.hole;
	return s.found ? 0 : -ENOENT;
}
