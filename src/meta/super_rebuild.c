/* The superblock's counters, added up from the AG headers; see rebuild.h. */
#include "base/trail.h"
#include "format/ag.h"
#include "format/super.h"
#include "fs/ag.h"
#include "meta/rebuild.h"

#include <errno.h>

struct sums {
	u64 icount, ifree, fdblocks;
};

static int add_ag(struct vol *view, struct txn *txn, u32 number, struct sums *sums)
{
	struct ag ag;
	int err = ag_open(view, txn, number, &ag);

	if (!err)
		err = ag_open_inodes(&ag);
	if (err)
		return err;
	sums->icount += be32_get(ag_agi(&ag)->count);
	sums->ifree += be32_get(ag_agi(&ag)->freecount);
	sums->fdblocks += (u64)be32_get(ag_agf(&ag)->freeblks) + be32_get(ag_agf(&ag)->flcount) +
			  be32_get(ag_agf(&ag)->btreeblks);
	return 0;
}

static int recount(struct vol *view, struct txn *txn)
{
	struct sums sums = {0};
	struct txn_buf *buf;
	struct sb *sb;
	int err = ag_super(view, txn, &buf);

	for (u32 i = 0; i < view->geo.ag_count && !err; i++)
		err = add_ag(view, txn, i, &sums);
	if (err)
		return err;
	sb = (struct sb *)buf->data;
	txn_dirty(txn, buf);
	sb->icount = be64_make(sums.icount);
	sb->ifree = be64_make(sums.ifree);
	sb->fdblocks = be64_make(sums.fdblocks);
	return 0;
}

int super_rebuild(struct repair *r, u32 ag, u64 ino)
{
	struct vol view;
	struct txn *txn;
	int err;

	(void)ino;
	if (ag && ag != NO_AG)
		return fail(-EOPNOTSUPP, "copies of the superblock cannot be rebuilt yet");
	err = vol_begin(r->vol, &view, &txn);
	if (!err)
		err = vol_end(r->vol, txn, recount(&view, txn));
	if (!err)
		repair_say(r, "superblock: counters added up from the AG headers");
	return err;
}
