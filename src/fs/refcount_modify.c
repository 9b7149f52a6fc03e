/*
 * Changing the reference count btree; see refcount_modify.h.
 *
 * The range is walked from left to right.  Each step takes one piece of one count, cut out of its
 * record where need be, and puts it back with the new count, joined with the record to its left;
 * after the last step the record that begins at the end is joined, too.
 */
#include "fs/refcount_modify.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "format/btree.h"
#include "fs/health.h"
#include "fs/space.h"

#include <errno.h>

/* start with REFCOUNT_COW for staging: a domain of its own. count 0: no record. */
struct share {
	u64 start, blocks;
	u32 count;
};

static struct share load(const struct refcount_rec *r)
{
	return (struct share){be32_get(r->startblock), be32_get(r->blockcount),
			      be32_get(r->refcount)};
}

static struct refcount_rec store(const struct share *s)
{
	return (struct refcount_rec){be32_make((u32)s->start), be32_make((u32)s->blocks),
				     be32_make(s->count)};
}

static int lost(const struct ag *ag, u64 start)
{
	return health_blame(fail(-EUCLEAN, "refcountbt %u: no record at block %llu", ag->number,
				 (unsigned long long)start),
			    SCRUB_REFCNTBT, ag->number, NO_INO);
}

static int insert(struct ag *ag, const struct share *s)
{
	const struct refcount_rec record = store(s);
	struct btree t;
	int err = ag_tree(ag, META_REFCOUNTBT, &t);

	return err ? err : btree_insert(&t, &record);
}

static int delete (struct ag *ag, u64 start)
{
	const struct btree_key key = {{start, 0, 0}};
	struct btree t;
	int err = ag_tree(ag, META_REFCOUNTBT, &t);

	if (!err)
		err = btree_delete(&t, &key);
	return err == -ENOENT ? lost(ag, start) : err;
}

static int replace(struct ag *ag, u64 start, const struct share *s)
{
	const struct btree_key key = {{start, 0, 0}};
	const struct refcount_rec record = store(s);
	struct btree t;
	int err = ag_tree(ag, META_REFCOUNTBT, &t);

	if (!err)
		err = btree_replace(&t, &key, &record);
	return err == -ENOENT ? lost(ag, start) : err;
}

/* The last record that begins at `at` or before it; blocks 0: none. */
static int before(struct ag *ag, u64 at, struct share *out)
{
	const struct btree_key key = {{at, 0, 0}};
	struct refcount_rec record = {0};
	struct btree t;
	int err = ag_tree(ag, META_REFCOUNTBT, &t);

	if (!err)
		err = btree_find_le(&t, &key, &record);
	*out = load(&record);
	return err == -ENOENT ? 0 : err;
}

/* The first record that begins at `at` or behind it. */
static int behind(struct ag *ag, u64 at, struct share *out)
{
	const struct btree_key key = {{at, 0, 0}};
	struct refcount_rec record = {0};
	struct btree t;
	int err = ag_tree(ag, META_REFCOUNTBT, &t);

	if (!err)
		err = btree_find_ge(&t, &key, &record);
	*out = load(&record);
	return err == -ENOENT ? 0 : err;
}

/* Makes a record end where `at` is, and its rest begin there. */
static int cut(struct ag *ag, u64 at)
{
	struct share s, rest;
	int err = before(ag, at, &s);

	if (err || !s.blocks || s.start == at || s.start + s.blocks <= at)
		return err;
	rest = (struct share){at, s.start + s.blocks - at, s.count};
	s.blocks = at - s.start;
	err = replace(ag, s.start, &s);
	return err ? err : insert(ag, &rest);
}

static bool joins(const struct share *left, const struct share *right)
{
	return left->blocks && right->blocks && left->start + left->blocks == right->start &&
	       left->count == right->count && left->blocks + right->blocks < NULL32 &&
	       !((left->start ^ right->start) & REFCOUNT_COW);
}

/* Joins the records that meet at `at`. */
static int join(struct ag *ag, u64 at)
{
	struct share left, right;
	int err = at ? before(ag, at - 1, &left) : 0;

	if (err || !at)
		return err;
	err = before(ag, at, &right);
	if (err || right.start != at || !joins(&left, &right))
		return err;
	err = delete (ag, at);
	left.blocks += right.blocks;
	return err ? err : replace(ag, left.start, &left);
}

