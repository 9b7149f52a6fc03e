/* Replaying each item type, with what must stop it. Offsets are those of the format. */
#include "log/replay.h"
#include "log/maker_test.h"

#define INODE_BLOCK 100u /* an inode cluster of the data device */
#define INODE_SECTOR (INODE_BLOCK * 8)

static u64 be_at(const u8 *bytes, u32 offset, u32 width)
{
	u64 v = 0;

	for (u32 i = 0; i < width; i++)
		v = v << 8 | bytes[offset + i];
	return v;
}

static void be_put(u8 *bytes, u32 offset, u32 width, u64 v)
{
	for (u32 i = 0; i < width; i++)
		bytes[offset + i] = (u8)(v >> (width - 1 - i) * 8);
}

/* crc32c of an object whose checksum is at `at`. */
static u32 crc_of(u8 *bytes, u32 size, u32 at)
{
	static u8 zero[4];
	u32 crc = crc32_iscsi(bytes, (int)at, NULL32);

	crc = crc32_iscsi(zero, 4, crc);
	return ~crc32_iscsi(bytes + at + 4, (int)(size - at - 4), crc);
}

static u32 le_at(const u8 *bytes, u32 offset)
{
	u32 v;

	memcpy(&v, bytes + offset, 4);
	return v;
}

static void recover_ok(struct maker *m, struct log_status *status)
{
	maker_record(m);
	assert_int_equal(maker_recover(m, status), 0);
	assert_int_equal(m->log.writes, 0);
}

/* A bnobt block at sector 800 with an LSN. */
static void put_btree_block(struct maker *m, u64 lsn)
{
	u8 *block = maker_data(m, 800);

	be_put(block, 0, 4, 0x41423342);
	be_put(block, 24, 8, lsn);
	memset(block + 32, 7, 16);
}

static void buffers_obey_lsn(void **state)
{
	static const struct {
		u64 lsn;
		bool replayed, torn, ahead;
	} disk[] = {{0, true, false},
		    {1ull << 32, true, false},
		    {1ull << 32 | 1, false, false},
		    /* behind the end of the log */
		    {1ull << 32 | 4000, true, false, true},
		    {2ull << 32, true, false, true},
		    /* its checksum says that not all of it is as new as its LSN */
		    {2ull << 32, true, true}};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(disk); i++) {
		struct maker *m = maker_open();
		struct log_status status;
		u8 *block = maker_data(m, 800);

		put_btree_block(m, disk[i].lsn);
		log_stamp_crc(block, 4096, 52);
		block[700] ^= disk[i].torn;
		maker_start(m, MAKER_TID, 1);
		maker_buffer(m, MAKER_TID, 800, LOG_BUF_TYPE_BTREE << 11, 3, 2, 0x55);
		maker_commit(m, MAKER_TID);
		recover_ok(m, &status);
		assert_int_equal(block[383], 0);
		assert_int_equal(block[384], disk[i].replayed ? 0x55 : 0);
		assert_int_equal(block[639], disk[i].replayed ? 0x55 : 0);
		assert_int_equal(block[640], 0);
		assert_int_equal(status.skipped, !disk[i].replayed);
		if (disk[i].replayed) {
			/* stamped with the LSN of the transaction, and summed */
			assert_int_equal(be_at(block, 24, 8), 1ull << 32);
			assert_int_equal(le_at(block, 52), crc_of(block, 4096, 52));
		}
		if (disk[i].ahead)
			maker_expect(m, "LOG_TARGET_AHEAD");
		else
			assert_int_equal(m->found_count, 0);
		maker_close(m);
	}
	/* what another filesystem has left there has no LSN that counts */
	struct maker *m = maker_open();
	struct log_status status;

	put_btree_block(m, 5ull << 32);
	maker_data(m, 800)[40] = 8;
	log_stamp_crc(maker_data(m, 800), 4096, 52);
	maker_start(m, MAKER_TID, 1);
	maker_buffer(m, MAKER_TID, 800, LOG_BUF_TYPE_BTREE << 11, 3, 2, 0x55);
	maker_commit(m, MAKER_TID);
	recover_ok(m, &status);
	assert_int_equal(maker_data(m, 800)[384], 0x55);
	maker_close(m);
}

