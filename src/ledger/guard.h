/*
 * The commit guard: the books, kept for one commit.
 *
 * A transaction has before and after of all that it changes.  Each changed object posts, through
 * its type's change(), what it says now and, the other way round, what it said before: the
 * difference, as far as it can be told cheaply.  What is unchanged need not be looked at, since
 * sums are linear; so the two sides of every account must change by the same.  Where they do not,
 * the commit is refused with -EUCLEAN: the transaction is rolled back, and the trail names the
 * account and what is left over.  Only then the facts are posted twice more, to be named.
 *
 * What sums cannot tell is in docs/DESIGN.md, "The commit guard".
 *
 * One guard a volume, used by its only writer.
 */
#ifndef MENDFS_LEDGER_GUARD_H
#define MENDFS_LEDGER_GUARD_H

#include "ledger/sweep.h"

extern const struct vol_guard commit_guard;

/*
 * Who wants to know what commits change. posted() is called for each posting of a commit to one of
 * the accounts (bits 1 << enum account), with the sign that it counts with, and then ended(): when
 * that says false, the commit has not happened.  Both run in the thread of the writer, which waits.
 * A commit that posts nothing is not told.
 *
 * Commits that are not guarded (vol_alone_begin()) are not heard.
 */
struct guard_listener {
	u32 accounts;
	void (*posted)(void *arg, const struct sweep_posting *posting);
	void (*ended)(void *arg, bool committed);
	void *arg;
};
/* From the next commit on; who has a transaction of the volume knows which that is. NULL: nobody
 * listens any more, and nobody is being told. -EBUSY when somebody listens already. */
int guard_listen(struct txn_guard *hook, const struct guard_listener *listener);

/* ---- for change(); `sweep` is always the guard's ---- */

/* The volume as it was before the transaction, and as it will be. */
struct vol *guard_vol(struct sweep *sweep, bool after);
/* An inode in it, in use, or free in a cluster that the transaction has changed; NULL: there is
 * none. Good until the next is asked for. */
const struct dinode *guard_dinode(struct sweep *sweep, struct inum ino, bool after);
/* What the transaction has of the object at `at`; NULL: it does not know it, so it is unchanged. */
struct txn_buf *guard_known(struct sweep *sweep, struct daddr at);

/* The entries that differ: before or after is NULL for one that has come or gone. */
typedef void guard_entry_fn(struct sweep *sweep, const struct txn_change *c, const void *before,
			    const void *after);
struct guard_array {
	const u8 *bytes;
	u32 count;
};
void guard_entries(struct sweep *sweep, const struct txn_change *c, struct guard_array before,
		   struct guard_array after, u32 size, guard_entry_fn *fn);
/* Posts fn(before) the other way round, and fn(after); NULL posts nothing. */
void guard_both(struct sweep *sweep, u32 ag, const void *before, const void *after,
		void (*fn)(struct sweep *sweep, u32 ag, const void *record));
/* An amount that has changed; posts nothing where it has not. */
void guard_amount(struct sweep *sweep, enum account account, enum side side,
		  const struct fact *fact, u64 before, u64 after);

/* What is to be known of a directory whose blocks change; of the last one asked for it is kept. */
struct guard_dir {
	u64 ino; /* 0: none */
	u32 was_gen, is_gen;
	bool was_live, is_live; /* `.` and `..` count only while it has links */
	bool indexed;		/* it has an index of its own afterwards */
};
struct guard_dir *guard_dir(struct sweep *sweep);

#endif
