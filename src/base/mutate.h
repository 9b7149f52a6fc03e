/*
 * Errors of our own, on purpose: a test of the commit guard makes one at a time, and sees that it
 * is refused (tests/guard/mutations.c).
 *
 * `if (MUTATE(NAME))` stands where an update could be forgotten or wrong; the names are in
 * mutations.def.  In all programs but that of the test (tests/meson.build lists the files that are
 * compiled for it) it is false, and nothing is left of it.
 */
#ifndef MENDFS_BASE_MUTATE_H
#define MENDFS_BASE_MUTATE_H

#include "base/types.h"

enum mutation {
#define MUTATION(name, text) MUTATION_##name,
#include "base/mutations.def"
#undef MUTATION
	MUTATION_COUNT
};

#ifdef MENDFS_MUTATIONS
/* Of the one thread that there is in such a test. */
struct mutate {
	enum mutation point; /* MUTATION_COUNT: none */
	u32 every;	     /* of so many times that it is come to, it is done once; from 1 */
	u64 reached, done;
};
extern struct mutate mutate;

static inline bool mutate_here(enum mutation point)
{
	if (mutate.point != point || ++mutate.reached % mutate.every)
		return false;
	mutate.done++;
	return true;
}
#define MUTATE(name) mutate_here(MUTATION_##name)
#else
#define MUTATE(name) false
#endif

#endif
