/* The table of scrub items; see scrub.h. */
#include "format/scrub.h"

const struct scrub_def scrub_defs[SCRUB_COUNT] = {
#define SCRUB_ROW(id, name_, scope_, what_) [SCRUB_##id] = {name_, SCOPE_##scope_, what_},
    SCRUB_TYPES(SCRUB_ROW)
#undef SCRUB_ROW
};

u64 scrub_of_scope(enum meta_scope scope)
{
	u64 bits = 0;

	for (u32 i = 0; i < SCRUB_COUNT; i++)
		if (scrub_defs[i].scope == scope)
			bits |= 1ull << i;
	return bits;
}
