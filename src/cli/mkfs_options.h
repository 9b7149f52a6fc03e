/*
 * The options of mkfs, those of mkfs.xfs: letters with suboptions, `-d agcount=4,su=64k,sw=2`.
 */
#ifndef MENDFS_CLI_MKFS_OPTIONS_H
#define MENDFS_CLI_MKFS_OPTIONS_H

#include "host/mkfs.h"

struct mkfs_arguments {
	struct host_mkfs what;
	bool quiet, version;
	char error[256]; /* when mkfs_parse() fails */
};

/* False: args->error says why. */
bool mkfs_parse(struct mkfs_arguments *args, int argc, char **argv);

#endif
