/*
 * Fork maps: every extent and block map block of an inode, in the order of the file.
 *
 * The walk goes down from the inode, with one block held for each level. It enters a block only
 * when level and first key are what the parent says. Keys ascend strictly, so no block is entered
 * twice for one inode and a ring ends at once. A damaged part is left out, and the sums that need
 * all of it are not compared then. Memory does not depend on the number of extents.
 */
#include "meta/forks.h"

#include "format/btree.h"
#include "meta/findings.h"
#include "meta/inode.h"

#include <stdio.h>
#include <sys/stat.h>

/* Directories and attributes count their blocks with 32 bits. */
#define DA_BLOCKS_END (1ull << 32)

struct node {
	struct buf *buf; /* NULL: the root, in the inode */
	const struct bmbt_key *keys;
	const struct be64 *ptrs;
	u32 count, next;
	u64 end; /* the key that ends this part of the tree */
};

/* The last block seen of a level, and the right sibling that it named. */
struct edge {
	u64 seen, right;
};

struct walk {
	struct sweep *sweep;
	const struct inode *inode;
	enum fork_id which;
	bool realtime, shared, directory;
	bool odd;	 /* more to look at than the usual extent has */
	bool any_shared; /* of `shared`: some block is, or may be */
	bool incomplete;
	bool loose;	   /* a run has been found that fewer records could hold */
	struct extent run; /* extents that continue each other, up to the last, as one */
	u32 run_records;
	u64 after; /* where the last extent ended */
	u64 extents, blocks, map_blocks;
	struct edge *edge; /* of each level, where there is a tree */
};

static void name_of(char *name, size_t size, const struct walk *w, u64 index)
{
	snprintf(name, size, "%s extent %llu", w->which == FORK_ATTR ? "attr" : "data",
		 (unsigned long long)index);
}

/* No file can have a byte behind what a signed 64-bit offset reaches. */
static u64 file_end(const struct geometry *g)
{
	return min_u64(FILEOFF_END, 1ull << (63 - g->block_log));
}

/* False when the extent cannot be posted. */
static bool check_extent(struct walk *w, const struct extent *e)
{
	const struct geometry *g = w->sweep->g;
	struct verdict *v = w->sweep->verdict;
	const u64 end = file_end(g);
	bool good = false;
	char name[48];

	name_of(name, sizeof(name), w, w->extents);
	if (!e->count)
		raise_value(v, FOUND(FORK_EXTENT_EMPTY), name, e->off);
	else if (e->off < w->after)
		raise_u64(v, FOUND(FORK_EXTENT_ORDER), name, e->off, w->after);
	else if (w->realtime && (e->start >= g->rt_blocks || e->count > g->rt_blocks - e->start))
		raise_u64(v, FOUND(FORK_RT_OUTSIDE), name, e->start, g->rt_blocks);
	else if (!w->realtime && !fsblock_valid(g, fsblock_of(e->start), e->count))
		raise_value(v, FOUND(FORK_OUTSIDE), name, e->start);
	else if (!w->realtime &&
		 fsblock_bno(g, fsblock_of(e->start)) < geometry_ag_header_blocks(g))
		raise_value(v, FOUND(FORK_IN_HEADERS), name, e->start);
	else if (e->off + e->count > end)
		raise_u64(v, FOUND(FORK_EXTENT_END), name, e->off + e->count, end);
	else
		good = true;
	if (e->unwritten && (w->which == FORK_ATTR || !S_ISREG(w->inode->mode)))
		raise_value(v, FOUND(FORK_UNWRITTEN), name, e->off);
	if (w->directory && e->off + e->count > DA_BLOCKS_END)
		raise_u64(v, FOUND(FORK_EXTENT_END), name, e->off + e->count, DA_BLOCKS_END);
	return good;
}

