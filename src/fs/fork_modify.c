/*
 * Changing the map of a fork; see fork_modify.h.
 *
 * Above, extents are found and changed by their file offset, whatever the format; below, the two
 * formats keep their records.  The count of extents in the inode decides the format: as many as fit
 * are kept in the inode.
 *
 * The inode is decoded anew for each step, so there is one truth: its bytes in the transaction.
 */
#include "fs/fork_modify.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "fs/health.h"
#include "fs/rmap_modify.h"

#include <errno.h>

/* One that the transaction has already has been verified when it came in, and will be when it goes;
 * NULL: it has not, or it is free. */
static struct txn_buf *in_hand(struct vol *vol, struct txn *txn, struct inum ino)
{
	const struct geometry *g = &vol->geo;
	u32 ag = inum_ag(g, ino), agino = inum_agino(g, ino), bno, blocks, offset;
	struct txn_buf *whole, *part;

	if (!inum_valid(g, ino))
		return NULL;
	inode_cluster(g, ag, agino, &bno, &blocks);
	offset = (agino - (bno << g->inopb_log)) << g->inode_log;
	whole = txn_known(txn, agblock_daddr(g, ag, bno));
	part =
	    whole && whole->size == blocks << g->block_log ? txn_known_part(whole, offset) : NULL;
	return part && part->type->id == META_INODE &&
		       be16_get(((const struct dinode *)part->data)->mode)
		   ? part
		   : NULL;
}

int inode_edit(struct vol *vol, struct txn *txn, struct inum ino, struct txn_buf **out)
{
	const struct meta_type *type = vol_type(vol, META_INODE), *all = vol_type(vol, META_INODES);
	const struct geometry *g = &vol->geo;
	struct where where = {.type = type->name, .ino = ino.v, .owner = ino.v}, cluster;
	struct vol view = vol_in(vol, txn);
	struct txn_buf *whole;
	struct inode inode;
	u32 offset;
	int err = health_may_change(vol, ino.v);

	*out = err ? NULL : in_hand(vol, txn, ino);
	if (err || *out)
		return err;
	err = inode_get(&view, ino, &inode);
	if (err)
		return err;
	where.ag = inum_ag(g, ino);
	offset = (u32)(inode.raw - inode.buf->data);
	where.daddr = inode.buf->at.v + offset;
	cluster = (struct where){.type = all->name,
				 .ag = where.ag,
				 .ino = NO_INO,
				 .daddr = inode.buf->at.v,
				 .owner = NO_OWNER};
	err = txn_get_whole(txn, all, &cluster, inode.buf->at, inode.buf->size, &whole);
	inode_put(&view, &inode);
	/* A neighbour's change has brought it into the view, where no checksum is looked at. */
	if (!err && !whole->fresh && !txn_known_part(whole, offset)) {
		err = inode_get(vol, ino, &inode);
		inode_put(vol, &inode);
	}
	return err ? err : txn_part(txn, whole, type, &where, offset, g->inode_size, out);
}

static void decode(const struct fork_edit *f, struct inode *inode)
{
	inode_parse(&f->vol->geo, f->ino, f->buf->data, inode);
}

static struct fork fork_of(const struct fork_edit *f)
{
	struct inode inode;

	decode(f, &inode);
	return inode.fork[f->which];
}

static struct dinode *core(struct fork_edit *f)
{
	txn_dirty(f->txn, f->buf);
	return (struct dinode *)f->buf->data;
}

/* Where the fork begins in the inode's bytes, to write there. */
static u8 *fork_bytes(struct fork_edit *f, const struct fork *fork)
{
	txn_dirty(f->txn, f->buf);
	return f->buf->data + (fork->data - f->buf->data);
}

static int count_blocks(struct fork_edit *f, s64 blocks)
{
	struct dinode *d = core(f);
	u64 value = be64_get(d->nblocks) + (u64)blocks;

	if (MUTATE(NBLOCKS))
		return 0;
	if ((s64)value < 0)
		return fail(-EUCLEAN, "inode %llu: more blocks are unmapped than it has",
			    (unsigned long long)f->ino.v);
	d->nblocks = be64_make(value);
	return 0;
}

