/*
 * Reading inodes; see inode.h.
 *
 * The unit of reading is the inode cluster where clusters are aligned, so that neighbours come with
 * one read, and the block of the inode where they are not (or where the AG ends in the middle of
 * the cluster). A block without inodes in a cluster is read along with a sparse chunk, and not
 * looked at. Stateless; safe from any thread.
 */
#include "fs/inode.h"

#include "base/trail.h"
#include "btree/seek.h"
#include "format/ag.h"
#include "format/scrub.h"
#include "format/verify.h"
#include "fs/health.h"

#include <errno.h>
#include <stdio.h>

#define INOBT_HOLE_INODES 4 /* inodes that a bit of a record's hole mask stands for */

void inode_cluster(const struct geometry *g, u32 ag, u32 agino, u32 *bno, u32 *blocks)
{
	u32 own = agino_bno(g, agino), start = own - own % g->cluster_blocks;

	*bno = own;
	*blocks = 1;
	if (!g->inode_align || g->inode_align % g->cluster_blocks)
		return;
	if (start < geometry_ag_header_blocks(g) ||
	    start + (u64)g->cluster_blocks > geometry_ag_blocks(g, ag))
		return;
	*bno = start;
	*blocks = g->cluster_blocks;
}

static int check(const struct vol *vol, struct inum ino, struct buf *buf, u32 offset)
{
	u32 part = offset >> vol->geo.inode_log;
	const struct meta_type *type = vol_type(vol, META_INODE);
	struct first_finding first = {0};
	struct verdict v = {.raise = raise_first,
			    .where = {.type = type->name,
				      .ag = inum_ag(&vol->geo, ino),
				      .ino = ino.v,
				      .daddr = buf->at.v + offset,
				      .owner = ino.v},
			    .unsealed = buf->in_front,
			    .sink = &first};

	if (cache_part_known(buf, part))
		return 0;
	verify(&v, type, &vol->geo, buf->data + offset, vol->geo.inode_size);
	if (!first.err)
		cache_part_passed(buf, part);
	return first.err;
}

static int open_inobt(struct vol *vol, u32 ag, struct btree_tree *tree)
{
	const struct meta_type *agi_type = vol_type(vol, META_AGI);
	struct daddr at = agi_type->place(&vol->geo, ag);
	const struct where where = {
	    .type = agi_type->name, .ag = ag, .ino = NO_INO, .daddr = at.v, .owner = NO_OWNER};
	const struct agi *agi;
	struct buf *buf;
	int err = cache_get(vol->cache, agi_type, &where, at, vol->geo.sector_size, &buf);

	if (err)
		return err;
	agi = (const struct agi *)buf->data;
	*tree = (struct btree_tree){.cache = vol->cache,
				    .g = &vol->geo,
				    .type = vol_type(vol, META_INOBT),
				    .ag = ag,
				    .owner = ag,
				    .root = be32_get(agi->root),
				    .levels = be32_get(agi->level)};
	cache_put(vol->cache, buf);
	return 0;
}

int inode_chunk(struct vol *vol, u32 ag, u32 agino, struct inobt_rec *out)
{
	const struct btree_key key = {{agino, 0, 0}};
	struct btree_at at = {0};
	struct btree_tree tree;
	struct btree_block b;
	int err = open_inobt(vol, ag, &tree);

	if (!err)
		err = btree_seek(&tree, &key, &at);
	if (err)
		return err;
	b = btree_at_block(&tree, &at);
	memcpy(out, btree_record(&b, at.index), sizeof(*out));
	btree_leave(&tree, &at);
	return agino - be32_get(out->startino) < INODES_PER_CHUNK ? 0 : -ENOENT;
}

int inode_listed(struct vol *vol, struct inum ino, bool *used)
{
	u32 ag = inum_ag(&vol->geo, ino), agino = inum_agino(&vol->geo, ino), index;
	struct inobt_rec rec;
	int err = inode_chunk(vol, ag, agino, &rec);

	*used = false;
	if (err)
		return err;
	index = agino - be32_get(rec.startino);
	if (geometry_has(&vol->geo, FEATURE_SPARSE) &&
	    be16_get(rec.holemask) >> index / INOBT_HOLE_INODES & 1)
		return -ENOENT;
	*used = !(be64_get(rec.free) >> index & 1);
	return 0;
}

/* True when the inobt is sound here and has no inode of this number, not even a free one. */
static bool no_inode_there(struct vol *vol, struct inum ino)
{
	bool used;

	return inode_listed(vol, ino, &used) == -ENOENT;
}

/* Why there is no such inode: what failed stays the trail, unless nothing should have been there.
 */
static int explain(struct vol *vol, struct inum ino, int err)
{
	char trail[TRAIL_MAX];

	if (!err_is_damage(err))
		return err;
	snprintf(trail, sizeof(trail), "%s", trail_text());
	if (no_inode_there(vol, ino))
		return fail(-ENOENT, "inode %llu: not in an allocated chunk",
			    (unsigned long long)ino.v);
	return health_blame(fail(err, "%s", trail), SCRUB_INODE, NO_AG, ino.v);
}

int inode_get(struct vol *vol, struct inum ino, struct inode *out)
{
	const struct geometry *g = &vol->geo;
	u32 ag, agino, bno, blocks, offset;
	struct daddr at;
	struct buf *buf;
	int err;

	out->buf = NULL;
	if (!inum_valid(g, ino))
		return fail(-ENOENT, "inode %llu: there is no such place",
			    (unsigned long long)ino.v);
	ag = inum_ag(g, ino);
	agino = inum_agino(g, ino);
	inode_cluster(g, ag, agino, &bno, &blocks);
	at = agblock_daddr(g, ag, bno);
	err = cache_get_raw(vol->cache, at, blocks << g->block_log, &buf);
	if (err)
		return fail_in(err, "inode %llu", (unsigned long long)ino.v);
	offset = (agino - (bno << g->inopb_log)) << g->inode_log;
	err = check(vol, ino, buf, offset);
	if (!err) {
		inode_parse(g, ino, buf->data + offset, out);
		if (!out->mode)
			err = fail(-ENOENT, "inode %llu: free", (unsigned long long)ino.v);
	}
	if (err) {
		cache_put(vol->cache, buf);
		return explain(vol, ino, err);
	}
	out->buf = buf;
	return 0;
}

void inode_put(struct vol *vol, struct inode *inode)
{
	cache_put(vol->cache, inode->buf);
	inode->buf = NULL;
}
