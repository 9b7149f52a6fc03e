/*
 * Fork maps, for reading; see fork.h.
 *
 * A btree map is walked by descending from the inode for each leaf, never by sibling pointers, so
 * damage there does not matter here. Every step goes one level down and every next leaf begins
 * behind the last one, so a walk ends whatever the blocks say. A leaf is held while its records are
 * handed out. Each block has passed the rules of its type; what only the inode knows (is it
 * realtime, where the filesystem ends) is checked here.
 */
#include "fs/fork.h"

#include "base/trail.h"
#include "format/btree.h"
#include "fs/health.h"

#include <errno.h>

/* A run of records that follow one another in the file. */
struct leaf {
	const struct bmbt_rec *recs;
	u32 count;
	u64 next; /* the first offset that the records behind these have; FILEOFF_END: none */
	struct buf *buf;
};

static int bad(const struct inode *inode, enum fork_id which, const char *what, u64 value)
{
	int err = fail(-EUCLEAN, "inode %llu: %s fork: %s %llu", (unsigned long long)inode->ino.v,
		       which == FORK_ATTR ? "attribute" : "data", what, (unsigned long long)value);

	health_blame(err, which == FORK_ATTR ? SCRUB_BMBTA : SCRUB_BMBTD, NO_AG, inode->ino.v);
	return err;
}

