/* What the files that mend the record of an inode share. */
#ifndef MENDFS_META_INODE_MEND_IMPL_H
#define MENDFS_META_INODE_MEND_IMPL_H

#include "meta/inode_mend.h"

/* Sets a field when fewer rules are broken then. */
bool inode_better(struct mend_inode *m, const char *name, u64 value);
/* Records of mappings that could be those of one fork: how many of the first `most`, from the start
 * on. */
u32 inode_records_valid(const struct geometry *g, const struct fork *fork, u32 most);
/* Do the extents that are counted have all blocks of the inode? Where one of the maps is a tree, it
 * is enough that they can be extents. */
bool inode_has_all_blocks(const struct mend_inode *m);
/* How many extents, of forks that are in the inode. */
void inode_mend_counts(struct mend_inode *m);

#endif
