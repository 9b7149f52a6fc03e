/*
 * One record: its header, its checksum, and its body as it was before the cycle words went in.
 *
 * The first word of each block of a record is replaced by the cycle, so that a torn write shows;
 * the words themselves are in the header, 64 of them in the header block and in each extended one.
 * A record that runs over the end of the log goes on at its start, with the next cycle.
 */
#include "base/trail.h"
#include "log/scan.h"

#include <errno.h>
#include <isa-l/crc.h>

bool log_is_header(const u8 *block)
{
	return be32_get(((const struct log_record *)block)->magicno) == LOG_RECORD_MAGIC;
}

u32 log_cycle_of(const u8 *block)
{
	const struct log_record *r = (const struct log_record *)block;

	return log_is_header(block) ? be32_get(r->cycle) : be32_get(r->magicno);
}

/* How many header blocks a record has follows from how large its writer let records grow. */
static u32 header_blocks(const struct log_record *r, u32 len)
{
	u32 size = be32_get(r->size);

	if (!(be32_get(r->version) & LOG_VERSION_2) || size <= LOG_HEADER_COVERS)
		return 1;
	/* mkfs with a stripe unit writes one record that is longer than the size it claims */
	return (u32)div_up_u64(size > len ? size : len, LOG_HEADER_COVERS);
}

const char *log_place_parse(const struct log_scan *scan, u32 block, const u8 *header,
			    struct log_place *out)
{
	const struct log_record *r = (const struct log_record *)header;
	u32 len = be32_get(r->len), size = be32_get(r->size), version = be32_get(r->version);

	*out = (struct log_place){
	    .block = block,
	    .len = len,
	    .ops = be32_get(r->num_logops),
	    .cycle = be32_get(r->cycle),
	    .crc = le32_get(r->crc),
	    .lsn = be64_get(r->lsn),
	    .tail_lsn = be64_get(r->tail_lsn),
	};
	if (!log_is_header(header))
		return "magicno";
	if (!version || version & ~LOG_VERSION_KNOWN)
		return "version";
	if (size > LOG_RECORD_MAX)
		return "size";
	if (!len || len > LOG_RECORD_MAX)
		return "len";
	if (out->lsn != lsn_make(out->cycle, block))
		return "lsn";
	if (be32_get(r->fmt) != LOG_FMT_LINUX_LE)
		return "fmt";
	if (out->ops > len / sizeof(struct log_op))
		return "num_logops";
	out->header_blocks = header_blocks(r, len);
	out->blocks = out->header_blocks + (u32)div_up_u64(len, LOG_BLOCK);
	return out->blocks > scan->blocks ? "len" : NULL;
}

static u32 crc_of(const void *bytes, size_t size, u32 crc)
{
	return crc32_iscsi((u8 *)(uintptr_t)bytes, (int)size, crc);
}

u32 log_record_crc(const u8 *record, const struct log_place *place, u32 header_size)
{
	static const u8 zero[4];
	const size_t at = offsetof(struct log_record, crc);
	u32 crc = crc_of(record, at, NULL32);

	crc = crc_of(zero, sizeof(zero), crc);
	crc = crc_of(record + at + 4, header_size - at - 4, crc);
	/* of the extended headers, those that this body needs */
	for (u32 i = 1; i < place->header_blocks && i * LOG_HEADER_COVERS < place->len; i++)
		crc = crc_of(record + (size_t)i * LOG_BLOCK, LOG_EXT_CRC_SIZE, crc);
	return ~crc_of(record + (size_t)place->header_blocks * LOG_BLOCK, place->len, crc);
}

static bool crc_good(const u8 *record, const struct log_place *place)
{
	return log_record_crc(record, place, LOG_RECORD_CRC_SIZE) == place->crc ||
	       log_record_crc(record, place, LOG_RECORD_CRC_SIZE_32) == place->crc;
}

/* mkfs.xfs writes its only record, an unmount record, without a checksum. */
static bool is_mkfs_record(const u8 *record, const struct log_place *place)
{
	const struct log_op *op =
	    (const struct log_op *)(record + (size_t)place->header_blocks * LOG_BLOCK);

	return !place->crc && place->ops == 1 && op->flags & LOG_OP_UNMOUNT;
}

/* Where the headers keep the first word of block `i` of the body; NULL: there is no room for it. */
static u8 *word_slot(u8 *record, u32 header_blocks, u32 i)
{
	u32 header = i / LOG_CYCLE_SLOTS;
	size_t slots =
	    header ? offsetof(struct log_ext, cycle_data) : offsetof(struct log_record, cycle_data);

	if (header >= header_blocks)
		return NULL;
	return record + (size_t)header * LOG_BLOCK + slots + (size_t)(i % LOG_CYCLE_SLOTS) * 4;
}

void log_record_open(u8 *record, u32 header_blocks, u32 blocks)
{
	for (u32 i = 0; i < blocks - header_blocks; i++) {
		const u8 *word = word_slot(record, header_blocks, i);

		if (word)
			memcpy(record + (size_t)(header_blocks + i) * LOG_BLOCK, word, 4);
	}
}

