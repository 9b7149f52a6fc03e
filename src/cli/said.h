/*
 * What a repair has said, kept until the paths of the inodes that it names are known.
 */
#ifndef MENDFS_CLI_SAID_H
#define MENDFS_CLI_SAID_H

#include "fs/vol.h"

#include <stdio.h>

struct paths;

struct said {
	char **line;
	u32 count, room;
};

/* False: it is full, or there is no memory. */
bool said_add(struct said *said, const char *line);
/* Prints all lines, with the path where it names an inode that has one in the volume. */
int said_print(const struct said *said, struct vol *vol, FILE *out);
void said_free(struct said *said);

#endif
