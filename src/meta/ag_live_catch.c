/*
 * Catching up with commits, for an AG that is rebuilt while others write; see ag_live.h.
 *
 * The postings of some commits, always whole ones, are summed up by owner: what is left are ranges
 * that somebody has got or has no more.  Those go first, so that what has moved from one owner to
 * another is free between.  The blocks of the live trees themselves are only noted: they are what
 * the switch will free.
 */
#include "base/trail.h"
#include "fs/refcount_modify.h"
#include "fs/rmap_modify.h"
#include "meta/ag_live_impl.h"

#include <errno.h>
#include <stdlib.h>

#define BATCH 8192u /* postings that are read at a time, and more when one commit has more */
#define BATCH_MAX (1u << 22)
#define OPS_AT_ONCE 256u /* in one transaction of the shadow */

/* ---- the writer's side ---- */

void live_posted(void *arg, const struct sweep_posting *p)
{
	struct live *l = arg;
	s64 owner = (s64)p->fact->w[1];
	const struct live_record record = {p->fact->w[1], p->fact->w[2], (u32)p->start,
					   (u32)p->length, p->times};

	if (p->side != SIDE_LEFT || p->fact->w[0] != l->ag || !p->length || owner == RMAP_OWN_FS ||
	    owner == RMAP_OWN_LOG)
		return;
	l->commit++;
	side_add(l->side, &record);
}

void live_ended(void *arg, bool committed)
{
	static const struct live_record end = {0};
	struct live *l = arg;

	if (l->commit && committed)
		side_add(l->side, &end);
	if (l->commit && committed)
		side_publish(l->side);
	else if (l->commit)
		side_drop(l->side);
	l->commit = 0;
}

/* ---- summing up ---- */

int live_catch_open(struct live *l)
{
	int err = side_open(l->env, sizeof(struct live_record), 1u << 20, &l->side);

	l->record_room = 2 * BATCH;
	l->event_room = 2 * l->record_room;
	l->record = env_array(l->env, l->record_room, sizeof(*l->record));
	l->event = env_array(l->env, l->event_room, sizeof(*l->event));
	l->op = env_array(l->env, l->event_room, sizeof(*l->op));
	if (!err && (!l->record || !l->event || !l->op))
		err = fail(-ENOMEM, "AG %u: out of memory", l->ag);
	return err;
}

void live_catch_close(struct live *l)
{
	side_close(l->side);
	env_free(l->env, l->record);
	env_free(l->env, l->event);
	env_free(l->env, l->op);
	env_free(l->env, l->old);
}

static int grow(struct live *l)
{
	u64 room = l->record_room * 2;
	struct live_record *record;

	if (room > BATCH_MAX)
		return fail(-EAGAIN, "AG %u: a commit has more than %u changes", l->ag, BATCH_MAX);
	record = env_grow(l->env, l->record, l->records, room, sizeof(*record));
	if (!record)
		return fail(-ENOMEM, "AG %u: out of memory", l->ag);
	l->record = record; /* the old one is no more, whatever comes */
	env_free(l->env, l->event);
	env_free(l->env, l->op);
	l->event = env_array(l->env, 2 * room, sizeof(*l->event));
	l->op = env_array(l->env, 2 * room, sizeof(*l->op));
	if (!l->event || !l->op)
		return fail(-ENOMEM, "AG %u: out of memory", l->ag);
	l->record_room = room;
	l->event_room = 2 * room;
	return 0;
}

/* How many of the records are whole commits. */
static u64 whole(const struct live *l)
{
	u64 count = l->records;

	while (count && l->record[count - 1].blocks)
		count--;
	return count;
}

/* Whole commits, if any: *count records. */
static int read_commits(struct live *l, u64 *count)
{
	u64 got = 0, most = BATCH;
	int err = 0;

	for (*count = 0; !err && !*count; *count = whole(l)) {
		if (l->records + most > l->record_room)
			err = grow(l);
		if (!err)
			err = side_read(l->side, l->record + l->records, most, &got);
		if (err || (!got && !l->records))
			return err;
		if (!got)
			return fail(-EUCLEAN, "AG %u: half a commit in the side file", l->ag);
		l->records += got;
	}
	return err;
}

