/*
 * The sweep: reads every metadata block once and lets its descriptor post.
 *
 * A job (one an AG, run by env_parallel) starts at the headers of its AG.  A block is read,
 * verified (rules, with findings), and its type's post() posts facts to the books and pushes
 * references to the blocks that it leads to.  References pushed by one post() are visited in disk
 * order, each with all that it leads to, before the next. So memory is bounded by levels times
 * fan-out.
 *
 * Every walk over disk pointers is bounded: a btree child must have its parent's level minus one,
 * and a job stops with the finding SWEEP_TOO_MANY_BLOCKS when a tree has led it to more blocks than
 * the filesystem has.
 *
 * In an audit the same sweep runs again: findings of single blocks are not raised a second time.
 */
#ifndef MENDFS_LEDGER_SWEEP_H
#define MENDFS_LEDGER_SWEEP_H

#include "cache/cache.h"
#include "fs/chunk_find.h"
#include "fs/vol.h"
#include "ledger/ledger.h"

#define SIBLING_UNKNOWN (NULL64 - 1)

/* A pointer from one block to another, and all that the pointing side knows of it. */
struct ref {
	const struct meta_type *type;
	struct daddr at;
	u32 size;
	struct where where;
	bool once; /* nobody is expected to read it again */
	/* btrees: */
	s32 level;	 /* 0: leaf; -1: not known */
	u64 left, right; /* siblings that it must have; NULL64: none, SIBLING_UNKNOWN */
	bool has_low, has_next, has_high;
	struct btree_key low;  /* the parent's key for it: its first record's key */
	struct btree_key next; /* the parent's next key: all records are below */
	struct btree_key high; /* overlapping trees: the greatest high key in it */
	u64 arg[4];	       /* whatever type->post and its pusher agreed on */
	/* For visited() alone: where the pieces of the object are, while it runs. NULL: in one. */
	const struct cache_range *ranges;
	u32 range_count;
};

struct sweep_posting;

struct sweep {
	struct vol *vol;
	/* NULL: chunks of inodes are where the inobt says; else by AG, and what has none and
	 * chunk NULL is read from the inobt. */
	const struct found_chunks *found;
	const struct geometry *g;
	struct book *book;
	struct verdict *verdict; /* of the block being posted; v->where is set */
	/* What is posted counts so many times: 1; or -1 in a guard, for what is no more. */
	s64 times;
	bool audit;
	/* NULL, or told each posting, of whatever account, before it is summed up. */
	void (*told)(struct sweep *sweep, const struct sweep_posting *posting);
	bool preen; /* raise what is sound and could be better, as healthy kernels leave it */
	bool names; /* raise names that are allowed, and may mislead who reads them */
		    /* the rest belongs to sweep.c */
};

struct sweep_stats {
	u64 blocks, bytes; /* metadata objects and bytes read */
	u64 inodes, directories, names;
};

/* Visit ref after this post(). Copies it. -ENOMEM, or 0. */
int sweep_push(struct sweep *sweep, const struct ref *ref);
/*
 * Read and verify an object right now, for a post() that walks a structure of its own (directories,
 * attributes). Findings go to the report. Returns 0 with *out (cache_put it) and *worst; a failed
 * device read raises READ_FAILED and returns 0 with *out NULL.
 */
int sweep_read(struct sweep *sweep, const struct meta_type *type, const struct where *where,
	       const struct cache_range *ranges, u32 count, struct buf **out, enum severity *worst);
/* A verdict to raise findings about `where`, other than the block at hand. */
struct verdict sweep_verdict(struct sweep *sweep, const struct where *where);

/* Space [bno, bno+blocks) of an AG belongs to owner: posts SPACE and, with rmapbt, OWNERS.
 * offset: file offset in blocks, with OWNER_ATTR, OWNER_BMBT, OWNER_UNWRITTEN. Non-inode owners:
 * offset 0. */
#define OWNER_ATTR (1ull << 63)
#define OWNER_BMBT (1ull << 62)
#define OWNER_UNWRITTEN (1ull << 61)
void sweep_own(struct sweep *sweep, u32 ag, u32 bno, u32 blocks, u64 owner, u64 offset);

/* The same for a piece of the data fork of an inode with the reflink flag: what the refcountbt has
 * as shared is posted to SHARES instead of SPACE. True when any of it is shared, or nobody can say.
 */
