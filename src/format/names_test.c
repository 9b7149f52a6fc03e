/* Directories, attributes, symlinks: field tables, the hash, and iterators over bytes made by hand.
 */
#include "base/test.h"

#include "format/attr.h"
#include "format/bytes.h"
#include "format/dir.h"
#include "format/symlink.h"

static const struct geometry with_type = {
    .block_size = 4096,
    .block_log = 12,
    .dir_block_size = 4096,
    .dir_fsblocks = 1,
    .features = 1u << FEATURE_FTYPE,
};

static void tiles(void **state)
{
	const struct layout *const all[] = {
	    &da_info_layout,	      &da_node_layout,	       &da_node_entry_layout,
	    &dir_data_layout,	      &dir_data_entry_layout,  &dir_data_unused_layout,
	    &dir_tag_layout,	      &dir_ftype_layout,       &dir_leaf_layout,
	    &dir_leaf_entry_layout,   &dir_leaf_tail_layout,   &dir_block_tail_layout,
	    &dir_best_layout,	      &dir_free_layout,	       &dir_short_layout,
	    &dir_short_entry_layout,  &dir_ino4_layout,	       &dir_ino8_layout,
	    &attr_leaf_layout,	      &attr_leaf_entry_layout, &attr_name_local_layout,
	    &attr_name_remote_layout, &attr_short_layout,      &attr_short_entry_layout,
	    &attr_remote_layout,      &attr_parent_layout,     &symlink_hdr_layout,
	    name_layout(1),	      name_layout(255),	       bytes_layout(17),
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(all); i++)
		if (!layout_tiles(all[i]))
			assert_string_equal(all[i]->name, "does not tile");
	assert_int_equal(name_layout(17)->size, 17);
	assert_int_equal(bytes_layout(255)->fields[0].count, 255);
}

/* The values are those of the examples in XFS_Filesystem_Structure, and of xfs_db's hash command.
 */
static void hashes(void **state)
{
	(void)state;
	assert_int_equal(da_hash(".", 1), 0x2e);
	assert_int_equal(da_hash("..", 2), 0x172e);
	assert_int_equal(da_hash("frame000000.tst", 15), 0xa3a040b4);
	assert_int_equal(da_hash("frame000007.tst", 15), 0xd3a040b4);
	assert_int_equal(da_hash("attribute_267", 13), 0x3437d1a8);
	assert_int_equal(da_hash("big_attr", 8), 0xfcf89d4f);
}

static void sizes(void **state)
{
	struct geometry plain = with_type;

	(void)state;
	plain.features = 0;
	/* 8 + 1 + name + type + tag, to 8 */
	assert_int_equal(dir_entry_size(&with_type, 1), 16);
	assert_int_equal(dir_entry_size(&with_type, 4), 16);
	assert_int_equal(dir_entry_size(&with_type, 5), 24);
	assert_int_equal(dir_entry_size(&plain, 5), 16);
	assert_int_equal(dir_entry_size(&with_type, 255), 272);
	assert_int_equal(dir_first_offset(&with_type), 0x60);
	assert_int_equal(dir_address(&with_type, 2, 0x60), 2 * 512 + 12);
	assert_int_equal(dir_address_block(&with_type, 2 * 512 + 12), 2);
	assert_int_equal(dir_address_offset(&with_type, 2 * 512 + 12), 0x60);
}

static void short_form(void **state)
{
	/* count 2, i8count 0, parent 128; "ab" type 1 ino 131 at 0x60; "c" type 2 ino 132 at 0x70
	 */
	static const u8 fork[] = {2, 0, 0,   0, 0, 128,	 2,   0, 0x60, 'a', 'b', 1,  0,
				  0, 0, 131, 1, 0, 0x70, 'c', 2, 0,    0,   0,	 132};
	struct dir_short_cursor c;
	struct dir_slot slot;
	u64 parent;

	(void)state;
	assert_true(dir_short_open(&c, &with_type, fork, sizeof(fork), &parent));
	assert_int_equal(parent, 128);
	assert_true(dir_short_next(&c, &slot));
	assert_int_equal(slot.ino, 131);
	assert_int_equal(slot.tag, 0x60);
	assert_int_equal(slot.type, DIR_FT_FILE);
	assert_memory_equal(slot.name, "ab", 2);
	assert_true(dir_short_next(&c, &slot));
	assert_int_equal(slot.ino, 132);
	assert_int_equal(slot.length, 1);
	assert_int_equal(slot.type, DIR_FT_DIR);
	assert_false(dir_short_next(&c, &slot));
	assert_int_equal(c.at, sizeof(fork));
	/* one byte short */
	assert_true(dir_short_open(&c, &with_type, fork, sizeof(fork) - 1, &parent));
	assert_true(dir_short_next(&c, &slot));
	assert_false(dir_short_next(&c, &slot));
	assert_false(dir_short_open(&c, &with_type, fork, 5, &parent));
}

static void short_attributes(void **state)
{
	/* totsize 17, count 2; "a" = "xyz", user; "bc" = "", root */
	static const u8 fork[] = {0, 17, 2, 0, 1, 3, 0, 'a', 'x', 'y', 'z', 2, 0, 2, 'b', 'c', 0};
	struct attr_short_cursor c;
	struct attr_slot slot;

	(void)state;
	assert_true(attr_short_open(&c, fork, sizeof(fork)));
	assert_true(attr_short_next(&c, &slot));
	assert_int_equal(slot.value_length, 3);
	assert_memory_equal(slot.value, "xyz", 3);
	assert_true(attr_short_next(&c, &slot));
	assert_int_equal(attr_namespace(slot.flags), ATTR_ROOT);
	assert_memory_equal(slot.name, "bc", 2);
	assert_false(attr_short_next(&c, &slot));
	assert_false(attr_short_open(&c, fork, sizeof(fork) - 1));
}

static void names(void **state)
{
	(void)state;
	assert_true(dir_name_valid("a", 1));
	assert_false(dir_name_valid("", 0));
	assert_false(dir_name_valid("a/b", 3));
	assert_false(dir_name_valid("a\0b", 3));
	assert_int_equal(dir_type_of_mode(0100644), DIR_FT_FILE);
	assert_int_equal(dir_type_of_mode(0040755), DIR_FT_DIR);
	assert_int_equal(dir_type_of_mode(0120777), DIR_FT_SYMLINK);
	assert_int_equal(dir_type_of_mode(0140777), DIR_FT_SOCKET);
	assert_int_equal(dir_type_of_mode(0020600), DIR_FT_CHAR);
	assert_int_equal(dir_type_of_mode(0060600), DIR_FT_BLOCK);
	assert_int_equal(dir_type_of_mode(0010600), DIR_FT_FIFO);
	assert_int_equal(dir_type_of_mode(0), DIR_FT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tiles), cmocka_unit_test(hashes),
	    cmocka_unit_test(sizes), cmocka_unit_test(short_form),
	    cmocka_unit_test(names), cmocka_unit_test(short_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
