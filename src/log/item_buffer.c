/*
 * Buffer items: chunks of 128 bytes of one metadata block.
 *
 * The format has a bit for each chunk; each run of set bits is one region, or several, since a
 * writer may split it.  An item that cancels has no chunks: its block is freed, and what was logged
 * for it before must not come back.  An item of an inode cluster that has the inode flag carries
 * nothing but the unlinked pointers of inodes; the rest of it is older than the inode items.
 */
#include "base/trail.h"
#include "format/inode.h"
#include "log/replay.h"

#include <errno.h>

#define CHUNKS_PER_WORD 32

struct chunks {
	const struct log_buf *format;
	const struct le32 *map;
	u32 bits; /* in the map, and in the buffer */
	u32 bit, region;
};

static bool bit_set(const struct chunks *c, u32 bit)
{
	return le32_get(c->map[bit / CHUNKS_PER_WORD]) >> bit % CHUNKS_PER_WORD & 1;
}

static struct chunks chunks_of(const struct log_item *item)
{
	const struct log_buf *format = LOG_CHECKED(item, log_buf);
	u32 bits = le32_get(format->map_size) * CHUNKS_PER_WORD;
	u32 size = le16_get(format->len) * LOG_BLOCK / LOG_BUF_CHUNK;

	return (struct chunks){format, (const struct le32 *)(log_region(item, 0) + sizeof(*format)),
			       bits < size ? bits : size, 0, 1};
}

/* The next region and the chunks it holds: false at the end, or when the regions do not fit the
 * map: then c->region is not item->regions. */
static bool next_run(struct chunks *c, const struct log_item *item, u32 *offset, const u8 **bytes,
		     u32 *length)
{
	u32 run = 0;

	while (c->bit < c->bits && !bit_set(c, c->bit))
		c->bit++;
	while (c->bit + run < c->bits && bit_set(c, c->bit + run))
		run++;
	if (!run || c->region >= item->regions)
		return false;
	*length = log_region_length(item, c->region);
	if (!*length || *length % LOG_BUF_CHUNK || *length / LOG_BUF_CHUNK > run)
		return false;
	*offset = c->bit * LOG_BUF_CHUNK;
	*bytes = log_region(item, c->region++);
	c->bit += *length / LOG_BUF_CHUNK;
	return true;
}

static enum log_order buffer_order(const struct log_item *item)
{
	const struct log_buf *format = LOG_FORMAT(item, log_buf);
	u32 flags = format ? le16_get(format->flags) : 0;

	if (flags & LOG_BUF_CANCEL)
		return LOG_ORDER_CANCEL;
	return flags & LOG_BUF_INODE ? LOG_ORDER_INODE_BUFFER : LOG_ORDER_BUFFER;
}

/* A header of an AG has its place, and no other buffer has that. */
static bool in_place(const struct geometry *g, const struct log_buf *format, u32 type)
{
	static const u32 order[] = {LOG_BUF_TYPE_SB, LOG_BUF_TYPE_AGF, LOG_BUF_TYPE_AGI,
				    LOG_BUF_TYPE_AGFL};
	u64 sector = g->sector_size >> LOG_BLOCK_LOG;
	u64 ag = (u64)g->ag_blocks * (g->block_size >> LOG_BLOCK_LOG);
	u64 at = le64_get(format->blkno) % ag;

	for (u32 i = 0; i < ARRAY_COUNT(order); i++)
		if (type == order[i])
			return at == i * sector && le16_get(format->len) == sector;
	return type == LOG_BUF_TYPE_UNKNOWN || at >= ARRAY_COUNT(order) * sector;
}

