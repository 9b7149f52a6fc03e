/* Head and tail of logs that were written, wrapped, torn and damaged in every way. */
#include "log/maker_test.h"

static void never_written(void **state)
{
	struct maker *m = maker_open();
	struct log_ends ends;

	(void)state;
	assert_int_equal(maker_find(m, &ends), 0);
	assert_true(ends.clean);
	maker_close(m);
}

static void unmounted(void **state)
{
	struct maker *m = maker_open();
	struct log_ends ends;
	struct log_status status;

	(void)state;
	maker_simple(m, 800, 1);
	maker_unmount(m);
	assert_int_equal(maker_find(m, &ends), 0);
	assert_true(ends.clean);
	assert_int_equal(ends.head, m->pos);
	assert_int_equal(maker_recover(m, &status), 0);
	assert_int_equal(status.state, LOG_CLEAN);
	assert_int_equal(m->data.writes, 0);
	maker_close(m);
}

static void dirty(void **state)
{
	struct maker *m = maker_open();
	struct log_ends ends;

	(void)state;
	for (u32 i = 0; i < 30; i++)
		maker_simple(m, 800, (u8)i);
	assert_int_equal(maker_find(m, &ends), 0);
	assert_false(ends.clean);
	assert_int_equal(ends.head, m->pos);
	assert_int_equal(ends.tail, 0);
	assert_int_equal(ends.torn, 0);
	maker_close(m);
}

/* Goes around the log several times, looking at every record: the head is always behind it, also
 * when the record itself runs over the end. */
static void wraps(void **state)
{
	struct maker *m = maker_open();
	struct log_ends ends;
	u32 crossed = 0;

	(void)state;
	for (u32 i = 0; m->cycle < 4; i++) {
		u32 cycle = m->cycle, block;

		/* lengths of all kinds; the tail follows some records behind */
		if (i % 7 == 0)
			m->tail_lsn = 0;
		maker_start(m, MAKER_TID, 1);
		for (u32 k = 0; k < i % 40; k++)
			maker_buffer(m, MAKER_TID, 800, 0, 0, 1 + k % 31, (u8)k);
		maker_commit(m, MAKER_TID);
		block = maker_record(m);
		crossed += cycle != m->cycle && m->pos;
		assert_int_equal(maker_find(m, &ends), 0);
		assert_int_equal(ends.head, m->pos);
		assert_int_equal(ends.last.block, block);
		assert_int_equal(ends.tail, lsn_block(m->tail_lsn));
		assert_false(ends.clean);
	}
	assert_true(crossed);
	assert_int_equal(m->found_count, 0);
	maker_close(m);
}

/* The last record lacks its end; then one before it lacks a block in the middle. */
static void torn(void **state)
{
	struct maker *m = maker_open();
	struct log_ends ends;
	u32 first, second, third;

	(void)state;
	maker_simple(m, 800, 1);
	first = maker_simple(m, 800, 2);
	maker_start(m, MAKER_TID, 1);
	for (u32 i = 0; i < 8; i++)
		maker_buffer(m, MAKER_TID, 800, 0, 0, 31, 3);
	maker_commit(m, MAKER_TID);
	second = maker_record(m);
	third = maker_simple(m, 800, 4);
	memset(m->log.bytes + (third + 1) * 512, 0, 512);
	assert_int_equal(maker_find(m, &ends), 0);
	assert_int_equal(ends.head, third);
	assert_int_equal(ends.last.block, second);
	assert_int_equal(ends.torn, 1);
	assert_false(ends.torn_bad);
	memset(m->log.bytes + (second + 20) * 512, 0, 512);
	assert_int_equal(maker_find(m, &ends), 0);
	assert_int_equal(ends.head, second);
	assert_int_equal(ends.last.block, first);
	assert_false(ends.torn_bad); /* by its cycle, not by the checksum */
	assert_int_equal(m->found_count, 0);
	maker_close(m);
}

/* In a second cycle the hole has blocks of the first. */
static void torn_later(void **state)
{
	struct maker *m = maker_open();
	struct log_ends ends;
	u8 *old = NULL;
	u32 last = 0;

	(void)state;
	old = env_alloc(&m->env, MAKER_BLOCKS * 512);
	while (m->cycle < 2 || m->pos < 100) {
		memcpy(old, m->log.bytes, MAKER_BLOCKS * 512);
		m->tail_lsn = 0;
		last = maker_simple(m, 800, 1);
	}
	/* of the last record only the header reached the disk */
	memcpy(m->log.bytes + (last + 1) * 512, old + (last + 1) * 512, (m->pos - last - 1) * 512);
	m->tail_lsn = 0;
	assert_int_equal(maker_find(m, &ends), 0);
	assert_int_equal(ends.head, last);
	assert_int_equal(ends.head_cycle, 2);
	env_free(&m->env, old);
	maker_close(m);
}

