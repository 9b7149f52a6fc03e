/*
 * The journal: commits in memory, checkpoints in the log, and all of it home in the end.
 *
 * A commit (txn_commit()) is a new version of what it changes (cache/versions.h) and nothing more.
 * A checkpoint takes all commits up to one number and writes them to the log as one transaction of
 * buffer items; from then on a crash does not lose them.  Later they are written home, and the tail
 * of the log comes to its head.  Nothing is written home that the log does not have.
 *
 * Whoever needs durability forces: those who come while a checkpoint is on its way wait for it, and
 * the next takes all of them.  Nothing here has a thread of its own: a checkpoint is the work of
 * who forces, of who finds too much pending, or of whoever calls journal_work() now and then.
 *
 * What the log is told of a buffer for the first time after it began to be written home is all of
 * it; later, the 128-byte chunks that changed.  So replay never builds on what a torn write has
 * left, and LSNs need not be stamped into what is written home.
 *
 * Locking: `repairs` is held by a repair, and comes first.  `gate` is held shared during a
 * transaction, and alone by who wants a series of them without others in between; it comes next.
 * `commits` is the writer's: a transaction from its first read to its end.  `readers` is held
 * shared by who reads several buffers that belong together, and alone for the moment in which a
 * commit is published.  `work` is held during checkpoints; it comes before both.
 *
 * When the log or the device fails, the error goes to who forced, all stays in memory as it was,
 * and the next force tries again; when too much is pending, no more transactions begin.
 */
#ifndef MENDFS_LOG_JOURNAL_H
#define MENDFS_LOG_JOURNAL_H

#include "cache/versions.h"
#include "log/recover.h"

struct journal;
struct txn;

struct journal_options {
	const struct geometry *g;
	struct device *home, *log; /* log NULL: internal */
	const struct log_status *status;
	size_t memory; /* for what is not home yet */
};

/* For a log whose content is home. The cache reads from journal_device(); it is attached later.
 * Nothing is written before the first checkpoint. */
int journal_open(struct env *env, const struct journal_options *options, struct journal **out);
void journal_attach(struct journal *j, struct cache *cache);
struct device *journal_device(struct journal *j);
/* Called for space that was freed, when that is durable: bytes of the device. It may be in use
 * again; a snapshot may still show what lay there (journal_keep()). */
void journal_on_settled(struct journal *j, void (*fn)(void *arg, u64 at, u64 size), void *arg);
/* Called with the number of a commit when it and all before it are in the log. */
void journal_on_durable(struct journal *j, void (*fn)(void *arg, u64 number), void *arg);
/* Puts all home and marks the log clean. On an error the log stays dirty, and has all that was
 * durable. In any case no more can be committed. */
int journal_finish(struct journal *j);
/* Nothing is written any more, neither to the log nor home: -EIO, also for new transactions. */
void journal_stop(struct journal *j);
void journal_close(struct journal *j); /* without that: what is not durable is lost */

/* While held, nothing is logged to make room, so that all commits come into one checkpoint:
 * transactions are refused with -ENOSPC when they would not fit. */
void journal_hold(struct journal *j, bool hold);
/* A transaction of the only writer, when there is room for one; journal_end() lets the next in. */
int journal_begin(struct journal *j, bool alone, struct txn **out);
/* Commits when err is 0, rolls back otherwise; returns err or what the commit says. */
int journal_end(struct journal *j, bool alone, struct txn *txn, int err);
/* Between the two calls there is no other repair. */
void journal_repair_begin(struct journal *j);
void journal_repair_end(struct journal *j);
/* Whether it should give up: somebody wants to be alone, or misses what is fenced. */
bool journal_repair_disturbed(struct journal *j);
/* Between the two calls nobody begins a transaction but who says `alone`, and there is no other
 * repair. */
void journal_alone(struct journal *j, bool alone);
/* The same for who is the repair already; journal_alone(j, false) ends both. */
void journal_alone_too(struct journal *j);
/* What txn_commit() does in the end. Not for anybody else. */
int journal_commit(struct journal *j, struct txn *txn, const struct version_change *changes,
		   u32 count);
/* More bytes may not be changed by one transaction. */
u64 journal_txn_max(const struct journal *j);

/* Whether any of these bytes was freed by a commit that is not durable: then it must not be
 * overwritten by data. [*from, *end) is the first such run there, in bytes of the device. For who
 * has a transaction. */
bool journal_busy(struct journal *j, struct daddr at, u64 size, u64 *from, u64 *end);
/* Free space that stays free for now: what is built aside lies in it, written past the journal. It
 * counts as busy, and no metadata gets it either, until journal_unfence() gives all of it back. For
 * who has a transaction; the space is free and not busy. */
void journal_fence(struct journal *j, struct daddr at, u64 size);
void journal_unfence(struct journal *j);
bool journal_fenced(struct journal *j, struct daddr at, u64 size, u64 *from, u64 *end);
/* Somebody has found no other free space. */
void journal_fence_missed(struct journal *j);
/* Data are going to be written there, or it is discarded, in free space that is not busy: what a
 * snapshot that is still open shows there is kept for it. For who has a transaction. */
int journal_keep(struct journal *j, struct daddr at, u64 size);

void journal_read_begin(struct journal *j);
void journal_read_end(struct journal *j);

/* The last commit. */
u64 journal_number(struct journal *j);
/* All commits up to `number` are durable when this returns 0. data: so is all that has been written
 * to the device. */
int journal_force(struct journal *j, u64 number, bool data);
/* What need not be done at once: logs what is pending, writes home when much is logged. */
int journal_work(struct journal *j);
/* All is home, the log is empty but not marked clean. */
int journal_push(struct journal *j);
int journal_snapshot(struct journal *j, struct device **out);

struct journal_stats {
	u64 commits, checkpoints, home_writes, log_bytes;
};
void journal_stats(struct journal *j, struct journal_stats *out);

#endif
