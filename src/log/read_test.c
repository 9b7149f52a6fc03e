/* From records to items: long records, continued operations, several transactions, hostile
 * lengths. */
#include "log/maker_test.h"
#include "log/replay.h"

/* What a walk shows. */
struct seen {
	u32 items, commits, records;
	u32 type, regions, bytes; /* of the last item */
	u8 last[4];
};

static int see_record(void *arg, const struct log_place *place, const u8 *record)
{
	(void)place;
	(void)record;
	((struct seen *)arg)->records++;
	return 0;
}

static int see_item(void *arg, struct log_trans_state *trans, const struct log_item *item)
{
	struct seen *s = arg;
	u32 size = item->region_end[item->regions - 1];

	(void)trans;
	s->items++;
	s->type = item->type;
	s->regions = item->regions;
	s->bytes = size;
	memcpy(s->last, item->bytes + size - 4, 4);
	return 0;
}

static int see_commit(void *arg, struct log_trans_state *trans)
{
	(void)trans;
	((struct seen *)arg)->commits++;
	return 0;
}

static int walk(struct maker *m, struct seen *seen)
{
	const struct log_visitor visitor = {
	    .record = see_record, .item = see_item, .commit = see_commit, .arg = seen};
	struct log_scan scan;
	u32 reached;
	int err = log_scan_init(&scan, &m->env, &m->g, &m->data.dev, &m->log.dev, &m->options);

	*seen = (struct seen){0};
	return err ? err : log_walk(&scan, lsn_block(m->tail_lsn), m->pos, &visitor, &reached);
}

/* A record of 256 KiB has seven extended headers, and gives back every word it replaced. */
static void large_record(void **state)
{
	struct maker *m = maker_open();
	static u8 data[4096], big[65536];
	u32 at;
	struct log_status status;
	struct seen seen;

	(void)state;
	m->size = LOG_RECORD_MAX;
	maker_start(m, MAKER_TID, 60);
	for (u32 i = 0; i < 60; i++)
		maker_buffer(m, MAKER_TID, 800 + i * 8, 0, 0, 31, (u8)(i + 1));
	memset(data, 9, sizeof(data));
	maker_commit(m, MAKER_TID);
	assert_true(m->used > 230 * 1024);
	maker_record(m);
	assert_int_equal(walk(m, &seen), 0);
	assert_int_equal(seen.items, 60);
	assert_int_equal(maker_recover(m, &status), 0);
	for (u32 i = 0; i < 60; i++) {
		memset(big, (int)(i + 1), 31 * 128);
		assert_memory_equal(maker_data(m, 800 + i * 8), big, 31 * 128);
		assert_int_equal(maker_data(m, 800 + i * 8)[31 * 128], 0);
	}
	/* the checksum covers the extended headers that are in use, and no others */
	at = maker_simple(m, 800, 1);
	assert_int_equal(walk(m, &seen), 0);
	assert_int_equal(seen.items, 61);
	/* but all of them have the cycle */
	m->log.bytes[(at + 5) * 512 + 3] ^= 2;
	assert_int_equal(walk(m, &seen), -EUCLEAN);
	maker_expect(m, "LOG_RECORD");
	m->log.bytes[(at + 5) * 512 + 3] ^= 2;
	m->found_count = 0;
	m->log.bytes[3 * 512 + 8] ^= 1;
	assert_int_equal(walk(m, &seen), -EUCLEAN);
	maker_expect(m, "LOG_RECORD_CRC");
	log_status_free(&m->env, &status);
	maker_close(m);
}

/* A region in three pieces, and a transaction header in two. */
static void continued(void **state)
{
	struct maker *m = maker_open();
	struct log_trans header = {le32_make(LOG_TRANS_MAGIC), le32_make(40), le32_make(1),
				   le32_make(1)};
	u8 item[300] = {0x36, 0x12, 1, 0};
	struct seen seen;

	(void)state;
	for (u32 i = 4; i < sizeof(item); i++)
		item[i] = (u8)i;
	maker_op(m, MAKER_TID, LOG_OP_START, NULL, 0);
	maker_op(m, MAKER_TID, LOG_OP_CONTINUE, &header, 10);
	maker_record(m);
	maker_op(m, MAKER_TID, LOG_OP_WAS_CONT | LOG_OP_END, (u8 *)&header + 10, 6);
	maker_op(m, MAKER_TID, LOG_OP_CONTINUE, item, 2);
	maker_record(m);
	maker_op(m, MAKER_TID, LOG_OP_WAS_CONT | LOG_OP_CONTINUE, item + 2, 200);
	maker_record(m);
	maker_op(m, MAKER_TID, LOG_OP_WAS_CONT | LOG_OP_END, item + 202, 98);
	maker_commit(m, MAKER_TID);
	maker_record(m);
	assert_int_equal(walk(m, &seen), 0);
	assert_int_equal(seen.records, 4);
	assert_int_equal(seen.items, 1);
	assert_int_equal(seen.commits, 1);
	assert_int_equal(seen.type, LOG_EFI);
	assert_int_equal(seen.bytes, 300);
	assert_memory_equal(seen.last, item + 296, 4);
	maker_close(m);
}