static int count_extents(struct fork_edit *f, s64 extents)
{
	struct dinode *d = core(f);
	struct dinode64 *d64 = (struct dinode64 *)d;
	bool large = be64_get(d->flags2) & INODE_FLAG2_NREXT64, data = f->which == FORK_DATA;
	u64 value = fork_of(f).extents + (u64)extents;
	u64 max = data	  ? large ? NEXTENTS_MAX_LARGE : NEXTENTS_MAX_SMALL
		  : large ? ANEXTENTS_MAX_LARGE
			  : ANEXTENTS_MAX_SMALL;

	if (MUTATE(NEXTENTS))
		return 0;
	if (value > max)
		return fail(-EFBIG, "inode %llu: too many extents", (unsigned long long)f->ino.v);
	if (data && large)
		d64->big_nextents = be64_make(value);
	else if (data)
		d->nextents = be32_make((u32)value);
	else if (large)
		d64->big_anextents = be32_make((u32)value);
	else
		d->anextents = be16_make((u16)value);
	return 0;
}

static void set_format(struct fork_edit *f, enum fork_format format)
{
	struct dinode *d = core(f);

	*(f->which == FORK_DATA ? &d->format : &d->aformat) = (u8)format;
}

/* ---- blocks of the map ---- */

/* A block near another, or in the inode's AG, or anywhere. */
static int alloc_block(struct fork_edit *f, u64 near, const struct owner *owner, u64 *ptr)
{
	const struct geometry *g = &f->vol->geo;
	u32 first = near == NULL64 ? inum_ag(g, f->ino) : fsblock_ag(g, fsblock_of(near)), bno = 0;
	const struct space_want want = {.near =
					    near == NULL64 ? 0 : fsblock_bno(g, fsblock_of(near)),
					.least = 1,
					.most = 1,
					.leaves = true};
	u32 blocks, fenced = 0;
	int err = -ENOSPC;

	for (u32 i = 0; i < g->ag_count && err == -ENOSPC; i++) {
		u32 number = (first + i) % g->ag_count;
		struct ag ag;

		if (health_fenced(f->vol, number)) {
			fenced++;
			continue;
		}
		err = ag_open(f->vol, f->txn, number, &ag);
		if (!err && !be32_get(ag_agf(&ag)->freeblks))
			err = fail(-ENOSPC, "no free block");
		if (!err)
			err = space_take(&ag, &want, owner, &bno, &blocks);
		if (!err)
			*ptr = fsblock_make(g, number, bno).v;
	}
	return fenced == g->ag_count ? health_refuse(first) : err;
}

static int map_alloc(struct btree *t, u64 near, u64 *ptr)
{
	struct fork_edit *f = t->arg;
	const struct owner owner = {f->ino.v, RMAP_OFFSET_BMBT |
						  (f->which == FORK_ATTR ? RMAP_OFFSET_ATTR : 0)};
	int err = alloc_block(f, near, &owner, ptr);

	return err ? err : count_blocks(f, 1);
}

static int map_release(struct btree *t, u64 ptr)
{
	struct fork_edit *f = t->arg;
	int err = count_blocks(f, -1);

	return err || MUTATE(BMBT_NOT_FREED) ? err : f->unused(f->arg, ptr, 1);
}

static void map_tree(struct fork_edit *f, struct btree *out)
{
	static const struct btree_store store = {NULL, map_alloc, map_release};
	struct fork fork = fork_of(f);
	const struct bmdr *root = (const struct bmdr *)fork.data;

	*out = (struct btree){
	    .txn = f->txn,
	    .g = &f->vol->geo,
	    .type = vol_type(f->vol, META_BMBT),
	    .store = &store,
	    .arg = f,
	    .ag = NO_AG,
	    .owner = f->ino.v,
	    .offset = RMAP_OFFSET_BMBT | (f->which == FORK_ATTR ? RMAP_OFFSET_ATTR : 0),
	    .root = NULL64,
	    .levels = fork.size < sizeof(*root) ? 0 : be16_get(root->level) + 1u,
	    .root_buf = f->buf,
	    .root_at = (u32)(fork.data - f->buf->data),
	    .root_size = fork.size,
	};
}

