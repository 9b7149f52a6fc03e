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
#include "format/verify.h"

#include <errno.h>

struct first_finding {
	int err;
};

static void raise_first(struct verdict *v, const struct finding *finding)
{
	struct first_finding *first = v->sink;
	char text[512];

	if (first->err || finding->def->severity < SEVERITY_DISAGREES)
		return;
	first->err = finding->def == verify_defs->crc ? -EBADMSG : -EUCLEAN;
	finding_print(finding, text, sizeof(text));
	fail(first->err, "%s", text);
}

/* The blocks [*bno, *bno + *blocks) of the AG to read for an inode. */
static void cluster_of(const struct geometry *g, u32 ag, u32 agino, u32 *bno, u32 *blocks)
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

static int check(const struct vol *vol, struct inum ino, u64 at, const u8 *raw)
{
	const struct meta_type *type = vol_type(vol, META_INODE);
	struct first_finding first = {0};
	struct verdict v = {.raise = raise_first,
			    .where = {.type = type->name,
				      .ag = inum_ag(&vol->geo, ino),
				      .ino = ino.v,
				      .daddr = at,
				      .owner = ino.v},
			    .sink = &first};

	verify(&v, type, &vol->geo, raw, vol->geo.inode_size);
	return first.err;
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
	cluster_of(g, ag, agino, &bno, &blocks);
	at = agblock_daddr(g, ag, bno);
	err = cache_get_raw(vol->cache, at, blocks << g->block_log, &buf);
	if (err)
		return fail_in(err, "inode %llu", (unsigned long long)ino.v);
	offset = (agino - (bno << g->inopb_log)) << g->inode_log;
	err = check(vol, ino, at.v + offset, buf->data + offset);
	if (!err) {
		inode_parse(g, ino, buf->data + offset, out);
		if (!out->mode)
			err = fail(-ENOENT, "inode %llu: free", (unsigned long long)ino.v);
	}
	if (err) {
		cache_put(vol->cache, buf);
		return err;
	}
	out->buf = buf;
	return 0;
}

void inode_put(struct vol *vol, struct inode *inode)
{
	cache_put(vol->cache, inode->buf);
	inode->buf = NULL;
}
