/*
 * The buffers that replay changes: reading, identifying, stamping, writing.
 *
 * What a buffer holds is told by its magic, and must be of the kind that the item says it logged.
 * Each kind has its uuid, LSN and checksum at places of its own; kinds without an LSN (inode
 * clusters, dquots, remote values, realtime bitmaps) are always replayed.
 */
#include "log/replay.h"

#include "base/trail.h"
#include "format/ag.h"
#include "format/attr.h"
#include "format/btree.h"
#include "format/dir.h"
#include "format/inode.h"
#include "format/quota.h"
#include "format/super.h"
#include "format/symlink.h"
#include "format/verify.h"

#include <errno.h>
#include <stdio.h>

/* One kind of block: where its stamps are. */
struct kind {
	u32 type; /* enum log_buf_type */
	u32 magic, magic_at, magic_width;
	u32 uuid_at, lsn_at, crc_at;
};

#define SHORT_BTREE(m)                                                                   \
	{                                                                                \
		LOG_BUF_TYPE_BTREE, m, 0, 4, offsetof(struct btree_short, uuid),         \
		    offsetof(struct btree_short, lsn), offsetof(struct btree_short, crc) \
	}
#define WITH_HEADER(type, m, tag)                                                     \
	{                                                                             \
		type, m, 0, 4, offsetof(struct tag, uuid), offsetof(struct tag, lsn), \
		    offsetof(struct tag, crc)                                         \
	}
#define DA_BLOCK(type, m)                                                        \
	{                                                                        \
		type, m, DA_MAGIC_OFFSET, 2, offsetof(struct da_info, uuid),     \
		    offsetof(struct da_info, lsn), offsetof(struct da_info, crc) \
	}

static const struct kind kinds[] = {
    SHORT_BTREE(BNOBT_MAGIC),
    SHORT_BTREE(CNTBT_MAGIC),
    SHORT_BTREE(INOBT_MAGIC),
    SHORT_BTREE(FINOBT_MAGIC),
    SHORT_BTREE(RMAPBT_MAGIC),
    SHORT_BTREE(REFCOUNTBT_MAGIC),
    WITH_HEADER(LOG_BUF_TYPE_BTREE, BMBT_MAGIC, btree_long),
    WITH_HEADER(LOG_BUF_TYPE_AGF, AGF_MAGIC, agf),
    WITH_HEADER(LOG_BUF_TYPE_AGFL, AGFL_MAGIC, agfl),
    WITH_HEADER(LOG_BUF_TYPE_AGI, AGI_MAGIC, agi),
    WITH_HEADER(LOG_BUF_TYPE_SYMLINK, SYMLINK_MAGIC, symlink_hdr),
    WITH_HEADER(LOG_BUF_TYPE_DIR_BLOCK, DIR_BLOCK_MAGIC, dir_data),
    WITH_HEADER(LOG_BUF_TYPE_DIR_DATA, DIR_DATA_MAGIC, dir_data),
    WITH_HEADER(LOG_BUF_TYPE_DIR_FREE, DIR_FREE_MAGIC, dir_free),
    DA_BLOCK(LOG_BUF_TYPE_DIR_LEAF1, DIR_LEAF1_MAGIC),
    DA_BLOCK(LOG_BUF_TYPE_DIR_LEAFN, DIR_LEAFN_MAGIC),
    DA_BLOCK(LOG_BUF_TYPE_DA_NODE, DA_NODE_MAGIC),
    DA_BLOCK(LOG_BUF_TYPE_ATTR_LEAF, ATTR_LEAF_MAGIC),
    WITH_HEADER(LOG_BUF_TYPE_ATTR_REMOTE, ATTR_REMOTE_MAGIC, attr_remote),
    WITH_HEADER(LOG_BUF_TYPE_SB, SB_MAGIC, sb),
};

static u64 load(const u8 *at, u32 width)
{
	u64 v = 0;

	for (u32 i = 0; i < width; i++)
		v = v << 8 | at[i];
	return v;
}

static const struct kind *identify(const u8 *bytes)
{
	for (u32 i = 0; i < ARRAY_COUNT(kinds); i++)
		if (load(bytes + kinds[i].magic_at, kinds[i].magic_width) == kinds[i].magic)
			return &kinds[i];
	return NULL;
}

/* The first record has the type of all. */
static u32 type_of_dquots(const u8 *bytes)
{
	switch (bytes[offsetof(struct dquot, type)] & DQUOT_TYPES) {
	case DQUOT_USER:
		return LOG_BUF_TYPE_UDQUOT;
	case DQUOT_PROJECT:
		return LOG_BUF_TYPE_PDQUOT;
	case DQUOT_GROUP:
		return LOG_BUF_TYPE_GDQUOT;
	default:
		return LOG_BUF_TYPE_UNKNOWN;
	}
}

u32 log_buf_type_of(const u8 *bytes)
{
	const struct kind *kind = identify(bytes);

	if (kind)
		return kind->type;
	if (load(bytes, 2) == DQUOT_MAGIC)
		return type_of_dquots(bytes);
	return load(bytes, 2) == INODE_MAGIC ? LOG_BUF_TYPE_DINO : LOG_BUF_TYPE_UNKNOWN;
}

static bool without_magic(u32 type)
{
	return type == LOG_BUF_TYPE_RTBITMAP || type == LOG_BUF_TYPE_RTSUMMARY;
}

static bool sealed(const u8 *bytes, u32 size, u32 crc_offset)
{
	struct le32 crc;

	memcpy(crc.b, bytes + crc_offset, sizeof(crc));
	return le32_get(crc) == verify_crc(bytes, size, crc_offset);
}

