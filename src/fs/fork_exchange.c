/* The exchange of what two forks map; see fork_exchange.h. */
#include "fs/fork_exchange.h"

static bool stays(const struct fork_exchange *x, const struct extent *a, const struct extent *b)
{
	if (x->written && (a->start == NULL64 || a->unwritten))
		return true;
	return a->start == b->start;
}

static int put(struct fork_edit *f, u64 off, struct extent e)
{
	e.off = off;
	return e.start == NULL64 ? 0 : fork_map(f, &e);
}

/* One piece that is one extent, or one hole, on either side. */
static int exchange_piece(struct fork_exchange *x)
{
	struct extent a, b;
	int err = fork_piece(x->first, x->first_at, x->first_at + x->count, &a);

	if (!err)
		err = fork_piece(x->second, x->second_at, x->second_at + a.count, &b);
	if (err)
		return err;
	a.count = b.count;
	if (!stays(x, &a, &b)) {
		err = fork_unmap(x->first, x->first_at, a.count);
		if (!err)
			err = fork_unmap(x->second, x->second_at, b.count);
		if (!err)
			err = put(x->first, x->first_at, b);
		if (!err)
			err = put(x->second, x->second_at, a);
	}
	x->first_at += a.count;
	x->second_at += a.count;
	x->count -= a.count;
	return err;
}

int fork_exchange(const struct fork_exchange *exchange)
{
	struct fork_exchange x = *exchange;
	int err = 0;

	while (!err && x.count)
		err = exchange_piece(&x);
	return err;
}
