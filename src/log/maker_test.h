/*
 * Makes logs for the tests, byte by byte from the format, and devices in memory to hold them.
 *
 * For unit tests only; each includes it once.
 */
#ifndef MENDFS_LOG_MAKER_TEST_H
#define MENDFS_LOG_MAKER_TEST_H

#include "base/test.h"
#include <errno.h>
#include <isa-l/crc.h>
#include <stdio.h>

#include "format/ag.h"
#include "format/btree.h"
#include "format/super.h"
#include "host/host.h"
#include "log/scan.h"

#define MAKER_BLOCKS 8192u /* of the log */
#define MAKER_DATA (2u << 20)
#define MAKER_TID 0x1234

struct memory_device {
	struct device dev;
	u8 *bytes;
	u64 writes;
};

static inline int memory_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	if (at.v > dev->size || size > dev->size - at.v)
		return fail(-ENXIO, "beyond the end");
	memcpy(to, ((struct memory_device *)dev)->bytes + at.v, size);
	return 0;
}

static inline int memory_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	if (at.v > dev->size || size > dev->size - at.v)
		return fail(-ENXIO, "beyond the end");
	memcpy(((struct memory_device *)dev)->bytes + at.v, from, size);
	((struct memory_device *)dev)->writes++;
	return 0;
}

static inline int memory_flush(struct device *dev)
{
	(void)dev;
	return 0;
}

struct maker {
	struct env env;
	struct geometry g;
	struct memory_device data, log;
	struct log_options options;
	struct verdict verdict;
	char found[16][32]; /* names of the findings raised */
	u32 found_count;
	u32 pos, cycle, size; /* of the next record; size: its h_size */
	u64 tail_lsn;
	u32 used, ops; /* of the body */
	u8 body[LOG_RECORD_MAX];
};

static inline void maker_raise(struct verdict *v, const struct finding *finding)
{
	struct maker *m = v->sink;

	if (m->found_count < ARRAY_COUNT(m->found))
		snprintf(m->found[m->found_count++], sizeof(m->found[0]), "%s", finding->def->id);
}

static inline void memory_open(struct env *env, struct memory_device *m, const char *name, u64 size)
{
	m->bytes = env_alloc(env, size);
	assert_non_null(m->bytes);
	m->dev = (struct device){.name = name,
				 .size = size,
				 .read = memory_read,
				 .write = memory_write,
				 .flush = memory_flush};
}

static inline struct maker *maker_open(void)
{
	static struct maker m;

	memset(&m, 0, sizeof(m));
	host_env_init(&m.env, 1);
	m.g = (struct geometry){.block_size = 4096,
				.block_log = 12,
				.sector_size = 512,
				.sector_log = 9,
				.ag_count = 1,
				.ag_blocks = MAKER_DATA / 4096,
				.ag_block_log = 9,
				.data_blocks = MAKER_DATA / 4096,
				.inode_size = 512,
				.inode_log = 9,
				.inodes_per_block = 8,
				.inopb_log = 3,
				.agino_log = 12,
				.chunk_blocks = 8,
				.cluster_blocks = 4,
				.log_blocks = MAKER_BLOCKS / 8};
	memset(m.g.uuid.b, 7, 16);
	memset(m.g.meta_uuid.b, 7, 16);
	memory_open(&m.env, &m.data, "data", MAKER_DATA);
	memory_open(&m.env, &m.log, "log", MAKER_BLOCKS * LOG_BLOCK);
	m.verdict = (struct verdict){.raise = maker_raise, .sink = &m};
	m.options.verdict = &m.verdict;
	m.cycle = 1;
	m.size = 32768;
	return &m;
}

static inline void maker_close(struct maker *m)
{
	env_free(&m->env, m->data.bytes);
	env_free(&m->env, m->log.bytes);
}

static inline void maker_op(struct maker *m, u32 tid, u8 flags, const void *data, u32 len)
{
	struct log_op op = {.tid = be32_make(tid),
			    .len = be32_make(len),
			    .clientid = LOG_CLIENT_TRANSACTION,
			    .flags = flags};

	assert_true(m->used + sizeof(op) + len <= sizeof(m->body));
	memcpy(m->body + m->used, &op, sizeof(op));
	if (len)
		memcpy(m->body + m->used + sizeof(op), data, len);
	m->used += (u32)sizeof(op) + len;
	m->ops++;
}

/* crc32c over a list of pieces, independent of record.c. */
static inline u32 maker_crc(const u8 *record, u32 headers, u32 len)
{
	u32 crc = crc32_iscsi((u8 *)(uintptr_t)record, 328, NULL32);

	for (u32 i = 1; i < headers && i * 32768 < len; i++)
		crc = crc32_iscsi((u8 *)(uintptr_t)record + i * 512, 260, crc);
	return ~crc32_iscsi((u8 *)(uintptr_t)record + headers * 512, (int)len, crc);
}