/* Two transactions that start in one record change one block. */
static void one_lsn_twice(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;

	(void)state;
	put_btree_block(m, 0);
	for (u32 i = 0; i < 2; i++) {
		maker_start(m, 10 + i, 1);
		maker_buffer(m, 10 + i, 800, LOG_BUF_TYPE_BTREE << 11, 8 + i, 1, (u8)(1 + i));
		maker_commit(m, 10 + i);
	}
	recover_ok(m, &status);
	assert_int_equal(maker_data(m, 800)[1024], 1);
	assert_int_equal(maker_data(m, 800)[1152], 2);
	maker_close(m);
}

static void cancelled(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;

	(void)state;
	/* logged, freed, logged again: only the last counts */
	maker_start(m, 1, 2);
	maker_buffer(m, 1, 800, 0, 0, 1, 0x11);
	maker_buffer(m, 1, 808, 0, 0, 1, 0x11);
	maker_commit(m, 1);
	maker_record(m);
	maker_start(m, 2, 2);
	maker_buffer(m, 2, 800, LOG_BUF_CANCEL, 0, 0, 0);
	maker_buffer(m, 2, 808, LOG_BUF_CANCEL, 0, 0, 0);
	maker_buffer(m, 2, 808, 0, 2, 1,
		     0x33); /* before the cancellation, in the order of replay */
	maker_commit(m, 2);
	maker_record(m);
	maker_start(m, 3, 1);
	maker_buffer(m, 3, 800, 0, 1, 1, 0x22);
	maker_commit(m, 3);
	/* a cancellation that never commits frees nothing */
	maker_start(m, 4, 1);
	maker_buffer(m, 4, 816, LOG_BUF_CANCEL, 0, 0, 0);
	maker_start(m, 5, 1);
	maker_buffer(m, 5, 816, 0, 0, 1, 0x44);
	maker_commit(m, 5);
	recover_ok(m, &status);
	assert_int_equal(maker_data(m, 800)[0], 0);
	assert_int_equal(maker_data(m, 800)[128], 0x22);
	assert_int_equal(maker_data(m, 808)[0], 0);
	assert_int_equal(maker_data(m, 808)[256], 0);
	assert_int_equal(maker_data(m, 816)[0], 0x44);
	assert_int_equal(status.skipped, 3);
	maker_close(m);
}

static void put_inodes(struct maker *m)
{
	for (u32 i = 0; i < 32; i++) {
		u8 *raw = maker_data(m, INODE_SECTOR + i);

		be_put(raw, 0, 2, 0x494e);
		be_put(raw, 96, 4, 100 + i);
	}
}

/* An inode item for the second inode of the cluster. */
static void put_inode_item(struct maker *m, u32 fields, u32 regions, const u8 *fork, u32 length,
			   bool small)
{
	struct log_dinode core = {.magic = le16_make(0x494e),
				  .mode = le16_make(0100644),
				  .version = 3,
				  .format = 2,
				  .uid = le32_make(0x01020304),
				  .size = le64_make(0x1122334455667788),
				  .atime = le64_make(0x0000000200000001), /* 1 s, 2 ns */
				  .forkoff = 0,
				  .next_unlinked = le32_make(NULL32),
				  .lsn = le64_make(99),
				  .ino = le64_make(801)};
	struct log_inode full = {.type = le16_make(LOG_INODE),
				 .size = le16_make((u16)regions),
				 .fields = le32_make(fields),
				 .ino = le64_make(801),
				 .blkno = le64_make(INODE_SECTOR),
				 .len = le32_make(32),
				 .boffset = le32_make(512)};
	struct log_inode32 half = {.type = full.type,
				   .size = full.size,
				   .fields = full.fields,
				   .ino = full.ino,
				   .blkno = full.blkno,
				   .len = full.len,
				   .boffset = full.boffset};

	if (small)
		maker_op(m, MAKER_TID, 0, &half, sizeof(half));
	else
		maker_op(m, MAKER_TID, 0, &full, sizeof(full));
	maker_op(m, MAKER_TID, 0, &core, sizeof(core));
	if (regions > 2)
		maker_op(m, MAKER_TID, 0, fork, length);
}

