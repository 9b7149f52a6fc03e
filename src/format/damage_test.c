/* The verbs on plain, packed and byte fields, and the checksum afterwards. */
#include "format/damage.h"

#include "base/test.h"
#include "format/inode.h"
#include "format/super.h"
#include "format/verify.h"

static u64 damaged(enum damage_verb verb, u64 value)
{
	const struct field *field = layout_field(&bmbt_rec_layout, "startoff");
	u8 raw[sizeof(struct bmbt_rec)] = {0};
	u64 seed = 1;

	memset(raw, 0xa5, sizeof(raw));
	field_set(field, raw, 0, value);
	damage_field(verb, field, 0, raw, &seed);
	/* its neighbours in the same bytes are left alone */
	assert_int_equal(field_get(&bmbt_rec_layout.fields[0], raw, 0), 1);
	assert_int_equal(raw[7] & 1, 1);
	return field_get(field, raw, 0);
}

static void verbs(void **state)
{
	const u64 all = (1ull << EXTENT_OFF_BITS) - 1;

	(void)state;
	assert_int_equal(damaged(DAMAGE_ZEROES, 77), 0);
	assert_int_equal(damaged(DAMAGE_ONES, 77), all);
	assert_int_equal(damaged(DAMAGE_FIRSTBIT, 5), 5 | 1ull << (EXTENT_OFF_BITS - 1));
	assert_int_equal(damaged(DAMAGE_MIDDLEBIT, 5), 5 | 1ull << (EXTENT_OFF_BITS / 2));
	assert_int_equal(damaged(DAMAGE_LASTBIT, 5), 4);
	assert_int_equal(damaged(DAMAGE_ADD, all), 0);
	assert_int_equal(damaged(DAMAGE_SUB, 0), all);
	assert_int_not_equal(damaged(DAMAGE_RANDOM, 5), 5);
	for (u32 i = 0; i < DAMAGE_VERBS; i++)
		assert_int_equal(damage_verb_find(damage_verb_name((enum damage_verb)i)), i);
	assert_int_equal(damage_verb_find("none"), DAMAGE_VERBS);
}

static void bytes_and_checksum(void **state)
{
	static const struct meta_type type = {.crc_offset = offsetof(struct sb, crc)};
	static const struct geometry g;
	const struct field *name = layout_field(&sb_layout, "fname");
	u8 before[512] = {0}, now[512] = {0};
	u64 seed = 1;

	(void)state;
	damage_field(DAMAGE_LASTBIT, name, 0, now, &seed);
	assert_memory_equal(((struct sb *)now)->fname, "\0\0\0\0\0\0\0\0\0\0\0\1", 12);
	damage_field(DAMAGE_ONES, name, 0, now, &seed);
	assert_memory_equal(((struct sb *)now)->fname,
			    "\377\377\377\377\377\377\377\377\377\377\377\377", 12);
	damage_fix_crc(&g, &type, before, now, sizeof(now), name->bit / 8);
	assert_int_equal(le32_get(((struct sb *)now)->crc),
			 verify_crc(now, sizeof(now), offsetof(struct sb, crc)));
}

int main(void)
{
	const struct CMUnitTest all[] = {
	    cmocka_unit_test(verbs),
	    cmocka_unit_test(bytes_and_checksum),
	};

	return cmocka_run_group_tests_name("damage", all, NULL, NULL);
}
