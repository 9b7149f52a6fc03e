/*
 * Writing the log; see writer.h.
 *
 * 1. Between checkpoints the body is empty and `block` is the head.
 * 2. During one, `at` and `at_cycle` are where the next record goes; head and cycle move only when
 *    the last record is durable.
 * 3. The first header's tail is the log's tail at that time, as in every record.
 * 4. A record is at most RECORD_SIZE bytes of body with one header block, so that all records of
 *    the log agree on how many header blocks there are.
 */
#include "log/writer.h"

#include "base/trail.h"
#include "log/scan.h"

#include <errno.h>

#define RECORD_SIZE LOG_HEADER_COVERS
/* One is kept for the last record, which waits for the others. */
#define IN_FLIGHT_MAX (LOG_RECORDS_IN_FLIGHT - 1)
#define TRANS_CHECKPOINT 40
/* Blocks beyond the head that are cleared: what may have been in flight. */
#define CLEAR_BLOCKS (LOG_RECORDS_IN_FLIGHT * (LOG_RECORD_MAX >> LOG_BLOCK_LOG))

struct log_writer {
	struct env *env;
	struct device *data;
	struct log_scan scan;
	u32 unit;	  /* blocks: records are padded to the log's sectors */
	u32 block, cycle; /* the head */
	u32 tail, live;	  /* blocks between tail and head */
	u64 tail_lsn;
	u32 at, at_cycle, written, in_flight; /* of this checkpoint */
	u32 dirty_ahead; /* blocks beyond the head that a failed checkpoint has written */
	u32 tid, previous;
	bool began;
	u32 used, ops; /* of the record being filled */
	u8 *record;    /* header block, body */
};

static u8 *body(struct log_writer *w)
{
	return w->record + LOG_BLOCK;
}

int log_writer_open(struct env *env, const struct geometry *g, struct device *data,
		    struct device *log, const struct log_status *status, struct log_writer **out)
{
	static const struct log_options options = {0};
	struct log_writer *w = env_alloc(env, sizeof(*w));
	int err;

	*out = NULL;
	if (!w)
		return fail(-ENOMEM, "the log: out of memory");
	w->env = env;
	w->data = data;
	w->unit = g->log_sector_size > LOG_BLOCK ? g->log_sector_size / LOG_BLOCK : 1;
	w->record = env_alloc(env, LOG_BLOCK + RECORD_SIZE);
	err = w->record ? log_scan_init(&w->scan, env, g, data, log, &options)
			: fail(-ENOMEM, "the log: out of memory");
	if (!err && status->head_block % w->unit)
		err =
		    fail(-EUCLEAN, "the head of the log, block %llu, is in the middle of a sector",
			 (unsigned long long)status->head_block);
	if (err) {
		log_writer_close(w);
		return err;
	}
	w->block = w->tail = (u32)status->head_block;
	w->cycle = status->head_cycle ? status->head_cycle : 1;
	w->tail_lsn = lsn_make(w->cycle, w->block);
	w->previous = NULL32;
	w->tid = 1;
	*out = w;
	return 0;
}

void log_writer_close(struct log_writer *w)
{
	if (!w)
		return;
	env_free(w->env, w->record);
	env_free(w->env, w);
}

u32 log_writer_blocks(const struct log_writer *w)
{
	return w->scan.blocks;
}

/* Head and tail never meet from behind: a full log would look like an empty one. */
u32 log_writer_room(const struct log_writer *w)
{
	u32 used = w->live + 2 * w->unit;

	return used < w->scan.blocks ? w->scan.blocks - used : 0;
}

u64 log_writer_cost(const struct log_writer *w, u64 regions, u64 bytes)
{
	u64 body_bytes = bytes + (regions + 3) * sizeof(struct log_op) + sizeof(struct log_trans);
	/* a region that is cut costs an operation more */
	u64 records = body_bytes / (RECORD_SIZE - 2 * sizeof(struct log_op)) + 1;

	body_bytes += records * 2 * sizeof(struct log_op);
	return records * (1 + w->unit) + div_up_u64(body_bytes, LOG_BLOCK) + w->unit;
}

/* ---- the ring ---- */

/* What lies behind the end comes to the start only when the end is durable: else the first block
 * could be two cycles before the last, and no log looks like that. */
