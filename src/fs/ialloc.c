/*
 * Allocating and freeing inodes; see ialloc.h.
 *
 * 1. A record of the inobt stands for 64 inode numbers. free has a bit for each that is free or not
 *    there at all; freecount counts those that are there.
 * 2. The finobt has exactly the records with freecount above 0.
 * 3. A new chunk's inodes are all written, free, with generations drawn at random.
 */
#include "fs/ialloc.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "format/btree.h"
#include "format/super.h"
#include "format/verify.h"
#include "fs/fork_modify.h"
#include "fs/health.h"
#include "fs/space.h"

#include <errno.h>
#include <sys/stat.h>

#define HOLE_INODES 4 /* that a bit of the hole mask stands for */

static const struct owner chunk_owner = {(u64)RMAP_OWN_INODES, 0};

/* A record, whether it has a hole mask on the disk or not. */
struct chunk {
	u32 start;
	u32 count, unused;
	u16 holes;
	u64 free;
};

static bool sparse(const struct ag *ag)
{
	return geometry_has(&ag->vol->geo, FEATURE_SPARSE);
}

static struct chunk load(const struct ag *ag, const struct inobt_rec *r)
{
	struct chunk c = {.start = be32_get(r->startino),
			  .count = INODES_PER_CHUNK,
			  .unused = r->freecount,
			  .free = be64_get(r->free)};

	if (sparse(ag)) {
		c.holes = be16_get(r->holemask);
		c.count = r->count;
	}
	return c;
}

static struct inobt_rec store(const struct ag *ag, const struct chunk *c)
{
	struct inobt_rec r = {.startino = be32_make(c->start),
			      .freecount = (u8)c->unused,
			      .free = be64_make(c->free)};

	if (sparse(ag)) {
		r.holemask = be16_make(c->holes);
		r.count = (u8)c->count;
	}
	return r;
}

/* The inodes that are there. */
static u64 there(const struct chunk *c)
{
	u64 mask = 0;

	for (u32 i = 0; i < INODES_PER_CHUNK / HOLE_INODES; i++)
		if (!(c->holes >> i & 1))
			mask |= 0xfull << i * HOLE_INODES;
	return mask;
}

static int check_chunk(const struct ag *ag, const struct chunk *c)
{
	u64 mask = there(c);

	if (c->count != (u32)__builtin_popcountll(mask) ||
	    c->unused != (u32)__builtin_popcountll(c->free & mask))
		return fail(-EUCLEAN, "inobt %u: the record of inode %u does not add up",
			    ag->number, c->start);
	return 0;
}

/* ---- the two trees ---- */

static int find_chunk(struct ag *ag, u32 agino, struct chunk *out)
{
	const struct btree_key key = {{agino, 0, 0}};
	struct inobt_rec r;
	struct btree t;
	int err = ag_tree(ag, META_INOBT, &t);

	if (!err)
		err = btree_find_le(&t, &key, &r);
	if (err)
		return err;
	*out = load(ag, &r);
	return agino - out->start < INODES_PER_CHUNK ? check_chunk(ag, out) : -ENOENT;
}

static int put(struct ag *ag, enum meta_id id, const struct chunk *c, bool is, bool shall)
{
	const struct btree_key key = {{c->start, 0, 0}};
	const struct inobt_rec r = store(ag, c);
	struct btree t;
	int err = ag_tree(ag, id, &t);

	if (err || (!is && !shall))
		return err;
	if (!is)
		return btree_insert(&t, &r);
	err = shall ? btree_replace(&t, &key, &r) : btree_delete(&t, &key);
	return err == -ENOENT ? fail(-EUCLEAN, "%s %u: no record of inode %u", t.type->name,
				     ag->number, c->start)
			      : err;
}