/* ---- records, in either format ---- */

#define EXTENT_UNWRITTEN (1ull << 63)

static struct bmbt_rec record_of(const struct extent *given)
{
	struct extent changed = *given, *e = &changed;

	if (MUTATE(EXTENT_START))
		e->start++;
	if (MUTATE(EXTENT_LENGTH))
		e->count++;
	return (struct bmbt_rec){
	    be64_make((e->unwritten ? EXTENT_UNWRITTEN : 0) | e->off << 9 |
		      e->start >> (EXTENT_START_BITS - 9)),
	    be64_make(e->start << EXTENT_COUNT_BITS | e->count),
	};
}

/* How many records of the inode begin at off or before it. */
static u32 inline_index(const struct fork *fork, u64 off)
{
	const struct bmbt_rec *recs = (const struct bmbt_rec *)fork->data;
	u32 i = 0;
	struct extent e;

	while (i < fork->extents) {
		extent_load(&recs[i], &e);
		if (e.off > off)
			break;
		i++;
	}
	return i;
}

static int check_format(const struct fork_edit *f, const struct fork *fork)
{
	if (fork->format == FORMAT_BTREE ||
	    (fork->format == FORMAT_EXTENTS && fork->extents <= fork_capacity(fork)))
		return 0;
	return fail(-EUCLEAN, "inode %llu: the fork has no map that could be changed",
		    (unsigned long long)f->ino.v);
}

/* Keys of nodes may lie. */
static int out_of_order(const struct fork_edit *f, u64 off)
{
	return fail(-EUCLEAN, "inode %llu: the block map is out of order at offset %llu",
		    (unsigned long long)f->ino.v, (unsigned long long)off);
}

/* The last extent that begins at off or before it; -ENOENT. */
static int find_le(struct fork_edit *f, u64 off, struct extent *out)
{
	const struct btree_key key = {{off, 0, 0}};
	struct fork fork = fork_of(f);
	struct bmbt_rec record;
	struct btree t;
	int err = check_format(f, &fork);
	u32 i;

	if (err)
		return err;
	if (fork.format == FORMAT_EXTENTS) {
		i = inline_index(&fork, off);
		if (!i)
			return -ENOENT;
		extent_load((const struct bmbt_rec *)fork.data + i - 1, out);
		return 0;
	}
	map_tree(f, &t);
	err = btree_find_le(&t, &key, &record);
	if (err)
		return err;
	extent_load(&record, out);
	return out->off > off ? out_of_order(f, off) : 0;
}

/* The first extent that begins behind off; -ENOENT. */
static int find_behind(struct fork_edit *f, u64 off, struct extent *out)
{
	const struct btree_key key = {{off + 1, 0, 0}};
	struct fork fork = fork_of(f);
	struct bmbt_rec record;
	struct btree t;
	int err = check_format(f, &fork);
	u32 i;

	if (err)
		return err;
	if (fork.format == FORMAT_EXTENTS) {
		i = inline_index(&fork, off);
		if (i == fork.extents)
			return -ENOENT;
		extent_load((const struct bmbt_rec *)fork.data + i, out);
		return 0;
	}
	map_tree(f, &t);
	err = btree_find_ge(&t, &key, &record);
	if (err)
		return err;
	extent_load(&record, out);
	return out->off <= off ? out_of_order(f, off) : 0;
}