u64 log_target_lsn(const struct log_replay *r, u32 count, u32 type)
{
	const struct kind *kind = without_magic(type) ? NULL : identify(r->target);
	u32 uuid_at;
	u64 lsn;

	if (!kind || kind->type == LOG_BUF_TYPE_ATTR_REMOTE)
		return 0;
	uuid_at = kind->uuid_at;
	if (kind->type == LOG_BUF_TYPE_SB && geometry_has(r->g, FEATURE_META_UUID))
		uuid_at = offsetof(struct sb, meta_uuid);
	/* what an earlier filesystem left there has its numbers from another log */
	if (memcmp(r->target + uuid_at, r->g->meta_uuid.b, 16))
		return 0;
	/* A recovery before this one was cut while it wrote the block: the stamp is that of a later
	 * item, and the rest is not. All items together make it whole. */
	if (!sealed(r->target, count * LOG_BLOCK, kind->crc_at))
		return 0;
	lsn = load(r->target + kind->lsn_at, 8);
	return lsn == NULL64 ? 0 : lsn;
}

void log_stamp_crc(u8 *bytes, u32 size, u32 crc_offset)
{
	struct le32 crc = le32_make(verify_crc(bytes, size, crc_offset));

	memcpy(bytes + crc_offset, crc.b, sizeof(crc));
}

static void stamp_one(u8 *bytes, u32 size, const struct kind *kind, u64 lsn)
{
	struct be64 stamp = be64_make(lsn);

	/* remote values are told apart by having none */
	if (kind->type != LOG_BUF_TYPE_ATTR_REMOTE)
		memcpy(bytes + kind->lsn_at, stamp.b, sizeof(stamp));
	log_stamp_crc(bytes, size, kind->crc_at);
}

void log_target_stamp(struct log_replay *r, u32 count, u32 type, u64 lsn)
{
	const struct kind *kind = without_magic(type) ? NULL : identify(r->target);
	u32 size = count * LOG_BLOCK;

	if (!kind || kind->type != type)
		return;
	if (kind->type != LOG_BUF_TYPE_ATTR_REMOTE) {
		stamp_one(r->target, size, kind, lsn);
		return;
	}
	/* a remote value has a header in each block */
	for (u32 at = 0; at + r->g->block_size <= size; at += r->g->block_size)
		if (identify(r->target + at) == kind)
			stamp_one(r->target + at, r->g->block_size, kind, lsn);
}

int log_item_bad(struct log_replay *r, const struct log_item *item, const char *field, u64 found)
{
	const struct log_item_ops *ops = log_item_ops_of(item->type);
	char name[48], text[32];

	snprintf(name, sizeof(name), "%s.%s", ops ? ops->name : "item", field);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)found);
	return log_damage(r->scan, log_defs->item, item->block, name, text, NULL);
}

int log_target_bad(struct log_replay *r, const struct log_item *item, u64 blkno, const char *why)
{
	const struct log_item_ops *ops = log_item_ops_of(item->type);
	char text[96];

	snprintf(text, sizeof(text), "sector %llu: %s", (unsigned long long)blkno, why);
	return log_damage(r->scan, log_defs->target, item->block, ops ? ops->name : NULL, text,
			  NULL);
}

bool log_target_newer(struct log_replay *r, const struct log_item *item, u64 blkno, u64 stamp)
{
	const struct where where = {
	    .ag = NO_AG, .ino = NO_INO, .daddr = blkno << LOG_BLOCK_LOG, .owner = NO_OWNER};
	char text[32];

	if (stamp == NULL64 || stamp <= item->lsn)
		return false;
	if (!lsn_ahead(stamp, lsn_make(r->status->head_cycle, r->status->head_block)))
		return true;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)blkno);
	log_report(r->scan, log_defs->ahead, &where, text);
	return false;
}

/* Buffers are whole blocks, but for the headers of an AG: each of these is a sector. The log is in
 * no buffer. */
static bool is_buffer(const struct geometry *g, u64 blkno, u64 count)
{
	u64 block = g->block_size >> LOG_BLOCK_LOG, sector = g->sector_size >> LOG_BLOCK_LOG;
	u64 in_ag = blkno % (g->ag_blocks * block), log;

	if (count == sector && in_ag < 4 * sector)
		return !(in_ag % sector);
	if (blkno % block || count % block || in_ag < geometry_ag_header_blocks(g) * block)
		return false;
	log = fsblock_daddr(g, fsblock_of(g->log_start)).v >> LOG_BLOCK_LOG;
	return !g->log_internal || blkno + count <= log || blkno >= log + g->log_blocks * block;
}

int log_target_check(struct log_replay *r, const struct log_item *item, u64 blkno, u64 count)
{
	u64 blocks = r->data->size >> LOG_BLOCK_LOG;

	if (!count || count > LOG_TARGET_MAX >> LOG_BLOCK_LOG)
		return log_item_bad(r, item, "len", count);
	if (blkno >= blocks || count > blocks - blkno)
		return log_target_bad(r, item, blkno, "behind the end of the device");
	if (!is_buffer(r->g, blkno, count))
		return log_target_bad(r, item, blkno, "no buffer is there");
	return 0;
}

int log_target_read(struct log_replay *r, u64 blkno, u32 count)
{
	int err = device_read(r->data, daddr_of(blkno << LOG_BLOCK_LOG), r->target,
			      (size_t)count * LOG_BLOCK);

	return err ? fail_in(err, "replaying the log") : 0;
}

int log_target_write(struct log_replay *r, u64 blkno, u32 count)
{
	int err = device_write(r->data, daddr_of(blkno << LOG_BLOCK_LOG), r->target,
			       (size_t)count * LOG_BLOCK);

	return err ? fail_in(err, "replaying the log") : 0;
}
