/* The descriptor of dirleafn: directory leaf of a tree. */
#include "base/test.h"

#include "format/dir.h"
#include "meta/types_table.h"

static void known(void **state)
{
	const struct meta_type *type = meta_types.type[META_DIRLEAFN];

	(void)state;
	assert_int_equal(type->magic, DIR_LEAFN_MAGIC);
	assert_int_equal(type->layout->size, sizeof(struct dir_leaf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