/* An item that says where the inode lies, and is wrong. */
static void inode_elsewhere(void **state)
{
	static const struct {
		u64 blkno;
		u32 len, boffset;
		bool good;
	} places[] = {{INODE_SECTOR, 32, 512, true},
		      {INODE_SECTOR, 32, 1024, false},
		      {INODE_SECTOR + 8, 32, 512, false},
		      {INODE_SECTOR, 8, 512, true},
		      {INODE_SECTOR + 1, 32, 0, false}};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(places); i++) {
		struct maker *m = maker_open();
		struct log_status status;
		struct log_inode *item;

		put_inodes(m);
		maker_start(m, MAKER_TID, 1);
		item = (struct log_inode *)(m->body + m->used + sizeof(struct log_op));
		put_inode_item(m, LOG_INODE_CORE, 2, NULL, 0, false);
		item->blkno = le64_make(places[i].blkno);
		item->len = le32_make(places[i].len);
		item->boffset = le32_make(places[i].boffset);
		maker_commit(m, MAKER_TID);
		maker_record(m);
		assert_int_equal(maker_recover(m, &status), places[i].good ? 0 : -EUCLEAN);
		if (!places[i].good)
			maker_expect(m, "LOG_TARGET");
		maker_close(m);
	}
}

/* Two formats at once for a fork, though nothing of it is logged. */
static void inode_two_formats(void **state)
{
	static const u32 fields[] = {LOG_INODE_DEXT | LOG_INODE_DBROOT, LOG_INODE_AFORK, NULL32};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(fields); i++) {
		struct maker *m = maker_open();
		struct log_status status;

		put_inodes(m);
		maker_start(m, MAKER_TID, 1);
		put_inode_item(m, LOG_INODE_CORE | fields[i], 2, NULL, 0, false);
		maker_commit(m, MAKER_TID);
		maker_record(m);
		assert_int_equal(maker_recover(m, &status), -EUCLEAN);
		maker_expect(m, "LOG_ITEM");
		maker_close(m);
	}
}

static int format_length(void *arg, const struct log_event *event)
{
	if (event->kind == LOG_EVENT_PART && !strncmp(event->part_name, "format", 6))
		*(u32 *)arg = event->layout->size;
	return 0;
}

static void inodes(void **state)
{
	(void)state;
	for (u32 small = 0; small < 2; small++) {
		struct maker *m = maker_open();
		struct log_status status;
		u8 fork[32], *raw = maker_data(m, INODE_SECTOR + 1);
		u32 length = 0;

		memset(fork, 0xab, sizeof(fork));
		put_inodes(m);
		maker_start(m, MAKER_TID, 1);
		put_inode_item(m, LOG_INODE_CORE | LOG_INODE_DEXT, 3, fork, sizeof(fork), small);
		maker_commit(m, MAKER_TID);
		recover_ok(m, &status);
		assert_int_equal(be_at(raw, 0, 2), 0x494e);
		assert_int_equal(be_at(raw, 2, 2), 0100644);
		assert_int_equal(be_at(raw, 8, 4), 0x01020304);
		assert_int_equal(be_at(raw, 32, 4), 1);
		assert_int_equal(be_at(raw, 36, 4), 2);
		assert_int_equal(be_at(raw, 56, 8), 0x1122334455667788);
		assert_int_equal(be_at(raw, 96, 4), 101); /* kept */
		assert_int_equal(be_at(raw, 112, 8), 1ull << 32);
		assert_int_equal(be_at(raw, 152, 8), 801);
		assert_memory_equal(raw + 176, fork, sizeof(fork));
		assert_int_equal(raw[176 + 32], 0);
		assert_int_equal(le_at(raw, 100), crc_of(raw, 512, 100));
		assert_int_equal(be_at(maker_data(m, INODE_SECTOR + 2), 8, 4), 0);
		assert_int_equal(log_each(&m->env, &m->g, &m->data.dev, &m->log.dev, &m->options,
					  format_length, &length),
				 0);
		assert_int_equal(length, small ? 52 : 56);
		maker_close(m);
	}
}

