/* The finding definitions of findings.def, as FINDING_<ID> for raise_*(). */
#ifndef MENDFS_META_FINDINGS_H
#define MENDFS_META_FINDINGS_H

#include "format/finding.h"

enum finding_id {
#define FINDING(id, ...) FINDING_ID_##id,
#include "meta/findings.def"
#undef FINDING
	FINDING_COUNT
};
extern const struct finding_def finding_defs[FINDING_COUNT];

/* raise_u64(v, FOUND(AGI_LENGTH), ...) */
#define FOUND(id) (&finding_defs[FINDING_ID_##id])

#endif
