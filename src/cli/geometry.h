/* The lines that describe a filesystem, as xfs_info and mkfs.xfs print them. */
#ifndef MENDFS_CLI_GEOMETRY_H
#define MENDFS_CLI_GEOMETRY_H

#include "format/geometry.h"

/* log and rt: the names of the devices, or NULL. On stdout. */
void geometry_print(const struct geometry *g, const char *name, const char *log, const char *rt);

#endif
