/*
 * The commit guard; see guard.h.
 *
 * 1. The sums of the book are zero between two commits.
 * 2. While change() runs, sweep.times is 1 but where it posts what is no more.
 */
#include "ledger/guard.h"

#include "base/trail.h"
#include "format/verify.h"
#include "fs/inode.h"

#include <errno.h>
#include <stdio.h>

struct guard {
	struct sweep sweep; /* first: change() gets this */
	struct txn_guard hook;
	struct verdict verdict;
	struct ledger *ledger;
	struct vol *vol, after;
	struct txn *txn;
	struct guard_dir dir;
	struct env_lock *lock;		       /* from check() to ended(), and to listen */
	const struct guard_listener *listener; /* NULL: none */
	bool heard;			       /* something of this commit has been told */
	struct inode kept[2]; /* of guard_dinode(), before and after: what was read for it */
};

static struct guard *guard_of(struct sweep *sweep)
{
	return (struct guard *)sweep;
}

/* ---- for change() ---- */

struct vol *guard_vol(struct sweep *sweep, bool after)
{
	struct guard *guard = guard_of(sweep);

	return after ? &guard->after : guard->vol;
}

struct txn_buf *guard_known(struct sweep *sweep, struct daddr at)
{
	return txn_known(guard_of(sweep)->txn, at);
}

struct guard_dir *guard_dir(struct sweep *sweep)
{
	return &guard_of(sweep)->dir;
}

static void let_go(struct guard *guard, bool after)
{
	if (guard->kept[after].buf)
		inode_put(guard_vol(&guard->sweep, after), &guard->kept[after]);
}

const struct dinode *guard_dinode(struct sweep *sweep, struct inum ino, bool after)
{
	const struct geometry *g = sweep->g;
	u32 ag = inum_ag(g, ino), agino = inum_agino(g, ino), bno, blocks, offset;
	struct guard *guard = guard_of(sweep);
	const struct txn_buf *whole;
	const struct dinode *d;
	const u8 *bytes;

	if (!inum_valid(g, ino))
		return NULL;
	inode_cluster(g, ag, agino, &bno, &blocks);
	offset = (agino - (bno << g->inopb_log)) << g->inode_log;
	whole = guard_known(sweep, agblock_daddr(g, ag, bno));
	if (!whole) {
		let_go(guard, after);
		if (!inode_get(guard_vol(sweep, after), ino, &guard->kept[after]))
			return (const struct dinode *)guard->kept[after].raw;
		trail_clear();
		return NULL;
	}
	bytes = after ? whole->data : txn_before(whole);
	d = bytes ? (const struct dinode *)(bytes + offset) : NULL;
	return d && be16_get(d->magic) == INODE_MAGIC ? d : NULL;
}

void guard_both(struct sweep *sweep, u32 ag, const void *before, const void *after,
		void (*fn)(struct sweep *sweep, u32 ag, const void *record))
{
	sweep->times = -1;
	if (before)
		fn(sweep, ag, before);
	sweep->times = 1;
	if (after)
		fn(sweep, ag, after);
}

void guard_amount(struct sweep *sweep, enum account account, enum side side,
		  const struct fact *fact, u64 before, u64 after)
{
	if (before != after)
		sweep_post(sweep, account, side, fact, (s64)(after - before));
}

#define STRETCH 256u /* bytes that are compared at once: most of an array is the same */

/* How many bytes are the same before a and b. */
static size_t same_behind(const u8 *a, const u8 *b, size_t size)
{
	size_t n = 0;

	while (size - n >= STRETCH && !memcmp(a - n - STRETCH, b - n - STRETCH, STRETCH))
		n += STRETCH;
	for (size_t step = STRETCH / 2; step; step /= 2)
		if (size - n >= step && !memcmp(a - n - step, b - n - step, step))
			n += step;
	return n;
}