/* The newer inode stays; a cluster that is freed later stays; a place without inodes is said. */
static void inodes_not_touched(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	u8 *raw = maker_data(m, INODE_SECTOR + 1);

	(void)state;
	put_inodes(m);
	be_put(raw, 112, 8, 1ull << 32 | 1);
	maker_start(m, MAKER_TID, 1);
	put_inode_item(m, LOG_INODE_CORE, 2, NULL, 0, false);
	maker_commit(m, MAKER_TID);
	recover_ok(m, &status);
	assert_int_equal(be_at(raw, 8, 4), 0);
	assert_int_equal(status.skipped, 1);
	maker_close(m);
	m = maker_open();
	maker_start(m, MAKER_TID, 1);
	put_inode_item(m, LOG_INODE_CORE, 2, NULL, 0, false);
	maker_commit(m, MAKER_TID);
	maker_record(m);
	assert_int_equal(maker_recover(m, &status), -EUCLEAN);
	maker_expect(m, "LOG_TARGET");
	m->found_count = 0;
	m->options.accept_loss = true;
	assert_int_equal(maker_recover(m, &status), 0);
	assert_int_equal(status.state, LOG_DAMAGED);
	assert_int_equal(status.skipped, 0);
	assert_int_equal(status.loss.items, 1);
	maker_close(m);
}

/* The root of a btree is packed from a block with header into the fork. */
static void btree_root(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	u8 root[72 + 4 * 16] = {0}, *fork = maker_data(m, INODE_SECTOR + 1) + 176;

	(void)state;
	put_inodes(m);
	be_put(root, 4, 2, 1); /* level */
	be_put(root, 6, 2, 2); /* records, of room for 4 */
	be_put(root, 72, 8, 0x10);
	be_put(root, 80, 8, 0x20);
	be_put(root, 72 + 4 * 8, 8, 0x77);
	be_put(root, 72 + 4 * 8 + 8, 8, 0x88);
	maker_start(m, MAKER_TID, 1);
	put_inode_item(m, LOG_INODE_CORE | LOG_INODE_DBROOT, 3, root, sizeof(root), false);
	maker_commit(m, MAKER_TID);
	recover_ok(m, &status);
	/* 336 bytes: room for (336 - 4) / 16 = 20 */
	assert_int_equal(be_at(fork, 0, 2), 1);
	assert_int_equal(be_at(fork, 2, 2), 2);
	assert_int_equal(be_at(fork, 4, 8), 0x10);
	assert_int_equal(be_at(fork, 12, 8), 0x20);
	assert_int_equal(be_at(fork, 4 + 20 * 8, 8), 0x77);
	assert_int_equal(be_at(fork, 12 + 20 * 8, 8), 0x88);
	maker_close(m);
}

/* The blocks of a btree whose fork has come from another file get their new owner. */
static void owner_change(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	u8 *raw = maker_data(m, INODE_SECTOR + 1), *one = maker_data(m, 200 * 8),
	   *two = maker_data(m, 201 * 8);

	(void)state;
	put_inodes(m);
	be_put(raw, 2, 2, 0100644);
	raw[5] = 3;			     /* btree */
	be_put(raw, 112, 8, 1ull << 32 | 1); /* newer: only the owners change */
	be_put(raw, 152, 8, 801);
	be_put(raw, 176, 2, 1);
	be_put(raw, 178, 2, 1);
	be_put(raw, 180 + 20 * 8, 8, 200);
	be_put(one, 0, 4, 0x424d4133);
	be_put(one, 16, 8, 201); /* right */
	be_put(one, 56, 8, 555);
	be_put(two, 0, 4, 0x424d4133);
	be_put(two, 16, 8, NULL64);
	be_put(two, 56, 8, 555);
	for (u32 loop = 0; loop < 2; loop++) {
		maker_start(m, MAKER_TID, 1);
		put_inode_item(m, LOG_INODE_CORE | LOG_INODE_DOWNER, 2, NULL, 0, false);
		maker_commit(m, MAKER_TID);
		maker_record(m);
		if (loop) {
			be_put(two, 16, 8, 200); /* and around */
			assert_int_equal(maker_recover(m, &status), -EUCLEAN);
			maker_expect(m, "LOG_TARGET");
			break;
		}
		assert_int_equal(maker_recover(m, &status), 0);
		assert_int_equal(be_at(one, 56, 8), 801);
		assert_int_equal(be_at(two, 56, 8), 801);
		assert_int_equal(le_at(two, 64), crc_of(two, 4096, 64));
	}
	maker_close(m);
}

