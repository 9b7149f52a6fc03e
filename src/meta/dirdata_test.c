/* A data block of a directory with an index elsewhere: entries against the index, free space
 * against its table. */
#include "format/damage.h"
#include "format/verify.h"
#include "meta/dir_name.h"
#include "meta/dir_rules.h"
#include "meta/names_test.h"

static void damage(void **state)
{
	static const struct names_damage rows[] = {
	    {META_DIRDATA, {{"entry", 4, "inumber", 0, 0, false}}, FINDING_ID_DIR_ENTRY_INO},
	    {META_DIRDATA, {{"entry", 4, "namelen", 0, 255, false}}, FINDING_ID_DIR_ENTRY_TAG},
	    {META_DIRDATA, {{"name", 4, "name", 2, 'y', false}}, FINDING_ID_DIR_HASH_WRONG},
	    {META_DIRDATA,
	     {{"name", 2, "name", 0, 'a', false}, {"name", 2, "name", 1, 0301, false}},
	     FINDING_ID_DIR_NAME_TWICE},
	    {META_DIRDATA, {{"tag", 4, "tag", 0, 8, false}}, FINDING_ID_DIR_ENTRY_TAG},
	    {META_DIRDATA, {{"hdr", 0, "best0_length", 0, 8, true}}, FINDING_ID_DIR_BEST_LENGTH},
	    {META_DIRDATA, {{"hdr", 0, "best0_length", 0, 8, true}}, FINDING_ID_DIR_BEST_WRONG},
	    {META_DIRDATA, {{"hdr", 0, "pad", 0, 1, false}}, FINDING_ID_DIR_PAD},
	    {META_DIRDATA, {{"entry", 0, "inumber", 0, 131, false}}, FINDING_ID_DIR_DOT},
	    {META_DIRDATA, {{"entry", 1, "inumber", 0, 131, false}}, FINDING_ID_DOTDOT_WRONG},
	    {META_DIRDATA, {{"hdr", 0, "magic", 0, 0, false}}, FINDING_ID_BLOCK_MAGIC},
	};
	struct test_image t;

	(void)state;
	names_image(&t);
	names_damage_all(&t, rows, ARRAY_COUNT(rows));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_DIRDATA, 2000);
}

/* ---- entries with which all is right are passed over at once: only those ---- */

#define BLOCK 4096u

static const struct geometry small = {.block_size = BLOCK,
				      .block_log = 12,
				      .sector_size = 512,
				      .sector_log = 9,
				      .ag_count = 3,
				      .ag_blocks = 1000,
				      .data_blocks = 3000,
				      .inode_size = 512,
				      .inode_log = 9,
				      .inopb_log = 3,
				      .agino_log = 13,
				      .dir_block_size = BLOCK,
				      .rbm_ino = 129,
				      .rsum_ino = 130,
				      .uquota_ino = 131,
				      .gquota_ino = NULL64,
				      .pquota_ino = NULL64,
				      .features = 1ull << FEATURE_FTYPE};

/* Entries of all lengths, some of them wrong, up to the end. */
static void fill_block(const struct geometry *g, u8 *block, u64 *seed)
{
	static const u64 odd[] = {0, 129, 131, 1ull << 13, 7999, 8000, 3ull << 13, 0xfffeull << 48};
	u32 at = sizeof(struct dir_data), size, length;

	memset(block, 0, BLOCK);
	while (at < BLOCK) {
		struct dir_data_entry *e = (struct dir_data_entry *)(block + at);
		struct be16 tag = be16_make((u16)(at + (damage_random(seed) % 100 ? 0 : 8)));

		length = 1 + (u32)(damage_random(seed) % (damage_random(seed) % 4 ? 12 : 80));
		size = dir_entry_size(g, length);
		if (BLOCK - at < size + 16)
			break;
		e->inumber = be64_make(damage_random(seed) % 20
					   ? damage_random(seed) % 3 << 13 | 200
					   : odd[damage_random(seed) % ARRAY_COUNT(odd)]);
		e->namelen = (u8)length;
		for (u32 i = 0; i < length; i++)
			((u8 *)(e + 1))[i] = (u8)(damage_random(seed) % 400 ? 'a' + i % 200 : '/');
		if (damage_random(seed) % 50 == 0)
			((u8 *)(e + 1))[length - 1] = 0;
		((u8 *)(e + 1))[length] =
		    (u8)(damage_random(seed) % 30 ? 1 : damage_random(seed) % 12);
		memcpy(block + at + size - sizeof(tag), &tag, sizeof(tag));
		at += size;
	}
	((struct dir_data_unused *)(block + at))->freetag = be16_make(DIR_FREE_TAG);
	((struct dir_data_unused *)(block + at))->length = be16_make((u16)(BLOCK - at));
	memcpy(block + BLOCK - 2, be16_make((u16)at).b, 2);
	((struct dir_data *)block)->best0_offset = be16_make((u16)at);
	((struct dir_data *)block)->best0_length = be16_make((u16)(BLOCK - at));
}

/* What there is to be said of the entries, one by one. */
static u32 count_slowly(const struct geometry *g, const u8 *block)
{
	struct verdict v = {.raise = raise_nothing};
	struct dir_slot slot;
	u32 tags = 0;

	for (u32 at = sizeof(struct dir_data); at < BLOCK; at += slot.size) {
		assert_true(dir_data_slot(g, block, BLOCK, at, &slot));
		tags += slot.tag != at;
		if (!slot.free)
			dir_entry_rules(&v, g, &slot, "entry", 0);
	}
	return v.count + tags;
}

static void passed_over(void **state)
{
	static const u64 features[] = {1ull << FEATURE_FTYPE, 0};
	u64 seed = test_number("SEED", 20);
	static u8 block[BLOCK];
	u32 wrong = 0;

	(void)state;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (u32 i = 0; i < 4000; i++) {
		struct geometry g = small;
		struct verdict v = {.raise = raise_nothing};

		g.features = features[i % 2];
		fill_block(&g, block, &seed);
		dir_data_rules(&v, &g, block, BLOCK);
		assert_int_equal(v.count, count_slowly(&g, block));
		wrong += v.count;
	}
	assert_true(wrong > 1000);
}

/* What a host of the other byte order finds in the same bytes. */
static u64 load_swapped(const u8 *at)
{
	return __builtin_bswap64(dir_name_load(at));
}

/* Every length, with nothing wrong and with each byte of it wrong in turn; around the name is what
 * would be wrong in it. */
static void names_in_any_byte_order(void **state)
{
	static u64 (*const load[])(const u8 *) = {dir_name_load, load_swapped};
	static const u8 wrong[] = {0, '/'};
	u8 entry[sizeof(struct dir_data_entry) + 255 + 8];
	u8 *name = entry + sizeof(struct dir_data_entry);

	(void)state;
	for (u32 i = 0; i < 4; i++)
		for (u32 length = 1; length < 256; length++) {
			memset(entry, wrong[i / 2], sizeof(entry));
			for (u32 k = 0; k < length; k++) {
				name[k] = (u8)(k * 37 + length);
				name[k] += !name[k] || name[k] == '/';
			}
			assert_true(dir_name_good(entry, length, load[i % 2]));
			for (u32 k = 0; k < length; k++) {
				u8 right = name[k];

				name[k] = wrong[i / 2];
				assert_false(dir_name_good(entry, length, load[i % 2]));
				name[k] = right;
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage),
	    cmocka_unit_test(noise),
	    cmocka_unit_test(passed_over),
	    cmocka_unit_test(names_in_any_byte_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
