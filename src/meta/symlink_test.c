/* The descriptor of symlink: remote symlink target. */
#include "base/test.h"

#include "format/symlink.h"
#include "meta/types_table.h"

static void known(void **state)
{
	const struct meta_type *type = meta_types.type[META_SYMLINK];

	(void)state;
	assert_int_equal(type->magic, SYMLINK_MAGIC);
	assert_int_equal(type->layout->size, sizeof(struct symlink_hdr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
