/* The descriptor of directory. */
#include "base/test.h"

#include "format/dir.h"
#include "meta/types_table.h"

static void known(void **state)
{
	const struct meta_type *type = meta_types.type[META_DIRECTORY];

	(void)state;
	assert_string_equal(type->name, "directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