/* Puts the body into the log as a record; returns its block. */
static inline u32 maker_record(struct maker *m)
{
	static u8 record[LOG_RECORD_BYTES];
	u32 headers = m->size > 32768 ? m->size / 32768 : 1, at = m->pos;
	u32 body_blocks = (m->used + 511) / 512, blocks = headers + body_blocks;
	struct log_record *h = (struct log_record *)record;

	memset(record, 0, sizeof(record));
	memcpy(record + headers * 512, m->body, m->used);
	*h = (struct log_record){.magicno = be32_make(0xfeedbabe),
				 .cycle = be32_make(m->cycle),
				 .version = be32_make(2),
				 .len = be32_make(m->used),
				 .lsn = be64_make(lsn_make(m->cycle, at)),
				 .tail_lsn =
				     be64_make(m->tail_lsn ? m->tail_lsn : lsn_make(m->cycle, at)),
				 .num_logops = be32_make(m->ops),
				 .fmt = be32_make(1),
				 .size = be32_make(m->size)};
	memset(h->fs_uuid, 7, 16);
	for (u32 i = 1; i < blocks; i++) {
		u32 cycle = m->cycle + (at + i >= MAKER_BLOCKS);
		struct be32 stamp = be32_make(cycle);

		if (i >= headers) {
			u32 k = i - headers;

			memcpy(record + (k / 64) * 512 + (k < 64 ? 44 : 4) + k % 64 * 4,
			       record + i * 512, 4);
		}
		memcpy(record + i * 512, stamp.b, 4);
	}
	h->crc = le32_make(maker_crc(record, headers, m->used));
	for (u32 i = 0; i < blocks; i++)
		memcpy(m->log.bytes + (size_t)((at + i) % MAKER_BLOCKS) * 512, record + i * 512,
		       512);
	m->cycle += at + blocks >= MAKER_BLOCKS;
	m->pos = (at + blocks) % MAKER_BLOCKS;
	if (!m->tail_lsn)
		m->tail_lsn = be64_get(h->lsn);
	m->used = m->ops = 0;
	return at;
}

static inline void maker_start(struct maker *m, u32 tid, u32 items)
{
	struct log_trans header = {le32_make(LOG_TRANS_MAGIC), le32_make(40), le32_make(tid),
				   le32_make(items)};

	maker_op(m, tid, LOG_OP_START, NULL, 0);
	maker_op(m, tid, 0, &header, sizeof(header));
}

static inline void maker_commit(struct maker *m, u32 tid)
{
	maker_op(m, tid, LOG_OP_COMMIT, NULL, 0);
}

/* A buffer item: `chunks` chunks of 128 bytes from `chunk` on, all bytes `fill`. */
static inline void maker_buffer(struct maker *m, u32 tid, u64 blkno, u32 flags, u32 chunk,
				u32 chunks, u8 fill)
{
	struct {
		struct log_buf format;
		struct le32 map;
	} f = {.format = {le16_make(LOG_BUF), le16_make(chunks ? 2 : 1), le16_make((u16)flags),
			  le16_make(8), le64_make(blkno), le32_make(1)},
	       .map = le32_make((u32)((1ull << chunks) - 1) << chunk)};
	u8 data[4096];

	maker_op(m, tid, 0, &f, sizeof(f));
	memset(data, fill, sizeof(data));
	if (chunks)
		maker_op(m, tid, 0, data, chunks * 128);
}

static inline void maker_unmount(struct maker *m)
{
	const struct log_unmount u = {le16_make(LOG_UNMOUNT_MAGIC), {{0}}, {{0}}};
	struct log_op *op = (struct log_op *)(m->body + m->used);

	maker_op(m, 0xb0c0d0d0, LOG_OP_UNMOUNT, &u, sizeof(u));
	op->clientid = LOG_CLIENT_LOG;
	maker_record(m);
}

/* One transaction with one buffer in one record; returns its block. */
static inline u32 maker_simple(struct maker *m, u64 blkno, u8 fill)
{
	maker_start(m, MAKER_TID, 1);
	maker_buffer(m, MAKER_TID, blkno, 0, 0, 1, fill);
	maker_commit(m, MAKER_TID);
	return maker_record(m);
}

static inline u8 *maker_data(struct maker *m, u64 blkno)
{
	return m->data.bytes + blkno * 512;
}

static inline int maker_find(struct maker *m, struct log_ends *ends)
{
	struct log_scan scan;
	int err = log_scan_init(&scan, &m->env, &m->g, &m->data.dev, &m->log.dev, &m->options);

	*ends = (struct log_ends){0};
	return err ? err : log_find(&scan, ends);
}

static inline int maker_recover(struct maker *m, struct log_status *status)
{
	return log_recover(&m->env, &m->g, &m->data.dev, &m->log.dev, &m->options, status);
}

/* The finding of that name, and no other, has been raised. */
static inline void maker_expect(const struct maker *m, const char *id)
{
	assert_int_equal(m->found_count, 1);
	assert_string_equal(m->found[0], id);
}

#endif
