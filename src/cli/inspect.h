/* What the files of mendfs inspect share. */
#ifndef MENDFS_CLI_INSPECT_H
#define MENDFS_CLI_INSPECT_H

#include "fs/vol.h"

/* The state of the log; with `all` every record, operation and item that would be replayed. */
int inspect_log(struct vol *vol, bool all);

#endif
