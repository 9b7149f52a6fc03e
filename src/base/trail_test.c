/* The trail: places are put in front, and nothing overruns. */
#include "base/test.h"
#include <errno.h>
#include <string.h>

static void places_in_front(void **state)
{
	(void)state;
	assert_int_equal(fail(-EIO, "crc %x", 0x9f01), -EIO);
	assert_int_equal(fail_in(-EUCLEAN, "block %d", 5121), -EUCLEAN);
	fail_in(-EUCLEAN, "inode %d", 133);
	assert_string_equal(trail_text(), "inode 133: block 5121: crc 9f01");
	trail_clear();
	assert_string_equal(trail_text(), "");
	fail_in(-EIO, "alone");
	assert_string_equal(trail_text(), "alone");
}

static void never_overrun(void **state)
{
	char big[2 * TRAIL_MAX];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	fail(-EIO, "%s", big);
	assert_int_equal(strlen(trail_text()), TRAIL_MAX - 1);
	fail_in(-EIO, "front");
	assert_int_equal(strlen(trail_text()), TRAIL_MAX - 1);
	assert_memory_equal(trail_text(), "front: x", 8);
	fail_in(-EIO, "%s", big);
	assert_true(strlen(trail_text()) < TRAIL_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(places_in_front),
	    cmocka_unit_test(never_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
