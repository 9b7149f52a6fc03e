/* What every unit test includes: cmocka, without its fail(), which is our trail's name. */
#ifndef MENDFS_BASE_TEST_H
#define MENDFS_BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail
#include <stdlib.h>

#include "base/sanitized.h"
#include "base/trail.h"
#include "base/types.h"

/* With the sanitizers all takes some five times as long, and is what the other build has looked at
 * more closely: of long tests every fourth step will do. */
#define TEST_STRIDE (SANITIZED_ADDRESS || SANITIZED_THREAD ? 4 : 1)

/* What the environment says, for tests that can be run longer or with another seed. */
static inline u64 test_number(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

/* A number below `below`, and the next seed. */
static inline u64 test_draw(u64 *seed, u64 below)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (*seed >> 33) % below;
}

#endif