static int write_blocks(struct log_writer *w, u32 at, const u8 *bytes, u32 count)
{
	u32 first = w->scan.blocks - at < count ? w->scan.blocks - at : count;
	int err = device_write(w->scan.dev, daddr_of(w->scan.base + (u64)at * LOG_BLOCK), bytes,
			       (size_t)first * LOG_BLOCK);

	if (!err && first < count)
		err = device_flush(w->scan.dev);
	if (!err && first < count)
		err = device_write(w->scan.dev, daddr_of(w->scan.base),
				   bytes + (size_t)first * LOG_BLOCK,
				   (size_t)(count - first) * LOG_BLOCK);
	return err ? fail_in(err, "writing the log") : 0;
}

/* Both devices, where the log has one of its own: data first. */
static int flush_all(struct log_writer *w)
{
	int err = device_flush(w->data);

	if (!err && w->scan.dev != w->data)
		err = device_flush(w->scan.dev);
	return err ? fail_in(err, "flushing the log") : 0;
}

/* Blocks of the cycle before have not been reached yet: that is what they then look like. */
static int clear(struct log_writer *w, u32 at, u32 cycle, u32 count)
{
	int err = 0;

	while (count && !err) {
		u32 step = (u32)min_u64(count, RECORD_SIZE / LOG_BLOCK);

		memset(w->record, 0, (size_t)step * LOG_BLOCK);
		for (u32 i = 0; i < step; i++) {
			struct be32 stamp =
			    be32_make(cycle - 1 + (at + i >= w->scan.blocks ? 1 : 0));

			memcpy(w->record + (size_t)i * LOG_BLOCK, stamp.b, sizeof(stamp));
		}
		err = write_blocks(w, at, w->record, step);
		if (at + step >= w->scan.blocks)
			cycle++;
		at = log_block_after(&w->scan, at, step);
		count -= step;
	}
	return err ? err : flush_all(w);
}

int log_writer_clear(struct log_writer *w)
{
	u32 room = log_writer_room(w);

	return clear(w, w->block, w->cycle, room < CLEAR_BLOCKS ? room : CLEAR_BLOCKS);
}

/* ---- records ---- */

static u32 seal_record(struct log_writer *w)
{
	u32 len = (u32)(div_up_u64(w->used + LOG_BLOCK, (u64)w->unit * LOG_BLOCK) * w->unit - 1) *
		  LOG_BLOCK;
	u32 blocks = 1 + len / LOG_BLOCK;
	struct log_record *h = (struct log_record *)w->record;
	struct log_place place = {.header_blocks = 1, .len = len};

	memset(body(w) + w->used, 0, len - w->used);
	*h = (struct log_record){.magicno = be32_make(LOG_RECORD_MAGIC),
				 .cycle = be32_make(w->at_cycle),
				 .version = be32_make(LOG_VERSION_2),
				 .len = be32_make(len),
				 .lsn = be64_make(lsn_make(w->at_cycle, w->at)),
				 .tail_lsn = be64_make(w->tail_lsn),
				 .prev_block = be32_make(w->previous),
				 .num_logops = be32_make(w->ops),
				 .fmt = be32_make(LOG_FMT_LINUX_LE),
				 .size = be32_make(RECORD_SIZE)};
	memcpy(h->fs_uuid, w->scan.g->uuid.b, sizeof(h->fs_uuid));
	for (u32 i = 1; i < blocks; i++) {
		u8 *block = w->record + (size_t)i * LOG_BLOCK;
		struct be32 stamp = be32_make(w->at_cycle + (w->at + i >= w->scan.blocks ? 1 : 0));

		memcpy(&h->cycle_data[i - 1], block, sizeof(stamp));
		memcpy(block, stamp.b, sizeof(stamp));
	}
	h->crc = le32_make(log_record_crc(w->record, &place, LOG_RECORD_CRC_SIZE));
	return blocks;
}

/* Writes the record that has been filled. */
static int put_record(struct log_writer *w)
{
	u32 blocks = seal_record(w);
	int err = 0;

	if (w->written + blocks > log_writer_room(w))
		return fail(-ENOSPC, "the log has no room for a checkpoint");
	if (w->in_flight == IN_FLIGHT_MAX || (!w->at && w->in_flight)) {
		err = device_flush(w->scan.dev);
		w->in_flight = 0;
	}
	w->written += blocks;
	if (!err)
		err = write_blocks(w, w->at, w->record, blocks);
	if (err)
		return err;
	w->in_flight++;
	w->previous = w->at;
	if (w->at + blocks >= w->scan.blocks)
		w->at_cycle++;
	w->at = log_block_after(&w->scan, w->at, blocks);
	w->used = w->ops = 0;
	return 0;
}

