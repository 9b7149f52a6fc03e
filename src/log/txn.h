/*
 * Transactions: metadata changes that happen together or not at all.
 *
 * A transaction works on copies of its own.  txn_get() copies a verified object out of the cache,
 * txn_dirty() says that the copy will be changed, and until txn_commit() nobody else sees any of
 * it: the cache's content is the pre-image.  So txn_rollback() only lets go of the copies, and
 * readers never meet a state between two transactions.
 *
 * txn_commit() brings checksums up to date and runs the rules of each changed object: a change that
 * its own type would refuse to read is a bug of ours (or hostile bytes that got this far), fails
 * with -EUCLEAN, and nothing is written.  When a write fails, what was written before is put back.
 * Either way the transaction is over afterwards.
 *
 * Between the rules and the first write a guard, where there is one, looks at all that the
 * transaction changes, and may refuse it (ledger/guard.h).
 *
 * One writer at a time; a transaction belongs to one thread.
 */
#ifndef MENDFS_LOG_TXN_H
#define MENDFS_LOG_TXN_H

#include "cache/versions.h"

struct txn;

struct journal;

/* An object in a transaction. Stays where it is until the transaction ends. */
struct txn_buf {
	struct daddr at; /* of the first range */
	u32 size;
	u8 *data; /* the transaction's copy; write only after txn_dirty() */
	const struct meta_type *type;
	const struct meta_type *was; /* the type that it came in as; NULL: it is new */
	struct where where;
	bool dirty;
	/* the rest belongs to the transaction */
	bool fresh;	       /* made by txn_new() */
	bool of_parts;	       /* verified and sealed part by part */
	bool gone;	       /* dropped */
	bool mapped;	       /* map is made: in a commit */
	struct txn_buf *whole; /* what this is a part of, or NULL */
	struct txn_buf *parts; /* linked by `older` */
	struct txn_buf *chain, *older;
	struct buf seen;	   /* as the view shows it */
	struct buf *made, *before; /* of the cache: what data lies in, and what was there */
	u32 map[VERSION_MAP_WORDS];
	u32 count; /* of ranges */
	struct cache_range range[];
};

/* The objects of one transaction together have at most this many bytes. */
#define TXN_MEMORY_MAX (64u << 20)

/* dev is what the cache reads from. */
int txn_begin(struct env *env, struct cache *cache, struct device *dev, const struct geometry *g,
	      struct txn **out);
/* What is committed goes to the journal, instead of to the device. */
void txn_use_journal(struct txn *txn, struct journal *journal);
/* When it is over it waits there, with what it has of memory, unless another does, and may be used
 * as one that has just begun: for the same cache and journal, by who has the next transaction.
 * txn_free() when there is none any more. */
void txn_wait_in(struct txn *txn, struct txn **place);
void txn_free(struct txn *txn); /* NULL: nothing */
int txn_commit(struct txn *txn);
void txn_rollback(struct txn *txn); /* NULL: nothing */

/* The cache as the transaction sees it, with its own objects in front: whatever reads through it
 * (inode_get(), dir_lookup() and so on) sees what the transaction has changed. Objects got from it
 * show later changes, too. -EUCLEAN where the transaction has the place as another type. Ends with
 * the transaction. */
struct cache *txn_view(struct txn *txn);

/* The object at `at`, verified when it first comes in. -EUCLEAN when the transaction knows this
 * place as something else: two structures claim it. -EFBIG when the transaction grows too large. */
int txn_get(struct txn *txn, const struct meta_type *type, const struct where *where,
	    struct daddr at, u32 size, struct txn_buf **out);
/* Of several ranges, as the cache has it: a directory block. */
int txn_get_ranges(struct txn *txn, const struct meta_type *type, const struct where *where,
		   const struct cache_range *ranges, u32 count, struct txn_buf **out);
/* An object that is verified and sealed part by part, and never as a whole: an inode cluster, a
 * block of dquots. */