/* The piece of one count from `at` to at most `end`. fresh: it is in no record. */
static int piece(struct ag *ag, u64 at, u64 end, struct share *out, bool *fresh)
{
	struct share next;
	int err = cut(ag, at);

	if (!err)
		err = cut(ag, end);
	if (!err)
		err = behind(ag, at, &next);
	if (err)
		return err;
	*fresh = !next.blocks || next.start != at;
	*out = next;
	if (*fresh)
		*out = (struct share){at, end - at, 1};
	if (*fresh && next.blocks && next.start < end)
		out->blocks = next.start - at;
	return 0;
}

/* A piece of which nothing or one record is left, and a new count. */
static int set_count(struct ag *ag, struct share *s, u32 count, bool fresh,
		     struct refcount_sink *sink)
{
	int err = 0;

	s->count = count;
	if (count >= 2)
		err = fresh ? insert(ag, s) : replace(ag, s->start, s);
	else if (!fresh)
		err = delete (ag, s->start);
	if (!err)
		err = join(ag, s->start);
	if (!err && !count)
		err = sink->unused(sink, ag->number, (u32)s->start, (u32)s->blocks);
	return err;
}

static int check_range(const struct ag *ag, u32 bno, u32 blocks)
{
	const struct geometry *g = &ag->vol->geo;
	u32 length = geometry_ag_blocks(g, ag->number);

	if (!geometry_has(g, FEATURE_REFLINK))
		return fail(-EOPNOTSUPP, "the filesystem cannot share blocks");
	if (!blocks || bno < geometry_ag_header_blocks(g) || bno >= length || blocks > length - bno)
		return fail(-EUCLEAN, "AG %u: block %u, %u blocks, cannot be shared", ag->number,
			    bno, blocks);
	return 0;
}

static int adjust(struct ag *ag, u32 bno, u32 blocks, bool up, struct refcount_sink *sink)
{
	u64 at = bno, end = (u64)bno + blocks;
	int err = check_range(ag, bno, blocks);

	while (!err && at < end) {
		struct share s;
		bool fresh;

		err = piece(ag, at, end, &s, &fresh);
		if (err)
			return err;
		at += s.blocks;
		if (s.count > REFCOUNT_MAX)
			continue; /* so many that nobody counts any more */
		if ((up && MUTATE(REFCOUNT_UP)) || (!up && MUTATE(REFCOUNT_DOWN)))
			continue;
		err = set_count(ag, &s, up ? s.count + 1 : s.count - 1, fresh, sink);
	}
	return err ? err : join(ag, end);
}

int refcount_increase(struct ag *ag, u32 bno, u32 blocks)
{
	return adjust(ag, bno, blocks, true, NULL);
}

int refcount_decrease(struct ag *ag, u32 bno, u32 blocks, struct refcount_sink *sink)
{
	return adjust(ag, bno, blocks, false, sink);
}

int refcount_cow_add(struct ag *ag, u32 bno, u32 blocks)
{
	struct share s = {bno | REFCOUNT_COW, blocks, 1}, there;
	int err = check_range(ag, bno, blocks);

	if (!err)
		err = before(ag, s.start + blocks - 1, &there);
	if (!err && there.blocks && there.start + there.blocks > s.start)
		err = fail(-EUCLEAN, "refcountbt %u: block %u is staged already", ag->number, bno);
	if (MUTATE(COW_NOT_ADDED))
		return 0;
	if (!err)
		err = insert(ag, &s);
	if (!err)
		err = join(ag, s.start + blocks);
	return err ? err : join(ag, s.start);
}

int refcount_cow_remove(struct ag *ag, u32 bno, u32 blocks)
{
	u64 start = bno | REFCOUNT_COW, end = start + blocks;
	struct share there;
	int err = check_range(ag, bno, blocks);

	if (!err)
		err = cut(ag, start);
	if (!err)
		err = cut(ag, end);
	if (!err)
		err = before(ag, start, &there);
	if (err)
		return err;
	if (there.start != start || there.blocks != blocks)
		return fail(-EUCLEAN, "refcountbt %u: block %u, %u blocks, are not staged",
			    ag->number, bno, blocks);
	return MUTATE(COW_NOT_REMOVED) ? 0 : delete (ag, start);
}
