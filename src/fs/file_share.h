/*
 * Blocks that several files have: sharing them, and what copying left behind.
 *
 * In bounded steps, each a transaction of its own, as in file_range.h.
 */
#ifndef MENDFS_FS_FILE_SHARE_H
#define MENDFS_FS_FILE_SHARE_H

#include "fs/inode.h"

struct file_share {
	struct inum from, to;
	u64 from_at, to_at, blocks; /* what is left to do */
	u64 size; /* bytes that `to` shall have at least, as soon as it has the blocks; 0: no matter
		   */
};

/*
 * `to` gets the blocks that `from` has there, instead of its own; done when `blocks` is 0.  What is
 * unwritten in `from` becomes a hole.  The range lies below the end of `from`, and starts not
 * behind the end of `to`, which has no blocks behind it (it has been grown, file_write.h).  The
 * block that holds the end of `from` can only go where the end of `to` will be. -EINVAL otherwise.
 * -EOPNOTSUPP without the reflink feature, and for realtime files.
 */
int file_share_step(struct vol *vol, struct txn *txn, struct file_share *share);

/* Staging blocks of an AG that no plan has any more, as a crash leaves them, are given back; to be
 * called before anyone writes. */
int file_cow_cleanup(struct vol *vol, struct txn *txn, u32 ag, bool *more);

#endif
