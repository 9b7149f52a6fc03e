/*
 * The ledger: books that must balance.
 *
 * Every fact of the filesystem is written down twice, and posted by both who say it.  An account
 * keeps, for either side and for each of LEDGER_SHARDS shards, the sum modulo 2^128 of
 * multiplicity * h(fact), with h keyed at random for each run.  Equal sums: the books balance,
 * whatever the number of facts.  Posting is linear, so order does not matter, jobs keep books of
 * their own and add them up, and +1 and -1 cancel.
 *
 * Ranges post by their ends, h(key, start) - h(key, end): neighbours with one key cancel, so either
 * side may cut the same range as it likes.
 *
 * An account that does not balance is audited: a second sweep writes the facts of the shards in
 * question into sorted spill files, and what is left over becomes findings.  Only damage costs
 * memory or time.  Where many shards are in question, or one that holds everything of an AG, there
 * is another sweep before, with sums so fine that few facts remain.
 */
#ifndef MENDFS_LEDGER_LEDGER_H
#define MENDFS_LEDGER_LEDGER_H

#include "base/env.h"
#include "base/hash.h"
#include "format/type.h"

/* Few enough that the sums of a job stay in the first-level cache; an audit records one shard's
 * facts. */
#define LEDGER_SHARDS 64

enum account {
#define ACCOUNT(name, ...) ACCOUNT_##name,
#include "ledger/accounts.def"
#undef ACCOUNT
	ACCOUNT_COUNT
};
enum account_kind { ACCOUNT_POINT, ACCOUNT_RANGE, ACCOUNT_SUM };
enum side { SIDE_LEFT, SIDE_RIGHT };

/* Keys of the account COUNTERS; with an AG where the AG keeps the counter. */
enum counter {
	COUNTER_ICOUNT,
	COUNTER_IFREE,
	COUNTER_FDBLOCKS,
	COUNTER_FREXTENTS,
	COUNTER_AGF_FREEBLKS,
	COUNTER_AGF_BTREEBLKS,
	COUNTER_AGF_RMAP_BLOCKS,
	COUNTER_AGF_REFCOUNT_BLOCKS,
	COUNTER_AGI_COUNT,
	COUNTER_AGI_FREECOUNT,
	COUNTER_AGI_IBLOCKS,
	COUNTER_AGI_FBLOCKS,
	COUNTER_COUNT
};
/* What is counted of a file, in the account FILES: blocks, and extents of the fork behind it. */
enum file_count { FILE_BLOCKS, FILE_EXTENTS };

const char *counter_name(u64 counter);

struct account_def {
	const char *name, *left, *right;
	enum account_kind kind;
	const struct finding_def *left_only, *right_only;
	const char *word[4];
	enum meta_id rebuilt; /* the derived side */
	u64 items;	      /* scrub items that it speaks of */
};
/* The table that goes with accounts.def; src/meta knows the findings, so it is defined there. */
extern const struct account_def account_defs[ACCOUNT_COUNT];
/* Raised when an account has more leftovers than are raised one by one. */
extern const struct finding_def *const ledger_more;
/* Raised when an account did not balance, but nothing was left over in the audit. */
extern const struct finding_def *const ledger_unexplained;

struct fact {
	u64 w[4];
};

struct ledger; /* one run: the key, which shards are audited */
struct book;   /* the sums of one job; used by one thread at a time */

int ledger_open(struct env *env, struct ledger **out);
void ledger_close(struct ledger *ledger);
int book_open(struct ledger *ledger, struct book **out);
/* Adds the book to the ledger and frees it; what it recorded for an audit is handed over. */
int book_close(struct book *book);

/* For a book that is never audited: all facts of an account go to one sum. */
void book_one_shard(struct book *book);
/* For a book that is used again and again: 1 << account for each account in which the two sides
 * have not changed by the same; then all sums are zero again. */
u64 book_balance(struct book *book);

/* Post `times` occurrences of a fact. The witness (may be NULL) names who said it, for the audit.
 */
void book_post(struct book *book, enum account account, enum side side, const struct fact *fact,
	       s64 times, const struct where *witness);
/* Post [start, start + length) of fact's key w[0..2]; w[3] is ignored. length 0 posts nothing. */
void book_post_range(struct book *book, enum account account, enum side side,
		     const struct fact *key, u64 start, u64 length, s64 times,
		     const struct where *witness);
/* A keyed digest of bytes (a name, an attribute), for a word of a fact. */
u64 book_digest(const struct book *book, const void *bytes, size_t size);
/* The keyed hash itself, for sums that live and die within one structure (a directory's index). */
u128 book_hash(const struct book *book, const struct fact *fact);
/* An error of the recording that a posting met (spilling failed); 0 if none. */
int book_error(const struct book *book);

/* For books whose sums nobody will ask for: they only pass on who posts what. */
void ledger_add_nothing(struct ledger *ledger);
/* After all books are closed: how many (account, shard) pairs do not balance. */
u32 ledger_imbalances(const struct ledger *ledger);
bool ledger_audited(const struct ledger *ledger, enum account account);
/* For who expects much to be uneven: the finer sums of all accounts of a sweep from the start, so
 * that no other sweep is needed for them. -ENOMEM, or 0. */
int ledger_sift_all(struct ledger *ledger);
/* Would an audit write down so much that it pays to sift first? */
bool ledger_worth_sifting(const struct ledger *ledger);
/* Start over with zero sums, much finer ones, of the accounts that did not balance. -ENOMEM, or 0.
 */
int ledger_begin_sift(struct ledger *ledger);
/* Start over and record the facts of the shards that did not balance, and of these, after sifting,
 * what was found uneven. */
int ledger_begin_audit(struct ledger *ledger);
/* After the audit sweep: sorts, merges, and raises a finding for each leftover. */
int ledger_audit(struct ledger *ledger, struct verdict *v);

#endif