int txn_get_whole(struct txn *txn, const struct meta_type *type, const struct where *where,
		  struct daddr at, u32 size, struct txn_buf **out);
/* The part at byte `offset` of such a whole: its data are those of the whole. The caller has
 * verified it; parts do not overlap. Making it dirty makes the whole dirty. */
int txn_part(struct txn *txn, struct txn_buf *whole, const struct meta_type *type,
	     const struct where *where, u32 offset, u32 size, struct txn_buf **out);
/* The part at `offset`, if the transaction has it: then its bytes may be its own. NULL. */
struct txn_buf *txn_known_part(const struct txn_buf *whole, u32 offset);
/* A new object, zeroed and dirty. -EUCLEAN when the place is in use within this transaction. */
int txn_new(struct txn *txn, const struct meta_type *type, const struct where *where,
	    struct daddr at, u32 size, struct txn_buf **out);
int txn_new_ranges(struct txn *txn, const struct meta_type *type, const struct where *where,
		   const struct cache_range *ranges, u32 count, struct txn_buf **out);
int txn_new_whole(struct txn *txn, const struct meta_type *type, const struct where *where,
		  struct daddr at, u32 size, struct txn_buf **out);
/* The object at `at`, if the transaction has it; NULL. */
struct txn_buf *txn_known(struct txn *txn, struct daddr at);
void txn_dirty(struct txn *txn, struct txn_buf *buf);
/* The transaction gives back more than it takes: it may use the space that is kept for such
 * (fs/space.h), so that removing something succeeds where nothing else does. */
void txn_set_giving(struct txn *txn);
bool txn_giving(const struct txn *txn);
/* Whoever asks for it may exceed limits of quotas (fs/quota.h). */
void txn_set_forced(struct txn *txn);
bool txn_forced(const struct txn *txn);
/* These bytes of the device belong to nobody any more: they have become free space, and objects
 * inside are dropped. data: of a file, so no snapshot shows them. */
int txn_freed(struct txn *txn, struct daddr at, u64 size, bool data);
/* What has been freed so far, in no order. */
const struct version_freed *txn_freed_ranges(const struct txn *txn, u32 *count);
/* The object is no more: its place is free, and its content does not matter. Not for parts. More
 * than once is as once. */
void txn_drop(struct txn *txn, struct txn_buf *buf);

/* Its bytes before the transaction, as of the type `was`; NULL: it was not there. */
const u8 *txn_before(const struct txn_buf *buf);
/* What a commit does to one object. Parts count as objects, their wholes do not; an object that
 * becomes one of another type is one that goes and one that comes. */
struct txn_change {
	const struct meta_type *type;
	const struct where *where;
	const u8 *before, *after; /* NULL: there was none; there will be none */
	u32 size;
	/* Where there are both: the chunks of its whole that differ, and where it lies in that. */
	const u32 *map;
	u32 at;
};
/* Of an object that was there and will be: the first byte of [from, end) that differs, or end; and
 * the byte behind the last that does, or from. */
u32 txn_first_difference(const struct txn_change *change, u32 from, u32 end);
u32 txn_last_difference(const struct txn_change *change, u32 from, u32 end);
/* Fills the map of an object that was there before. */
void txn_map_changes(struct txn_buf *buf);
/* All that a commit would change now, in no order; stops when fn returns nonzero, and returns that.
 */
int txn_each_change(struct txn *txn, int (*fn)(void *arg, const struct txn_change *change),
		    void *arg);

/* Asked by txn_commit(): an error rolls the transaction back, and is what the commit says. */
struct txn_guard {
	int (*check)(struct txn_guard *guard, struct txn *txn);
	/* How a commit that was checked has ended, before anybody else begins one. */
	void (*ended)(struct txn_guard *guard, bool committed);
};
/* NULL: none. The guard stays the caller's. */
void txn_use_guard(struct txn *txn, struct txn_guard *guard);

/* For the journal, while a commit is made known: readers get the changed objects from now on. */
void txn_publish(struct txn *txn);

#endif
