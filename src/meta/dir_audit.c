/*
 * Where the two sides of a directory disagree.
 *
 * The entries are walked again, by names and by hash index, and summed in many buckets by their
 * keyed hash; then once more, to collect those of the buckets that differ, as many buckets as fit.
 * What is left over after sorting is named. Memory is bounded, whatever the directory; blocks that
 * could not be read are left out of the side that they belong to.
 */
#include "base/trail.h"
#include "meta/dir_walk.h"
#include "meta/findings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define BUCKETS 4096
#define ENTRIES_MAX 32768

struct entry {
	u32 address, hash;
	bool index; /* the hash index says so, not a name */
};

struct audit {
	struct dir_walk *w;
	bool collecting;
	u128 sum[BUCKETS]; /* names less index */
	u32 filled[BUCKETS];
	bool chosen[BUCKETS];
	u32 count;
	struct entry entry[ENTRIES_MAX];
	u32 raised;
};

static void add(struct audit *a, u32 hash, u32 address, bool index)
{
	const struct fact fact = dir_index_fact(hash, address);
	u128 h = book_hash(a->w->sweep->book, &fact);
	u32 bucket = (u32)(h % BUCKETS);

	if (!a->collecting) {
		a->sum[bucket] += index ? -h : h;
		a->filled[bucket]++;
	} else if (a->chosen[bucket] && a->count < ENTRIES_MAX) {
		a->entry[a->count++] = (struct entry){address, hash, index};
	}
}

static void add_names(struct audit *a, const struct buf *buf, u64 block)
{
	u32 end = dir_data_end(buf->data, buf->size);
	struct dir_slot slot;

	for (u32 at = sizeof(struct dir_data); dir_data_slot(a->w->g, buf->data, end, at, &slot);
	     at += slot.size)
		if (!slot.free)
			add(a, da_hash(slot.name, slot.length), dir_address(a->w->g, block, at),
			    false);
}

static void add_index(struct audit *a, const struct buf *buf)
{
	struct dir_index index;
	u32 magic = da_magic(buf->data);

	if ((magic != DIR_LEAF1_MAGIC && magic != DIR_LEAFN_MAGIC) ||
	    !dir_index_open(buf->data, buf->size, &index))
		return;
	for (u32 i = 0; i < index.count; i++)
		if (be32_get(index.entries[i].address))
			add(a, be32_get(index.entries[i].hashval),
			    be32_get(index.entries[i].address), true);
}

static int add_place(void *arg, const struct da_place *place)
{
	struct audit *a = arg;
	const struct geometry *g = a->w->g;
	struct buf *buf;

	if (place->off >= g->dir_free_off)
		return 1;
	buf = dir_peek(a->w, place);
	if (!buf)
		return 0;
	if (place->off >= g->dir_leaf_off)
		add_index(a, buf);
	else if (be32_get(((const struct dir_data *)buf->data)->magic) == DIR_DATA_MAGIC)
		add_names(a, buf, dir_data_block(g, place->off));
	cache_put(a->w->sweep->vol->cache, buf);
	return 0;
}

/* Buckets that differ, as long as their entries fit. */
static void choose(struct audit *a)
{
	u32 room = ENTRIES_MAX;

	for (u32 i = 0; i < BUCKETS; i++) {
		a->chosen[i] = a->sum[i] && a->filled[i] <= room;
		if (a->chosen[i])
			room -= a->filled[i];
	}
	a->collecting = true;
}

static bool before(const struct entry *a, const struct entry *b)
{
	if (a->address != b->address)
		return a->address < b->address;
	if (a->hash != b->hash)
		return a->hash < b->hash;
	return a->index < b->index;
}

static void sift(struct entry *e, u32 at, u32 count)
{
	for (;;) {
		u32 child = 2 * at + 1;
		struct entry swap;

		if (child >= count)
			return;
		if (child + 1 < count && before(&e[child], &e[child + 1]))
			child++;
		if (!before(&e[at], &e[child]))
			return;
		swap = e[at];
		e[at] = e[child];
		e[child] = swap;
		at = child;
	}
}

/* Heap sort: no memory, and no bad input. */
static void sort(struct entry *e, u32 count)
{
	for (u32 i = count / 2; i--;)
		sift(e, i, count);
	for (u32 i = count; i > 1; i--) {
		struct entry swap = e[0];

		e[0] = e[i - 1];
		e[i - 1] = swap;
		sift(e, 0, i - 1);
	}
}

static void raise_entry(struct audit *a, const struct finding_def *def, u32 address, u32 hash,
			u32 expected)
{
	struct dir_walk *w = a->w;
	char field[48], found[FINDING_TEXT], right[FINDING_TEXT];
	struct dir_slot slot;
	struct buf *buf = NULL;

	snprintf(field, sizeof(field), "address %u", address);
	snprintf(right, sizeof(right), "0x%" PRIx32, expected);
	if (dir_peek_entry(w, address, &slot, &buf))
		snprintf(found, sizeof(found), "'%.*s' (hash 0x%" PRIx32 ")",
			 (int)(slot.length < 64 ? slot.length : 64), (const char *)slot.name, hash);
	else
		snprintf(found, sizeof(found), "hash 0x%" PRIx32, hash);
	cache_put(w->sweep->vol->cache, buf);
	raise_text(&w->verdict, def, field, found, right);
	a->raised++;
}