bool sweep_own_shared(struct sweep *sweep, u32 ag, u32 bno, u32 blocks, u64 owner, u64 offset);
/* True for the first SWEEP_STRAYS times in a job: may the walk go below a block that is not what
 * its parent says? */
#define SWEEP_STRAYS 1000
bool sweep_may_stray(struct sweep *sweep);
/* The fact of the account OWNERS for a piece at bno. */
struct fact owner_fact(u32 ag, u32 bno, u64 owner, u64 offset);
/* An LSN that the log has not reached yet is a finding. For objects that hold more than one; the
 * sweep does it for types with lsn_offset. */
void sweep_check_lsn(struct sweep *sweep, struct verdict *v, u64 lsn);
/* A directory with directories below it, and its `..`; see loops.h. -ENOMEM, -EIO or 0. */
int sweep_link(struct sweep *sweep, u64 dir, u64 parent);
/* Adds to the statistics, and tells the progress now and then. */
void sweep_count(struct sweep *sweep, u64 inodes, u64 directories, u64 names);
/* Post what `where` says. */
void sweep_post_of(struct sweep *sweep, const struct where *where, enum account account,
		   enum side side, const struct fact *fact, s64 times);
/* Post about the block at hand, with its place as witness. */
static inline void sweep_post(struct sweep *sweep, enum account account, enum side side,
			      const struct fact *fact, s64 times)
{
	sweep_post_of(sweep, sweep->verdict ? &sweep->verdict->where : NULL, account, side, fact,
		      times);
}
void sweep_post_range(struct sweep *sweep, enum account account, enum side side,
		      const struct fact *key, u64 start, u64 length, s64 times);

struct sweep_posting {
	enum account account;
	enum side side;
	const struct fact *fact;
	u64 start, length; /* of ranges; then w[3] means nothing */
	s64 times;
	const struct where *where; /* who says it; may be NULL */
};

struct sweep_options {
	const struct meta_type *only; /* findings that concern it alone; NULL: all */
	bool preen, names;	      /* see struct sweep */
	/* NULL, or called for each object read in the first sweep, one at a time: by a pointer
	 * (visit) or by a post() that walks by itself (sweep_read; then only type, at, size, where
	 * and ranges are set). */
	void (*visited)(void *arg, const struct ref *ref);
	void *visited_arg;
	/* NULL: findings go to env->finding. Else here, one at a time. */
	void (*finding)(void *arg, const struct finding *finding);
	void *finding_arg;
	/* NULL, or told each posting of the first sweep to one of the accounts (bits 1 << enum
	 * account), one at a time, before anything is summed up: what a rebuild is made from.
	 * OWNERS is told also where there is no rmapbt. */
	void (*posted)(void *arg, const struct sweep_posting *posting);
	/* NULL, or asked before, by any number of threads at a time: is it to be told of it? */
	bool (*posted_wanted)(void *arg, const struct sweep_posting *posting);
	void *posted_arg;
	u32 posted_accounts;
	const struct found_chunks *found; /* see struct sweep */
	bool gather;			  /* that alone: no findings, no balance */
	bool sift;			  /* see ledger_sift_all() */
	bool one_thread;		  /* the caller's: others have work to do, too */
};

/* The findings that the sweep itself raises; src/meta defines them. */
struct sweep_defs {
	const struct finding_def *read_failed, *beyond_end, *too_many, *lsn, *loop;
};
extern const struct sweep_defs *const sweep_defs;

/* The whole of `check`: sweep, trial balance, audit, circles of directories. Findings go to
 * env->finding. */
int sweep_run(struct vol *vol, const struct sweep_options *options, struct sweep_stats *stats);
/* A part alone, for its findings: nothing is balanced. */
struct sweep_part {
	u32 ag;	   /* what hangs on its headers */
	u64 types; /* bits 1 << enum meta_id: only these are visited, and what leads to them */
	u64 ino;   /* or, when this is not NO_INO, the inode and what hangs on it */
};
int sweep_part(struct vol *vol, const struct sweep_options *options, const struct sweep_part *part);
/* For a rebuild: a snapshot of the volume, damaged as it may be, is swept for its postings alone
 * (gather). memory: of the snapshot's cache. */
int sweep_gather(struct vol *vol, size_t memory, const struct sweep_options *options);

#endif
