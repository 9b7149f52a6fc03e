/* The table of findings, and those that lower layers raise. */
#include "meta/findings.h"

#include "format/verify.h"
#include "log/recover.h"

const struct finding_def finding_defs[FINDING_COUNT] = {
#define FINDING(id, type, severity, text) \
	[FINDING_ID_##id] = {#id, type, SEVERITY_##severity, text},
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

static const struct log_defs log_findings = {
    .place = FOUND(LOG_PLACE),
    .cycles = FOUND(LOG_CYCLES),
    .head = FOUND(LOG_HEAD),
    .tail = FOUND(LOG_TAIL),
    .record = FOUND(LOG_RECORD),
    .overrun = FOUND(LOG_RECORD_OVERRUN),
    .uuid = FOUND(LOG_RECORD_UUID),
    .crc = FOUND(LOG_RECORD_CRC),
    .op = FOUND(LOG_OPERATION),
    .item = FOUND(LOG_ITEM),
    .unknown = FOUND(LOG_ITEM_UNKNOWN),
    .target = FOUND(LOG_TARGET),
    .ahead = FOUND(LOG_TARGET_AHEAD),
    .torn = FOUND(LOG_TORN),
    .pending = FOUND(LOG_INTENT_PENDING),
    .ignored = FOUND(LOG_NOT_REPLAYED),
};
const struct log_defs *log_defs = &log_findings;