static void close_record(const struct geometry *g, u32 block, u8 *record, u32 header_blocks,
			 u32 blocks)
{
	u32 cycle = be32_get(((const struct log_record *)record)->cycle);

	for (u32 i = 0; i < blocks - header_blocks; i++) {
		struct be32 stamp =
		    be32_make(cycle + ((u64)block + header_blocks + i >= log_size(g)));
		u8 *word = word_slot(record, header_blocks, i);
		u8 *at = record + (size_t)(header_blocks + i) * LOG_BLOCK;

		if (!word)
			continue;
		memcpy(word, at, 4);
		memcpy(at, &stamp, 4);
	}
}

static int seal(const struct log_scan *scan, u32 block, u8 *record, u32 blocks, u8 *room)
{
	struct log_place place;
	struct le32 crc;
	int err = 0;

	if (log_place_parse(scan, block, record, &place))
		return 0;
	memcpy(room, record, (size_t)blocks * LOG_BLOCK);
	if (place.blocks > blocks)
		err = log_scan_read(scan, log_block_after(scan, block, blocks),
				    place.blocks - blocks, room + (size_t)blocks * LOG_BLOCK);
	crc = le32_make(log_record_crc(room, &place, LOG_RECORD_CRC_SIZE));
	if (!err)
		memcpy(record + offsetof(struct log_record, crc), &crc, sizeof(crc));
	return err;
}

/* Makes the checksum right, over what the header now says it covers; where that cannot be, leaves
 * it. */
static int seal_record(struct env *env, const struct geometry *g, struct device *data,
		       struct device *log, u32 block, u8 *record, u32 blocks)
{
	const struct log_options options = {0};
	struct log_scan scan;
	u8 *room = env_alloc(env, LOG_RECORD_BYTES);
	int err;

	if (!room)
		return fail(-ENOMEM, "a record of the log: out of memory");
	err = log_scan_init(&scan, env, g, data, log, &options);
	if (!err)
		err = seal(&scan, block, record, blocks, room);
	env_free(env, room);
	return err;
}

int log_record_store(struct env *env, const struct geometry *g, struct device *data,
		     struct device *log, const struct log_event *record, const u8 *stored, u8 *now,
		     bool fix_crc)
{
	size_t header = (size_t)record->header_blocks * LOG_BLOCK;
	size_t size = (size_t)record->blocks * LOG_BLOCK;

	if (stored && memcmp(now, stored, header) != 0)
		memcpy(now + header, stored + header, size - header);
	else
		close_record(g, record->block, now, record->header_blocks, record->blocks);
	if (!fix_crc || (stored && !memcmp(now, stored, size)))
		return 0;
	return seal_record(env, g, data, log, record->block, now, record->blocks);
}

int log_record_sound(struct log_scan *scan, u32 block, u8 *record, bool *sound)
{
	struct log_place place;
	int err = log_scan_read(scan, block, 1, record);

	*sound = false;
	if (err || log_place_parse(scan, block, record, &place))
		return err;
	err = log_scan_read(scan, log_block_after(scan, block, 1), place.blocks - 1,
			    record + LOG_BLOCK);
	*sound = !err && (crc_good(record, &place) || is_mkfs_record(record, &place));
	return err;
}

/* Each header has the cycle of the record, or where that runs over the end of the log, the next. */
static int check_cycles(struct log_scan *scan, const u8 *record, const struct log_place *place)
{
	for (u32 i = 1; i < place->header_blocks; i++) {
		u32 cycle = log_cycle_of(record + (size_t)i * LOG_BLOCK);
		u32 expected = place->cycle + ((u64)place->block + i >= scan->blocks);

		if (cycle != expected)
			return log_damage(scan, log_defs->record,
					  log_block_after(scan, place->block, i), "cycle",
					  "the cycle of an extended header", NULL);
	}
	return 0;
}

int log_record_read(struct log_scan *scan, u32 block, u32 room, u8 *record, struct log_place *out)
{
	const char *field;
	int err = log_scan_read(scan, block, 1, record);

	if (err)
		return err;
	field = log_place_parse(scan, block, record, out);
	if (field)
		return log_damage(scan, log_defs->record, block, field, field, NULL);
	if (out->blocks > room)
		return log_damage_u64(scan, log_defs->overrun, block, NULL, out->blocks, room);
	if (memcmp(((const struct log_record *)record)->fs_uuid, scan->g->uuid.b, 16) &&
	    memcmp(((const struct log_record *)record)->fs_uuid, scan->g->meta_uuid.b, 16))
		return log_damage(scan, log_defs->uuid, block, NULL, NULL, NULL);
	err = log_scan_read(scan, log_block_after(scan, block, 1), out->blocks - 1,
			    record + LOG_BLOCK);
	if (err)
		return err;
	if (is_mkfs_record(record, out)) {
		log_record_open(record, out->header_blocks, out->blocks);
		return 0;
	}
	if (!crc_good(record, out))
		return log_damage_u64(scan, log_defs->crc, block, NULL, out->crc,
				      log_record_crc(record, out, LOG_RECORD_CRC_SIZE));
	log_record_open(record, out->header_blocks, out->blocks);
	return check_cycles(scan, record, out);
}
