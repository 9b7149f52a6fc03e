/* One changed byte of a name: found where it is the only answer, and left alone where it is not. */
#include "base/test.h"

#include "meta/one_byte.h"

struct wanted {
	const char *name[2]; /* any of these is right */
};

static bool is_wanted(void *arg, const u8 *name, u32 length)
{
	const struct wanted *w = arg;

	for (u32 i = 0; i < ARRAY_COUNT(w->name); i++)
		if (w->name[i] && strlen(w->name[i]) == length && !memcmp(w->name[i], name, length))
			return true;
	return false;
}

static void expect(const char *name, struct wanted wanted, const char *becomes)
{
	u8 bytes[16];
	u32 length = (u32)strlen(name);

	for (u32 i = 0; i < length; i++)
		bytes[i] = (u8)name[i];
	assert_int_equal(one_byte_find(bytes, length, is_wanted, &wanted), becomes != NULL);
	assert_memory_equal(bytes, becomes ? becomes : name, length);
}

static void finds_the_only_one(void **state)
{
	(void)state;
	expect("xeadme", (struct wanted){{"readme"}}, "readme");
	expect("reaDme", (struct wanted){{"readme"}}, "readme");
	expect("readm\xff", (struct wanted){{"readme"}}, "readme");
	expect("\x01", (struct wanted){{"\xff"}}, "\xff");
}

static void leaves_the_others(void **state)
{
	(void)state;
	expect("reAdmE", (struct wanted){{"readme"}}, NULL);  /* two bytes */
	expect("readme", (struct wanted){{"readme"}}, NULL);  /* none */
	expect("xxx", (struct wanted){{"axx", "xxa"}}, NULL); /* two places */
	expect("xxx", (struct wanted){{"xax", "xbx"}}, NULL); /* two bytes for one place */
	expect("", (struct wanted){{"a"}}, NULL);
	expect("a", (struct wanted){{"a"}}, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(finds_the_only_one),
					   cmocka_unit_test(leaves_the_others)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