/* The last entry of `count` ascending keys that is not above off; 0 if all are. */
static u32 key_index(const struct bmbt_key *keys, u32 count, u64 off)
{
	u32 low = 0, high = count;

	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (be64_get(keys[middle].startoff) <= off)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void note_next(const struct bmbt_key *keys, u32 count, u32 index, u64 *next)
{
	if (index + 1 < count)
		*next = min_u64(*next, be64_get(keys[index + 1].startoff));
}

static int read_block(struct vol *vol, const struct inode *inode, enum fork_id which, u64 ptr,
		      u32 level, struct buf **out)
{
	const struct geometry *g = &vol->geo;
	const struct meta_type *type = vol_type(vol, META_BMBT);
	struct fsblock block = fsblock_of(ptr);
	struct where where = {.type = type->name, .ino = inode->ino.v, .owner = inode->ino.v};
	u32 stored;
	int err;

	if (!fsblock_valid(g, block, 1))
		return bad(inode, which, "the block map points outside the filesystem, to block",
			   ptr);
	where.ag = fsblock_ag(g, block);
	where.daddr = fsblock_daddr(g, block).v;
	err = cache_get(vol->cache, type, &where, fsblock_daddr(g, block), g->block_size, out);
	if (err)
		return fail_in(err, "inode %llu", (unsigned long long)inode->ino.v);
	stored = be16_get(((const struct btree_long *)(*out)->data)->level);
	if (stored == level)
		return 0;
	cache_put(vol->cache, *out);
	return bad(inode, which, "the block map has the wrong level in block", ptr);
}

/* From the root to the leaf that holds off, or would. */
static int descend(struct vol *vol, const struct inode *inode, enum fork_id which, u64 off,
		   struct leaf *leaf)
{
	const struct btree_schema *schema = vol_type(vol, META_BMBT)->btree;
	struct bmap_root root;
	struct buf *buf = NULL;
	u64 ptr;
	u32 i;
	int err;

	if (!bmap_root_of(&inode->fork[which], &root) || !root.count ||
	    root.count != root.numrecs || !root.level || root.level >= BTREE_LEVELS_MAX)
		return bad(inode, which, "the root of the block map is damaged, level", root.level);
	i = key_index(root.keys, root.count, off);
	note_next(root.keys, root.count, i, &leaf->next);
	ptr = be64_get(root.ptrs[i]);
	for (u32 level = root.level; level--;) {
		struct btree_block b;

		err = read_block(vol, inode, which, ptr, level, &buf);
		if (err)
			return err;
		b = btree_block_of(schema, buf->data, buf->size);
		if (!level) {
			leaf->recs = btree_record(&b, 0);
			leaf->count = b.count;
			leaf->buf = buf;
			return 0;
		}
		i = key_index(btree_key_at(&b, 0, false), b.count, off);
		note_next(btree_key_at(&b, 0, false), b.count, i, &leaf->next);
		ptr = btree_ptr(&b, i);
		cache_put(vol->cache, buf);
	}
	return 0;
}

/* The records around off. */
static int leaf_get(struct vol *vol, const struct inode *inode, enum fork_id which, u64 off,
		    struct leaf *leaf)
{
	const struct fork *fork = &inode->fork[which];

	*leaf = (struct leaf){.next = FILEOFF_END};
	if (!fork->size || (fork->format != FORMAT_EXTENTS && fork->format != FORMAT_BTREE))
		return 0; /* nothing is mapped */
	if (fork->format == FORMAT_BTREE)
		return descend(vol, inode, which, off, leaf);
	if (fork->extents > fork_capacity(fork))
		return bad(inode, which, "more extents than fit into the inode:", fork->extents);
	leaf->recs = (const struct bmbt_rec *)fork->data;
	leaf->count = (u32)fork->extents;
	return 0;
}

/* What must hold of an extent before anyone uses it; `after` is where the one before ended. */
static int check_extent(const struct vol *vol, const struct inode *inode, enum fork_id which,
			const struct extent *e, u64 after)
{
	const struct geometry *g = &vol->geo;

	if (!e->count || e->off < after || e->off + e->count > FILEOFF_END)
		return bad(inode, which, "an extent is empty or out of order at offset", e->off);
	if (which == FORK_DATA && inode_realtime(inode)) {
		if (e->start >= g->rt_blocks || e->count > g->rt_blocks - e->start)
			return bad(inode, which,
				   "an extent lies outside the realtime section, at block",
				   e->start);
	} else if (!fsblock_valid(g, fsblock_of(e->start), e->count)) {
		return bad(inode, which, "an extent lies outside its AG, at block", e->start);
	}
	return 0;
}

/* Index of the first record that ends behind off. */
static u32 first_behind(const struct leaf *leaf, u64 off)
{
	u32 low = 0, high = leaf->count;
	struct extent e;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		extent_load(&leaf->recs[middle], &e);
		if (e.off + e.count <= off)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int fork_lookup(struct vol *vol, const struct inode *inode, enum fork_id which, struct fileoff off,
		struct extent *out)
{
	struct leaf leaf;
	struct extent e;
	u32 i;
	int err;

	if (off.v >= FILEOFF_END)
		return fail(-EINVAL, "inode %llu: offset %llu is beyond any file",
			    (unsigned long long)inode->ino.v, (unsigned long long)off.v);
	err = leaf_get(vol, inode, which, off.v, &leaf);
	if (err)
		return err;
	*out = (struct extent){.off = off.v, .start = NULL64, .count = leaf.next - off.v};
	i = first_behind(&leaf, off.v);
	if (i < leaf.count) {
		extent_load(&leaf.recs[i], &e);
		err = check_extent(vol, inode, which, &e, 0);
		if (e.off <= off.v)
			*out = e;
		else
			out->count = e.off - off.v;
	}
	cache_put(vol->cache, leaf.buf);
	return err;
}

static int each_in_leaf(struct vol *vol, const struct inode *inode, enum fork_id which,
			const struct leaf *leaf, u64 *from,
			int (*fn)(void *arg, const struct extent *extent), void *arg)
{
	struct extent e;
	u64 after = 0;
	int err;

	for (u32 i = first_behind(leaf, *from); i < leaf->count; i++) {
		extent_load(&leaf->recs[i], &e);
		err = check_extent(vol, inode, which, &e, after);
		if (!err)
			err = fn(arg, &e);
		if (err)
			return err;
		after = e.off + e.count;
	}
	*from = max_u64(*from, after);
	return 0;
}

int fork_each(struct vol *vol, const struct inode *inode, enum fork_id which, struct fileoff from,
	      int (*fn)(void *arg, const struct extent *extent), void *arg)
{
	u64 at = from.v;

	while (at < FILEOFF_END) {
		struct leaf leaf;
		int err = leaf_get(vol, inode, which, at, &leaf);

		if (err)
			return err;
		err = each_in_leaf(vol, inode, which, &leaf, &at, fn, arg);
		cache_put(vol->cache, leaf.buf);
		if (err)
			return err;
		if (leaf.next < at)
			return bad(inode, which,
				   "the block map has an extent that reaches behind key",
				   leaf.next);
		at = leaf.next;
	}
	return 0;
}
