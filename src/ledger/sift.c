/*
 * Sifting: which facts of an account may be uneven, finer than its shards tell; see ledger.h.
 *
 * For each account in question a table of SIFT_BUCKETS sums modulo 2^64 of what is left minus what
 * is right, of the same keyed hash as the shards'.  All jobs add to the one table, atomically.  The
 * end of a range goes to the bucket of its key and of the SIFT_RUN positions around it, so whether
 * a range touches an uneven bucket can be told without looking at each of its blocks.  Which bucket
 * is not a secret: whoever fills one on purpose makes an audit write down as much as it would
 * without.
 */
#include "base/trail.h"
#include "ledger/ledger_impl.h"

#include <errno.h>

#define SIFT_BUCKETS 65536u
#define SIFT_RUN_LOG 6
/* A range of more runs is written down unasked: there are few such, or somebody has made many. */
#define SIFT_LOOKS 64

static u32 bucket_of(enum account account, const struct fact *f)
{
	u64 pos = account_defs[account].kind == ACCOUNT_RANGE ? f->w[3] >> SIFT_RUN_LOG : f->w[3];
	u64 h = f->w[0];

	h = (h ^ h >> 29 ^ f->w[1]) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 29 ^ f->w[2]) * 0xc2b2ae3d27d4eb4full;
	h = (h ^ h >> 29 ^ pos) * 0x9e3779b97f4a7c15ull;
	return (u32)(h >> 40) % SIFT_BUCKETS;
}

int sift_open(struct ledger *l, enum account account)
{
	l->sifted[account] = env_array(l->env, SIFT_BUCKETS, sizeof(u64));
	return l->sifted[account] ? 0 : fail(-ENOMEM, "the ledger: out of memory");
}

void sift_close(struct ledger *l)
{
	for (u32 a = 0; a < ACCOUNT_COUNT; a++)
		env_free(l->env, l->sifted[a]);
}

void sift_add(struct ledger *l, enum account account, enum side side, const struct fact *fact,
	      u64 sum)
{
	u64 *bucket = &l->sifted[account][bucket_of(account, fact)];

	__atomic_fetch_add(bucket, side == SIDE_LEFT ? sum : -sum, __ATOMIC_RELAXED);
}

bool sift_uneven(const struct ledger *l, enum account account, const struct fact *fact)
{
	return l->sifted[account][bucket_of(account, fact)] != 0;
}

bool sift_touches(const struct ledger *l, enum account account, const struct fact *key, u64 start,
		  u64 end)
{
	struct fact at = *key;

	if ((end >> SIFT_RUN_LOG) - (start >> SIFT_RUN_LOG) >= SIFT_LOOKS)
		return true;
	for (u64 run = start >> SIFT_RUN_LOG; run <= end >> SIFT_RUN_LOG; run++) {
		at.w[3] = run << SIFT_RUN_LOG;
		if (sift_uneven(l, account, &at))
			return true;
	}
	return false;
}
