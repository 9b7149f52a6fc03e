/*
 * Quota records, and the turning off of quotas.
 *
 * A dquot item carries the record up to its checksum; the block that it is in was written when the
 * quota file grew, so identity and LSN are there already.
 */
#include "log/replay.h"

#define DQUOT_MAGIC 0x4451 /* "DQ" */
/* The record in a quota block: what is logged, then filler, checksum, LSN and uuid. */
#define DQUOT_LOGGED 104
#define DQUOT_CRC_AT 108
#define DQUOT_LSN_AT 112
#define DQUOT_SIZE 136
#define DQUOT_TYPE_AT 3
#define DQUOT_ID_AT 4
#define DQUOT_USER 0x1u
#define DQUOT_PROJECT 0x2u
#define DQUOT_GROUP 0x4u

/* Unlike all others, the item counts its buffer in filesystem blocks. */
static u64 buffer_blocks(const struct log_replay *r, const struct log_dquot *format)
{
	return (u64)le32_get(format->len) << r->g->block_log >> LOG_BLOCK_LOG;
}

static int dquot_check(struct log_replay *r, const struct log_item *item)
{
	const struct log_dquot *format = LOG_FORMAT(item, log_dquot);
	const u8 *record;
	struct be16 magic;
	struct be32 id;
	u64 end;
	int err;

	if (!format || item->regions != 2)
		return log_item_bad(r, item, "format length", log_region_length(item, 0));
	if (log_region_length(item, 1) < DQUOT_LOGGED)
		return log_item_bad(r, item, "record length", log_region_length(item, 1));
	record = log_region(item, 1);
	memcpy(magic.b, record, sizeof(magic));
	memcpy(id.b, record + DQUOT_ID_AT, sizeof(id));
	if (be16_get(magic) != DQUOT_MAGIC)
		return log_item_bad(r, item, "record magic", be16_get(magic));
	if (be32_get(id) != le32_get(format->id))
		return log_item_bad(r, item, "record id", be32_get(id));
	err = log_target_check(r, item, le64_get(format->blkno), buffer_blocks(r, format));
	if (err)
		return err;
	end = (u64)le32_get(format->boffset) + DQUOT_SIZE;
	if (end > buffer_blocks(r, format) * LOG_BLOCK)
		return log_item_bad(r, item, "boffset", le32_get(format->boffset));
	return 0;
}

static bool quota_is_off(const struct log_replay *r, u8 type)
{
	return (type & DQUOT_USER && r->quotaoff & LOG_QUOTAOFF_USER) ||
	       (type & DQUOT_PROJECT && r->quotaoff & LOG_QUOTAOFF_PROJECT) ||
	       (type & DQUOT_GROUP && r->quotaoff & LOG_QUOTAOFF_GROUP);
}

static int dquot_replay(struct log_replay *r, const struct log_item *item)
{
	const struct log_dquot *format = LOG_CHECKED(item, log_dquot);
	u64 blkno = le64_get(format->blkno);
	u32 count = (u32)buffer_blocks(r, format);
	struct be64 stamp;
	u8 *record = r->target + le32_get(format->boffset);
	int err;

	if (quota_is_off(r, log_region(item, 1)[DQUOT_TYPE_AT]) ||
	    log_cancelled(r->cancels, blkno, count)) {
		r->status->skipped++;
		return 0;
	}
	err = log_target_read(r, blkno, count);
	if (err)
		return err;
	memcpy(stamp.b, record + DQUOT_LSN_AT, sizeof(stamp));
	if (log_target_newer(r, item, blkno, be64_get(stamp))) {
		r->status->skipped++;
		return 0;
	}
	memcpy(record, log_region(item, 1), DQUOT_LOGGED);
	log_stamp_crc(record, DQUOT_SIZE, DQUOT_CRC_AT);
	return log_target_write(r, blkno, count);
}

static void dquot_parts(const struct log_item *item, struct log_part_sink *sink)
{
	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_dquot),
		   &log_dquot_layout);
	sink->part(sink, "record", 0, log_region(item, 1), log_region_length(item, 1), NULL);
}

static const struct part_kind dquot_kinds[] = {{"format", &log_dquot_layout}, {NULL, NULL}};

const struct log_item_ops log_item_dquot = {
    .type = LOG_DQUOT,
    .name = "dquot",
    .check = dquot_check,
    .replay = dquot_replay,
    .parts = dquot_parts,
    .kinds = dquot_kinds,
};

static int quotaoff_check(struct log_replay *r, const struct log_item *item)
{
	if (!LOG_FORMAT(item, log_quotaoff) || item->regions != 1)
		return log_item_bad(r, item, "format length", log_region_length(item, 0));
	return 0;
}

static int quotaoff_gather(struct log_replay *r, const struct log_item *item)
{
	r->quotaoff |= le32_get(LOG_CHECKED(item, log_quotaoff)->flags);
	return 0;
}

static void quotaoff_parts(const struct log_item *item, struct log_part_sink *sink)
{
	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_quotaoff),
		   &log_quotaoff_layout);
}

static const struct part_kind quotaoff_kinds[] = {{"format", &log_quotaoff_layout}, {NULL, NULL}};

const struct log_item_ops log_item_quotaoff = {
    .type = LOG_QUOTAOFF,
    .name = "quotaoff",
    .check = quotaoff_check,
    .gather = quotaoff_gather,
    .parts = quotaoff_parts,
    .kinds = quotaoff_kinds,
};
