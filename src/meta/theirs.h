/* What others check, and with what we find the same; see theirs.def. */
#ifndef MENDFS_META_THEIRS_H
#define MENDFS_META_THEIRS_H

#include "base/types.h"

enum theirs_who { THEIRS_KERNEL, THEIRS_REPAIR, THEIRS_WHO_COUNT };

struct theirs_def {
	enum theirs_who who;
	const char *structure, *name, *what;
	const u16 *ours; /* enum finding_id */
	u32 count;	 /* of ours; 0: none, and why */
	const char *reason;
};
extern const struct theirs_def theirs_defs[];
extern const u32 theirs_count;

#endif
