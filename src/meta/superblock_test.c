/* The superblock's descriptor. */
#include "base/test.h"

#include "format/super.h"
#include "meta/types_table.h"

static void known(void **state)
{
	const struct meta_type *type = meta_types.type[META_SUPERBLOCK];

	(void)state;
	assert_int_equal(type->id, META_SUPERBLOCK);
	assert_true(layout_tiles(type->layout));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
