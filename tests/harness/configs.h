/*
 * Configurations of mkfs for random work, by number: each differs from the next in several ways, so
 * that twenty in a row have every way of each option.
 */
#ifndef MENDFS_TESTS_CONFIGS_H
#define MENDFS_TESTS_CONFIGS_H

#include "grove.h"

/* Returns the size of the device. */
u64 config_of(u32 number, struct mkfs_options *options);
/* xfs_repair -n of the image: the one that is installed, or that of MENDFS_JUDGES for parent
 * pointers; where it is missing, nobody is asked. Ends the program when it complains. */
void config_repair(struct grove *g, const char *path);

#endif