/* The inode has no room for one more: its records go to a block. */
static int to_btree(struct fork_edit *f)
{
	struct fork fork = fork_of(f);
	struct bmbt_rec recs[2048 / sizeof(struct bmbt_rec)];
	u32 count = (u32)fork.extents;
	struct btree t;
	u64 ptr = 0;
	int err;

	if (count > ARRAY_COUNT(recs))
		return fail(-EUCLEAN, "inode %llu: %u extents in the inode",
			    (unsigned long long)f->ino.v, count);
	memcpy(recs, fork.data, count * sizeof(*recs));
	memset(fork_bytes(f, &fork), 0, fork.size);
	set_format(f, FORMAT_BTREE);
	map_tree(f, &t);
	err = map_alloc(&t, NULL64, &ptr);
	return err ? err : btree_inline_root_new(&t, ptr, recs, count);
}

/* So few are left that they fit into the inode. */
static int to_extents(struct fork_edit *f)
{
	struct bmbt_rec recs[2048 / sizeof(struct bmbt_rec)];
	struct fork fork = fork_of(f);
	struct btree t;
	u32 count;
	int err;

	map_tree(f, &t);
	err = btree_inline_root_end(&t, recs, ARRAY_COUNT(recs), &count);
	if (err)
		return err;
	if (count != fork.extents || count > fork_capacity(&fork))
		return fail(-EUCLEAN, "inode %llu: the block map has %u extents, not %llu",
			    (unsigned long long)f->ino.v, count, (unsigned long long)fork.extents);
	memset(fork_bytes(f, &fork), 0, fork.size);
	memcpy(fork_bytes(f, &fork), recs, count * sizeof(*recs));
	set_format(f, FORMAT_EXTENTS);
	return 0;
}

static int insert(struct fork_edit *f, const struct extent *e)
{
	const struct bmbt_rec record = record_of(e);
	struct fork fork = fork_of(f);
	struct btree t;
	int err = check_format(f, &fork);

	if (!err && fork.format == FORMAT_EXTENTS && fork.extents == fork_capacity(&fork)) {
		err = to_btree(f);
		fork = fork_of(f);
	}
	if (err)
		return err;
	if (fork.format == FORMAT_EXTENTS) {
		struct bmbt_rec *recs = (struct bmbt_rec *)fork_bytes(f, &fork);
		u32 i = inline_index(&fork, e->off);

		memmove(recs + i + 1, recs + i, (fork.extents - i) * sizeof(*recs));
		recs[i] = record;
	} else {
		map_tree(f, &t);
		err = btree_insert(&t, &record);
	}
	return err ? err : count_extents(f, 1);
}

/* The extent that begins at off. */
static int delete (struct fork_edit *f, u64 off)
{
	const struct btree_key key = {{off, 0, 0}};
	struct fork fork = fork_of(f);
	struct btree t;
	int err = check_format(f, &fork);

	if (err)
		return err;
	if (fork.format == FORMAT_EXTENTS) {
		struct bmbt_rec *recs = (struct bmbt_rec *)fork_bytes(f, &fork);
		u32 i = inline_index(&fork, off);

		memmove(recs + i - 1, recs + i, (fork.extents - i) * sizeof(*recs));
		memset(recs + fork.extents - 1, 0, sizeof(*recs));
		return count_extents(f, -1);
	}
	map_tree(f, &t);
	err = btree_delete(&t, &key);
	if (!err)
		err = count_extents(f, -1);
	fork = fork_of(f);
	if (!err && fork.extents <= fork_capacity(&fork))
		err = to_extents(f);
	return err;
}

static int replace(struct fork_edit *f, u64 off, const struct extent *e)
{
	const struct btree_key key = {{off, 0, 0}};
	const struct bmbt_rec record = record_of(e);
	struct fork fork = fork_of(f);
	struct btree t;
	int err = check_format(f, &fork);

	if (err)
		return err;
	if (fork.format == FORMAT_EXTENTS) {
		memcpy(fork_bytes(f, &fork) + (inline_index(&fork, off) - 1) * sizeof(record),
		       &record, sizeof(record));
		return 0;
	}
	map_tree(f, &t);
	return btree_replace(&t, &key, &record);
}

/* ---- extents ---- */

static bool realtime(const struct fork_edit *f)
{
	struct inode inode;

	decode(f, &inode);
	return f->which == FORK_DATA && inode_realtime(&inode);
}