static void put_op(struct log_writer *w, u8 client, u8 flags, const void *bytes, u32 size)
{
	const struct log_op op = {
	    .tid = be32_make(w->tid), .len = be32_make(size), .clientid = client, .flags = flags};

	memcpy(body(w) + w->used, &op, sizeof(op));
	if (size)
		memcpy(body(w) + w->used + sizeof(op), bytes, size);
	w->used += (u32)sizeof(op) + size;
	w->ops++;
}

/* The room in a record for the bytes of one more operation; a padded record must not be longer than
 * it may be. */
static u32 op_room(const struct log_writer *w)
{
	u32 all = RECORD_SIZE - (w->unit - 1) * LOG_BLOCK, need = w->used + sizeof(struct log_op);

	return need < all ? all - need : 0;
}

static void begin(struct log_writer *w)
{
	w->at = w->block;
	w->at_cycle = w->cycle;
	w->written = w->in_flight = 0;
	w->used = w->ops = 0;
	w->began = true;
}

int log_writer_begin(struct log_writer *w, u32 items)
{
	const struct log_trans header = {le32_make(LOG_TRANS_MAGIC), le32_make(TRANS_CHECKPOINT),
					 le32_make(w->tid), le32_make(items)};
	int err = 0;

	if (w->dirty_ahead)
		err = clear(w, w->block, w->cycle, w->dirty_ahead);
	if (err)
		return err;
	w->dirty_ahead = 0;
	begin(w);
	put_op(w, LOG_CLIENT_TRANSACTION, LOG_OP_START, NULL, 0);
	put_op(w, LOG_CLIENT_TRANSACTION, 0, &header, sizeof(header));
	return 0;
}

int log_writer_region(struct log_writer *w, const void *bytes, u32 size)
{
	const u8 *next = bytes;
	bool continued = false;
	int err = 0;

	/* A region that fits a record is cut only when much would be left empty. */
	if (size > op_room(w) && (op_room(w) < LOG_BLOCK))
		err = put_record(w);
	while (!err && size > op_room(w)) {
		u32 step = op_room(w) & ~3u;

		put_op(w, LOG_CLIENT_TRANSACTION,
		       (u8)(LOG_OP_CONTINUE | (continued ? LOG_OP_WAS_CONT : 0)), next, step);
		continued = true;
		next += step;
		size -= step;
		err = put_record(w);
	}
	if (!err)
		put_op(w, LOG_CLIENT_TRANSACTION, continued ? LOG_OP_WAS_CONT | LOG_OP_END : 0,
		       next, size);
	return err;
}

void log_writer_cancel(struct log_writer *w)
{
	if (w->began && w->written > w->dirty_ahead)
		w->dirty_ahead = w->written;
	w->began = false;
}

/* All before the last record, and the data that it speaks of, is durable before it; then itself. */
static int finish(struct log_writer *w)
{
	int err = flush_all(w);

	w->in_flight = 0;
	if (!err)
		err = put_record(w);
	if (!err)
		err = device_flush(w->scan.dev);
	if (err) {
		log_writer_cancel(w);
		return err;
	}
	w->live += w->written;
	w->block = w->at;
	w->cycle = w->at_cycle;
	w->began = false;
	w->tid++;
	return 0;
}

int log_writer_end(struct log_writer *w)
{
	int err = 0;

	if (op_room(w) < sizeof(struct log_op))
		err = put_record(w);
	if (err) {
		log_writer_cancel(w);
		return err;
	}
	put_op(w, LOG_CLIENT_TRANSACTION, LOG_OP_COMMIT, NULL, 0);
	return finish(w);
}

void log_writer_all_home(struct log_writer *w)
{
	w->tail = w->block;
	w->live = 0;
	w->tail_lsn = lsn_make(w->cycle, w->block);
}

int log_writer_unmount(struct log_writer *w)
{
	const struct log_unmount u = {.magic = le16_make(LOG_UNMOUNT_MAGIC)};
	int err = 0;

	if (w->dirty_ahead)
		err = clear(w, w->block, w->cycle, w->dirty_ahead);
	if (err)
		return err;
	w->dirty_ahead = 0;
	begin(w);
	put_op(w, LOG_CLIENT_LOG, LOG_OP_UNMOUNT, &u, sizeof(u));
	err = finish(w);
	if (!err)
		log_writer_all_home(w);
	return err;
}
