/* The table of theirs.def. */
#include "meta/theirs.h"

#include "meta/findings.h"

/* Findings by their bare names: one that does not exist does not compile. */
enum {
#define FINDING(id, ...) id = FINDING_ID_##id,
#include "meta/findings.def"
#undef FINDING
};

#define OURS(...)                           \
	.ours = (const u16[]){__VA_ARGS__}, \
	.count = sizeof((const u16[]){__VA_ARGS__}) / sizeof(u16)
#define NONE(text) .reason = text

const struct theirs_def theirs_defs[] = {
#define THEIRS(who_, structure_, name_, what_, ...) \
	{.who = THEIRS_##who_, .structure = structure_, .name = name_, .what = what_, __VA_ARGS__},
#include "meta/theirs.def"
#undef THEIRS
};
const u32 theirs_count = ARRAY_COUNT(theirs_defs);
