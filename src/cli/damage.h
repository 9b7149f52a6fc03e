/* What the files of mendfs damage share. */
#ifndef MENDFS_CLI_DAMAGE_H
#define MENDFS_CLI_DAMAGE_H

#include "cli/print.h"

struct damage {
	const char *image, *log_device, *rt_device;
	const char *field;
	u64 seed;
	bool fix_crc, list;
};

/* Lines "OBJECT<tab>FIELD": of one object, or of each object that a sweep reads. */
void damage_list(const struct object *object);
int damage_list_all(struct vol *vol);

#endif