static void post_extent(struct walk *w, const struct extent *e)
{
	const struct geometry *g = w->sweep->g;
	u64 offset = e->off, ino = w->inode->ino.v;
	u32 ag, bno;

	if (w->realtime) {
		const struct fact rt = {{0, 0, 0, 0}};

		sweep_post_range(w->sweep, ACCOUNT_RT_SPACE, SIDE_LEFT, &rt, e->start, e->count, 1);
		return;
	}
	ag = fsblock_ag(g, fsblock_of(e->start));
	bno = fsblock_bno(g, fsblock_of(e->start));
	if (w->which == FORK_ATTR)
		offset |= OWNER_ATTR;
	if (e->unwritten)
		offset |= OWNER_UNWRITTEN;
	if (w->shared)
		w->any_shared |= sweep_own_shared(w->sweep, ag, bno, (u32)e->count, ino, offset);
	else
		sweep_own(w->sweep, ag, bno, (u32)e->count, ino, offset);
}

/* Extents that continue each other fit into as few records as their length allows. That a map is
 * longer than it need be is said once of a fork, and to who asks. */
static void check_run(struct walk *w, const struct extent *e)
{
	struct extent *run = &w->run;
	char name[48];

	if (!run->count || e->off != run->off + run->count || e->start != run->start + run->count ||
	    e->unwritten != run->unwritten) {
		*run = *e;
		w->run_records = 1;
		return;
	}
	run->count += e->count;
	w->run_records++;
	if (w->loose || w->run_records <= div_up_u64(run->count, EXTENT_COUNT_MAX))
		return;
	w->loose = true;
	name_of(name, sizeof(name), w, w->extents);
	raise_value(w->sweep->verdict, FOUND(FORK_MERGE), name, e->off);
}

static void take_records(struct walk *w, const struct bmbt_rec *recs, u32 count)
{
	const struct geometry *g = w->sweep->g;
	const u64 end = file_end(g);
	struct extent e;

	for (u32 i = 0; i < count; i++) {
		extent_load(&recs[i], &e);
		if (w->odd || e.off < w->after || e.unwritten || e.off + e.count > end ||
		    !fsblock_valid(g, fsblock_of(e.start), e.count) ||
		    fsblock_bno(g, fsblock_of(e.start)) < geometry_ag_header_blocks(g)) {
			if (!check_extent(w, &e)) {
				w->incomplete = true;
				w->extents++;
				continue;
			}
		}
		post_extent(w, &e);
		if (w->sweep->preen)
			check_run(w, &e);
		w->extents++;
		w->blocks += e.count;
		w->after = e.off + e.count;
	}
}

/* A block that has not passed: can it be used all the same, since the checksum alone is wrong? */
static bool usable(const struct walk *w, const struct where *where, const struct buf *buf)
{
	const struct meta_type *type = vol_type(w->sweep->vol, META_BMBT);
	const struct btree_long *h = (const struct btree_long *)buf->data;
	struct verdict quiet = {.where = *where};

	if (be32_get(h->magic) != type->magic || be64_get(h->owner) != where->owner ||
	    be64_get(h->blkno) != where->daddr / 512)
		return false;
	type->rules(&quiet, w->sweep->g, buf->data, buf->size);
	return !verdict_bad(&quiet);
}

static void check_siblings(struct walk *w, struct verdict *v, const struct btree_block *b, u64 ptr)
{
	u64 left = btree_left(b), right = btree_right(b), expected = w->edge[b->level].seen;

	if (!w->incomplete) {
		if (left != expected)
			raise_u64(v, FOUND(FORK_SIBLING), "leftsib", left, expected);
		if (expected != NULL64 && w->edge[b->level].right != ptr)
			raise_u64(v, FOUND(FORK_SIBLING), "leftsib's rightsib",
				  w->edge[b->level].right, ptr);
	}
	w->edge[b->level].seen = ptr;
	w->edge[b->level].right = right;
}

/* Level, keys and fill of a child against what its parent says. False: do not enter. */
static bool check_child(const struct walk *w, struct verdict *v, const struct btree_block *b,
			u32 level, u64 key, u64 end, bool only)
{
	u32 max =
	    b->level ? btree_max_ptrs(b->schema, b->len) : btree_max_records(b->schema, b->len);
	struct btree_key first, last;

	if (b->level != level) {
		raise_u64(v, FOUND(FORK_LEVEL), NULL, b->level, level);
		return false;
	}
	if (b->level) {
		b->schema->key_load(btree_key_at(b, 0, false), &first);
		b->schema->key_load(btree_key_at(b, b->count - 1, false), &last);
	} else {
		b->schema->record_key(btree_record(b, 0), &first);
		b->schema->record_key(btree_record(b, b->count - 1), &last);
	}
	if (first.w[0] != key) {
		raise_u64(v, FOUND(FORK_KEY), NULL, first.w[0], key);
		return false;
	}
	if (last.w[0] >= end) {
		raise_u64(v, FOUND(FORK_NEXT_KEY), NULL, last.w[0], end);
		return false;
	}
	/* a root that did not fit into the inode any more is the one block below it */
	if (b->count < max / 2 && !only)
		raise_u64(v, FOUND(FORK_UNDERFULL), NULL, b->count, max / 2);
	(void)w;
	return true;
}