static size_t same_start(const u8 *a, const u8 *b, size_t size)
{
	size_t n = 0;

	while (n < size && a[n] == b[n])
		n++;
	return n;
}

/* How many entries are alike from the start. Mostly they lie in the same place of the object, and
 * it is known already where that differs. */
static u32 alike(const struct txn_change *c, const struct guard_array *a,
		 const struct guard_array *b, u32 size)
{
	u32 most = (a->count < b->count ? a->count : b->count) * size, at;

	if (!most)
		return 0;
	at = (u32)(b->bytes - c->after);
	if (a->bytes - c->before != at)
		return (u32)(same_start(a->bytes, b->bytes, most) / size);
	return (txn_first_difference(c, at, at + most) - at) / size;
}

/* And from the end. */
static u32 alike_end(const struct txn_change *c, const struct guard_array *a,
		     const struct guard_array *b, u32 size)
{
	u32 most = (a->count < b->count ? a->count : b->count) * size, at;

	if (!most)
		return 0;
	at = (u32)(b->bytes - c->after);
	if (a->count != b->count || a->bytes - c->before != at)
		return (u32)(same_behind(a->bytes + (size_t)a->count * size,
					 b->bytes + (size_t)b->count * size, most) /
			     size);
	return (at + most - txn_last_difference(c, at, at + most)) / size;
}

/* What is alike at both ends is left out; between, one that has come or gone is told from one that
 * has changed by what follows. Whatever is taken for what, the sum of the postings is the same. */
void guard_entries(struct sweep *sweep, const struct txn_change *c, struct guard_array before,
		   struct guard_array after, u32 size, guard_entry_fn *fn)
{
	u32 skip = alike(c, &before, &after, size), i, j;

	before.bytes += (size_t)skip * size;
	after.bytes += (size_t)skip * size;
	before.count -= skip;
	after.count -= skip;
	skip = alike_end(c, &before, &after, size);
	before.count -= skip;
	after.count -= skip;
	for (i = j = 0; i < before.count || j < after.count;) {
		const u8 *x = i < before.count ? before.bytes + (size_t)i * size : NULL;
		const u8 *y = j < after.count ? after.bytes + (size_t)j * size : NULL;
		bool come = x && y && j + 1 < after.count && !memcmp(x, y + size, size);
		bool gone = x && y && i + 1 < before.count && !memcmp(x + size, y, size);

		if (x && y && !memcmp(x, y, size)) {
			i++;
			j++;
		} else if (!x || come) {
			fn(sweep, c, NULL, y);
			j++;
		} else if (!y || gone) {
			fn(sweep, c, x, NULL);
			i++;
		} else {
			fn(sweep, c, x, y);
			i++;
			j++;
		}
	}
}

/* ---- who listens ---- */

int guard_listen(struct txn_guard *hook, const struct guard_listener *listener)
{
	struct guard *guard = (struct guard *)((char *)hook - offsetof(struct guard, hook));

	int err = 0;

	guard->vol->env->lock_take(guard->lock);
	if (guard->listener && listener)
		err = fail(-EBUSY, "somebody listens to the commits already");
	else
		guard->listener = listener;
	guard->vol->env->lock_drop(guard->lock);
	return err;
}

static void tell(struct sweep *sweep, const struct sweep_posting *posting)
{
	struct guard *guard = guard_of(sweep);
	const struct guard_listener *l = guard->listener;

	if (!(l->accounts >> posting->account & 1))
		return;
	guard->heard = true;
	l->posted(l->arg, posting);
}

static void ended(struct txn_guard *hook, bool committed)
{
	struct guard *guard = (struct guard *)((char *)hook - offsetof(struct guard, hook));

	if (guard->heard)
		guard->listener->ended(guard->listener->arg, committed);
	guard->heard = false;
	guard->vol->env->lock_drop(guard->lock);
}

/* ---- a commit ---- */