/* An inode buffer with the inode flag has the unlinked pointers, and nothing else counts. */
static void unlinked_pointers(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	u8 *raw = maker_data(m, INODE_SECTOR + 1);

	(void)state;
	put_inodes(m);
	maker_start(m, MAKER_TID, 1);
	maker_buffer(m, MAKER_TID, INODE_SECTOR, LOG_BUF_INODE | LOG_BUF_TYPE_DINO << 11, 4, 1,
		     0x0e);
	maker_commit(m, MAKER_TID);
	recover_ok(m, &status);
	assert_int_equal(be_at(raw, 96, 4), 0x0e0e0e0e);
	assert_int_equal(be_at(raw, 8, 4), 0);
	assert_int_equal(le_at(raw, 100), crc_of(raw, 512, 100));
	assert_int_equal(be_at(maker_data(m, INODE_SECTOR + 2), 96, 4), 102);
	maker_close(m);
}

static void dquots(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	const struct log_dquot format = {.type = le16_make(LOG_DQUOT),
					 .size = le16_make(2),
					 .id = le32_make(6),
					 .blkno = le64_make(800),
					 .len = le32_make(1), /* one block of the filesystem */
					 .boffset = le32_make(6 * 136)};
	const struct log_quotaoff off = {.type = le16_make(LOG_QUOTAOFF),
					 .size = le16_make(1),
					 .flags = le32_make(LOG_QUOTAOFF_GROUP)};
	u8 record[104] = {0}, *disk = maker_data(m, 800) + 6 * 136;

	(void)state;
	be_put(record, 0, 2, 0x4451);
	record[3] = 1; /* user */
	be_put(record, 4, 4, 6);
	be_put(record, 40, 8, 12345);
	maker_start(m, MAKER_TID, 2);
	maker_op(m, MAKER_TID, 0, &off, sizeof(off));
	maker_op(m, MAKER_TID, 0, &format, sizeof(format));
	maker_op(m, MAKER_TID, 0, record, sizeof(record));
	maker_commit(m, MAKER_TID);
	recover_ok(m, &status);
	assert_int_equal(be_at(disk, 40, 8), 12345);
	assert_int_equal(le_at(disk, 108), crc_of(disk, 136, 108));
	/* of a quota that is turned off, nothing */
	record[3] = 4;
	be_put(record, 40, 8, 777);
	maker_start(m, MAKER_TID, 1);
	maker_op(m, MAKER_TID, 0, &format, sizeof(format));
	maker_op(m, MAKER_TID, 0, record, sizeof(record));
	maker_commit(m, MAKER_TID);
	recover_ok(m, &status);
	assert_int_equal(be_at(disk, 40, 8), 12345);
	maker_close(m);
}

static void inode_chunks(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	const struct log_icreate create = {.type = le16_make(LOG_ICREATE),
					   .size = le16_make(1),
					   .ag = be32_make(0),
					   .agbno = be32_make(INODE_BLOCK),
					   .count = be32_make(64),
					   .isize = be32_make(512),
					   .length = be32_make(8),
					   .gen = be32_make(0xfeed)};
	u8 *raw = maker_data(m, INODE_SECTOR + 63);

	(void)state;
	memset(maker_data(m, INODE_SECTOR), 0x77, 64 * 512);
	maker_start(m, MAKER_TID, 1);
	maker_op(m, MAKER_TID, 0, &create, sizeof(create));
	maker_commit(m, MAKER_TID);
	recover_ok(m, &status);
	assert_int_equal(be_at(raw, 0, 2), 0x494e);
	assert_int_equal(raw[4], 3);
	assert_int_equal(be_at(raw, 92, 4), 0xfeed);
	assert_int_equal(be_at(raw, 96, 4), NULL32);
	assert_int_equal(be_at(raw, 152, 8), INODE_BLOCK * 8 + 63);
	assert_int_equal(raw[160], 7);
	assert_int_equal(raw[511], 0);
	assert_int_equal(le_at(raw, 100), crc_of(raw, 512, 100));
	maker_close(m);
}

