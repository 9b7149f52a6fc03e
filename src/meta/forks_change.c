/*
 * Fork maps in a commit: extents in the inode and in blocks of the map that have become other; see
 * forks.h. Every mapping is space of its owner, whether others share it or not: refcountbt.c takes
 * back what the refcounts allow for.
 */
#include "format/btree.h"
#include "format/inode.h"
#include "meta/forks.h"
#include "meta/tree.h"

static void post_count(struct sweep *sweep, u64 ino, enum file_count what, enum fork_id which,
		       s64 amount)
{
	const struct fact fact = {{ino, (u64)what + (what == FILE_EXTENTS ? which : 0), 0, 0}};

	sweep_post(sweep, ACCOUNT_FILES, SIDE_LEFT, &fact, amount);
}

static void post_extent(struct sweep *sweep, u64 ino, enum fork_id which, const void *record)
{
	const struct geometry *g = sweep->g;
	struct extent e;
	u64 offset;

	extent_load(record, &e);
	if (!e.count)
		return; /* none: the count of extents is one too many then */
	offset =
	    e.off | (which == FORK_ATTR ? OWNER_ATTR : 0) | (e.unwritten ? OWNER_UNWRITTEN : 0);
	sweep_own(sweep, fsblock_ag(g, fsblock_of(e.start)), fsblock_bno(g, fsblock_of(e.start)),
		  (u32)e.count, ino, offset);
	post_count(sweep, ino, FILE_BLOCKS, which, (s64)e.count);
	post_count(sweep, ino, FILE_EXTENTS, which, 1);
}

static void change_extent(struct sweep *sweep, const struct txn_change *c, enum fork_id which,
			  const void *before, const void *after)
{
	sweep->times = -1;
	if (before)
		post_extent(sweep, c->where->ino, which, before);
	sweep->times = 1;
	if (after)
		post_extent(sweep, c->where->ino, which, after);
}

static void changed_data(struct sweep *sweep, const struct txn_change *c, const void *before,
			 const void *after)
{
	change_extent(sweep, c, FORK_DATA, before, after);
}

static void changed_attr(struct sweep *sweep, const struct txn_change *c, const void *before,
			 const void *after)
{
	change_extent(sweep, c, FORK_ATTR, before, after);
}

/* ---- in the inode ---- */

static bool has_fork(const struct inode *inode, enum fork_id which, enum fork_format format)
{
	return inode && inode->fork[which].format == format &&
	       (which == FORK_DATA || inode->forkoff);
}

static struct guard_array extents_of(const struct inode *inode, enum fork_id which)
{
	const struct fork *fork;

	if (!has_fork(inode, which, FORMAT_EXTENTS))
		return (struct guard_array){NULL, 0};
	fork = &inode->fork[which];
	return (struct guard_array){fork->data, (u32)min_u64(fork->extents, fork_capacity(fork))};
}

static struct tree_pointers root_of(const struct inode *inode, enum fork_id which)
{
	struct bmap_root root;

	if (!has_fork(inode, which, FORMAT_BTREE) || !bmap_root_of(&inode->fork[which], &root))
		return (struct tree_pointers){.level = NULL32};
	return (struct tree_pointers){(const u8 *)root.keys, (const u8 *)root.ptrs, root.count,
				      root.level - 1};
}

static u64 extents_counted(const struct inode *inode, enum fork_id which)
{
	return has_fork(inode, which, FORMAT_EXTENTS) || has_fork(inode, which, FORMAT_BTREE)
		   ? inode->fork[which].extents
		   : 0;
}

/* As most forks that come and go: nothing is mapped, and no tree is there. */
static bool maps_nothing(const struct inode *inode, enum fork_id which)
{
	return !has_fork(inode, which, FORMAT_BTREE) && !extents_counted(inode, which);
}

static void change_fork(struct sweep *sweep, const struct txn_change *c, const struct inode *before,
			const struct inode *after, enum fork_id which)
{
	const struct fact counted = {{c->where->ino, (u64)FILE_EXTENTS + which, 0, 0}};
	struct tree_pointers was, is;

	if (maps_nothing(before, which) && maps_nothing(after, which))
		return;
	was = root_of(before, which);
	is = root_of(after, which);
	guard_entries(sweep, c, extents_of(before, which), extents_of(after, which),
		      sizeof(struct bmbt_rec), which == FORK_DATA ? changed_data : changed_attr);
	if (was.count || is.count)
		tree_change_pointers(sweep, vol_type(sweep->vol, META_BMBT), NO_AG, &was, &is);
	guard_amount(sweep, ACCOUNT_FILES, SIDE_RIGHT, &counted, extents_counted(before, which),
		     extents_counted(after, which));
}

void forks_change(struct sweep *sweep, const struct txn_change *c, const struct inode *before,
		  const struct inode *after)
{
	const struct fact blocks = {{c->where->ino, FILE_BLOCKS, 0, 0}};

	change_fork(sweep, c, before, after, FORK_DATA);
	change_fork(sweep, c, before, after, FORK_ATTR);
	guard_amount(sweep, ACCOUNT_FILES, SIDE_RIGHT, &blocks, before ? before->nblocks : 0,
		     after ? after->nblocks : 0);
}

/* ---- blocks of the map ---- */

int forks_change_block(struct sweep *sweep, const struct txn_change *c)
{
	const struct geometry *g = sweep->g;
	bool attr = c->where->offset & RMAP_OFFSET_ATTR;
	u64 linear = c->where->daddr >> g->block_log;
	u32 ag = (u32)(linear / g->ag_blocks), bno = (u32)(linear - (u64)ag * g->ag_blocks);

	if (!c->before != !c->after) {
		sweep->times = c->after ? 1 : -1;
		sweep_own(sweep, ag, bno, 1, c->where->ino, c->where->offset);
		post_count(sweep, c->where->ino, FILE_BLOCKS, attr ? FORK_ATTR : FORK_DATA, 1);
		sweep->times = 1;
	}
	tree_change_block(sweep, c, attr ? changed_attr : changed_data);
	return 0;
}