/* A last record that ends with the log, or runs over its end, leaves the head in the next cycle. */
static void head_of_next_cycle(void **state)
{
	for (u32 chunks = 1; chunks <= 4; chunks += 3) {
		struct maker *m = maker_open();
		struct log_ends ends;

		maker_start(m, MAKER_TID, 1);
		maker_buffer(m, MAKER_TID, 800, 0, 0, chunks, 1);
		maker_commit(m, MAKER_TID);
		maker_record(m);
		while (m->cycle < 2) {
			m->tail_lsn = 0;
			maker_simple(m, 800, 1);
		}
		assert_int_equal(m->pos, chunks == 4); /* the second runs over it */
		assert_int_equal(maker_find(m, &ends), 0);
		assert_int_equal(ends.head, m->pos);
		assert_int_equal(ends.head_cycle, 2);
		maker_close(m);
	}
	(void)state;
}

/* The log is full, and the record that was torn ran over the tail of the one before. */
static void torn_over_tail(void **state)
{
	struct maker *m = maker_open();
	struct log_ends ends;
	u8 *old = env_alloc(&m->env, MAKER_BLOCKS * 512);
	u32 last, next;

	(void)state;
	while (m->cycle < 2)
		maker_simple(m, 800, 1);
	/* a log of an even number of blocks, records of two: new ones lie where old ones were */
	for (u32 i = 0; i < 20; i++)
		maker_simple(m, 800, 1);
	m->tail_lsn = lsn_make(1, m->pos + 2);
	last = maker_simple(m, 800, 2); /* the tail is where the next record goes */
	memcpy(old, m->log.bytes, MAKER_BLOCKS * 512);
	m->tail_lsn = lsn_make(1, m->pos + 2);
	next = maker_simple(m, 800, 3);
	assert_int_equal(next, last + 2);
	assert_int_equal(maker_find(m, &ends), 0);
	assert_int_equal(ends.tail, next + 2);
	/* of that one only the header reached the disk */
	memcpy(m->log.bytes + (next + 1) * 512, old + (next + 1) * 512, 512);
	assert_int_equal(maker_find(m, &ends), 0);
	assert_int_equal(ends.last.block, last);
	assert_int_equal(ends.head, next);
	assert_int_equal(ends.tail, next + 2);
	assert_int_equal(m->found_count, 0);
	env_free(&m->env, old);
	maker_close(m);
}

/* A record under way whose header cannot be right, though its sector has been written: taken for
 * torn, and said. */
static void torn_by_header(void **state)
{
	static const struct {
		u32 offset;
		u8 value;
		bool bad;
	} cases[] = {
	    {0, 0, true},      /* magic: reads as cycle 0xfa.. */
	    {7, 0, true},      /* cycle: as a block of the one before */
	    {11, 9, true},     /* version */
	    {15, 1, true},     /* length: shorter than what was written */
	    {14, 0x40, false}, /* length: longer, as in one that was cut */
	    {22, 9, true},     /* LSN */
	    {40, 99, true},    /* operations */
	    {320, 9, true},    /* size */
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(cases); i++) {
		struct maker *m = maker_open();
		struct log_ends ends;
		u32 last;

		maker_simple(m, 800, 1);
		maker_simple(m, 808, 2);
		maker_start(m, MAKER_TID, 1);
		maker_buffer(m, MAKER_TID, 816, 0, 0, 31, 3);
		maker_commit(m, MAKER_TID);
		last = maker_record(m);
		m->log.bytes[last * 512 + cases[i].offset] = cases[i].value;
		if (!cases[i].offset)
			memset(m->log.bytes + last * 512, 0, 4);
		assert_int_equal(maker_find(m, &ends), 0);
		assert_int_equal(ends.torn_bad, cases[i].bad);
		assert_int_equal(ends.head, last);
		maker_close(m);
	}
}

/* Blocks ahead of the head that a recovery has filled with headers of the older cycle. */
static void cleared_ahead(void **state)
{
	const struct log_record filler = {
	    .magicno = be32_make(LOG_RECORD_MAGIC), .version = be32_make(2), .fmt = be32_make(1)};
	struct maker *m = maker_open();
	struct log_ends ends;

	(void)state;
	maker_simple(m, 800, 1);
	for (u32 i = m->pos; i < m->pos + 100; i++) {
		struct log_record r = filler;

		r.lsn = be64_make(lsn_make(0, i));
		memcpy(m->log.bytes + (size_t)i * 512, &r, 512);
	}
	assert_int_equal(maker_find(m, &ends), 0);
	assert_int_equal(ends.head, m->pos);
	assert_false(ends.torn_bad);
	maker_close(m);
}