/* The record as it was (count 0: not there) becomes what it is now (count 0: goes). */
static int change_chunk(struct ag *ag, const struct chunk *was, const struct chunk *now)
{
	int err = MUTATE(INOBT_NOT_CHANGED) ? 0 : put(ag, META_INOBT, now, was->count, now->count);

	if (!err && geometry_has(&ag->vol->geo, FEATURE_FINOBT) && !MUTATE(FINOBT_NOT_CHANGED))
		err = put(ag, META_FINOBT, now, was->unused, now->unused);
	return err ? err
		   : ag_count_inodes(ag, (s64)now->count - was->count,
				     (s64)now->unused - was->unused);
}

/* The nearest chunk with a free inode. Without a finobt all records may have to be looked at. */
static int find_free(struct ag *ag, u32 near, struct chunk *out)
{
	bool finobt = geometry_has(&ag->vol->geo, FEATURE_FINOBT);
	struct btree_key key = {{near, 0, 0}};
	u64 rounds = be32_get(ag_agi(ag)->count) / HOLE_INODES + 2, below = NULL64;
	struct inobt_rec r;
	struct btree t;
	int err = ag_tree(ag, finobt ? META_FINOBT : META_INOBT, &t);

	if (err)
		return err;
	while (rounds-- && !(err = btree_find_le(&t, &key, &r))) {
		*out = load(ag, &r);
		if (out->unused) {
			below = near - out->start;
			break;
		}
		if (!out->start)
			break;
		key.w[0] = out->start - 1;
	}
	if (err && err != -ENOENT)
		return err;
	key.w[0] = near + 1ull;
	while (rounds-- && !(err = btree_find_ge(&t, &key, &r))) {
		struct chunk c = load(ag, &r);

		if (c.start - near > below)
			return 0;
		if (c.unused) {
			*out = c;
			return 0;
		}
		key.w[0] = c.start + 1ull;
	}
	if (err && err != -ENOENT)
		return err;
	return below == NULL64 ? -ENOENT : 0;
}

/* ---- the inodes themselves ---- */

/* The buffer that holds an inode, and where it is in there. */
static int whole_of(struct ag *ag, u32 agino, bool fresh, struct txn_buf **whole, u32 *offset)
{
	const struct geometry *g = &ag->vol->geo;
	const struct meta_type *type = vol_type(ag->vol, META_INODES);
	struct where where = {
	    .type = type->name, .ag = ag->number, .ino = NO_INO, .owner = NO_OWNER};
	u32 bno, blocks;
	struct daddr at;

	inode_cluster(g, ag->number, agino, &bno, &blocks);
	at = agblock_daddr(g, ag->number, bno);
	where.daddr = at.v;
	*offset = (agino - (bno << g->inopb_log)) << g->inode_log;
	if (fresh)
		return txn_new_whole(ag->txn, type, &where, at, blocks << g->block_log, whole);
	return txn_get_whole(ag->txn, type, &where, at, blocks << g->block_log, whole);
}

static int part_of(struct ag *ag, struct txn_buf *whole, u32 agino, u32 offset,
		   struct txn_buf **out)
{
	const struct meta_type *type = vol_type(ag->vol, META_INODE);
	u64 ino = inum_make(&ag->vol->geo, ag->number, agino).v;
	const struct where where = {.type = type->name,
				    .ag = ag->number,
				    .ino = ino,
				    .daddr = whole->at.v + offset,
				    .owner = ino};

	return txn_part(ag->txn, whole, type, &where, offset, ag->vol->geo.inode_size, out);
}

static void make_free(struct ag *ag, u32 agino, u32 generation, struct txn_buf *buf)
{
	const struct geometry *g = &ag->vol->geo;
	struct dinode *d = (struct dinode *)buf->data;

	txn_dirty(ag->txn, buf);
	memset(d, 0, g->inode_size);
	d->magic = be16_make(INODE_MAGIC);
	d->version = INODE_VERSION;
	d->gen = be32_make(generation);
	d->next_unlinked = be32_make(NULL32);
	d->ino = be64_make(inum_make(g, ag->number, agino).v);
	memcpy(d->uuid, g->meta_uuid.b, sizeof(d->uuid));
}

