/*
 * Creation of an inode chunk: its inodes are written anew, free, with a generation of their own.
 *
 * Nothing of them is in the log but this item; whatever happens to them later is, so they are
 * always written, unless the chunk is freed later in the log.
 */
#include "format/inode.h"
#include "log/replay.h"

#define INODE_VERSION 3

static int icreate_check(struct log_replay *r, const struct log_item *item)
{
	const struct log_icreate *l = LOG_FORMAT(item, log_icreate);
	const struct geometry *g = r->g;
	u64 count, length;

	if (!l || item->regions != 1)
		return log_item_bad(r, item, "format length", log_region_length(item, 0));
	count = be32_get(l->count);
	length = be32_get(l->length);
	if (be32_get(l->isize) != g->inode_size)
		return log_item_bad(r, item, "isize", be32_get(l->isize));
	if (!count || count % g->inodes_per_block || count / g->inodes_per_block != length)
		return log_item_bad(r, item, "count", count);
	if (length << g->block_log > (u64)LOG_TARGET_MAX * 4)
		return log_item_bad(r, item, "length", length);
	/* the AG may be one that growfs added: the device is the limit */
	if (be32_get(l->ag) > (r->data->size >> g->block_log) / g->ag_blocks)
		return log_item_bad(r, item, "ag", be32_get(l->ag));
	if (be32_get(l->agbno) >= g->ag_blocks || length > g->ag_blocks - be32_get(l->agbno) ||
	    agblock_daddr(g, be32_get(l->ag), be32_get(l->agbno)).v + (length << g->block_log) >
		r->data->size)
		return log_item_bad(r, item, "agbno", be32_get(l->agbno));
	return 0;
}

/* Inode clusters are what is cancelled; a chunk is freed as a whole. */
static bool chunk_cancelled(const struct log_replay *r, u64 blkno, u64 blocks)
{
	u32 cluster = r->g->cluster_blocks << r->g->block_log >> LOG_BLOCK_LOG;

	for (u64 at = 0; at < blocks; at += cluster)
		if (log_cancelled(r->cancels, blkno + at, cluster))
			return true;
	return false;
}

static void make_inode(const struct geometry *g, u8 *raw, u64 ino, u32 gen)
{
	/* the logged core lies like the one on disk, but for the byte order */
	const size_t gen_at = offsetof(struct log_dinode, gen);
	struct be16 magic = be16_make(INODE_MAGIC);
	struct be32 generation = be32_make(gen), none = be32_make(NULL32);
	struct be64 number = be64_make(ino);

	memset(raw, 0, g->inode_size);
	memcpy(raw, magic.b, sizeof(magic));
	raw[offsetof(struct log_dinode, version)] = INODE_VERSION;
	memcpy(raw + gen_at, generation.b, sizeof(generation));
	memcpy(raw + offsetof(struct log_dinode, next_unlinked), none.b, sizeof(none));
	memcpy(raw + offsetof(struct log_dinode, ino), number.b, sizeof(number));
	memcpy(raw + offsetof(struct log_dinode, uuid), g->meta_uuid.b, sizeof(g->meta_uuid));
	log_stamp_crc(raw, g->inode_size, offsetof(struct log_dinode, crc));
}

static int icreate_replay(struct log_replay *r, const struct log_item *item)
{
	const struct log_icreate *l = LOG_CHECKED(item, log_icreate);
	const struct geometry *g = r->g;
	u32 ag = be32_get(l->ag), agbno = be32_get(l->agbno), length = be32_get(l->length);
	u64 blkno = agblock_daddr(g, ag, agbno).v >> LOG_BLOCK_LOG;
	u32 per_block = g->block_size >> LOG_BLOCK_LOG;
	int err = 0;

	if (chunk_cancelled(r, blkno, (u64)length * per_block)) {
		r->status->skipped++;
		return 0;
	}
	for (u32 b = 0; b < length && !err; b++) {
		u32 agino = (agbno + b) << g->inopb_log;

		for (u32 i = 0; i < g->inodes_per_block; i++)
			make_inode(g, r->target + (size_t)i * g->inode_size,
				   inum_make(g, ag, agino + i).v, be32_get(l->gen));
		err = log_target_write(r, blkno + (u64)b * per_block, per_block);
	}
	return err;
}

static enum log_order icreate_order(const struct log_item *item)
{
	(void)item;
	return LOG_ORDER_BUFFER;
}

static void icreate_parts(const struct log_item *item, struct log_part_sink *sink)
{
	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_icreate),
		   &log_icreate_layout);
}

static const struct part_kind kinds[] = {{"format", &log_icreate_layout}, {NULL, NULL}};

const struct log_item_ops log_item_icreate = {
    .type = LOG_ICREATE,
    .name = "icreate",
    .order = icreate_order,
    .check = icreate_check,
    .replay = icreate_replay,
    .parts = icreate_parts,
    .kinds = kinds,
};