/* Flags and types that only go together, and types that this filesystem has nothing of. */
static bool flags_agree(const struct geometry *g, u32 flags, u32 type)
{
	static const struct {
		u32 flag, type;
	} of[] = {
	    {LOG_BUF_INODE, LOG_BUF_TYPE_DINO},
	    {LOG_BUF_UDQUOT, LOG_BUF_TYPE_UDQUOT},
	    {LOG_BUF_PDQUOT, LOG_BUF_TYPE_PDQUOT},
	    {LOG_BUF_GDQUOT, LOG_BUF_TYPE_GDQUOT},
	};

	for (u32 i = 0; i < ARRAY_COUNT(of); i++)
		if (flags & of[i].flag && type != of[i].type && type != LOG_BUF_TYPE_UNKNOWN)
			return false;
	return g->rt_blocks || (type != LOG_BUF_TYPE_RTBITMAP && type != LOG_BUF_TYPE_RTSUMMARY);
}

static int check_flags(struct log_replay *r, const struct log_item *item)
{
	const struct log_buf *format = LOG_CHECKED(item, log_buf);
	u32 flags = le16_get(format->flags), type = flags >> LOG_BUF_TYPE_SHIFT;

	if (flags & ~(LOG_BUF_FLAGS | ~0u << LOG_BUF_TYPE_SHIFT) || type >= LOG_BUF_TYPE_COUNT ||
	    !flags_agree(r->g, flags, type))
		return log_item_bad(r, item, "flags", flags);
	if (!in_place(r->g, format, type))
		return log_target_bad(r, item, le64_get(format->blkno), "no place for its type");
	/* Only what is cancelled has nothing to say. */
	if (!(flags & LOG_BUF_CANCEL) && item->regions == 1)
		return log_item_bad(r, item, "size", item->regions);
	return 0;
}

/* A directory block in several pieces is logged piece by piece, and none of them has a type: that
 * stands for the block. */
static bool is_piece(const struct geometry *g, u32 told)
{
	return g->dir_block_size > g->block_size && told >= LOG_BUF_TYPE_DIR_BLOCK &&
	       told <= LOG_BUF_TYPE_DA_NODE;
}

/* What is logged from the start of a block tells by its magic what it is; the flags say the same.
 */
static bool type_agrees(const struct geometry *g, const struct log_buf *format, const u8 *bytes)
{
	u32 type = le16_get(format->flags) >> LOG_BUF_TYPE_SHIFT, told = log_buf_type_of(bytes);

	/* those of the realtime files may begin with anything */
	return told == LOG_BUF_TYPE_UNKNOWN || told == type || type == LOG_BUF_TYPE_RTBITMAP ||
	       type == LOG_BUF_TYPE_RTSUMMARY ||
	       (type == LOG_BUF_TYPE_UNKNOWN && is_piece(g, told));
}

static int buffer_check(struct log_replay *r, const struct log_item *item)
{
	const struct log_buf *format = LOG_FORMAT(item, log_buf);
	u32 length = log_region_length(item, 0), size, offset;
	struct chunks c;
	const u8 *bytes;
	int err;

	if (!format)
		return log_item_bad(r, item, "format length", length);
	if (le32_get(format->map_size) > LOG_BUF_MAP_WORDS ||
	    sizeof(*format) + le32_get(format->map_size) * sizeof(struct le32) > length)
		return log_item_bad(r, item, "map_size", le32_get(format->map_size));
	err = log_target_check(r, item, le64_get(format->blkno), le16_get(format->len));
	if (!err)
		err = check_flags(r, item);
	if (err || le16_get(format->flags) & LOG_BUF_CANCEL)
		return err;
	c = chunks_of(item);
	while (next_run(&c, item, &offset, &bytes, &size))
		if (!offset && !type_agrees(r->g, format, bytes))
			return log_item_bad(r, item, "flags", le16_get(format->flags));
	while (c.bit < c.bits && !bit_set(&c, c.bit))
		c.bit++;
	if (c.bit < c.bits || c.region != item->regions)
		return log_item_bad(r, item, "data_map", c.bit);
	return 0;
}

static int buffer_gather(struct log_replay *r, const struct log_item *item)
{
	const struct log_buf *format = LOG_CHECKED(item, log_buf);

	if (!(le16_get(format->flags) & LOG_BUF_CANCEL))
		return 0;
	return log_cancel_add(r->cancels, le64_get(format->blkno), le16_get(format->len));
}