static int write_new(struct ag *ag, u32 start, u32 count)
{
	u32 generation[INODES_PER_CHUNK], offset = 0;
	struct txn_buf *whole = NULL, *buf;
	int err = 0;

	for (u32 i = 0; i < count && !err; i++) {
		if (i % INODES_PER_CHUNK == 0)
			err = ag->vol->env->random(ag->vol->env, generation, sizeof(generation));
		if (!err && (!whole || whole->at.v + whole->size <= buf->at.v + buf->size))
			err = whole_of(ag, start + i, true, &whole, &offset);
		else
			offset += ag->vol->geo.inode_size;
		if (!err)
			err = part_of(ag, whole, start + i, offset, &buf);
		if (!err && !MUTATE(CHUNK_NOT_WRITTEN))
			make_free(ag, start + i, generation[i % INODES_PER_CHUNK], buf);
	}
	return err;
}

/* The inode that the trees have as free is sound, and free. */
static int check_free(struct ag *ag, struct txn_buf *whole, u32 agino, u32 offset)
{
	const struct meta_type *type = vol_type(ag->vol, META_INODE);
	u64 ino = inum_make(&ag->vol->geo, ag->number, agino).v;
	const struct dinode *d = (const struct dinode *)(whole->data + offset);
	struct first_finding first = {0};
	struct verdict v = {.raise = raise_first,
			    .where = {.type = type->name,
				      .ag = ag->number,
				      .ino = ino,
				      .daddr = whole->at.v + offset,
				      .owner = ino},
			    .unsealed = whole->fresh || txn_known_part(whole, offset),
			    .sink = &first};

	verify(&v, type, &ag->vol->geo, d, ag->vol->geo.inode_size);
	if (!first.err && be16_get(d->mode))
		return fail(-EUCLEAN, "inode %llu: in use, and free in the inobt",
			    (unsigned long long)ino);
	return first.err;
}

/* ---- chunks ---- */

/* No more than the share of the filesystem that inodes may have. */
static bool at_limit(struct ag *ag, u32 more)
{
	const struct geometry *g = &ag->vol->geo;
	struct txn_buf *buf;
	const struct sb *sb;
	u64 most;

	if (ag_super(ag->vol, ag->txn, &buf))
		return true;
	sb = (const struct sb *)buf->data;
	most = g->data_blocks / 100 * sb->imax_pct + g->data_blocks % 100 * sb->imax_pct / 100;
	return sb->imax_pct && be64_get(sb->icount) + more > most << g->inopb_log;
}

/* count inodes at start are there now, in a record of their own or one that has holes for them. */
static int add_inodes(struct ag *ag, u32 start, u32 count, u32 aligned)
{
	struct chunk was = {0}, now = {.start = aligned, .holes = 0xffff, .free = NULL64};
	int err = find_chunk(ag, aligned, &was);

	if (err && err != -ENOENT)
		return err;
	if (err) {
		was = (struct chunk){0};
	} else {
		now = was;
		if (was.start != aligned)
			return fail(-EUCLEAN, "inobt %u: the record of inode %u is not aligned",
				    ag->number, was.start);
	}
	for (u32 i = (start - aligned) / HOLE_INODES; i < (start - aligned + count) / HOLE_INODES;
	     i++) {
		if (!(now.holes >> i & 1))
			return fail(-EUCLEAN, "inobt %u: inode %u is there already", ag->number,
				    aligned + i * HOLE_INODES);
		now.holes &= (u16) ~(1u << i);
	}
	now.free |= there(&now) & ~there(&was);
	now.count += count;
	now.unused += count;
	return change_chunk(ag, &was, &now);
}

/* A chunk, or two and more where a block has so many. */
static int new_chunk(struct ag *ag, u32 near)
{
	const struct geometry *g = &ag->vol->geo;
	u32 inodes = g->chunk_blocks << g->inopb_log, bno, blocks, start;
	const struct space_want want = {.near = near,
					.least = g->chunk_blocks,
					.most = g->chunk_blocks,
					.align = g->inode_align,
					.leaves = true};
	int err = at_limit(ag, inodes) ? -ENOSPC : 0;

	if (err)
		return fail(err, "no more inodes than the filesystem may have (maxpct)");
	err = space_take(ag, &want, &chunk_owner, &bno, &blocks);
	if (err)
		return err;
	start = bno << g->inopb_log;
	err = write_new(ag, start, inodes);
	for (u32 i = 0; i < inodes && !err; i += INODES_PER_CHUNK)
		err = add_inodes(ag, start + i, INODES_PER_CHUNK, start + i);
	return err;
}

