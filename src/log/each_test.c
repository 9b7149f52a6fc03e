/* Showing the log, where its structures lie, and changing a record there. */
#include "log/maker_test.h"
#include "log/recover.h"

struct shown {
	u32 records, ops, items, parts, commits, stop_at;
	bool data;
};

static int show(void *arg, const struct log_event *event)
{
	struct shown *s = arg;

	s->records += event->kind == LOG_EVENT_RECORD;
	s->ops += event->kind == LOG_EVENT_OP;
	s->items += event->kind == LOG_EVENT_ITEM && event->length == 24 + 128;
	s->parts += event->kind == LOG_EVENT_PART;
	s->commits += event->kind == LOG_EVENT_COMMIT;
	if (event->kind == LOG_EVENT_PART && !strcmp(event->part_name, "data"))
		s->data = !event->layout && event->length == 128 && event->index == 384;
	return s->stop_at && s->ops == s->stop_at ? 77 : 0;
}

static void shown(void **state)
{
	struct maker *m = maker_open();
	struct shown s = {0};

	(void)state;
	maker_start(m, MAKER_TID, 1);
	maker_buffer(m, MAKER_TID, 800, 0, 3, 1, 1);
	maker_commit(m, MAKER_TID);
	maker_record(m);
	assert_int_equal(log_each(&m->env, &m->g, &m->data.dev, &m->log.dev, &m->options, show, &s),
			 0);
	assert_int_equal(s.records, 1);
	assert_int_equal(s.ops, 5);
	assert_int_equal(s.items, 1);
	assert_int_equal(s.parts, 4); /* the transaction; format, map, data */
	assert_int_equal(s.commits, 1);
	assert_true(s.data);
	assert_int_equal(m->data.writes, 0);
	s = (struct shown){.stop_at = 2};
	assert_int_equal(log_each(&m->env, &m->g, &m->data.dev, &m->log.dev, &m->options, show, &s),
			 77);
	/* of a clean log, the last record */
	maker_unmount(m);
	s = (struct shown){0};
	assert_int_equal(log_each(&m->env, &m->g, &m->data.dev, &m->log.dev, &m->options, show, &s),
			 0);
	assert_int_equal(s.records, 1);
	assert_int_equal(s.ops, 1);
	assert_int_equal(s.parts, 1);
	maker_close(m);
}

struct placed {
	struct maker *m;
	u8 *record; /* the one at hand, as its writer had it, and the one before */
	u8 *before;
	u32 block, blocks, header_blocks, events, elsewhere, nowhere;
};

static void load_record(struct placed *p, const struct log_event *e)
{
	struct cache_range range[2];
	u8 *to = p->before;
	u32 count = log_ranges(&p->m->g, e->block, e->blocks, range);
	u8 *stored = env_alloc(&p->m->env, LOG_RECORD_BYTES);

	p->before = p->record;
	p->record = to;
	p->block = e->block;
	for (u32 i = 0; i < count; to += range[i++].size)
		memcpy(to, p->m->log.bytes + range[i].at.v, range[i].size);
	memcpy(stored, p->record, (size_t)e->blocks * LOG_BLOCK);
	log_record_open(p->record, e->header_blocks, e->blocks);
	/* and back: as it was, and sealed as it was */
	for (u32 i = 0; i < 2; i++) {
		to = p->record;
		assert_int_equal(log_record_store(&p->m->env, &p->m->g, &p->m->data.dev,
						  &p->m->log.dev, e, i ? NULL : stored, to, true),
				 0);
		assert_memory_equal(to, stored, (size_t)e->blocks * LOG_BLOCK);
		log_record_open(to, e->header_blocks, e->blocks);
	}
	/* another word of the header: the body stays, the checksum is that of all */
	to[LOG_BLOCK - 1] ^= 1;
	assert_int_equal(log_record_store(&p->m->env, &p->m->g, &p->m->data.dev, &p->m->log.dev, e,
					  stored, to, false),
			 0);
	assert_int_equal(to[LOG_BLOCK - 1], stored[LOG_BLOCK - 1] ^ 1);
	to[LOG_BLOCK - 1] ^= 1;
	assert_memory_equal(to, stored, (size_t)e->blocks * LOG_BLOCK);
	log_record_open(to, e->header_blocks, e->blocks);
	env_free(&p->m->env, stored);
}

static int compare_place(void *arg, const struct log_event *e)
{
	struct placed *p = arg;

	if (e->kind == LOG_EVENT_RECORD && !e->index)
		load_record(p, e);
	if (e->record == NULL32) {
		p->nowhere += e->kind == LOG_EVENT_PART;
		return 0;
	}
	p->events++;
	p->elsewhere += e->record != p->block;
	assert_memory_equal((e->record == p->block ? p->record : p->before) + e->at, e->bytes,
			    e->layout ? e->layout->size : e->length);
	return 0;
}

/* An EFI of three extents, whose second goes over from one record to the next. */
static void put_split_intent(struct maker *m)
{
	struct {
		struct log_intent head;
		struct log_extent extent[3];
	} i = {.head = {le16_make(LOG_EFI), le16_make(1), le32_make(3), le64_make(7)}};
	const u32 first = sizeof(i.head) + sizeof(i.extent[0]) + 4;

	for (u32 k = 0; k < 3; k++)
		i.extent[k] = (struct log_extent){le64_make(500 + k), le32_make(3), le32_make(0)};
	maker_op(m, MAKER_TID, LOG_OP_CONTINUE, &i, first);
	maker_record(m);
	maker_op(m, MAKER_TID, LOG_OP_WAS_CONT | LOG_OP_END, (const u8 *)&i + first,
		 (u32)sizeof(i) - first);
}

/* Where log_each() says that something is, it is: in records with one header and with several, over
 * the end of the log, and when an item comes in two records, or in the middle of a region. */
static void places(void **state)
{
	static const u32 size[] = {32768, 262144};
	const struct be32 old = be32_make(1);

	(void)state;
	for (u32 i = 0; i < 2 * ARRAY_COUNT(size); i++) {
		struct maker *m = maker_open();
		struct placed p = {.m = m,
				   .record = env_alloc(&m->env, LOG_RECORD_BYTES),
				   .before = env_alloc(&m->env, LOG_RECORD_BYTES)};

		m->size = size[i / 2];
		if (i % 2) { /* all but the last blocks have been written */
			for (u32 b = 0; b < MAKER_BLOCKS; b++)
				memcpy(m->log.bytes + (size_t)b * LOG_BLOCK, old.b, sizeof(old));
			m->pos = MAKER_BLOCKS - 3;
		}
		maker_start(m, MAKER_TID, 3);
		maker_buffer(m, MAKER_TID, 800, 0, 0, 8, 1);
		maker_buffer(m, MAKER_TID, 808, 0, 0, 0, 2); /* one region, the map */
		put_split_intent(m);
		maker_commit(m, MAKER_TID);
		maker_record(m);
		assert_int_equal(log_each(&m->env, &m->g, &m->data.dev, &m->log.dev, &m->options,
					  compare_place, &p),
				 0);
		assert_int_equal(p.nowhere, 1);
		assert_int_equal(p.elsewhere, 2); /* head, and the first extent */
		assert_true(p.events > 15);
		env_free(&m->env, p.record);
		env_free(&m->env, p.before);
		maker_close(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shown),
	    cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