static int check_extent(const struct fork_edit *f, const struct extent *e)
{
	const struct geometry *g = &f->vol->geo;
	bool good = e->count && e->count <= EXTENT_COUNT_MAX && e->off < FILEOFF_END &&
		    e->count <= FILEOFF_END - e->off;

	if (good && realtime(f))
		good = e->start < g->rt_blocks && e->count <= g->rt_blocks - e->start;
	else if (good)
		good = fsblock_valid(g, fsblock_of(e->start), e->count);
	return good ? 0
		    : fail(-EUCLEAN, "inode %llu: extent at offset %llu, block %llu, %llu blocks",
			   (unsigned long long)f->ino.v, (unsigned long long)e->off,
			   (unsigned long long)e->start, (unsigned long long)e->count);
}

/* The reverse map's side of it. */
static int owns(struct fork_edit *f, const struct extent *e, bool maps)
{
	const struct geometry *g = &f->vol->geo;
	const struct owner owner = {f->ino.v, e->off |
						  (f->which == FORK_ATTR ? RMAP_OFFSET_ATTR : 0) |
						  (e->unwritten ? RMAP_OFFSET_UNWRITTEN : 0)};
	struct ag ag;
	u32 bno;
	int err;

	if (realtime(f) || !geometry_has(g, FEATURE_RMAPBT) || MUTATE(FORK_NOT_MAPPED))
		return 0;
	bno = fsblock_bno(g, fsblock_of(e->start));
	err = ag_open(f->vol, f->txn, fsblock_ag(g, fsblock_of(e->start)), &ag);
	if (!err)
		err = space_prepare(&ag);
	if (err)
		return err;
	return maps ? rmap_map(&ag, bno, (u32)e->count, &owner)
		    : rmap_unmap(&ag, bno, (u32)e->count, &owner);
}

static bool follows(const struct extent *a, const struct extent *b)
{
	return a->off + a->count == b->off && a->start + a->count == b->start &&
	       a->unwritten == b->unwritten && a->count + b->count <= EXTENT_COUNT_MAX;
}

/* Into the map, joined with the neighbours as long as one record can say it. */
static int add(struct fork_edit *f, struct extent e)
{
	struct extent left, right;
	u64 left_off;
	int err = find_le(f, e.off, &left);
	bool joins_left = !err, joins_right;

	if (err && err != -ENOENT)
		return err;
	if (!err && left.off + left.count > e.off)
		return fail(-EUCLEAN, "inode %llu: offset %llu is mapped already",
			    (unsigned long long)f->ino.v, (unsigned long long)e.off);
	joins_left = joins_left && follows(&left, &e);
	left_off = joins_left ? left.off : 0;
	err = find_behind(f, e.off, &right);
	if (err && err != -ENOENT)
		return err;
	if (!err && right.off < e.off + e.count)
		return fail(-EUCLEAN, "inode %llu: offset %llu is mapped already",
			    (unsigned long long)f->ino.v, (unsigned long long)right.off);
	joins_right = !err && follows(&e, &right);
	if (joins_left) {
		left.count += e.count;
		e = left;
		joins_right = joins_right && follows(&e, &right);
	}
	if (joins_right)
		e.count += right.count;
	err = joins_left && joins_right ? delete (f, right.off) : 0;
	if (err)
		return err;
	if (joins_left)
		return replace(f, left_off, &e);
	return joins_right ? replace(f, right.off, &e) : insert(f, &e);
}

int fork_map(struct fork_edit *f, const struct extent *e)
{
	int err = check_extent(f, e);

	if (!err)
		err = add(f, *e);
	if (!err)
		err = count_blocks(f, (s64)e->count);
	return err ? err : owns(f, e, true);
}

int fork_add_block(struct fork_edit *f, u64 off, u64 near, u64 *fsblock)
{
	static const struct owner elsewhere = {(u64)OWNER_ELSEWHERE, 0};
	struct extent e = {.off = off, .start = NULL64, .count = 1};
	int err = alloc_block(f, near, &elsewhere, &e.start);

	*fsblock = e.start;
	return err ? err : fork_map(f, &e);
}

