/* The descriptor of dquot. */
#include "base/test.h"

#include "meta/types_table.h"

static void known(void **state)
{
	(void)state;
	assert_int_equal(meta_types.type[META_DQUOT]->id, META_DQUOT);
	assert_true(layout_tiles(meta_types.type[META_DQUOT]->layout));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
