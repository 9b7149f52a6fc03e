/* What directories post when a transaction changes them; see ledger/guard.h. */
#ifndef MENDFS_META_DIR_CHANGE_H
#define MENDFS_META_DIR_CHANGE_H

#include "format/inode.h"
#include "ledger/guard.h"

/* change() of the blocks: a directory's only one, data, leaves, free index. */
int dir_change_names(struct sweep *sweep, const struct txn_change *c);
int dir_change_data(struct sweep *sweep, const struct txn_change *c);
int dir_change_index(struct sweep *sweep, const struct txn_change *c);
int dir_change_free(struct sweep *sweep, const struct txn_change *c);

/* What a directory's inode says: names in short form, `.` and `..`, and that its size is that of
 * its data. NULL: no directory. */
int dir_change_inode(struct sweep *sweep, const struct inode *before, const struct inode *after);

#endif