/* A part of one. The rest of its record must lie inside the AG, too. */
static int new_sparse(struct ag *ag, u32 near)
{
	const struct geometry *g = &ag->vol->geo;
	u32 length = geometry_ag_blocks(g, ag->number), bno, blocks, inodes;
	const struct space_want want = {.near = near,
					.least = g->spino_align,
					.most = g->spino_align,
					.align = g->spino_align,
					.low = g->inode_align,
					.high = length - length % g->chunk_blocks,
					.leaves = true};
	int err;

	if (!sparse(ag) || !g->spino_align || g->inode_align != g->chunk_blocks)
		return -ENOSPC;
	inodes = g->spino_align << g->inopb_log;
	if (at_limit(ag, inodes))
		return -ENOSPC;
	err = space_take(ag, &want, &chunk_owner, &bno, &blocks);
	if (!err)
		err = write_new(ag, bno << g->inopb_log, inodes);
	return err ? err
		   : add_inodes(ag, bno << g->inopb_log, inodes,
				(bno - bno % g->inode_align) << g->inopb_log);
}

/* ---- for everybody ---- */

static void init_inode(const struct geometry *g, struct dinode *d, u16 mode)
{
	bool local = S_ISDIR(mode) || S_ISLNK(mode),
	     device = S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode);
	u64 flags2 = 0;

	if (geometry_has(g, FEATURE_BIGTIME))
		flags2 |= INODE_FLAG2_BIGTIME;
	if (geometry_has(g, FEATURE_NREXT64))
		flags2 |= INODE_FLAG2_NREXT64;
	d->mode = be16_make(mode);
	d->format = (u8)(device ? FORMAT_DEV : local ? FORMAT_LOCAL : FORMAT_EXTENTS);
	d->aformat = FORMAT_EXTENTS;
	d->flags2 = be64_make(flags2);
	d->changecount = be64_make(1);
}

static int take_inode(struct ag *ag, u32 near, u16 mode, struct inum *out, struct txn_buf **buf)
{
	struct chunk was, now;
	u32 agino, offset;
	struct txn_buf *whole;
	int err = find_free(ag, near, &was);

	if (!err)
		err = check_chunk(ag, &was);
	if (err)
		return err;
	now = was;
	agino = was.start + (u32)__builtin_ctzll(was.free & there(&was));
	now.free &= ~(1ull << (agino - was.start));
	now.unused--;
	err = change_chunk(ag, &was, &now);
	if (!err)
		err = whole_of(ag, agino, false, &whole, &offset);
	if (!err)
		err = check_free(ag, whole, agino, offset);
	if (!err)
		err = part_of(ag, whole, agino, offset, buf);
	if (err)
		return err;
	make_free(ag, agino, be32_get(((struct dinode *)(*buf)->data)->gen), *buf);
	init_inode(&ag->vol->geo, (struct dinode *)(*buf)->data, mode);
	*out = inum_make(&ag->vol->geo, ag->number, agino);
	return 0;
}

static int alloc_anew(struct vol *vol, struct txn *txn, u32 number, u32 near, u16 mode,
		      struct inum *out, struct txn_buf **buf)
{
	struct ag ag;
	int err = ag_open(vol, txn, number, &ag);

	if (!err)
		err = ag_open_inodes(&ag);
	if (err)
		return err;
	if (!be32_get(ag_agi(&ag)->freecount)) {
		err = new_chunk(&ag, agino_bno(&vol->geo, near));
		if (err == -ENOSPC)
			err = new_sparse(&ag, agino_bno(&vol->geo, near));
		if (err)
			return err;
	}
	err = take_inode(&ag, near, mode, out, buf);
	return err == -ENOENT
		   ? fail(-EUCLEAN, "agi %u: free inodes are counted, and none is found", number)
		   : err;
}

