/* Large blocks used again: only with AddressSanitizer, only of the same size, and out of bounds
 * until then. */
#include "base/test.h"
#include "host/reuse.h"

#define SIZE (REUSE_LEAST * 3)

#if SANITIZED_ADDRESS
#include <sanitizer/asan_interface.h>

static void used_again(void **state)
{
	char *first = reuse_calloc(SIZE), *second = reuse_calloc(SIZE);

	(void)state;
	memset(first, 1, SIZE);
	reuse_free(first);
	reuse_free(second);
	assert_true(__asan_address_is_poisoned(first));
	assert_true(__asan_address_is_poisoned(first + SIZE - 1));
	assert_null(reuse_take(SIZE - 1));
	assert_null(reuse_take(SIZE + 1));
	assert_ptr_equal(reuse_calloc(SIZE), first);
	assert_null(__asan_region_is_poisoned(first, SIZE));
	assert_true(__asan_address_is_poisoned(first + SIZE));
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(first[i], 0);
	assert_ptr_equal(reuse_malloc(SIZE), second);
	assert_null(reuse_take(SIZE));
	free(first);
	free(second);
}

static void not_all_are_kept(void **state)
{
	size_t size = REUSE_BYTES / 4;
	void *block[5], *small = reuse_malloc(REUSE_LEAST - 1);

	(void)state;
	assert_false(reuse_keep(small));
	free(small);
	for (u32 i = 0; i < 5; i++)
		block[i] = reuse_malloc(size);
	for (u32 i = 0; i < 5; i++)
		reuse_free(block[i]);
	for (u32 i = 1; i < 5; i++)
		assert_ptr_equal(reuse_take(size), block[i]);
	assert_null(reuse_take(size));
	for (u32 i = 1; i < 5; i++)
		free(block[i]);
}
#else
static void used_again(void **state)
{
	void *block = reuse_malloc(SIZE);

	(void)state;
	assert_false(reuse_keep(block));
	free(block);
	assert_null(reuse_take(SIZE));
}

static void not_all_are_kept(void **state)
{
	(void)state;
	reuse_free(reuse_calloc(SIZE));
	assert_null(reuse_take(SIZE));
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(used_again),
					   cmocka_unit_test(not_all_are_kept)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
