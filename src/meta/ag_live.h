/*
 * Rebuilding the space trees of an AG while everybody goes on writing.
 *
 * 1. In one instant: a snapshot is opened, the commit guard begins to tell what commits change
 *    (ledger/guard.h), and free space for the new trees is fenced off (log/journal.h).
 * 2. From a sweep of the snapshot the trees are built in that space, as ag_rebuild() builds them,
 *    on a volume of its own (aside.h): written straight to the device, like data of files.
 * 3. What was committed meanwhile is brought into the new trees in rounds, from a side file, by the
 *    functions that change any AG (fs/space.h and so on).
 * 4. When little is left, the writer is stopped for that rest, and one transaction writes the
 *    headers that lead to the new trees, and frees what the old ones were in.
 *
 * A crash before 4 is durable leaves the old trees: what was written lies in free space.  The
 * checkpoint that has 4 flushes the device before, so after it the new trees are whole.
 *
 * What writers need to go on must be sound: headers and free space.  Otherwise, and for what this
 * does not know, it fails, nothing has changed, and ag_rebuild() can be tried with the writers
 * stopped.
 */
#ifndef MENDFS_META_AG_LIVE_H
#define MENDFS_META_AG_LIVE_H

#include "meta/rebuild.h"

struct ag_live_result {
	u64 records; /* of the reverse map, when it was built */
	u64 caught_up,
	    last; /* postings that came meanwhile; those of them for which writers waited */
	u32 rounds;
	u64 stopped; /* ns that the writers were, at the most: at the beginning, or at the switch */
	u64 swept, built, followed; /* ns that the parts took */
};

/* Types that it makes anew, all at once. */
#define AG_LIVE_TYPES                                                                     \
	(1ull << META_AGF | 1ull << META_AGFL | 1ull << META_BNOBT | 1ull << META_CNTBT | \
	 1ull << META_RMAPBT | 1ull << META_REFCOUNTBT)

/* Of r: vol, say and arg. memory: of the cache for the sweep. -EAGAIN: it has been given up, since
 * somebody else needs what it has, or commits come faster than it can follow. */
int ag_live_rebuild(struct repair *r, u32 ag, size_t memory, struct ag_live_result *result);

#endif