static struct where block_where(const struct walk *w, u64 ptr)
{
	const struct geometry *g = w->sweep->g;

	return (struct where){.type = vol_type(w->sweep->vol, META_BMBT)->name,
			      .ag = fsblock_ag(g, fsblock_of(ptr)),
			      .ino = w->inode->ino.v,
			      .daddr = fsblock_daddr(g, fsblock_of(ptr)).v,
			      .owner = w->inode->ino.v,
			      .offset = RMAP_OFFSET_BMBT |
					(w->which == FORK_ATTR ? RMAP_OFFSET_ATTR : 0)};
}

/* Reads child i of a node; *out NULL when it cannot be entered. */
static int read_child(struct walk *w, const struct node *parent, u32 i, u32 level, bool only,
		      struct buf **out)
{
	const struct geometry *g = w->sweep->g;
	const struct meta_type *type = vol_type(w->sweep->vol, META_BMBT);
	u64 ptr = be64_get(parent->ptrs[i]), key = be64_get(parent->keys[i].startoff);
	u64 end = i + 1 < parent->count ? be64_get(parent->keys[i + 1].startoff) : parent->end;
	struct where where = block_where(w, ptr);
	const struct cache_range range = {daddr_of(where.daddr), g->block_size};
	enum severity worst;
	struct btree_block b;
	struct verdict v;
	int err = sweep_read(w->sweep, type, &where, &range, 1, out, &worst);

	if (err || !*out)
		return err;
	b = btree_block_of(type->btree, (*out)->data, (*out)->size);
	v = sweep_verdict(w->sweep, &where);
	if ((worst >= SEVERITY_DISAGREES && !usable(w, &where, *out)) ||
	    !check_child(w, &v, &b, level, key, end, only)) {
		cache_put(w->sweep->vol->cache, *out);
		*out = NULL;
		return 0;
	}
	check_siblings(w, &v, &b, ptr);
	sweep_own(w->sweep, where.ag, fsblock_bno(g, fsblock_of(ptr)), 1, w->inode->ino.v,
		  OWNER_BMBT | (w->which == FORK_ATTR ? OWNER_ATTR : 0));
	w->map_blocks++;
	return 0;
}

static void open_node(const struct walk *w, struct node *n, struct buf *buf, u64 end)
{
	const struct meta_type *type = vol_type(w->sweep->vol, META_BMBT);
	struct btree_block b = btree_block_of(type->btree, buf->data, buf->size);

	n->buf = buf;
	n->keys = btree_key_at(&b, 0, false);
	n->ptrs = (const struct be64 *)(n->keys + btree_max_ptrs(type->btree, buf->size));
	n->count = b.count;
	n->next = 0;
	n->end = end;
}

static void take_leaf(struct walk *w, struct buf *buf)
{
	const struct meta_type *type = vol_type(w->sweep->vol, META_BMBT);
	struct btree_block b = btree_block_of(type->btree, buf->data, buf->size);

	take_records(w, btree_record(&b, 0), b.count);
	cache_put(w->sweep->vol->cache, buf);
}

