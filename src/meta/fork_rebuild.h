/* The maps of one inode, decided and written anew; private to the rebuild of inodes. */
#ifndef MENDFS_META_FORK_REBUILD_H
#define MENDFS_META_FORK_REBUILD_H

#include "meta/inode_mend.h"
#include "meta/rebuild.h"

struct fork_work {
	struct repair *r;
	struct vol *view;
	struct txn *txn;
	struct mend_inode *m;
	bool rewritten[2]; /* by enum fork_id */
	u64 lost;	   /* extents that were mapped, and are no more */
	u64 lost_blocks;   /* with them, as far as the inode's own count tells */
};
/* Both forks of w->m: wrong maps are replaced by what the reverse map says, or by what of them can
 * be read; counts are set. Nothing is written but blocks of new maps, in the transaction. */
int forks_rebuild(struct fork_work *w);

#endif
