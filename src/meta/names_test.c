/* The namespace is no object of its own: it is only rebuilt. */
#include "meta/type_test.h"

static void has_no_block(void **state)
{
	const struct meta_type *type = meta_types.type[META_NAMES];

	(void)state;
	assert_string_equal(type->name, "names");
	assert_null(type->post);
	assert_null(type->place);
	assert_non_null(type->rebuild);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(has_no_block)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
