/* Changing the reverse map; see rmap_modify.h. */
#include "fs/rmap_modify.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "fs/health.h"

#include <errno.h>

/* One mapping, in host numbers; offset with its flags. */
struct mapping {
	u64 start, blocks, owner, offset;
};

static bool enabled(const struct ag *ag)
{
	return geometry_has(&ag->vol->geo, FEATURE_RMAPBT);
}

/* Do the offsets of this owner's blocks go up with them? Not for block map blocks, nor for what no
 * file owns. */
static bool has_offsets(const struct mapping *m)
{
	return (s64)m->owner >= 0 && !(m->offset & RMAP_OFFSET_BMBT);
}

/* The offset at `distance` blocks from the start. */
static u64 offset_at(const struct mapping *m, u64 distance)
{
	return has_offsets(m) ? m->offset + distance : m->offset;
}

static void load(const struct rmap_rec *r, struct mapping *m)
{
	*m = (struct mapping){be32_get(r->startblock), be32_get(r->blockcount), be64_get(r->owner),
			      be64_get(r->offset)};
}

static struct rmap_rec store(const struct mapping *m)
{
	return (struct rmap_rec){be32_make((u32)m->start), be32_make((u32)m->blocks),
				 be64_make(m->owner), be64_make(m->offset)};
}

static struct btree_key key_of(const struct mapping *m)
{
	return (struct btree_key){{m->start, m->owner, m->offset & ~RMAP_OFFSET_UNWRITTEN}};
}

static int missing(const struct ag *ag, const struct mapping *m)
{
	int err = fail(-EUCLEAN,
		       "rmapbt %u: block %llu, %llu blocks, are not mapped to owner %lld at 0x%llx",
		       ag->number, (unsigned long long)m->start, (unsigned long long)m->blocks,
		       (long long)m->owner, (unsigned long long)m->offset);

	return health_blame(err, SCRUB_RMAPBT, ag->number, NO_INO);
}

static int insert(struct ag *ag, const struct mapping *m)
{
	const struct rmap_rec record = store(m);
	struct btree t;
	int err = ag_tree(ag, META_RMAPBT, &t);

	return err ? err : btree_insert(&t, &record);
}

static int delete (struct ag *ag, const struct mapping *m)
{
	const struct btree_key key = key_of(m);
	struct btree t;
	int err = ag_tree(ag, META_RMAPBT, &t);

	if (!err)
		err = btree_delete(&t, &key);
	return err == -ENOENT ? missing(ag, m) : err;
}

/* The key stays the same: only the length or the state changes. */
static int update(struct ag *ag, const struct mapping *m)
{
	const struct btree_key key = key_of(m);
	const struct rmap_rec record = store(m);
	struct btree t;
	int err = ag_tree(ag, META_RMAPBT, &t);

	if (!err)
		err = btree_replace(&t, &key, &record);
	return err == -ENOENT ? missing(ag, m) : err;
}

/* Looking for the mapping that has `wanted` inside it. */
struct search {
	struct mapping wanted, found;
	bool any; /* whoever the owner is */
};
#define FOUND_IT 1

static int compare(void *arg, const void *record)
{
	struct search *s = arg;
	struct mapping m;

	load(record, &m);
	if (m.start > s->wanted.start || m.start + m.blocks < s->wanted.start + s->wanted.blocks)
		return 0;
	if (!s->any && (m.owner != s->wanted.owner ||
			offset_at(&m, s->wanted.start - m.start) != s->wanted.offset))
		return 0;
	s->found = m;
	return FOUND_IT;
}

/* 0, or -ENOENT without a trail. */
static int find_around(struct ag *ag, struct search *s)
{
	const struct btree_key low = {{s->wanted.start, 0, 0}},
			       high = {{s->wanted.start, NULL64, NULL64}};
	struct btree t;
	int err = ag_tree(ag, META_RMAPBT, &t);

	if (!err)
		err = btree_query(&t, &low, &high, compare, s);
	return err == FOUND_IT ? 0 : err ? err : -ENOENT;
}