static int post_change(void *arg, const struct txn_change *c)
{
	struct guard *guard = arg;

	if (!c->type->change)
		return 0;
	guard->sweep.times = 1;
	guard->verdict.where = *c->where;
	return c->type->change(&guard->sweep, c);
}

static int post_all(struct guard *guard)
{
	int err;

	guard->dir.ino = 0;
	err = txn_each_change(guard->txn, post_change, guard);
	return err ? err : book_error(guard->sweep.book);
}

/* The same postings into books of their own, to be audited. */
static int post_into(struct guard *guard, struct ledger *ledger)
{
	struct book *book = guard->sweep.book;
	int err = book_open(ledger, &guard->sweep.book), closed;

	if (!err) {
		err = post_all(guard);
		closed = book_close(guard->sweep.book);
		err = err ? err : closed;
	}
	guard->sweep.book = book;
	return err;
}

static int audit(struct guard *guard)
{
	struct first_finding first = {0};
	struct verdict v = {.raise = raise_first, .sink = &first};
	struct ledger *ledger;
	int err = ledger_open(guard->vol->env, &ledger);

	if (err)
		return err;
	err = post_into(guard, ledger);
	if (!err)
		err = ledger_begin_audit(ledger);
	if (!err)
		err = post_into(guard, ledger);
	if (!err)
		err = ledger_audit(ledger, &v);
	ledger_close(ledger);
	return err ? err : first.err;
}

/* The first account that is uneven, which is named whatever the audit finds. */
static int refuse(struct guard *guard, u64 uneven)
{
	const struct account_def *def = &account_defs[__builtin_ctzll(uneven)];
	int err = audit(guard);

	if (!err)
		err = fail(-EUCLEAN, "the books do not balance");
	return fail_in(err == -EBADMSG ? -EUCLEAN : err, "not committed: %s: %s against %s",
		       def->name, def->left, def->right);
}

static int check(struct txn_guard *hook, struct txn *txn)
{
	struct guard *guard = (struct guard *)((char *)hook - offsetof(struct guard, hook));
	u64 uneven;
	int err;

	guard->vol->env->lock_take(guard->lock);
	guard->txn = txn;
	guard->after = vol_in(guard->vol, txn);
	guard->sweep.told = guard->listener ? tell : NULL;
	err = post_all(guard);
	guard->sweep.told = NULL;
	uneven = book_balance(guard->sweep.book);
	if (!err && uneven)
		err = refuse(guard, uneven);
	let_go(guard, false);
	let_go(guard, true);
	guard->txn = NULL;
	if (err)
		ended(hook, false);
	return err;
}

static void guard_close(struct txn_guard *hook)
{
	struct guard *guard = (struct guard *)((char *)hook - offsetof(struct guard, hook));
	struct env *env = guard->vol->env;

	if (guard->sweep.book)
		book_close(guard->sweep.book);
	ledger_close(guard->ledger);
	if (guard->lock)
		env->lock_destroy(env, guard->lock);
	env_free(env, guard);
}

static int guard_open(struct vol *vol, struct txn_guard **out)
{
	struct guard *guard = env_alloc(vol->env, sizeof(*guard));
	int err;

	*out = NULL;
	if (!guard)
		return fail(-ENOMEM, "the commit guard: out of memory");
	guard->vol = vol;
	guard->hook.check = check;
	guard->hook.ended = ended;
	guard->sweep =
	    (struct sweep){.vol = vol, .g = &vol->geo, .verdict = &guard->verdict, .times = 1};
	guard->lock = vol->env->lock_create(vol->env);
	err = guard->lock ? ledger_open(vol->env, &guard->ledger)
			  : fail(-ENOMEM, "the commit guard: out of memory");
	if (!err)
		err = book_open(guard->ledger, &guard->sweep.book);
	if (!err)
		book_one_shard(guard->sweep.book);
	if (err)
		guard_close(&guard->hook);
	else
		*out = &guard->hook;
	return err;
}

const struct vol_guard commit_guard = {guard_open, guard_close};
