/* The bytes are those that a kernel's XFS stored and showed for `setfacl -m u:1000:rwx`. */
#include "base/test.h"

#include "base/trail.h"
#include "fuse/acl.h"

#include <errno.h>

static const u8 stored[] = {0, 0, 0, 5,				       /* count */
			    0, 0, 0, 1,	   0, 0, 0, 0,	  0, 6, 0, 0,  /* owner rw- */
			    0, 0, 0, 2,	   0, 0, 3, 0xe8, 0, 7, 0, 0,  /* user 1000 rwx */
			    0, 0, 0, 4,	   0, 0, 0, 0,	  0, 4, 0, 0,  /* group r-- */
			    0, 0, 0, 0x10, 0, 0, 0, 0,	  0, 7, 0, 0,  /* mask rwx */
			    0, 0, 0, 0x20, 0, 0, 0, 0,	  0, 4, 0, 0}; /* other r-- */
static const u8 shown[] = {2,	 0, 0, 0,			       /* version */
			   1,	 0, 6, 0, 0xff, 0xff, 0xff, 0xff,      /* owner */
			   2,	 0, 7, 0, 0xe8, 3,    0,    0,	       /* user 1000 */
			   4,	 0, 4, 0, 0xff, 0xff, 0xff, 0xff,      /* group */
			   0x10, 0, 7, 0, 0xff, 0xff, 0xff, 0xff,      /* mask */
			   0x20, 0, 4, 0, 0xff, 0xff, 0xff, 0xff};     /* other */

static void test_converts(void **state)
{
	u8 xattr[sizeof(stored)];

	(void)state;
	assert_int_equal(acl_to_xattr(stored, sizeof(stored), xattr, sizeof(xattr)), sizeof(shown));
	assert_memory_equal(xattr, shown, sizeof(shown));
	assert_int_equal(acl_to_xattr(stored, sizeof(stored), xattr, sizeof(shown)), sizeof(shown));
	assert_int_equal(acl_to_xattr(stored, sizeof(stored), xattr, sizeof(shown) - 1), -ERANGE);
}

/* The stored bytes with byte `at` set to `value`, and cut to `size`. */
static s64 convert_changed(size_t at, u8 value, size_t size)
{
	u8 bytes[sizeof(stored)], xattr[sizeof(stored)];

	memcpy(bytes, stored, sizeof(stored));
	bytes[at] = value;
	return acl_to_xattr(bytes, size, xattr, sizeof(xattr));
}

static void test_refuses_what_is_no_acl(void **state)
{
	(void)state;
	assert_int_equal(convert_changed(3, 6, sizeof(stored)), -EUCLEAN);     /* count */
	assert_int_equal(convert_changed(0, 0xff, sizeof(stored)), -EUCLEAN);  /* count, huge */
	assert_int_equal(convert_changed(7, 3, sizeof(stored)), -EUCLEAN);     /* two tags */
	assert_int_equal(convert_changed(7, 0, sizeof(stored)), -EUCLEAN);     /* no tag */
	assert_int_equal(convert_changed(4, 1, sizeof(stored)), -EUCLEAN);     /* tag beyond all */
	assert_int_equal(convert_changed(13, 8, sizeof(stored)), -EUCLEAN);    /* permissions */
	assert_int_equal(convert_changed(3, 5, sizeof(stored) - 1), -EUCLEAN); /* cut */
	assert_int_equal(convert_changed(3, 5, 3), -EUCLEAN);
	assert_int_equal(convert_changed(3, 5, 0), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_converts),
	    cmocka_unit_test(test_refuses_what_is_no_acl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