/* Two at a time; one of them never commits, another began before the tail. */
static void interleaved(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	struct seen seen;
	u8 stray[8] = {1, 2, 3};

	(void)state;
	maker_op(m, 99, 0, stray, sizeof(stray));
	maker_commit(m, 99);
	maker_start(m, 1, 1);
	maker_start(m, 2, 1);
	maker_buffer(m, 1, 800, 0, 0, 1, 0x11);
	maker_buffer(m, 2, 808, 0, 0, 1, 0x22);
	maker_commit(m, 2);
	maker_record(m);
	assert_int_equal(walk(m, &seen), 0);
	assert_int_equal(seen.items, 2);
	assert_int_equal(seen.commits, 1);
	assert_int_equal(maker_recover(m, &status), 0);
	assert_int_equal(maker_data(m, 800)[0], 0);
	assert_int_equal(maker_data(m, 808)[0], 0x22);
	maker_close(m);
}

/* Each of these has one thing that cannot be. */
static void hostile(void **state)
{
	static const struct {
		u8 flags;
		u32 claimed; /* length in the operation header; 0: what it has */
		u8 bytes[4];
		u32 length;
	} op[] = {
	    {0, 0x7fffffff, {0x36, 0x12, 1, 0}, 4},	  /* runs over the record */
	    {0, 0xffffffff, {0x36, 0x12, 1, 0}, 4},	  /* and around */
	    {0, 0, {0x36, 0x12, 0, 0}, 4},		  /* no regions */
	    {0, 0, {0x36, 0x12, 0xff, 0xff}, 4},	  /* too many */
	    {0, 0, {0x36, 0x12, 1, 0}, 2},		  /* no room for its head */
	    {LOG_OP_WAS_CONT, 0, {0x36, 0x12, 1, 0}, 4},  /* continues nothing */
	    {LOG_OP_START, 0, {0}, 0},			  /* starts twice */
	    {LOG_OP_COMMIT | LOG_OP_CONTINUE, 0, {0}, 0}, /* no such flags */
	    {0x40, 0, {0x36, 0x12, 1, 0}, 4},
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(op); i++) {
		struct maker *m = maker_open();
		struct seen seen;
		struct be32 claimed = be32_make(op[i].claimed);
		u32 at;

		maker_start(m, MAKER_TID, 1);
		at = m->used;
		maker_op(m, MAKER_TID, op[i].flags, op[i].bytes, op[i].length);
		if (op[i].claimed)
			memcpy(m->body + at + 4, claimed.b, 4);
		maker_commit(m, MAKER_TID);
		maker_record(m);
		assert_int_equal(walk(m, &seen), -EUCLEAN);
		assert_int_equal(seen.commits, 0);
		maker_expect(m, "LOG_OPERATION");
		maker_close(m);
	}
}

static void bounded(void **state)
{
	struct maker *m = maker_open();
	static u8 piece[30000] = {0x36, 0x12, 1, 0};
	struct seen seen;

	(void)state;
	/* a region that never ends */
	maker_start(m, MAKER_TID, 1);
	maker_op(m, MAKER_TID, LOG_OP_CONTINUE, piece, sizeof(piece));
	maker_record(m);
	for (u32 i = 0; i < 10; i++) {
		maker_op(m, MAKER_TID, LOG_OP_WAS_CONT | LOG_OP_CONTINUE, piece, sizeof(piece));
		maker_record(m);
	}
	assert_int_equal(walk(m, &seen), -EUCLEAN);
	maker_expect(m, "LOG_OPERATION");
	maker_close(m);
	/* transactions that never end */
	m = maker_open();
	for (u32 i = 0; i < 100; i++)
		maker_start(m, i + 1, 1);
	maker_record(m);
	assert_int_equal(walk(m, &seen), -EUCLEAN);
	maker_expect(m, "LOG_OPERATION");
	maker_close(m);
}

