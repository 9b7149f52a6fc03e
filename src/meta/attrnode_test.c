/* The descriptor of attrnode: attribute tree node. */
#include "base/test.h"

#include "format/attr.h"
#include "meta/types_table.h"

static void known(void **state)
{
	const struct meta_type *type = meta_types.type[META_ATTRNODE];

	(void)state;
	assert_int_equal(type->magic, DA_NODE_MAGIC);
	assert_int_equal(type->layout->size, sizeof(struct da_node));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