static int alloc_in(struct vol *vol, struct txn *txn, u32 number, u32 near, u16 mode,
		    struct inum *out, struct txn_buf **buf)
{
	return health_blame(alloc_anew(vol, txn, number, near, mode, out, buf), SCRUB_INOBT, number,
			    NO_INO);
}

int inode_alloc(struct vol *vol, struct txn *txn, struct inum near, u16 mode, struct inum *out,
		struct txn_buf **buf)
{
	const struct geometry *g = &vol->geo;
	u32 first = S_ISDIR(mode) ? vol->rotor++ % g->ag_count : inum_ag(g, near);
	u32 own = first == inum_ag(g, near) ? inum_agino(g, near) : 0;
	u32 fenced = 0;
	int err = -ENOSPC;

	for (u32 i = 0; i < g->ag_count && err == -ENOSPC; i++) {
		if (health_fenced(vol, (first + i) % g->ag_count))
			fenced++;
		else
			err = alloc_in(vol, txn, (first + i) % g->ag_count, i ? 0 : own, mode, out,
				       buf);
	}
	if (fenced == g->ag_count)
		return health_refuse(first);
	return err == -ENOSPC ? fail(err, "no space for an inode") : err;
}

/* Gives the blocks of a chunk back, run by run. */
static int free_chunk(struct ag *ag, const struct chunk *c)
{
	const struct geometry *g = &ag->vol->geo;
	u64 mask = there(c);
	int err = 0;

	for (u32 i = 0; i < INODES_PER_CHUNK && !err; i += g->inodes_per_block) {
		u32 run = 0, offset;
		struct txn_buf *whole;

		while (i + run < INODES_PER_CHUNK && mask >> (i + run) & 1)
			run += g->inodes_per_block;
		for (u32 n = 0; n < run && !err; n += whole->size >> g->inode_log) {
			err = whole_of(ag, c->start + i + n, false, &whole, &offset);
			if (!err)
				txn_drop(ag->txn, whole);
		}
		if (!err && run && !MUTATE(CHUNK_NOT_FREED))
			err = space_free(ag, agino_bno(g, c->start + i), run >> g->inopb_log,
					 &chunk_owner);
		i += run;
	}
	return err;
}

static int free_one(struct vol *vol, struct txn *txn, struct inum ino)
{
	const struct geometry *g = &vol->geo;
	u32 agino = inum_agino(g, ino);
	struct chunk was, now;
	struct txn_buf *buf;
	struct ag ag;
	int err = inode_edit(vol, txn, ino, &buf);

	if (!err)
		err = ag_open(vol, txn, inum_ag(g, ino), &ag);
	if (!err)
		err = ag_open_inodes(&ag);
	if (!err)
		err = find_chunk(&ag, agino, &was);
	if (!err && !(~was.free & there(&was) & 1ull << (agino - was.start)))
		err = -ENOENT;
	if (err == -ENOENT)
		return fail(-EUCLEAN, "inode %llu: not in use in the inobt",
			    (unsigned long long)ino.v);
	if (err)
		return err;
	if (!MUTATE(INODE_NOT_FREED))
		make_free(&ag, agino, be32_get(((struct dinode *)buf->data)->gen) + 1, buf);
	now = was;
	now.free |= 1ull << (agino - was.start);
	now.unused++;
	if (now.unused == now.count && g->inodes_per_block <= INODES_PER_CHUNK) {
		now.count = now.unused = 0;
		err = change_chunk(&ag, &was, &now);
		return err ? err : free_chunk(&ag, &was);
	}
	return change_chunk(&ag, &was, &now);
}

int inode_free(struct vol *vol, struct txn *txn, struct inum ino)
{
	u32 ag = inum_ag(&vol->geo, ino);

	if (health_fenced(vol, ag))
		return health_refuse(ag);
	return health_blame(free_one(vol, txn, ino), SCRUB_INOBT, ag, NO_INO);
}
