/*
 * What a check has to say, gathered while it runs.
 *
 * Findings come from any thread, so report_add() locks.  The first REPORT_MAX are kept, all are
 * counted.  After the sweep report_finish() finds paths and sorts, so that the same damage gives
 * the same report.
 */
#ifndef MENDFS_CLI_REPORT_H
#define MENDFS_CLI_REPORT_H

#include "base/trail.h"
#include "fs/vol.h"
#include "format/finding.h"
#include "ledger/sweep.h"
#include "scrub/paths.h"

#include <stdio.h>

#define REPORT_CHUNK 1000
#define REPORT_CHUNKS 100
#define REPORT_MAX (REPORT_CHUNK * REPORT_CHUNKS)
#define SEVERITIES (SEVERITY_CORRUPT + 1)

struct report {
	struct env *env;
	struct env_lock *lock;
	struct finding *chunk[REPORT_CHUNKS];
	const struct finding **sorted; /* after report_finish() */
	u32 kept;
	u64 total, count[SEVERITIES];
	FILE *live; /* print each here when it comes; NULL: not */
	struct paths *paths;
	/* For the summary; log is set when the volume was opened. */
	const char *image;
	const char *only;  /* the name of the type that alone was asked for; NULL: all */
	const char *error; /* the check itself failed; NULL */
	char error_text[TRAIL_MAX];
	bool opened, replayed;
	bool mounted; /* to be written to: then there is nothing to say of the log */
	struct log_status log;
	struct sweep_stats stats;
	struct cache_stats cache;
	u64 ns;		   /* how long it took */
	struct geometry g; /* when it was opened */
};

int report_open(struct env *env, struct report *report);
void report_close(struct report *report);
void report_add(struct report *report, const struct finding *finding);
/* vol may be NULL: then no paths. */
int report_finish(struct report *report, struct vol *vol);
/* STATUS_* of all that was found. */
int report_status(const struct report *report);

/* One line a finding, then what was read and what is wrong. */
void report_print(FILE *out, const struct report *report);
/* The same as one JSON object (docs/JSON.md). 0, or -ENOMEM. */
int report_print_json(FILE *out, const struct report *report, int status);

#endif
