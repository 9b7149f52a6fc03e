/* The lines that describe a filesystem, as xfs_info and mkfs.xfs print them. */
#ifndef MENDFS_CLI_GEOMETRY_H
#define MENDFS_CLI_GEOMETRY_H

#include "format/geometry.h"

#include <stdio.h>

/* log and rt: the names of the devices, or NULL. */
void geometry_print(FILE *out, const struct geometry *g, const char *name, const char *log,
		    const char *rt);

#endif
