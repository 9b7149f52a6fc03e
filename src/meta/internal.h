/* The files of the filesystem itself: quota, realtime bitmap and summary. */
#ifndef MENDFS_META_INTERNAL_H
#define MENDFS_META_INTERNAL_H

#include "format/inode.h"
#include "ledger/sweep.h"

struct internal_file {
	struct sweep *sweep;
	const struct inode *inode;
	const struct meta_type *type; /* of its blocks */
	bool sparse;		      /* holes are allowed */
	u64 blocks;		      /* that it must have at least; none behind are read */
	/* Each block in the order of the file; worst is what its rules said. v raises for it. */
	int (*block)(struct internal_file *file, struct verdict *v, u64 off, const u8 *block,
		     enum severity worst);
	/* the rest belongs to internal.c */
	u64 next;
	int err;
};

/* Reads the blocks; what the fork map has wrong has been reported before. *whole: none is missing.
 */
int internal_each(struct internal_file *file, bool *whole);

#endif
