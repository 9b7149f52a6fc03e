/*
 * The ledger: sums, books and recording; see ledger.h. The audit is in audit.c.
 *
 * A book belongs to one thread.  The ledger's own members are read-only while books are open, but
 * for the sums (book_close) and the recorder (book_post in an audit), which the lock guards.
 */
#include "ledger/ledger_impl.h"

#include "base/trail.h"

#include <errno.h>

int ledger_open(struct env *env, struct ledger **out)
{
	struct ledger *l = env_alloc(env, sizeof(*l));
	u8 seed[32];
	int err;

	if (!l)
		return fail(-ENOMEM, "the ledger: out of memory");
	l->env = env;
	l->lock = env->lock_create(env);
	err = l->lock ? env->random(env, seed, sizeof(seed))
		      : fail(-ENOMEM, "the ledger: out of memory");
	if (err) {
		ledger_close(l);
		return err;
	}
	hash_key_init(&l->key, seed, true);
	*out = l;
	return 0;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	sorter_close(l->recorder);
	sift_close(l);
	l->env->lock_destroy(l->env, l->lock);
	env_free(l->env, l);
}

int book_open(struct ledger *l, struct book **out)
{
	struct book *b = env_alloc(l->env, sizeof(*b));

	if (!b)
		return fail(-ENOMEM, "a book: out of memory");
	b->ledger = l;
	*out = b;
	return 0;
}

/* w[3] is the position of ranges, so it takes no part. */
static u32 shard_of(const struct fact *f)
{
	u64 h = (f->w[0] * 0x9e3779b97f4a7c15ull) ^ (f->w[1] * 0xc2b2ae3d27d4eb4full);

	return (u32)(h >> 32 ^ h >> 56) % LEDGER_SHARDS;
}

static void record(struct book *b, enum account account, enum side side, const struct fact *f,
		   s64 times, const struct where *witness)
{
	struct ledger *l = b->ledger;
	struct posting p = {.account = (u8)account, .side = (u8)side, .times = times};
	int err;

	for (u32 i = 0; i < 4; i++)
		p.w[i] = be64_make(f->w[i]);
	p.ag = NO_AG;
	p.ino = NO_INO;
	p.daddr = NO_DADDR;
	if (witness) {
		p.type = witness->type;
		p.ag = witness->ag;
		p.ino = witness->ino;
		p.daddr = witness->daddr;
	}
	l->env->lock_take(l->lock);
	err = sorter_add(l->recorder, &p);
	l->env->lock_drop(l->lock);
	if (err && !b->err)
		b->err = err;
}

void book_post(struct book *b, enum account account, enum side side, const struct fact *fact,
	       s64 times, const struct where *witness)
{
	struct ledger *l = b->ledger;
	u32 shard = b->one_shard ? 0 : shard_of(fact);
	u128 sum;

	if (l->auditing) {
		if (l->audited[account][shard] &&
		    (!l->sifted[account] || sift_uneven(l, account, fact)))
			record(b, account, side, fact, times, witness);
		return;
	}
	if (l->sifting && !l->sifted[account])
		return;
	sum = hash_words(&l->key, fact->w) * (u128)(__int128)times;
	if (l->sifted[account])
		sift_add(l, account, side, fact, (u64)sum);
	b->open |= 1ull << account;
	b->touched[account] |= 1ull << shard;
	b->sums.sum[account][shard][side] += sum;
}

typedef void post_end(struct book *book, enum account account, enum side side,
		      const struct fact *fact, s64 times, const struct where *witness);

static void post_ends(struct book *b, post_end *post, enum account account, enum side side,
		      const struct fact *key, u64 start, u64 end, s64 times,
		      const struct where *witness)
{
	struct fact first = *key, behind = *key;

	first.w[3] = start;
	behind.w[3] = end;
	post(b, account, side, &first, times, witness);
	post(b, account, side, &behind, -times, witness);
}

/* All of a range is written down, or nothing: who covers what is uneven is asked for, too. */
static void audit_range(struct book *b, enum account account, enum side side,
			const struct fact *key, u64 start, u64 end, s64 times,
			const struct where *witness)
{
	const struct ledger *l = b->ledger;

	if (l->audited[account][shard_of(key)] &&
	    (!l->sifted[account] || sift_touches(l, account, key, start, end)))
		post_ends(b, record, account, side, key, start, end, times, witness);
}

static void flush_run(struct book *b, enum account account)
{
	struct run *run = &b->run[account];

	if (run->times)
		post_ends(b, book_post, account, run->side, &run->key, run->start, run->end,
			  run->times, NULL);
	run->times = 0;
}

static bool extends(const struct run *run, enum side side, const struct fact *key, u64 start,
		    s64 times)
{
	return run->times == times && run->end == start && run->side == side &&
	       run->key.w[0] == key->w[0] && run->key.w[1] == key->w[1] &&
	       run->key.w[2] == key->w[2];
}