static void put_intent(struct maker *m, u16 type, u64 id, u32 extents)
{
	struct {
		struct log_intent head;
		struct log_extent extent[4];
	} i = {.head = {le16_make(type), le16_make(1), le32_make(extents), le64_make(id)}};

	for (u32 k = 0; k < 4; k++)
		i.extent[k] = (struct log_extent){le64_make(500 + k), le32_make(3), le32_make(0)};
	maker_op(m, MAKER_TID, 0, &i, (u32)(sizeof(i.head) + extents * sizeof(i.extent[0])));
}

static void put_done(struct maker *m, u16 type, u64 id)
{
	const struct log_done done = {le16_make(type), le16_make(1), le32_make(0), le64_make(id)};

	maker_op(m, MAKER_TID, 0, &done, sizeof(done));
}

static void intents(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;

	(void)state;
	maker_start(m, MAKER_TID, 3);
	put_intent(m, LOG_EFI, 0x10, 1);
	put_intent(m, LOG_EFI, 0x20, 2);
	put_intent(m, LOG_CUI, 0x10, 1);
	maker_commit(m, MAKER_TID);
	maker_record(m);
	maker_start(m, MAKER_TID, 2);
	put_intent(m, LOG_EFD, 0x10, 1); /* it has the extents, too */
	put_done(m, LOG_CUD, 0x99);	 /* of an intent before the tail */
	maker_commit(m, MAKER_TID);
	recover_ok(m, &status);
	assert_int_equal(status.intents, 2);
	assert_int_equal(status.pending->type, LOG_EFI);
	assert_int_equal(status.pending->id, 0x20);
	assert_int_equal(status.pending->change_count, 2);
	assert_int_equal(status.pending->change[1].start, 501);
	assert_int_equal(status.pending->change[1].count, 3);
	assert_int_equal(status.pending->next->type, LOG_CUI);
	assert_null(status.pending->next->next);
	assert_int_equal(m->found_count, 0);
	log_pending_report(&status, &m->g, &m->verdict);
	assert_int_equal(m->found_count, 3);
	assert_string_equal(m->found[0], "LOG_INTENT_PENDING");
	log_status_free(&m->env, &status);
	assert_null(status.pending);
	maker_close(m);
}

/* Elements of 12 bytes, as 32-bit kernels log them. */
static void packed_extents(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	u8 item[16 + 2 * 12] = {0x36, 0x12, 1, 0, 2};

	(void)state;
	item[8] = 5;
	item[16] = 200;
	item[24] = 1;
	item[28] = 201;
	item[36] = 2;
	maker_start(m, MAKER_TID, 1);
	maker_op(m, MAKER_TID, 0, item, sizeof(item));
	maker_commit(m, MAKER_TID);
	recover_ok(m, &status);
	assert_int_equal(status.pending->change_count, 2);
	assert_int_equal(status.pending->change[1].start, 201);
	assert_int_equal(status.pending->change[1].count, 2);
	log_status_free(&m->env, &status);
	maker_close(m);
}

/* Damage in the middle is refused; accepted, all before it is replayed and nothing behind. */
static void accepted_loss(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	u32 block[12];

	(void)state;
	for (u32 i = 0; i < 12; i++)
		block[i] = maker_simple(m, 800 + 8 * i, (u8)(i + 1));
	m->log.bytes[(block[2] + 1) * 512 + 70] ^= 4;
	assert_int_equal(maker_recover(m, &status), -EUCLEAN);
	assert_int_equal(status.state, LOG_DAMAGED);
	assert_int_equal(m->data.writes, 0);
	maker_expect(m, "LOG_RECORD_CRC");
	m->found_count = 0;
	m->options.accept_loss = true;
	assert_int_equal(maker_recover(m, &status), 0);
	maker_expect(m, "LOG_RECORD_CRC");
	assert_int_equal(status.state, LOG_DAMAGED);
	assert_int_equal(status.transactions, 2);
	assert_false(status.loss.all);
	assert_int_equal(status.loss.records, 10);
	assert_int_equal(status.loss.bytes, 10 * 512 * (block[1] - block[0]));
	assert_int_equal(maker_data(m, 808)[0], 2);
	assert_int_equal(maker_data(m, 816)[0], 0);
	assert_int_equal(maker_data(m, 824)[0], 0);
	assert_int_equal(m->log.writes, 0);
	maker_close(m);
}