/* Below the root, which has passed the rules of the inode. */
static int walk_tree(struct walk *w, const struct bmap_root *root)
{
	struct node node[BTREE_LEVELS_MAX + 1];
	u32 depth = 1;
	int err = 0;

	node[0] = (struct node){NULL, root->keys, root->ptrs, root->count, 0, FILEOFF_END};
	while (depth && !err) {
		struct node *n = &node[depth - 1];
		u32 i = n->next++, level = root->level - depth;
		struct buf *buf;

		if (i == n->count) {
			cache_put(w->sweep->vol->cache, n->buf);
			depth--;
			continue;
		}
		err = read_child(w, n, i, level, depth == 1 && root->count == 1, &buf);
		if (err || !buf)
			w->incomplete = true;
		else if (level)
			open_node(w, &node[depth++], buf,
				  i + 1 < n->count ? be64_get(n->keys[i + 1].startoff) : n->end);
		else
			take_leaf(w, buf);
	}
	while (depth)
		cache_put(w->sweep->vol->cache, node[--depth].buf);
	return err;
}

static void check_right_edge(const struct walk *w, u32 levels)
{
	for (u32 i = 0; i < levels; i++) {
		struct where where;
		struct verdict v;

		if (w->edge[i].right == NULL64)
			continue;
		where = block_where(w, w->edge[i].seen);
		v = sweep_verdict(w->sweep, &where);
		raise_u64(&v, FOUND(FORK_SIBLING), "rightsib", w->edge[i].right, NULL64);
	}
}

static int walk_fork(struct walk *w)
{
	const struct fork *fork = &w->inode->fork[w->which];
	struct edge edge[BTREE_LEVELS_MAX];
	struct bmap_root root;
	int err;

	if (fork->format == FORMAT_EXTENTS) {
		take_records(w, (const struct bmbt_rec *)fork->data,
			     (u32)min_u64(fork->extents, fork_capacity(fork)));
		return 0;
	}
	if (fork->format != FORMAT_BTREE || !bmap_root_of(fork, &root) || !root.level ||
	    root.level >= BTREE_LEVELS_MAX)
		return 0;
	for (u32 i = 0; i < BTREE_LEVELS_MAX; i++)
		edge[i] = (struct edge){NULL64, NULL64};
	w->edge = edge;
	err = walk_tree(w, &root);
	if (!err && !w->incomplete)
		check_right_edge(w, root.level);
	if (!err && !w->incomplete && w->extents != fork->extents)
		raise_u64(w->sweep->verdict,
			  w->which == FORK_DATA ? FOUND(FORK_NEXTENTS) : FOUND(FORK_ANEXTENTS),
			  NULL, fork->extents, w->extents);
	return err;
}

static bool mapped(const struct inode *inode, enum fork_id which)
{
	const struct fork *fork = &inode->fork[which];

	return fork->size &&
	       (fork->format == FORMAT_BTREE || (fork->format == FORMAT_EXTENTS && fork->extents));
}

int forks_post(struct sweep *sweep, const struct inode *inode)
{
	u64 blocks = 0, rt_blocks = 0;
	bool incomplete = false, any_shared = false;

	for (enum fork_id which = FORK_DATA; which <= FORK_ATTR; which++) {
		bool realtime, directory;
		struct walk w;
		int err;

		if (!mapped(inode, which) || (which == FORK_ATTR && !inode->forkoff))
			continue;
		realtime = which == FORK_DATA && inode_realtime(inode);
		directory = which == FORK_ATTR || S_ISDIR(inode->mode);
		w = (struct walk){.sweep = sweep,
				  .inode = inode,
				  .which = which,
				  .realtime = realtime,
				  .directory = directory,
				  .odd = realtime | directory};
		w.shared = which == FORK_DATA && (inode->flags2 & INODE_FLAG2_REFLINK);
		err = walk_fork(&w);
		if (err)
			return err;
		blocks += w.blocks + w.map_blocks;
		rt_blocks += w.realtime ? w.blocks : 0;
		incomplete |= w.incomplete;
		any_shared |= w.any_shared;
	}
	/* Kernels leave the flag when the other file goes, so this is not for everyone to hear. */
	if (sweep->preen && !incomplete && !any_shared && inode->flags2 & INODE_FLAG2_REFLINK)
		raise_text(sweep->verdict, FOUND(INODE_REFLINK_UNUSED), "flags2", NULL, NULL);
	if (!incomplete && blocks != inode->nblocks)
		raise_u64(sweep->verdict, FOUND(FORK_NBLOCKS), NULL, inode->nblocks, blocks);
	quota_charge(sweep, inode, rt_blocks);
	return 0;
}
