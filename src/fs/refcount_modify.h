/*
 * Changing the reference count btree inside a transaction.  -EOPNOTSUPP without the feature.
 *
 * A block in no record has one owner.  What falls to no owner at all is handed to `unused`, piece
 * by piece; whoever called frees it.
 */
#ifndef MENDFS_FS_REFCOUNT_MODIFY_H
#define MENDFS_FS_REFCOUNT_MODIFY_H

#include "fs/ag.h"

struct refcount_sink {
	int (*unused)(struct refcount_sink *sink, u32 ag, u32 bno, u32 blocks);
};

int refcount_increase(struct ag *ag, u32 bno, u32 blocks);
int refcount_decrease(struct ag *ag, u32 bno, u32 blocks, struct refcount_sink *sink);
/* Staging for copy-on-write. */
int refcount_cow_add(struct ag *ag, u32 bno, u32 blocks);
int refcount_cow_remove(struct ag *ag, u32 bno, u32 blocks);

#endif
