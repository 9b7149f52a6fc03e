/* What ledger.c and audit.c share: the ledger itself, and a recorded posting. */
#ifndef MENDFS_LEDGER_LEDGER_IMPL_H
#define MENDFS_LEDGER_LEDGER_IMPL_H

#include "base/sorter.h"
#include "ledger/ledger.h"

#define AUDIT_MEMORY (16u << 20)
#define SIFT_ABOVE 8 /* shards: another sweep costs as much as writing these down */
_Static_assert(LEDGER_SHARDS <= 64 && ACCOUNT_COUNT <= 64, "masks have 64 bits");

struct sums {
	u128 sum[ACCOUNT_COUNT][LEDGER_SHARDS][2];
};

struct ledger {
	struct env *env;
	struct env_lock *lock;
	struct hash_key key;
	struct sums sums;
	bool sifting; /* only accounts with a table are added up */
	bool auditing;
	bool audited[ACCOUNT_COUNT][LEDGER_SHARDS];
	u64 *sifted[ACCOUNT_COUNT]; /* NULL: not */
	struct sorter *recorder;
};

/* A range that has been posted and not yet hashed: the next one often begins where it ends, with
 * the same key, and then the two ends cancel. Never used in an audit, where witnesses count. */
struct run {
	struct fact key;
	u64 start, end;
	s64 times; /* 0: none */
	enum side side;
};

struct book {
	struct ledger *ledger;
	struct sums sums;
	struct run run[ACCOUNT_COUNT];
	bool one_shard;		    /* book_one_shard() */
	u64 touched[ACCOUNT_COUNT]; /* 1 << shard, since the book was last settled */
	u64 open;		    /* 1 << account: those with a run, or touched */
	int err;		    /* the first that recording met */
};

/* Sorted by account and fact. */
struct posting {
	u8 account;
	struct be64 w[4];
	u8 side;
	s64 times;
	const char *type; /* of the witness; NULL: none */
	u32 ag;
	u64 ino, daddr;
};
#define POSTING_KEY offsetof(struct posting, side)

/* The tables of one account; all zero. -ENOMEM, or 0. */
int sift_open(struct ledger *ledger, enum account account);
void sift_close(struct ledger *ledger);
/* sum: the hash of the fact, so many times. By any number of threads. */
void sift_add(struct ledger *ledger, enum account account, enum side side, const struct fact *fact,
	      u64 sum);
/* May this fact be uneven? (And is an end of a range in an uneven bucket?) */
bool sift_uneven(const struct ledger *ledger, enum account account, const struct fact *fact);
/* Does an uneven bucket have positions from start to end, or may it? */
bool sift_touches(const struct ledger *ledger, enum account account, const struct fact *key,
		  u64 start, u64 end);

#endif
