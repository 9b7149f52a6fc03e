/* How the fields of the superblock's copies stand to the primary's. */
#ifndef MENDFS_META_SUPERBLOCK_H
#define MENDFS_META_SUPERBLOCK_H

#include "base/types.h"

/* Copies are written by mkfs, growfs and label tools only. */
enum super_copy_rule {
	COPY_SAME,
	COPY_FREE,  /* counters, what a mount changes in the primary alone */
	COPY_EMPTY, /* the primary's, zero or null: quota came after mkfs */
	COPY_NULL,  /* the primary's, or never filled in by mkfs */
	COPY_STALE, /* sound, but a copy with the primary's would be better */
};
enum super_copy_rule super_copy_rule(const char *field);
/* What a copy may hold whatever the primary does. */
bool super_copy_may_hold(enum super_copy_rule rule, u64 value);

#endif
