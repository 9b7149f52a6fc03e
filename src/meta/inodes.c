/*
 * Chunks of inodes, piece by piece as the inobt pushes them: each inode is checked and posted here.
 *
 * An inode is posted as far as it can be believed: one with a wrong checksum alone is posted whole,
 * so that a flipped bit in a timestamp is one finding and not twenty; one whose forks cannot be
 * followed posts its links and no space; one that is no inode at all counts as used if the inobt
 * says so. ref.arg: see inobt.c.
 */
#include "format/dir.h"
#include "ledger/sweep.h"
#include "meta/findings.h"
#include "meta/inode.h"
#include "meta/rebuild.h"

#include <sys/stat.h>

typedef int post_inode_fn(struct sweep *sweep, const struct inode *inode);

/* One piece at work. */
struct piece {
	struct sweep *sweep;
	struct verdict v;
	post_inode_fn *post[META_COUNT]; /* of the types that hang on inodes */
	u32 posts;
	u64 used; /* mask of the inodes in use, as the record has it */
};

static void post_links(struct sweep *sweep, const struct inode *inode)
{
	const struct fact unlinked = {{inode->ino.v, 0, 0, 0}};
	const struct fact links = {
	    {inode->ino.v, dir_has_type(sweep->g) ? inode_ftype(inode->mode) : 0, 0, 0}};

	if (inode->nlink)
		sweep_post(sweep, ACCOUNT_LINKS, SIDE_RIGHT, &links, inode->nlink);
	else
		sweep_post(sweep, ACCOUNT_UNLINKED, SIDE_RIGHT, &unlinked, 1);
}

/* True when the inode is in use. `listed`: the inobt says that it is. */
static int post_one(struct piece *p, const u8 *raw, bool listed, bool *used)
{
	const struct geometry *g = p->sweep->g;
	struct inode inode;
	bool good;
	int err = 0;

	p->v.worst = SEVERITY_NONE;
	p->v.count = 0;
	*used = listed;
	if (inode_identify(&p->v, g, raw) == INODE_BAD)
		return 0;
	inode_parse(g, inum_of(p->v.where.ino), raw, &inode);
	good = inode_rules(&p->v, g, &inode);
	sweep_check_lsn(p->sweep, &p->v, inode.lsn);
	*used = inode.mode != 0;
	if (!inode.mode)
		return 0;
	post_links(p->sweep, &inode);
	for (u32 i = 0; good && !err && i < p->posts; i++)
		err = p->post[i](p->sweep, &inode);
	return err;
}

static void find_posts(struct piece *p)
{
	const struct meta_types *types = p->sweep->vol->types;
	const struct geometry *g = p->sweep->g;

	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = types->type[i];

		if (type->post_inode && (!type->present || type->present(g)))
			p->post[p->posts++] = type->post_inode;
	}
}

/* True when anything here looks like an inode. Otherwise the inobt points to some other block,
 * which is one finding and not 64. */
static bool any_inode(const struct geometry *g, const u8 *block, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (be16_get(
			((const struct dinode *)(block + ((size_t)i << g->inode_log)))->magic) ==
		    INODE_MAGIC)
			return true;
	return false;
}

static int inodes_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	const struct geometry *g = sweep->g;
	u32 first = (u32)(ref->arg[0] - ref->arg[2]), count = len >> g->inode_log;
	struct verdict *outer = sweep->verdict;
	struct where where = ref->where;
	struct piece p = {.sweep = sweep};
	struct fact fact = {{ref->where.ag, ref->arg[2], 0, 0}};
	int err = 0;

	if (!any_inode(g, block, count)) {
		raise_value(outer, FOUND(INODES_NONE), NULL, ref->arg[0]);
		return 0;
	}
	where.type = vol_type(sweep->vol, META_INODE)->name;
	p.v = sweep_verdict(sweep, &where);
	find_posts(&p);
	sweep->verdict = &p.v;
	for (u32 i = 0; i < count && first + i < INODES_PER_CHUNK && !err; i++) {
		bool used;

		p.v.where.ino = inum_make(g, ref->where.ag, (u32)ref->arg[0] + i).v;
		p.v.where.owner = p.v.where.ino;
		p.v.where.daddr = ref->at.v + ((u64)i << g->inode_log);
		err = post_one(&p, (const u8 *)block + ((size_t)i << g->inode_log),
			       !(ref->arg[3] >> (first + i) & 1), &used);
		p.used |= (u64)used << (first + i);
	}
	sweep->verdict = outer;
	fact.w[2] = p.used;
	sweep_post(sweep, ACCOUNT_INODES, SIDE_RIGHT, &fact, 1);
	sweep_count(sweep, count, 0, 0);
	return err;
}

void inodes_each(const struct meta_types *types, const struct geometry *g, const struct ref *piece,
		 void (*fn)(void *arg, const struct ref *ref), void *arg)
{
	for (u32 i = 0; i < piece->size >> g->inode_log; i++) {
		struct ref ref = {.type = types->type[META_INODE],
				  .at = daddr_of(piece->at.v + ((u64)i << g->inode_log)),
				  .size = g->inode_size,
				  .where = piece->where,
				  .level = -1};

		ref.where.type = ref.type->name;
		ref.where.ino = inum_make(g, piece->where.ag, (u32)piece->arg[0] + i).v;
		ref.where.owner = ref.where.ino;
		ref.where.daddr = ref.at.v;
		fn(arg, &ref);
	}
}

/* The blocks that inodes are read in; a piece of a chunk may be larger or smaller. */
static u32 inodes_size(const struct geometry *g)
{
	return g->cluster_blocks << g->block_log;
}

static void inodes_parts(const struct geometry *g, const void *block, u32 len,
			 struct part_sink *sink)
{
	(void)block;
	for (u32 i = 0; i < len >> g->inode_log; i++) {
		const struct part part = {"inode", i, true, i << g->inode_log, &dinode_layout};

		sink->part(sink, &part);
	}
}

const struct meta_type meta_inodes = {
    .id = META_INODES,
    .name = "inodes",
    .title = "piece of an inode chunk",
    .scope = SCOPE_AG,
    .class = CLASS_PRIMARY,
    .crc_offset = CRC_NONE,
    .size = inodes_size,
    .layout = &dinode_layout,
    .parts = inodes_parts,
    .post = inodes_post,
    .needs_check = 1ull << META_INOBT,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(INOBT) | SCRUB_BIT(INODE),
    .rebuilt_from = "the inodes in the blocks that the reverse map gives to inodes",
    .kernel_scrub = "xchk_iallocbt",
};