/* The neighbour that `m` would be joined with: of one owner, one state, and in one line. */
static int find_left(struct ag *ag, const struct mapping *m, struct mapping *out)
{
	struct search s = {.wanted = *m};
	int err;

	if (!m->start || (has_offsets(m) && !(m->offset & RMAP_OFFSET_MASK)))
		return -ENOENT;
	s.wanted.start--;
	s.wanted.blocks = 1;
	if (has_offsets(m))
		s.wanted.offset--;
	err = find_around(ag, &s);
	if (!err && s.found.start + s.found.blocks != m->start)
		return fail(-EUCLEAN, "rmapbt %u: block %llu is mapped already", ag->number,
			    (unsigned long long)m->start);
	*out = s.found;
	return err;
}

static int find_right(struct ag *ag, const struct mapping *m, struct mapping *out)
{
	const struct mapping wanted = {m->start + m->blocks, 1, m->owner, offset_at(m, m->blocks)};
	const struct btree_key key = key_of(&wanted);
	struct rmap_rec record;
	struct btree_key there;
	struct btree t;
	int err = ag_tree(ag, META_RMAPBT, &t);

	if (!err)
		err = btree_find_le(&t, &key, &record);
	if (err)
		return err;
	load(&record, out);
	there = key_of(out);
	if (btree_key_compare(&there, &key) || out->offset != wanted.offset)
		return -ENOENT;
	return 0;
}

/* Inserts, joined with its neighbours. */
static int add(struct ag *ag, struct mapping m)
{
	struct mapping left, right;
	int err = find_right(ag, &m, &right);

	if (!err) {
		err = delete (ag, &right);
		m.blocks += right.blocks;
	}
	if (!err || err == -ENOENT)
		err = find_left(ag, &m, &left);
	if (err == -ENOENT)
		return insert(ag, &m);
	if (err)
		return err;
	if (!MUTATE(RMAP_JOIN))
		left.blocks += m.blocks;
	return update(ag, &left);
}

/* Takes [start, start + blocks) out of a mapping that has it inside. */
static int cut(struct ag *ag, const struct mapping *m, u64 start, u64 blocks)
{
	struct mapping before = *m, behind = *m;
	int err;

	before.blocks = start - m->start;
	behind.start = start + blocks;
	behind.blocks = m->start + m->blocks - behind.start;
	behind.offset = offset_at(m, behind.start - m->start);
	if (before.blocks)
		err = update(ag, &before);
	else
		err = delete (ag, m);
	if (!err && behind.blocks && !MUTATE(RMAP_CUT))
		err = insert(ag, &behind);
	return err;
}

static struct mapping mapping_of(u32 bno, u32 blocks, const struct owner *owner)
{
	return (struct mapping){bno, blocks, owner->owner, owner->offset};
}

int rmap_map(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner)
{
	struct mapping m = mapping_of(bno, blocks, owner);

	if (has_offsets(&m) && MUTATE(RMAP_OFFSET))
		m.offset++;
	if (has_offsets(&m) && MUTATE(RMAP_OWNER))
		m.owner++;
	return enabled(ag) ? add(ag, m) : 0;
}

int rmap_unmap(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner)
{
	struct search s = {.wanted = mapping_of(bno, blocks, owner)};
	int err;

	if (!enabled(ag))
		return 0;
	err = find_around(ag, &s);
	if (err == -ENOENT)
		return missing(ag, &s.wanted);
	return err ? err : cut(ag, &s.found, bno, blocks);
}

int rmap_convert(struct ag *ag, u32 bno, u32 blocks, const struct owner *owner)
{
	struct mapping m = mapping_of(bno, blocks, owner);
	int err = rmap_unmap(ag, bno, blocks, owner);

	m.offset ^= RMAP_OFFSET_UNWRITTEN;
	return err || !enabled(ag) ? err : add(ag, m);
}

static int overlap(void *arg, const void *record)
{
	load(record, arg);
	return FOUND_IT;
}

int rmap_forget(struct ag *ag, u32 bno, u32 blocks)
{
	const struct btree_key low = {{bno, 0, 0}},
			       high = {{bno + (u64)blocks - 1, NULL64, NULL64}};
	struct mapping m = {0};
	struct btree t;
	int err;

	if (!enabled(ag))
		return 0;
	err = ag_tree(ag, META_RMAPBT, &t);
	if (!err)
		err = btree_query(&t, &low, &high, overlap, &m);
	if (err != FOUND_IT)
		return err;
	if (m.start > bno || m.start + m.blocks < (u64)bno + blocks)
		return fail(-EUCLEAN, "rmapbt %u: of block %u, %u blocks, only some are mapped",
			    ag->number, bno, blocks);
	return cut(ag, &m, bno, blocks);
}
