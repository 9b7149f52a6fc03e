/* The fork maps of an inode, walked and posted; and what each inode is charged for. */
#ifndef MENDFS_META_FORKS_H
#define MENDFS_META_FORKS_H

#include "ledger/sweep.h"

/* In a commit, the extents of a fork that have become other; what bmbt blocks post for theirs. The
 * inode is NULL where there is none. */
void forks_change(struct sweep *sweep, const struct txn_change *c, const struct inode *before,
		  const struct inode *after);
int forks_change_block(struct sweep *sweep, const struct txn_change *c);

/* post_inode of the block map: both forks, in all formats. */
int forks_post(struct sweep *sweep, const struct inode *inode);
/* Charges the inode to its user, group and project; rt_blocks of its blocks are realtime. */
void quota_charge(struct sweep *sweep, const struct inode *inode, u64 rt_blocks);

#endif
