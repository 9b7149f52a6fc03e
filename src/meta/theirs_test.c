/* The list of what others check: each row is answered, and named once. That our names exist the
 * compiler says. */
#include "meta/theirs.h"

#include "base/test.h"
#include "meta/findings.h"

static void rows(void **state)
{
	(void)state;
	for (u32 i = 0; i < theirs_count; i++) {
		const struct theirs_def *row = &theirs_defs[i];

		if (!row->count == !row->reason)
			print_error("%s: either findings or a reason\n", row->name);
		assert_true(!row->count != !row->reason);
		assert_true(*row->name && *row->what && *row->structure);
		for (u32 k = 0; k < row->count; k++)
			for (u32 m = 0; m < k; m++)
				assert_int_not_equal(row->ours[k], row->ours[m]);
		for (u32 k = 0; k < i; k++) {
			bool same = theirs_defs[k].who == row->who &&
				    !strcmp(theirs_defs[k].name, row->name);

			if (same)
				print_error("%s: twice\n", row->name);
			assert_false(same);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