/* `piece` out of the extent that has it inside. */
static int cut(struct fork_edit *f, struct extent whole, const struct extent *piece)
{
	struct extent before = whole, behind = whole;
	u64 skip = piece->off + piece->count - whole.off;
	int err;

	before.count = piece->off - whole.off;
	behind.off += skip;
	behind.start += skip;
	behind.count -= skip;
	if (before.count)
		err = replace(f, whole.off, &before);
	else if (behind.count)
		return replace(f, whole.off, &behind);
	else
		return delete (f, whole.off);
	if (!err && behind.count)
		err = insert(f, &behind);
	return err;
}

int fork_extent(struct fork_edit *f, u64 off, u64 end, struct extent *out)
{
	struct extent e;
	int err = find_le(f, off, &e);

	if (!err && e.off + e.count > off) {
		*out = e;
		return check_extent(f, &e);
	}
	if (!err || err == -ENOENT)
		err = find_behind(f, off, &e);
	if (err && err != -ENOENT)
		return err;
	*out = (struct extent){.off = off, .start = NULL64, .count = end - off};
	if (!err && e.off < end)
		out->count = e.off - off;
	return 0;
}

int fork_piece(struct fork_edit *f, u64 off, u64 end, struct extent *out)
{
	u64 skip;
	int err = fork_extent(f, off, end, out);

	if (err)
		return err;
	skip = off - out->off;
	out->count = min_u64(out->off + out->count, end) - off;
	out->off = off;
	if (out->start != NULL64)
		out->start += skip;
	return 0;
}

int fork_before(struct fork_edit *f, u64 off, struct extent *out)
{
	struct extent again;
	int err = find_le(f, off, out);

	if (!err)
		err = check_extent(f, out);
	if (!err)
		err = fork_extent(f, out->off, out->off + 1, &again);
	if (!err && again.off != out->off)
		err = out_of_order(f, out->off);
	return err;
}

/* Calls fn for each piece that is mapped in the range; fn may change the map of that piece. */
static int each_piece(struct fork_edit *f, u64 off, u64 count,
		      int (*fn)(struct fork_edit *f, const struct extent *piece, bool arg),
		      bool arg)
{
	u64 end = off + count;
	int err = 0;

	if (off >= FILEOFF_END || count > FILEOFF_END - off)
		return fail(-EUCLEAN, "inode %llu: offset %llu is beyond any file",
			    (unsigned long long)f->ino.v, (unsigned long long)off);
	while (!err && off < end) {
		struct extent piece;

		err = fork_piece(f, off, end, &piece);
		if (err)
			return err;
		off += piece.count;
		if (piece.start != NULL64)
			err = fn(f, &piece, arg);
	}
	return err;
}

/* Out of the records and the reverse map; the blocks still count as the inode's. */
static int take_out(struct fork_edit *f, const struct extent *piece)
{
	struct extent whole;
	int err = fork_extent(f, piece->off, piece->off + 1, &whole);

	if (!err)
		err = cut(f, whole, piece);
	return err ? err : owns(f, piece, false);
}

static int unmap_piece(struct fork_edit *f, const struct extent *piece, bool arg)
{
	int err = take_out(f, piece);

	(void)arg;
	return err ? err : count_blocks(f, -(s64)piece->count);
}

int fork_unmap(struct fork_edit *f, u64 off, u64 count)
{
	return each_piece(f, off, count, unmap_piece, false);
}

static int convert_piece(struct fork_edit *f, const struct extent *piece, bool unwritten)
{
	struct extent e = *piece;
	int err;

	if (e.unwritten == unwritten)
		return 0;
	err = take_out(f, piece);
	e.unwritten = unwritten;
	if (!err)
		err = add(f, e);
	e.unwritten ^= MUTATE(RMAP_UNWRITTEN);
	return err ? err : owns(f, &e, true);
}

int fork_convert(struct fork_edit *f, u64 off, u64 count, bool unwritten)
{
	return each_piece(f, off, count, convert_piece, unwritten);
}