void book_post_range(struct book *b, enum account account, enum side side, const struct fact *key,
		     u64 start, u64 length, s64 times, const struct where *witness)
{
	struct run *run = &b->run[account];

	if (!length || !times || (b->ledger->sifting && !b->ledger->sifted[account]))
		return;
	if (b->ledger->auditing) {
		audit_range(b, account, side, key, start, start + length, times, witness);
		return;
	}
	if (extends(run, side, key, start, times)) {
		run->end += length;
		return;
	}
	flush_run(b, account);
	b->open |= 1ull << account;
	*run = (struct run){*key, start, start + length, times, side};
}

void ledger_add_nothing(struct ledger *l)
{
	l->sifting = true;
}

void book_one_shard(struct book *b)
{
	b->one_shard = true;
}

u64 book_balance(struct book *b)
{
	u64 uneven = 0;

	for (; b->open; b->open &= b->open - 1) {
		u32 a = (u32)__builtin_ctzll(b->open);

		flush_run(b, (enum account)a);
		for (u64 left = b->touched[a]; left; left &= left - 1) {
			u128 *sum = b->sums.sum[a][__builtin_ctzll(left)];

			uneven |= (u64)(sum[SIDE_LEFT] != sum[SIDE_RIGHT]) << a;
			sum[SIDE_LEFT] = sum[SIDE_RIGHT] = 0;
		}
		b->touched[a] = 0;
	}
	return uneven;
}

int book_close(struct book *b)
{
	struct ledger *l = b->ledger;
	int err = b->err;

	for (u32 a = 0; a < ACCOUNT_COUNT; a++)
		flush_run(b, (enum account)a);
	l->env->lock_take(l->lock);
	for (u32 a = 0; a < ACCOUNT_COUNT; a++)
		for (u32 s = 0; s < LEDGER_SHARDS; s++)
			for (u32 side = 0; side < 2; side++)
				l->sums.sum[a][s][side] += b->sums.sum[a][s][side];
	l->env->lock_drop(l->lock);
	env_free(l->env, b);
	return err;
}

u64 book_digest(const struct book *b, const void *bytes, size_t size)
{
	const u8 *next = bytes;
	u64 state[4] = {size, 0, 0, 0};

	while (size) {
		size_t take = size < 16 ? size : 16;
		u128 h;

		state[2] = state[3] = 0;
		memcpy(&state[2], next, take);
		h = hash_words(&b->ledger->key, state);
		state[0] = (u64)h;
		state[1] = (u64)(h >> 64);
		next += take;
		size -= take;
	}
	return state[0];
}

u128 book_hash(const struct book *b, const struct fact *fact)
{
	return hash_words(&b->ledger->key, fact->w);
}

int book_error(const struct book *b)
{
	return b->err;
}

static bool shard_uneven(const struct ledger *l, u32 account, u32 shard)
{
	const u128 *sum = l->sums.sum[account][shard];

	return sum[SIDE_LEFT] != sum[SIDE_RIGHT];
}

u32 ledger_imbalances(const struct ledger *l)
{
	u32 count = 0;

	for (u32 a = 0; a < ACCOUNT_COUNT; a++)
		for (u32 s = 0; s < LEDGER_SHARDS; s++)
			count += shard_uneven(l, a, s);
	return count;
}

/* What the first sweep saw counts: whatever does not balance is named, or said to be inexplicable.
 */
static void note_audited(struct ledger *l)
{
	for (u32 a = 0; a < ACCOUNT_COUNT; a++)
		for (u32 s = 0; s < LEDGER_SHARDS; s++)
			l->audited[a][s] = shard_uneven(l, a, s);
	memset(&l->sums, 0, sizeof(l->sums));
}

bool ledger_audited(const struct ledger *l, enum account account)
{
	for (u32 i = 0; i < LEDGER_SHARDS; i++)
		if (l->audited[account][i])
			return true;
	return false;
}

/* A shard is a 64th of an account: or all of an AG, where facts have nothing else that tells them
 * apart. */
bool ledger_worth_sifting(const struct ledger *l)
{
	bool whole = false;

	if (l->sifted[0])
		return false; /* it has been done */
	for (u32 a = 0; a < ACCOUNT_COUNT; a++) {
		if (account_defs[a].kind != ACCOUNT_RANGE || account_defs[a].word[1][0])
			continue;
		for (u32 s = 0; s < LEDGER_SHARDS; s++)
			whole |= shard_uneven(l, a, s);
	}
	return whole || ledger_imbalances(l) > SIFT_ABOVE;
}

int ledger_sift_all(struct ledger *l)
{
	int err = 0;

	for (u32 a = 0; a < ACCOUNT_LONGEST && !err; a++)
		err = sift_open(l, a);
	return err;
}

int ledger_begin_sift(struct ledger *l)
{
	int err = 0;

	note_audited(l);
	for (u32 a = 0; a < ACCOUNT_COUNT && !err; a++)
		if (ledger_audited(l, a))
			err = sift_open(l, a);
	l->sifting = true;
	return err;
}

int ledger_begin_audit(struct ledger *l)
{
	if (!l->sifting)
		note_audited(l);
	l->auditing = true;
	return sorter_open(l->env, sizeof(struct posting), POSTING_KEY, AUDIT_MEMORY, &l->recorder);
}