static void replay_chunks(struct log_replay *r, const struct log_item *item)
{
	struct chunks c = chunks_of(item);
	u32 offset, length;
	const u8 *bytes;

	while (next_run(&c, item, &offset, &bytes, &length))
		memcpy(r->target + offset, bytes, length);
}

/* The unlinked pointers among the logged chunks. */
static void replay_unlinked(struct log_replay *r, const struct log_item *item)
{
	const u32 at = offsetof(struct log_dinode, next_unlinked), isize = r->g->inode_size;
	struct chunks c = chunks_of(item);
	u32 offset, length;
	const u8 *bytes;

	while (next_run(&c, item, &offset, &bytes, &length)) {
		for (u32 i = offset / isize * isize; i < offset + length; i += isize) {
			struct be16 magic;

			if (i + at < offset || i + at + 4 > offset + length)
				continue;
			memcpy(magic.b, r->target + i, sizeof(magic));
			if (be16_get(magic) != INODE_MAGIC)
				continue;
			memcpy(r->target + i + at, bytes + (i + at - offset), 4);
			log_stamp_crc(r->target + i, isize, offsetof(struct log_dinode, crc));
		}
	}
}

/* A quota that is turned off later in the log is of no use, and its blocks may be stale. */
static bool quota_is_off(const struct log_replay *r, u32 flags)
{
	return (flags & LOG_BUF_UDQUOT && r->quotaoff & LOG_QUOTAOFF_USER) ||
	       (flags & LOG_BUF_PDQUOT && r->quotaoff & LOG_QUOTAOFF_PROJECT) ||
	       (flags & LOG_BUF_GDQUOT && r->quotaoff & LOG_QUOTAOFF_GROUP);
}

static int buffer_replay(struct log_replay *r, const struct log_item *item)
{
	const struct log_buf *format = LOG_CHECKED(item, log_buf);
	u64 blkno = le64_get(format->blkno);
	u32 count = le16_get(format->len), flags = le16_get(format->flags);
	u32 type = flags >> LOG_BUF_TYPE_SHIFT;
	int err;

	if (flags & LOG_BUF_CANCEL) {
		log_cancel_drop(r->cancels, blkno, count);
		return 0;
	}
	if (log_cancelled(r->cancels, blkno, count) || quota_is_off(r, flags)) {
		r->status->skipped++;
		return 0;
	}
	err = log_target_read(r, blkno, count);
	if (err)
		return err;
	if (log_target_newer(r, item, blkno, log_target_lsn(r, count, type))) {
		r->status->skipped++;
		return 0;
	}
	if (flags & LOG_BUF_INODE) {
		replay_unlinked(r, item);
	} else {
		replay_chunks(r, item);
		log_target_stamp(r, count, type, item->lsn);
	}
	return log_target_write(r, blkno, count);
}

static void buffer_parts(const struct log_item *item, struct log_part_sink *sink)
{
	struct chunks c = chunks_of(item);
	u32 words = le32_get(c.format->map_size), offset, length;
	const u8 *bytes;

	sink->part(sink, "format", 0, c.format, sizeof(*c.format), &log_buf_layout);
	for (u32 i = 0; i < words; i++)
		sink->part(sink, "map", i, &c.map[i], sizeof(c.map[i]), &log_buf_map_layout);
	if (le16_get(c.format->flags) & LOG_BUF_CANCEL)
		return;
	while (next_run(&c, item, &offset, &bytes, &length))
		sink->part(sink, "data", offset, bytes, length, NULL);
}

static const struct part_kind kinds[] = {
    {"format", &log_buf_layout}, {"map", &log_buf_map_layout}, {NULL, NULL}};

const struct log_item_ops log_item_buffer = {
    .type = LOG_BUF,
    .name = "buf",
    .order = buffer_order,
    .check = buffer_check,
    .gather = buffer_gather,
    .replay = buffer_replay,
    .parts = buffer_parts,
    .kinds = kinds,
};