static void bad_records(void **state)
{
	static const struct {
		u32 offset;
		u8 value;
		const char *finding;
	} bad[] = {
	    {0, 0x11, "LOG_RECORD"},	      /* magic */
	    {11, 8, "LOG_RECORD"},	      /* version */
	    {12, 0x7f, "LOG_RECORD"},	      /* length */
	    {23, 0x55, "LOG_RECORD"},	      /* LSN */
	    {303, 2, "LOG_RECORD"},	      /* byte order */
	    {320, 1, "LOG_RECORD"},	      /* size */
	    {40, 1, "LOG_RECORD"},	      /* operations */
	    {14, 0xff, "LOG_RECORD_OVERRUN"}, /* length */
	    {304, 1, "LOG_RECORD_UUID"},
	    {36, 9, "LOG_RECORD_CRC"},
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(bad); i++) {
		struct maker *m = maker_open();
		struct seen seen;
		u32 block;

		maker_simple(m, 800, 1);
		block = maker_simple(m, 808, 2);
		m->log.bytes[block * 512 + bad[i].offset] = bad[i].value;
		assert_int_equal(walk(m, &seen), -EUCLEAN);
		assert_int_equal(seen.commits, 1);
		maker_expect(m, bad[i].finding);
		maker_close(m);
	}
}

/* A body that goes on behind the operations that the header counts, further than a writer fills up.
 */
static void uncounted(void **state)
{
	struct maker *m = maker_open();
	struct seen seen;

	(void)state;
	maker_start(m, MAKER_TID, 1);
	maker_buffer(m, MAKER_TID, 800, 0, 0, 31, 1);
	maker_commit(m, MAKER_TID);
	m->ops -= 2;
	maker_record(m);
	assert_int_equal(walk(m, &seen), -EUCLEAN);
	maker_expect(m, "LOG_OPERATION");
	maker_close(m);
}

/* Noise behind right checksums: a walk ends with success or one finding. */
static void noise(void **state)
{
	u32 seed = 1;

	(void)state;
	for (u32 round = 0; round < 2000; round++) {
		struct maker *m = maker_open();
		struct log_status status;
		int err;

		maker_start(m, MAKER_TID, 2);
		maker_buffer(m, MAKER_TID, 800, 0, 0, 3, 1);
		maker_buffer(m, MAKER_TID, 800, LOG_BUF_CANCEL, 0, 0, 1);
		maker_commit(m, MAKER_TID);
		for (u32 i = 0; i < 3; i++) {
			seed = seed * 1664525 + 1013904223;
			m->body[(seed >> 8) % m->used] = (u8)(seed >> 24);
		}
		maker_record(m);
		m->options.accept_loss = round % 2;
		err = maker_recover(m, &status);
		assert_true(err == 0 || (err == -EUCLEAN && !m->options.accept_loss));
		if (err)
			assert_true(m->found_count);
		log_status_free(&m->env, &status);
		maker_close(m);
	}
}

struct recall {
	u32 next;
};

/* Of the item of that number; the last is as large as any may be. */
#define ITEMS 2000u
static u32 size_of(u32 number)
{
	return number == ITEMS ? LOG_ITEM_MAX : number % 2 ? 20000 : 500;
}

static int recall(void *arg, const struct log_item *item)
{
	struct recall *r = arg;
	u32 size = size_of(r->next) - 8;

	assert_int_equal(item->lsn, 1000 + r->next);
	assert_int_equal(item->regions, 2);
	assert_int_equal(log_region_length(item, 0), 8);
	assert_int_equal(log_region_length(item, 1), size);
	assert_int_equal(log_region(item, 1)[0], (u8)r->next);
	assert_int_equal(log_region(item, 1)[size - 1], (u8)(r->next >> 8));
	r->next++;
	return 0;
}

static void store_item(struct log_store *store, u32 number)
{
	static u8 bytes[LOG_ITEM_MAX];
	const u32 size = size_of(number), ends[2] = {8, size};
	const struct log_item item = {
	    .lsn = 1000 + number, .regions = 2, .bytes = bytes, .region_end = ends};

	bytes[8] = (u8)number;
	bytes[size - 1] = (u8)(number >> 8);
	assert_int_equal(log_store_add(store, &item), 0);
}

/* A transaction that is too large for memory (20 MB) is spilled, and comes back in order; and once
 * more with a larger item. */
static void spilled(void **state)
{
	struct log_store *store;
	struct recall r = {0};
	struct env env;

	(void)state;
	host_env_init(&env, 1);
	assert_int_equal(log_store_open(&env, &store), 0);
	for (u32 i = 0; i < ITEMS; i++)
		store_item(store, i);
	assert_int_equal(log_store_each(store, recall, &r), 0);
	assert_int_equal(r.next, ITEMS);
	store_item(store, ITEMS);
	r.next = 0;
	assert_int_equal(log_store_each(store, recall, &r), 0);
	assert_int_equal(r.next, ITEMS + 1);
	log_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(large_record), cmocka_unit_test(continued),
	    cmocka_unit_test(interleaved),  cmocka_unit_test(hostile),
	    cmocka_unit_test(bounded),	    cmocka_unit_test(bad_records),
	    cmocka_unit_test(uncounted),    cmocka_unit_test(noise),
	    cmocka_unit_test(spilled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