/* All entries of one address: what stands on one side only. */
static void judge_address(struct audit *a, const struct entry *e, u32 count)
{
	bool name = false, index = false;
	u32 name_hash = 0, index_hash = 0;

	for (u32 i = 0; i < count; i++) {
		if (i + 1 < count && e[i].hash == e[i + 1].hash && e[i].index != e[i + 1].index) {
			i++; /* a name and its index entry */
			continue;
		}
		if (e[i].index) {
			if (index)
				raise_entry(a, FOUND(DIR_HASH_ALONE), e[i].address, e[i].hash, 0);
			index = true;
			index_hash = e[i].hash;
		} else {
			name = true;
			name_hash = e[i].hash;
		}
	}
	if (name && index)
		raise_entry(a, FOUND(DIR_HASH_WRONG), e->address, index_hash, name_hash);
	else if (index && !dir_block_is_bad(a->w, dir_address_block(a->w->g, e->address)))
		raise_entry(a, FOUND(DIR_HASH_ALONE), e->address, index_hash, 0);
	else if (name && !a->w->index_bad)
		raise_entry(a, FOUND(DIR_NAME_ALONE), e->address, name_hash, 0);
}

static int walk(struct audit *a)
{
	struct dir_walk *w = a->w;
	int err =
	    da_place_each(w->sweep->vol, w->dir, FORK_DATA, 0, w->g->dir_free_off, add_place, a);

	if (err == -ENOMEM)
		return err;
	trail_clear();
	return 0;
}

int dir_audit_index(struct dir_walk *w)
{
	struct audit *a = env_alloc(w->sweep->vol->env, sizeof(*a));
	int err;

	if (!a)
		return fail(-ENOMEM, "a directory's audit: out of memory");
	a->w = w;
	err = walk(a);
	if (!err) {
		choose(a);
		err = walk(a);
	}
	if (!err)
		sort(a->entry, a->count);
	for (u32 i = 0, n; !err && i < a->count; i += n) {
		for (n = 1; i + n < a->count && a->entry[i + n].address == a->entry[i].address;)
			n++;
		judge_address(a, &a->entry[i], n);
	}
	if (!err && !a->raised && !w->bad_count && !w->index_bad)
		raise_value(&w->verdict, FOUND(DIR_INDEX_DISAGREES), NULL, w->names);
	env_free(w->sweep->vol->env, a);
	return err;
}

/* What the free index or the best-free table says of a data block; DIR_NO_BEST for none. Rows up to
 * *next say the same: a part of the index that is not there is passed over at once. */
static u32 indexed_best(const struct dir_walk *w, u64 block, u64 *next)
{
	const struct geometry *g = w->g;
	u32 rows = dir_free_max(g->dir_block_size), best = DIR_NO_BEST;
	u64 index_block = g->dir_free_off + block / rows * g->dir_fsblocks;
	struct buf *buf = dir_peek_at(w, w->leaf_form ? g->dir_leaf_off : index_block);
	struct dir_index index;

	*next = (block / rows + 1) * rows;
	if (!buf)
		return best;
	if (w->leaf_form) {
		if (dir_index_open(buf->data, buf->size, &index) && block < index.best_count) {
			best = be16_get(index.bests[block].best);
			*next = block + 1;
		}
	} else if (block % rows < dir_free_count(buf->data, buf->size)) {
		best = be16_get(dir_free_bests(buf->data)[block % rows].best);
		*next = block + 1;
	}
	cache_put(w->sweep->vol->cache, buf);
	return best;
}

struct best_audit {
	struct dir_walk *w;
	u64 next; /* the first data block that has not been looked at */
	u32 raised;
};

static void raise_best(struct best_audit *a, u64 block, u32 found, u32 expected)
{
	char field[48];

	snprintf(field, sizeof(field), "data block %" PRIu64, block);
	raise_u64(&a->w->verdict, FOUND(DIR_BEST_WRONG), field, found, expected);
	a->raised++;
}

/* Rows that speak of blocks that are not there. Each hole ends at a block or at the last row. */
static void audit_holes(struct best_audit *a, u64 end)
{
	for (u64 next; a->next < end && a->raised < VERDICT_MAX; a->next = next) {
		u32 best = indexed_best(a->w, a->next, &next);

		if (best != DIR_NO_BEST)
			raise_best(a, a->next, best, DIR_NO_BEST);
	}
	a->next = end;
}

static int audit_block(void *arg, const struct da_place *place)
{
	struct best_audit *a = arg;
	struct dir_walk *w = a->w;
	u64 block = dir_data_block(w->g, place->off);
	u32 best, said;
	u64 next;
	struct buf *buf;

	audit_holes(a, block);
	a->next = block + 1;
	buf = dir_block_is_bad(w, block) ? NULL : dir_peek(w, place);
	if (!buf)
		return 0;
	best = dir_data_best(buf->data);
	said = indexed_best(w, block, &next);
	cache_put(w->sweep->vol->cache, buf);
	if (said != best)
		raise_best(a, block, said, best);
	return a->raised >= VERDICT_MAX;
}

int dir_audit_free(struct dir_walk *w)
{
	struct best_audit a = {.w = w};
	u64 rows = dir_free_max(w->g->dir_block_size);
	int err;

	if (w->free_bad)
		return 0; /* its own finding says so */
	err =
	    da_place_each(w->sweep->vol, w->dir, FORK_DATA, 0, w->g->dir_leaf_off, audit_block, &a);
	if (err == -ENOMEM)
		return err;
	trail_clear();
	/* Rows behind the last data block, to the end of its free block. */
	audit_holes(&a, round_up_u64(w->data_end + 1, rows));
	if (!a.raised && !w->bad_count)
		raise_value(&w->verdict, FOUND(DIR_FREE_DISAGREES), NULL, w->data_end);
	return 0;
}