static void bad_items(void **state)
{
	static const struct {
		u32 flags, chunk, chunks;
		u64 blkno;
		const char *finding;
	} bad[] = {
	    {0, 31, 1, 800, NULL},
	    {0, 0, 1, MAKER_DATA / 512, "LOG_TARGET"},
	    {0, 0, 1, MAKER_DATA / 512 - 7, "LOG_TARGET"},
	    {0, 0, 1, NULL64, "LOG_TARGET"},
	    {0, 0, 1, 801, "LOG_TARGET"}, /* no block begins there */
	    {0, 0, 1, 0, "LOG_TARGET"},	  /* the headers of the AG */
	    {LOG_BUF_TYPE_AGF << LOG_BUF_TYPE_SHIFT, 0, 1, 800, "LOG_TARGET"},
	    {LOG_BUF_TYPE_BTREE << LOG_BUF_TYPE_SHIFT, 0, 1, 800, NULL},
	    {LOG_BUF_TYPE_COUNT << LOG_BUF_TYPE_SHIFT, 0, 1, 800, "LOG_ITEM"},
	    {1u << 7, 0, 1, 800, "LOG_ITEM"}, /* a flag that nobody knows */
	    {0, 0, 0, 800, "LOG_ITEM"},	      /* nothing to say, and not cancelled */
	    {LOG_BUF_CANCEL, 0, 0, 800, NULL},
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(bad); i++) {
		struct maker *m = maker_open();
		struct log_status status;

		maker_start(m, MAKER_TID, 1);
		maker_buffer(m, MAKER_TID, bad[i].blkno, bad[i].flags, bad[i].chunk, bad[i].chunks,
			     1);
		maker_commit(m, MAKER_TID);
		maker_record(m);
		assert_int_equal(maker_recover(m, &status), bad[i].finding ? -EUCLEAN : 0);
		if (bad[i].finding)
			maker_expect(m, bad[i].finding);
		assert_true(!bad[i].finding || !m->data.writes);
		maker_close(m);
	}
	/* an item nobody knows */
	struct maker *m = maker_open();
	struct log_status status;
	const u8 unknown[8] = {0x99, 0x12, 1, 0};

	maker_start(m, MAKER_TID, 1);
	maker_op(m, MAKER_TID, 0, unknown, sizeof(unknown));
	maker_commit(m, MAKER_TID);
	maker_record(m);
	assert_int_equal(maker_recover(m, &status), -EUCLEAN);
	maker_expect(m, "LOG_ITEM_UNKNOWN");
	maker_close(m);
	/* a map that has more chunks than there are regions; then fewer */
	for (u32 i = 0; i < 2; i++) {
		struct {
			struct log_buf format;
			struct le32 map;
		} f = {{le16_make(LOG_BUF), le16_make(2), le16_make(0), le16_make(8),
			le64_make(800), le32_make(1)},
		       le32_make(i ? 1 : 5)};
		u8 data[256] = {0};

		m = maker_open();
		maker_start(m, MAKER_TID, 1);
		maker_op(m, MAKER_TID, 0, &f, sizeof(f));
		maker_op(m, MAKER_TID, 0, data, i ? 256 : 128);
		maker_commit(m, MAKER_TID);
		maker_record(m);
		assert_int_equal(maker_recover(m, &status), -EUCLEAN);
		maker_expect(m, "LOG_ITEM");
		maker_close(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buffers_obey_lsn),
	    cmocka_unit_test(one_lsn_twice),
	    cmocka_unit_test(cancelled),
	    cmocka_unit_test(inodes),
	    cmocka_unit_test(inodes_not_touched),
	    cmocka_unit_test(btree_root),
	    cmocka_unit_test(owner_change),
	    cmocka_unit_test(unlinked_pointers),
	    cmocka_unit_test(dquots),
	    cmocka_unit_test(inode_chunks),
	    cmocka_unit_test(intents),
	    cmocka_unit_test(packed_extents),
	    cmocka_unit_test(accepted_loss),
	    cmocka_unit_test(bad_items),
	    cmocka_unit_test(inode_elsewhere),
	    cmocka_unit_test(inode_two_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
