/* What a sweep posts: facts, and who owns space; see sweep.h. */
#include "ledger/sweep_impl.h"

#include <errno.h>

/* For the told of a job's sweep. */
void sweep_tell(struct sweep *sweep, const struct sweep_posting *posting)
{
	struct report *report = job_of(sweep)->report;
	const struct sweep_options *options = report->options;

	if (!(options->posted_accounts >> posting->account & 1))
		return;
	if (options->posted_wanted && !options->posted_wanted(options->posted_arg, posting))
		return;
	report->vol->env->lock_take(report->lock);
	options->posted(options->posted_arg, posting);
	report->vol->env->lock_drop(report->lock);
}

void sweep_post_of(struct sweep *sweep, const struct where *where, enum account account,
		   enum side side, const struct fact *fact, s64 times)
{
	if (sweep->told)
		sweep->told(sweep, &(struct sweep_posting){account, side, fact, 0, 0,
							   times * sweep->times, where});
	book_post(sweep->book, account, side, fact, times * sweep->times, where);
}

void sweep_post_range(struct sweep *sweep, enum account account, enum side side,
		      const struct fact *key, u64 start, u64 length, s64 times)
{
	const struct where *where = sweep->verdict ? &sweep->verdict->where : NULL;

	if (sweep->told)
		sweep->told(sweep, &(struct sweep_posting){account, side, key, start, length,
							   times * sweep->times, where});
	book_post_range(sweep->book, account, side, key, start, length, times * sweep->times,
			where);
}

struct fact owner_fact(u32 ag, u32 bno, u64 owner, u64 offset)
{
	u64 flags = offset & (OWNER_ATTR | OWNER_BMBT | OWNER_UNWRITTEN), word = flags;

	/* Only mappings of inodes have offsets; blocks of a fork's btree have none. */
	if ((s64)owner >= 0 && !(flags & OWNER_BMBT))
		word |= (offset - bno) & ((1ull << 54) - 1);
	return (struct fact){{ag, owner, word, 0}};
}

static void post_space(struct sweep *sweep, u32 ag, u32 bno, u32 blocks)
{
	const struct fact space = {{ag, 0, 0, 0}};

	sweep_post_range(sweep, ACCOUNT_SPACE, SIDE_LEFT, &space, bno, blocks, 1);
}

static void post_owner(struct sweep *sweep, u32 ag, u32 bno, u32 blocks, u64 owner, u64 offset)
{
	struct fact owns;

	owns = owner_fact(ag, bno, owner, offset);
	if (!geometry_has(sweep->g, FEATURE_RMAPBT)) {
		if (sweep->told)
			sweep->told(sweep,
				    &(struct sweep_posting){ACCOUNT_OWNERS, SIDE_LEFT, &owns, bno,
							    blocks, sweep->times, NULL});
		return;
	}
	sweep_post_range(sweep, ACCOUNT_OWNERS, SIDE_LEFT, &owns, bno, blocks, 1);
}

void sweep_own(struct sweep *sweep, u32 ag, u32 bno, u32 blocks, u64 owner, u64 offset)
{
	post_space(sweep, ag, bno, blocks);
	post_owner(sweep, ag, bno, blocks, owner, offset);
}

/* Splits the mapping by what the refcountbt says: what is shared is posted with its count, the rest
 * as space. True when any of it is shared, or the refcountbt cannot say. */
static bool post_shares(struct sweep *sweep, u32 ag, u32 bno, u32 blocks)
{
	struct job *job = job_of(sweep);
	bool any = false;

	while (blocks) {
		struct refcount_record r;
		struct fact fact;
		u32 alone, shared;
		int err;

		/* A damaged refcountbt has findings of its own; then all counts as not shared. */
		err = refcount_next(sweep->vol, &job->share, ag, bno, &r);
		if (err == -ENOMEM)
			job->err = err;
		if (err) {
			r.blocks = 0;
			any = true;
		}
		alone = !r.blocks || r.start >= bno + blocks ? blocks
			: r.start > bno			     ? r.start - bno
							     : 0;
		if (alone)
			post_space(sweep, ag, bno, alone);
		bno += alone;
		blocks -= alone;
		if (!blocks)
			return any;
		any = true;
		shared = (u32)min_u64(blocks, (u64)r.start + r.blocks - bno);
		fact = (struct fact){{ag, r.count, 0, 0}};
		sweep_post_range(sweep, ACCOUNT_SHARES, SIDE_LEFT, &fact, bno, shared, 1);
		bno += shared;
		blocks -= shared;
	}
	return any;
}

bool sweep_own_shared(struct sweep *sweep, u32 ag, u32 bno, u32 blocks, u64 owner, u64 offset)
{
	bool shared = false;

	if (geometry_has(sweep->g, FEATURE_REFLINK))
		shared = post_shares(sweep, ag, bno, blocks);
	else
		post_space(sweep, ag, bno, blocks);
	post_owner(sweep, ag, bno, blocks, owner, offset);
	return shared;
}
