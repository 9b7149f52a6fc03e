/* Field access by bits: packed fields, arrays, CRC order, and that a broken table is seen. */
#include "base/test.h"

#include "format/log.h"
#include "format/super.h"

static void bits(void **state)
{
	const struct field top = {"flag", 0, 1, 1, FIELD_UINT};
	const struct field middle = {"startoff", 1, 54, 1, FIELD_UINT};
	const struct field across = {"startblock", 55, 52, 1, FIELD_UINT};
	u8 raw[16] = {0};

	(void)state;
	field_set(&middle, raw, 0, (1ull << 54) - 1);
	assert_int_equal(raw[0], 0x7f);
	assert_int_equal(raw[6], 0xfe);
	assert_int_equal(field_get(&top, raw, 0), 0);
	assert_int_equal(field_get(&across, raw, 0), 0);
	field_set(&across, raw, 0, 0x8000000000001ull);
	assert_int_equal(field_get(&across, raw, 0), 0x8000000000001ull);
	assert_int_equal(field_get(&middle, raw, 0), (1ull << 54) - 1);
	assert_int_equal(raw[6], 0xff);
	assert_int_equal(raw[13], 0x20);
}

static void superblock_table(void **state)
{
	struct sb sb = {.magicnum = be32_make(SB_MAGIC), .crc = le32_make(0x11223344)};
	char text[64];

	(void)state;
	assert_true(layout_tiles(&sb_layout));
	assert_int_equal(field_get(layout_field(&sb_layout, "magicnum"), &sb, 0), SB_MAGIC);
	assert_int_equal(field_get(layout_field(&sb_layout, "crc"), &sb, 0), 0x11223344);
	memcpy(sb.fname, "hello", 5);
	field_print(layout_field(&sb_layout, "fname"), &sb, text, sizeof(text));
	assert_string_equal(text, "hello");
	for (u8 i = 0; i < 16; i++)
		sb.uuid[i] = (u8)(i * 17);
	field_print(layout_field(&sb_layout, "uuid"), &sb, text, sizeof(text));
	assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
	assert_null(layout_field(&sb_layout, "nonesuch"));
}

#define LITTLE_FIELDS(F, A, S)      \
	F(S, le16, a, FIELD_UINT)   \
	A(S, le32, 2, b, FIELD_HEX) \
	F(S, le64, c, FIELD_INT)    \
	F(S, be16, d, FIELD_UINT)
LAYOUT_STRUCT(little, LITTLE_FIELDS);
LAYOUT_TABLE(little, LITTLE_FIELDS);

static void little_endian(void **state)
{
	u8 raw[20] = {0x34, 0x12, 1,	0,    0,    0,	  0x78, 0x56, 0x34, 0x12,
		      0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x12, 0x34};
	char text[64];

	(void)state;
	assert_true(layout_tiles(&little_layout));
	assert_int_equal(little_layout.size, sizeof(raw));
	assert_int_equal(field_get(layout_field(&little_layout, "a"), raw, 0), 0x1234);
	assert_int_equal(field_get(layout_field(&little_layout, "b"), raw, 1), 0x12345678);
	assert_int_equal(field_get(layout_field(&little_layout, "d"), raw, 0), 0x1234);
	field_print(layout_field(&little_layout, "c"), raw, text, sizeof(text));
	assert_string_equal(text, "-2");
	field_set(layout_field(&little_layout, "c"), raw, 0, 0x0102030405060708ull);
	assert_int_equal(raw[10], 8);
	assert_int_equal(raw[17], 1);
	assert_int_equal(raw[18], 0x12);
}

static void log_tables(void **state)
{
	const struct layout *const tables[] = {
	    &log_record_layout,	  &log_ext_layout,     &log_op_layout,	   &log_trans_layout,
	    &log_unmount_layout,  &log_head_layout,    &log_buf_layout,	   &log_buf_map_layout,
	    &log_inode_layout,	  &log_inode32_layout, &log_dinode_layout, &log_dquot_layout,
	    &log_quotaoff_layout, &log_icreate_layout, &log_intent_layout, &log_extent_layout,
	    &log_extent32_layout, &log_map_layout,     &log_phys_layout,   &log_done_layout,
	    &log_attri_layout,	  &log_xmi_layout,
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(tables); i++)
		assert_true(layout_tiles(tables[i]));
}

static void gaps_are_seen(void **state)
{
	const struct field gap[] = {{"a", 0, 8, 1, FIELD_UINT}, {"b", 16, 8, 1, FIELD_UINT}};
	const struct field overlap[] = {{"a", 0, 16, 1, FIELD_UINT}, {"b", 8, 16, 1, FIELD_UINT}};
	const struct layout one = {"gap", gap, 2, 3}, two = {"overlap", overlap, 2, 3};
	const struct layout three = {"short", gap, 1, 2};

	(void)state;
	assert_false(layout_tiles(&one));
	assert_false(layout_tiles(&two));
	assert_false(layout_tiles(&three));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bits),	     cmocka_unit_test(superblock_table),
	    cmocka_unit_test(little_endian), cmocka_unit_test(log_tables),
	    cmocka_unit_test(gaps_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
