/* One line of progress on a terminal, with the time that is left. */
#ifndef MENDFS_CLI_PROGRESS_H
#define MENDFS_CLI_PROGRESS_H

#include "base/env.h"

#include <stdatomic.h>
#include <stdio.h>

struct progress_line {
	FILE *to;
	atomic_flag busy;
	u64 started, last;
	const char *task;
	bool shown;
};

/* Sets env->progress if `to` is looked at by a person; the line lives as long as env. */
void progress_begin(struct env *env, struct progress_line *line, FILE *to, bool terminal);
/* Takes the line away. */
void progress_end(struct progress_line *line);

#endif
