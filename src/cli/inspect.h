/* What the files of mendfs inspect share. */
#ifndef MENDFS_CLI_INSPECT_H
#define MENDFS_CLI_INSPECT_H

#include "fs/vol.h"

#include <stdio.h>

/* The state of the log; with `all` every record, operation and item that would be replayed. */
int inspect_log(FILE *out, struct vol *vol, bool all);

#endif
