/* The table of findings, and those that lower layers raise. */
#include "meta/findings.h"

#include "format/verify.h"

const struct finding_def finding_defs[FINDING_COUNT] = {
#define FINDING(id, type, severity, text, scrub, repair) \
	[FINDING_ID_##id] = {#id, type, SEVERITY_##severity, text, scrub, repair},
#include "meta/findings.def"
#undef FINDING
};

static const struct verify_defs defs = {
    .magic = FOUND(BLOCK_MAGIC),
    .crc = FOUND(BLOCK_CRC),
    .uuid = FOUND(BLOCK_UUID),
    .blkno = FOUND(BLOCK_BLKNO),
    .owner = FOUND(BLOCK_OWNER),
};
const struct verify_defs *verify_defs = &defs;
