/* The descriptor of attrremote: remote attribute value block. */
#include "base/test.h"

#include "format/attr.h"
#include "meta/types_table.h"

static void known(void **state)
{
	const struct meta_type *type = meta_types.type[META_ATTRREMOTE];

	(void)state;
	assert_int_equal(type->magic, ATTR_REMOTE_MAGIC);
	assert_int_equal(type->layout->size, sizeof(struct attr_remote));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
