/* What an item must obey by itself, before it is replayed. */
#include "format/dir.h"
#include "log/maker_test.h"
#include "log/recover.h"

/* Of the transaction that has been made: it is replayed, or one of its items is refused. */
static void judge_item(struct maker *m, bool sound)
{
	struct log_status status;

	maker_commit(m, MAKER_TID);
	maker_record(m);
	assert_int_equal(maker_recover(m, &status), sound ? 0 : -EUCLEAN);
	if (!sound)
		maker_expect(m, "LOG_ITEM");
	log_status_free(&m->env, &status);
	maker_close(m);
}

/* The flags of a buffer say what it is, and so does its magic when it is logged. */
static void buffer_types(void **state)
{
	static const struct {
		u32 magic, type, chunk;
		bool sound;
		u32 flags, rt_blocks;
		bool pieces; /* directory blocks are larger than blocks */
	} with[] = {
	    {BNOBT_MAGIC, LOG_BUF_TYPE_BTREE, 0, true},
	    {BNOBT_MAGIC, LOG_BUF_TYPE_DIR_DATA, 0, false},
	    {BNOBT_MAGIC, LOG_BUF_TYPE_UNKNOWN, 0, false},
	    {BNOBT_MAGIC, LOG_BUF_TYPE_RTBITMAP, 0, true, 0, 100},
	    {BNOBT_MAGIC, LOG_BUF_TYPE_RTBITMAP, 0, false}, /* there is none */
	    {0x12345678, LOG_BUF_TYPE_RTSUMMARY, 0, false},
	    {0x12345678, LOG_BUF_TYPE_DINO, 0, true, LOG_BUF_INODE},
	    {0x12345678, LOG_BUF_TYPE_BTREE, 0, false, LOG_BUF_INODE},
	    {0x12345678, LOG_BUF_TYPE_UDQUOT, 0, true, LOG_BUF_UDQUOT},
	    {0x12345678, LOG_BUF_TYPE_UDQUOT, 0, false, LOG_BUF_GDQUOT},
	    {0x12345678, LOG_BUF_TYPE_BTREE, 0, false, LOG_BUF_PDQUOT},
	    {BNOBT_MAGIC, LOG_BUF_TYPE_DIR_DATA, 1, true}, /* not where a magic is */
	    {0x12345678, LOG_BUF_TYPE_BTREE, 0, true},
	    {DIR_DATA_MAGIC, LOG_BUF_TYPE_UNKNOWN, 0, true, 0, 0, true},
	    {DIR_DATA_MAGIC, LOG_BUF_TYPE_UNKNOWN, 0, false},
	    {BNOBT_MAGIC, LOG_BUF_TYPE_UNKNOWN, 0, false, 0, 0, true},
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(with); i++) {
		struct maker *m = maker_open();
		const struct be32 magic = be32_make(with[i].magic);

		m->g.rt_blocks = with[i].rt_blocks;
		m->g.dir_block_size = m->g.block_size << with[i].pieces;
		maker_start(m, MAKER_TID, 1);
		maker_buffer(m, MAKER_TID, 800, with[i].type << LOG_BUF_TYPE_SHIFT | with[i].flags,
			     with[i].chunk, 1, 0);
		memcpy(m->body + m->used - LOG_BUF_CHUNK, magic.b, sizeof(magic));
		judge_item(m, with[i].sound);
	}
}

/* An item says how many elements it has, and its length says the same; of EFI and EFD in one of two
 * forms. */
static void intent_lengths(void **state)
{
	static const struct {
		u16 type;
		u32 claimed, length; /* of what follows the head */
		bool sound;
	} with[] = {
	    {LOG_EFI, 1, 16, true},  {LOG_EFI, 1, 12, true},  {LOG_EFI, 2, 24, true},
	    {LOG_EFI, 1, 32, false}, {LOG_EFI, 2, 16, false}, {LOG_EFI, 0, 16, false},
	    {LOG_EFD, 1, 16, true},  {LOG_EFD, 1, 12, true},  {LOG_EFD, 1, 32, false},
	    {LOG_EFD, 2, 16, false}, {LOG_EFD, 0, 0, false},  {LOG_RUI, 1, 32, true},
	    {LOG_RUI, 1, 64, false}, {LOG_CUI, 3, 48, true},  {LOG_CUI, 2, 48, false},
	    {LOG_BUI, 1, 32, true},  {LOG_BUI, 1, 48, false},
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(with); i++) {
		struct maker *m = maker_open();
		struct {
			struct log_intent head;
			u8 elements[64];
		} item = {.head = {le16_make(with[i].type), le16_make(1),
				   le32_make(with[i].claimed), le64_make(7)}};

		maker_start(m, MAKER_TID, 1);
		maker_op(m, MAKER_TID, 0, &item, (u32)sizeof(item.head) + with[i].length);
		judge_item(m, with[i].sound);
	}
}

/* A done item is one region: another would have been the next item. */
static void done_regions(void **state)
{
	static const u16 type[] = {LOG_EFD, LOG_RUD, LOG_CUD, LOG_BUD, LOG_ATTRD, LOG_XMD};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(type); i++) {
		struct maker *m = maker_open();
		const struct log_done done = {le16_make(type[i]), le16_make(2), le32_make(0),
					      le64_make(7)};
		const struct log_done next = {le16_make(type[i]), le16_make(1), le32_make(0),
					      le64_make(8)};

		maker_start(m, MAKER_TID, 1);
		maker_op(m, MAKER_TID, 0, &done, sizeof(done));
		maker_op(m, MAKER_TID, 0, &next, sizeof(next));
		judge_item(m, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buffer_types),
	    cmocka_unit_test(intent_lengths),
	    cmocka_unit_test(done_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