/* A wrong checksum among the last records is taken for torn, and said. */
static void torn_by_checksum(void **state)
{
	struct maker *m = maker_open();
	struct log_status status;
	u32 block[4];

	(void)state;
	for (u32 i = 0; i < 4; i++)
		block[i] = maker_simple(m, 800 + i * 8, (u8)(i + 1));
	m->log.bytes[(block[2] + 1) * 512 + 60] ^= 1;
	assert_int_equal(maker_recover(m, &status), 0);
	assert_int_equal(status.state, LOG_DIRTY);
	assert_int_equal(status.head_block, block[2]);
	assert_int_equal(status.transactions, 2);
	assert_int_equal(maker_data(m, 808)[0], 2);
	assert_int_equal(maker_data(m, 816)[0], 0);
	maker_expect(m, "LOG_TORN");
	log_status_free(&m->env, &status);
	maker_close(m);
}

static void impossible(void **state)
{
	struct maker *m = maker_open();
	struct log_ends ends;
	struct be32 cycle = be32_make(9);

	(void)state;
	/* cycles that do not follow each other */
	maker_simple(m, 800, 1);
	memcpy(m->log.bytes + (MAKER_BLOCKS - 1) * 512, cycle.b, 4);
	assert_int_equal(maker_find(m, &ends), -EUCLEAN);
	maker_expect(m, "LOG_CYCLES");
	/* a tail where no record begins */
	m->found_count = 0;
	memset(m->log.bytes, 0, MAKER_BLOCKS * 512);
	m->pos = 0;
	m->tail_lsn = lsn_make(1, 1);
	for (u32 i = 0; i < 20; i++)
		maker_simple(m, 800, 1);
	assert_int_equal(maker_find(m, &ends), -EUCLEAN);
	maker_expect(m, "LOG_TAIL");
	/* blocks that were written, but no record */
	m->found_count = 0;
	memset(m->log.bytes, 0, MAKER_BLOCKS * 512);
	cycle = be32_make(1);
	for (u32 i = 0; i < 2000; i++)
		memcpy(m->log.bytes + i * 512, cycle.b, 4);
	assert_int_equal(maker_find(m, &ends), -EUCLEAN);
	maker_expect(m, "LOG_HEAD");
	/* the whole log outside of its device */
	m->found_count = 0;
	m->g.log_blocks *= 2;
	assert_int_equal(maker_find(m, &ends), -EUCLEAN);
	maker_expect(m, "LOG_PLACE");
	maker_close(m);
}

/* Whatever bytes a log has, looking at it ends, and raises at most what it says. */
static void noise(void **state)
{
	struct maker *m = maker_open();
	struct log_ends ends;
	u32 seed = 1;

	(void)state;
	for (u32 round = 0; round < 300; round++) {
		m->found_count = 0;
		m->pos = 0;
		m->cycle = 1 + round % 3;
		m->tail_lsn = 0;
		memset(m->log.bytes, 0, MAKER_BLOCKS * 512);
		for (u32 i = 0; i < 5; i++)
			maker_simple(m, 800, 1);
		for (u32 i = 0; i < 1 + round % 6; i++) {
			seed = seed * 1664525 + 1013904223;
			m->log.bytes[(seed >> 8) % (i % 2 ? 16 * 512 : MAKER_BLOCKS * 512)] ^=
			    (u8)(1u << (seed >> 5 & 7));
		}
		int err = maker_find(m, &ends);

		assert_true(err == 0 || err == -EUCLEAN);
		assert_int_equal(m->found_count, err ? 1 : 0);
	}
	maker_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(never_written),
	    cmocka_unit_test(unmounted),
	    cmocka_unit_test(dirty),
	    cmocka_unit_test(wraps),
	    cmocka_unit_test(torn),
	    cmocka_unit_test(torn_later),
	    cmocka_unit_test(torn_by_checksum),
	    cmocka_unit_test(torn_by_header),
	    cmocka_unit_test(cleared_ahead),
	    cmocka_unit_test(impossible),
	    cmocka_unit_test(noise),
	    cmocka_unit_test(head_of_next_cycle),
	    cmocka_unit_test(torn_over_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
