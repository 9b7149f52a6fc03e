/* What the files of mendfs inspect share. */
#ifndef MENDFS_CLI_INSPECT_H
#define MENDFS_CLI_INSPECT_H

#include "fs/vol.h"

#include <stdio.h>

#define LOG_FINDINGS 64

/* What opening has found of the log. */
struct log_findings {
	struct finding finding[LOG_FINDINGS];
	u64 count;
	enum severity worst;
};
/* verdict->raise, whose sink is the findings. */
void log_finding_keep(struct verdict *v, const struct finding *finding);

enum log_view {
	LOG_VIEW_NONE,	  /* these words name no log */
	LOG_VIEW_SUMMARY, /* its state, and one line a record */
	LOG_VIEW_ALL,	  /* each record, operation and item */
	LOG_VIEW_RECORD,  /* all of one record */
};
struct log_request {
	enum log_view view;
	bool by_lsn;
	u64 record; /* its number from the tail on, or its LSN */
};
/* `log`, `log all`, `log record N`, `log record CYCLE:BLOCK`. */
struct log_request log_request_of(char **words, u32 count);
/* -ENOENT for a record that is not there. */
int inspect_log(FILE *out, struct vol *vol, const struct log_request *request,
		const struct log_findings *findings);

#endif
