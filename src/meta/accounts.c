/* The account table, with the findings that an imbalance becomes; see ledger/accounts.def. */
#include "ledger/sweep.h"
#include "meta/findings.h"

const struct account_def account_defs[ACCOUNT_COUNT] = {
#define ACCOUNT(id, kind_, name_, left_, right_, left_only_, right_only_, w0, w1, w2, w3, type_, \
		items_)                                                                          \
	[ACCOUNT_##id] = {name_,                                                                 \
			  left_,                                                                 \
			  right_,                                                                \
			  ACCOUNT_##kind_,                                                       \
			  FOUND(left_only_),                                                     \
			  FOUND(right_only_),                                                    \
			  {w0, w1, w2, w3},                                                      \
			  META_##type_,                                                          \
			  items_},
#include "ledger/accounts.def"
#undef ACCOUNT
};

const struct finding_def *const ledger_more = FOUND(LEDGER_MORE);
const struct finding_def *const ledger_unexplained = FOUND(LEDGER_UNEXPLAINED);

static const struct sweep_defs defs = {
    .read_failed = FOUND(READ_FAILED),
    .beyond_end = FOUND(BEYOND_END),
    .too_many = FOUND(SWEEP_TOO_MANY_BLOCKS),
    .lsn = FOUND(BLOCK_LSN),
    .loop = FOUND(DIR_LOOP),
};
const struct sweep_defs *const sweep_defs = &defs;
