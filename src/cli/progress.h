/* One line of progress on a terminal's stderr, with the time that is left. */
#ifndef MENDFS_CLI_PROGRESS_H
#define MENDFS_CLI_PROGRESS_H

#include "base/env.h"

/* Sets env->progress if stderr is a terminal. Not for two at a time. */
void progress_begin(struct env *env);
/* Takes the line away. */
void progress_end(void);

#endif