static int by_place(const void *a, const void *b)
{
	const struct live_event *x = a, *y = b;

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	if (x->word != y->word)
		return x->word < y->word ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* What has gone first, by start. */
static int by_turn(const void *a, const void *b)
{
	const struct live_op *x = a, *y = b;

	if (x->got != y->got)
		return x->got ? 1 : -1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static int add_op(struct live *l, const struct live_event *e, u64 end, s64 sum)
{
	if (sum != 1 && sum != -1)
		return fail(-EUCLEAN, "AG %u: owner %lld has block %llu %lld times", l->ag,
			    (long long)e->owner, (unsigned long long)e->at, (long long)sum);
	l->op[l->ops++] =
	    (struct live_op){e->owner, e->word, (u32)e->at, (u32)(end - e->at), sum > 0};
	return 0;
}

static int sum_up(struct live *l, u64 count)
{
	u64 events = 0;
	s64 sum = 0;
	int err = 0;

	for (u64 i = 0; i < count; i++) {
		const struct live_record *r = &l->record[i];

		if (!r->blocks)
			continue;
		l->event[events++] = (struct live_event){r->owner, r->word, r->start, r->times};
		l->event[events++] =
		    (struct live_event){r->owner, r->word, (u64)r->start + r->blocks, -r->times};
	}
	if (events)
		qsort(l->event, events, sizeof(*l->event), by_place);
	l->ops = 0;
	for (u64 i = 0; i < events && !err; i++) {
		/* of one owner the ends add up to nothing, so the next is of the same */
		sum += l->event[i].step;
		if (sum && i + 1 < events && l->event[i + 1].at != l->event[i].at) {
			struct live_event from = l->event[i];

			err = add_op(l, &from, l->event[i + 1].at, sum);
		}
	}
	if (l->ops)
		qsort(l->op, l->ops, sizeof(*l->op), by_turn);
	return err;
}

/* ---- the blocks of the live trees ---- */

static bool is_trees(const struct live_op *op)
{
	return (s64)op->owner == RMAP_OWN_AG || (s64)op->owner == RMAP_OWN_REFC;
}

static int by_at(const void *a, const void *b)
{
	const struct live_event *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

struct old_merge {
	const struct live *l;
	struct space_run *to;
	u32 count;
	u64 next; /* end of old runs: 2 * run, or one more for its end */
};

static bool next_old(const struct old_merge *m, u64 *at, s64 *step)
{
	const struct space_run *run = &m->l->old[m->next / 2];

	if (m->next == 2ull * m->l->olds)
		return false;
	*at = (u64)run->start + (m->next % 2 ? run->blocks : 0);
	*step = m->next % 2 ? -1 : 1;
	return true;
}

/* Old runs with `events` changes among them, sorted, into m->to. */
static int merge_old(struct old_merge *m, const struct live_event *event, u64 events)
{
	u64 at = 0, from = 0;
	s64 step = 0, before, sum = 0;

	for (u64 i = 0;;) {
		bool has = next_old(m, &at, &step);

		if (!has && i == events)
			return sum ? -EUCLEAN : 0;
		if (i < events && (!has || event[i].at < at))
			at = event[i].at;
		for (before = sum; next_old(m, &from, &step) && from == at; m->next++)
			sum += step;
		for (; i < events && event[i].at == at; i++)
			sum += event[i].step;
		if (sum != 0 && sum != 1)
			return fail(-EUCLEAN, "AG %u: block %llu is in the trees %lld times",
				    m->l->ag, (unsigned long long)at, (long long)sum);
		if (!before && sum)
			m->to[m->count++] = (struct space_run){(u32)at, 0};
		else if (before && !sum)
			m->to[m->count - 1].blocks = (u32)at - m->to[m->count - 1].start;
	}
}

static int note_trees(struct live *l)
{
	struct old_merge m = {.l = l};
	u64 events = 0;
	int err;

	for (u64 i = 0; i < l->ops; i++) {
		const struct live_op *op = &l->op[i];

		if (!is_trees(op))
			continue;
		l->event[events++] = (struct live_event){.at = op->start, .step = op->got ? 1 : -1};
		l->event[events++] = (struct live_event){.at = (u64)op->start + op->blocks,
							 .step = op->got ? -1 : 1};
	}
	if (!events)
		return 0;
	qsort(l->event, events, sizeof(*l->event), by_at);
	m.to = env_array(l->env, l->olds + events, sizeof(*m.to));
	if (!m.to)
		return fail(-ENOMEM, "AG %u: out of memory", l->ag);
	err = merge_old(&m, l->event, events);
	env_free(l->env, l->old);
	l->old = m.to;
	l->olds = m.count;
	return err;
}

/* ---- into the new trees ---- */

struct unused_sink {
	struct refcount_sink sink;
	struct ag *ag;
};

static const struct owner elsewhere = {(u64)OWNER_ELSEWHERE, 0};

static int on_unused(struct refcount_sink *sink, u32 ag, u32 bno, u32 blocks)
{
	(void)ag;
	return space_free(((struct unused_sink *)sink)->ag, bno, blocks, &elsewhere);
}

static struct owner owner_of(const struct live_op *op)
{
	u64 flags = op->word & (OWNER_ATTR | OWNER_BMBT | OWNER_UNWRITTEN);
	bool mapping = (s64)op->owner >= 0 && !(flags & OWNER_BMBT);

	return (struct owner){op->owner,
			      flags | (mapping ? (op->word + op->start) & RMAP_OFFSET_MASK : 0)};
}

static bool may_share(const struct live *l, const struct live_op *op)
{
	return (s64)op->owner >= 0 && !(op->word & (OWNER_ATTR | OWNER_BMBT)) &&
	       geometry_has(l->g, FEATURE_REFLINK);
}

static int apply_gone(struct live *l, struct ag *ag, const struct live_op *op)
{
	const struct owner owner = owner_of(op);
	struct unused_sink sink = {{on_unused}, ag};
	int err = 0;

	if ((s64)op->owner == RMAP_OWN_COW)
		err = refcount_cow_remove(ag, op->start, op->blocks);
	if (err || !may_share(l, op))
		return err ? err : space_free(ag, op->start, op->blocks, &owner);
	err = space_prepare(ag);
	if (!err)
		err = rmap_unmap(ag, op->start, op->blocks, &owner);
	return err ? err : refcount_decrease(ag, op->start, op->blocks, &sink.sink);
}

/* What is free of it is taken, what is not is shared. */
static int take_or_share(struct ag *ag, u32 at, u32 end)
{
	int err = 0;

	while (at < end && !err) {
		u32 start, blocks, stop;

		err = space_next_free(ag, at, &start, &blocks);
		if (err)
			return err;
		if (blocks && start <= at) {
			stop = (u32)min_u64(end, (u64)start + blocks);
			err = space_claim(ag, at, stop - at, &elsewhere);
		} else {
			stop = blocks && start < end ? start : end;
			err = refcount_increase(ag, at, stop - at);
		}
		at = stop;
	}
	return err;
}

static int apply_got(struct live *l, struct ag *ag, const struct live_op *op)
{
	const struct owner owner = owner_of(op);
	int err;

	if (!may_share(l, op)) {
		err = space_claim(ag, op->start, op->blocks, &owner);
		if (!err && (s64)op->owner == RMAP_OWN_COW)
			err = refcount_cow_add(ag, op->start, op->blocks);
		return err;
	}
	err = take_or_share(ag, op->start, op->start + op->blocks);
	if (!err)
		err = space_prepare(ag);
	return err ? err : rmap_map(ag, op->start, op->blocks, &owner);
}

static int apply_some(struct live *l, const struct live_op *op, u64 count)
{
	struct vol view;
	struct txn *txn;
	struct ag ag;
	int err = vol_begin(&l->shadow, &view, &txn);

	if (err)
		return err;
	err = ag_open(&view, txn, l->ag, &ag);
	for (u64 i = 0; i < count && !err; i++)
		if (!is_trees(&op[i]))
			err = op[i].got ? apply_got(l, &ag, &op[i]) : apply_gone(l, &ag, &op[i]);
	return vol_end(&l->shadow, txn, err);
}

int live_catch_up(struct live *l)
{
	u64 count;
	int err = read_commits(l, &count);

	if (err || !count)
		return err;
	err = sum_up(l, count);
	l->result->caught_up += count;
	l->records -= count;
	memmove(l->record, l->record + count, l->records * sizeof(*l->record));
	if (!err)
		err = note_trees(l);
	for (u64 i = 0; i < l->ops && !err; i += OPS_AT_ONCE)
		err = apply_some(l, l->op + i, min_u64(l->ops - i, OPS_AT_ONCE));
	return err ? fail_in(err, "AG %u, catching up", l->ag) : 0;
}
