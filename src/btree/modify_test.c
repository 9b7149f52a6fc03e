/*
 * Random insertions, deletions and replacements in trees of every schema and block size, against a
 * sorted array; each commit runs the rules of every changed block, and the shape of the whole tree
 * is checked: fill, keys, levels, siblings, blocks taken and given back.
 */
#include "base/test.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "btree/bnode.h"
#include "btree/seek.h"
#include "format/inode.h"
#include "format/verify.h"
#include "host/host.h"
#include "meta/types_table.h"

#define FIRST_BLOCK 64 /* of those that the tree may use */
#define BLOCKS 1500
#define AG_BLOCKS (1u << 20)
#define INODE_AT 8192 /* of the bytes that stand for an inode with a root */
#define ROOT_SIZE 84  /* five pointers */

struct memory_device {
	struct device dev;
	u8 *bytes;
	bool refuse; /* to write */
	u64 writes;
};

struct world {
	struct env env;
	struct geometry g;
	struct memory_device m;
	struct cache *cache;
	enum meta_id id;
	struct txn *txn;
	struct btree t;
	u32 free[BLOCKS], free_count;
	u32 kept_free, kept_root, kept_levels; /* of the last commit */
	bool *there;			       /* by slot: is the record in the tree? */
	u32 *flavour;			       /* and which variant */
	u32 slots, count;
	u64 seed;
	s64 allocs_left; /* memory: -1: without end */
};

static u32 draw(struct world *w, u32 below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (u32)((w->seed >> 20) % below);
}

static int memory_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	memcpy(to, ((struct memory_device *)dev)->bytes + at.v, size);
	return 0;
}

static int memory_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct memory_device *m = (struct memory_device *)dev;

	if (m->refuse && !--m->writes)
		return fail(-EIO, "refused");
	memcpy(m->bytes + at.v, from, size);
	return 0;
}

static int test_alloc(struct btree *t, u64 near, u64 *ptr)
{
	struct world *w = t->arg;

	(void)near;
	if (!w->free_count)
		return fail(-ENOSPC, "no block");
	*ptr = w->free[--w->free_count];
	return 0;
}

static int test_release(struct btree *t, u64 ptr)
{
	struct world *w = t->arg;

	assert_true(w->free_count < BLOCKS);
	w->free[w->free_count++] = (u32)ptr;
	return 0;
}

static const struct btree_store test_store = {NULL, test_alloc, test_release};
static const struct meta_type root_type = {.name = "root", .crc_offset = CRC_NONE};

/* Slot by slot ascending keys, in several variants of which each keeps the order. */
static void make_record(const struct world *w, u32 slot, u32 flavour, void *to)
{
	u32 start = 1000 + slot * 8, blocks = 1 + flavour % 5;

	switch (w->id) {
	case META_CNTBT:
		*(struct alloc_rec *)to = (struct alloc_rec){
		    be32_make(1000 + (slot % 7 << 12 | slot)), be32_make(1 + slot)};
		break;
	case META_INOBT:
	case META_FINOBT:
		*(struct inobt_rec *)to = (struct inobt_rec){
		    .startino = be32_make((1024 + slot * w->g.chunk_blocks) << w->g.inopb_log),
		    .count = 64,
		    .freecount = (u8)blocks,
		    .free = be64_make((1ull << blocks) - 1)};
		break;
	case META_RMAPBT:
		/* long ones across many others; none that should be one with another */
		*(struct rmap_rec *)to = (struct rmap_rec){
		    be32_make(1000 + slot / 3), be32_make(slot % 3 < 2 ? blocks : 1 + flavour * 50),
		    be64_make(slot % 3 < 2   ? 5000 + slot % 3 * 100
			      : slot / 3 % 2 ? (u64)RMAP_OWN_COW
					     : (u64)RMAP_OWN_REFC),
		    be64_make(slot % 3 < 2 ? slot : 0)};
		break;
	case META_REFCOUNTBT:
		*(struct refcount_rec *)to = (struct refcount_rec){
		    be32_make(start), be32_make(blocks), be32_make(2 + flavour)};
		break;
	case META_BMBT:
		*(struct bmbt_rec *)to =
		    (struct bmbt_rec){be64_make((u64)slot * 8 << 9),
				      be64_make((u64)start << EXTENT_COUNT_BITS | blocks)};
		break;
	default:
		*(struct alloc_rec *)to = (struct alloc_rec){be32_make(start), be32_make(blocks)};
	}
}

static struct btree_key key_of(const struct world *w, u32 slot)
{
	u8 record[BTREE_ENTRY_MAX];
	struct btree_key key;

	make_record(w, slot, w->flavour[slot], record);
	w->t.type->btree->record_key(record, &key);
	return key;
}

static void begin(struct world *w)
{
	static const struct where where = {.type = "root", .ag = 0, .ino = 133, .owner = 133};

	assert_int_equal(txn_begin(&w->env, w->cache, &w->m.dev, &w->g, &w->txn), 0);
	w->t.txn = w->txn;
	if (w->id != META_BMBT)
		return;
	assert_int_equal(
	    txn_get(w->txn, &root_type, &where, daddr_of(INODE_AT), 512, &w->t.root_buf), 0);
}

static void keep(struct world *w)
{
	w->kept_free = w->free_count;
	w->kept_root = (u32)w->t.root;
	w->kept_levels = w->t.levels;
}

static void commit(struct world *w)
{
	int err = txn_commit(w->txn);

	if (err)
		print_error("%s: %s\n", w->t.type->name, trail_text());
	assert_int_equal(err, 0);
	keep(w);
	begin(w);
}

static void *limited_alloc(struct env *env, size_t size)
{
	struct world *w = env->front;

	if (!w->allocs_left)
		return NULL;
	if (w->allocs_left > 0)
		w->allocs_left--;
	return calloc(1, size);
}

static void limited_free(struct env *env, void *memory)
{
	(void)env;
	free(memory);
}

static void open_world(struct world *w, enum meta_id id, u32 block_log, u32 slots)
{
	memset(w, 0, sizeof(*w));
	w->g = (struct geometry){.block_size = 1u << block_log,
				 .block_log = block_log,
				 .sector_size = 512,
				 .sector_log = 9,
				 .ag_count = 1,
				 .ag_blocks = AG_BLOCKS,
				 .ag_block_log = 20,
				 .data_blocks = AG_BLOCKS,
				 .inode_size = 512,
				 .inode_log = 9,
				 .inopb_log = block_log - 9,
				 .inodes_per_block = 1u << (block_log - 9),
				 .agino_log = 20 + block_log - 9,
				 .chunk_blocks = block_log < 15 ? 64u >> (block_log - 9) : 1,
				 .cluster_blocks = 1,
				 .inode_align = 1,
				 .spino_align = 1,
				 .root_ino = 128,
				 .features = 0xffffff};
	host_env_init(&w->env, 1);
	w->env.front = w;
	w->env.alloc = limited_alloc;
	w->env.alloc_bytes = NULL;
	w->env.free = limited_free;
	w->allocs_left = -1;
	w->m.bytes = calloc(FIRST_BLOCK + BLOCKS, w->g.block_size);
	w->m.dev = (struct device){.size = (FIRST_BLOCK + BLOCKS) * (u64)w->g.block_size,
				   .read = memory_read,
				   .write = memory_write};
	assert_int_equal(cache_open(&w->env, &w->m.dev, &w->g, 0, &w->cache), 0);
	w->id = id;
	w->slots = slots;
	w->there = calloc(slots, sizeof(*w->there));
	w->flavour = calloc(slots, sizeof(*w->flavour));
	w->seed = 0x9e3779b97f4a7c15ull + id * 1000 + block_log;
	for (u32 i = 0; i < BLOCKS; i++)
		w->free[w->free_count++] = FIRST_BLOCK + i;
	w->t = (struct btree){.g = &w->g,
			      .type = meta_types.type[id],
			      .store = &test_store,
			      .arg = w,
			      .ag = 0,
			      .owner = id == META_BMBT ? 133 : 0,
			      .root = NULL64,
			      .root_at = 16,
			      .root_size = ROOT_SIZE};
	begin(w);
}

/* An empty tree; one with its root in an inode begins with a leaf of one record. */
static void plant(struct world *w)
{
	u8 record[BTREE_ENTRY_MAX];
	u64 ptr = 0;

	assert_int_equal(test_alloc(&w->t, NULL64, &ptr), 0);
	if (w->id != META_BMBT) {
		assert_int_equal(btree_root_new(&w->t, ptr), 0);
		return;
	}
	make_record(w, 0, 0, record);
	assert_int_equal(btree_inline_root_new(&w->t, ptr, record, 1), 0);
	w->there[0] = true;
	w->count = 1;
}

static void close_world(struct world *w)
{
	txn_rollback(w->txn);
	cache_close(w->cache);
	free(w->m.bytes);
	free(w->there);
	free(w->flavour);
}

/* Counts the blocks below n, and goes through its records in order. */
struct survey {
	u32 blocks, slot;
	u64 last[BTREE_LEVELS_MAX]; /* the node visited last at a level */
};

static void next_record(struct world *w, struct survey *s, const u8 *record)
{
	u8 expected[BTREE_ENTRY_MAX];

	while (s->slot < w->slots && !w->there[s->slot])
		s->slot++;
	assert_true(s->slot < w->slots);
	make_record(w, s->slot, w->flavour[s->slot], expected);
	assert_memory_equal(record, expected, w->t.type->btree->record_size);
	s->slot++;
}

static void survey(struct world *w, const struct bnode *n, bool only, struct survey *s)
{
	u8 keys[BTREE_ENTRY_MAX];

	s->blocks += n->ptr != NULL64;
	if (n->ptr != NULL64) {
		assert_true(bnode_sibling(&w->t, n, false) == s->last[n->level]);
		s->last[n->level] = n->ptr;
	}
	if (!only)
		assert_true(bnode_count(n) >= n->max / 2);
	for (u32 i = 0; i < bnode_count(n); i++) {
		struct bnode child;

		if (!n->level) {
			next_record(w, s, bnode_entry(n, i));
			continue;
		}
		assert_int_equal(bnode_read(&w->t, bnode_ptr(&w->t, n, i), n->level - 1, &child),
				 0);
		bnode_keys(&w->t, &child, keys);
		assert_memory_equal(keys, bnode_entry(n, i), n->stride);
		survey(w, &child, n->ptr == NULL64 && bnode_count(n) == 1, s);
	}
}

static void check_all(struct world *w)
{
	struct survey s;
	struct bnode root;

	memset(&s, 0, sizeof(s));
	memset(s.last, 0xff, sizeof(s.last));
	assert_int_equal(bnode_root(&w->t, &root), 0);
	survey(w, &root, true, &s);
	while (s.slot < w->slots && !w->there[s.slot])
		s.slot++;
	assert_int_equal(s.slot, w->slots);
	assert_int_equal(s.blocks + w->free_count, BLOCKS);
}

static void insert_one(struct world *w, u32 slot)
{
	u8 record[BTREE_ENTRY_MAX];
	int err;

	w->flavour[slot] = draw(w, 5);
	make_record(w, slot, w->flavour[slot], record);
	err = btree_insert(&w->t, record);
	if (err)
		print_error("%s\n", trail_text());
	assert_int_equal(err, 0);
	assert_int_equal(btree_insert(&w->t, record), -EUCLEAN);
	w->there[slot] = true;
	w->count++;
}

static void delete_one(struct world *w, u32 slot)
{
	struct btree_key key = key_of(w, slot);

	assert_int_equal(btree_delete(&w->t, &key), 0);
	assert_int_equal(btree_delete(&w->t, &key), -ENOENT);
	w->there[slot] = false;
	w->count--;
}

static void replace_one(struct world *w, u32 slot)
{
	struct btree_key key = key_of(w, slot);
	u8 record[BTREE_ENTRY_MAX];

	w->flavour[slot] = draw(w, 5);
	make_record(w, slot, w->flavour[slot], record);
	assert_int_equal(btree_replace(&w->t, &key, record), 0);
}

/* The neighbours of a slot as the tree finds them. */
static void find_one(struct world *w, u32 slot)
{
	struct btree_key key = key_of(w, slot);
	u8 record[BTREE_ENTRY_MAX], expected[BTREE_ENTRY_MAX];
	u32 size = w->t.type->btree->record_size, le = slot, ge = slot;
	int err = btree_find_le(&w->t, &key, record);

	while (le != NULL32 && !w->there[le])
		le--;
	assert_int_equal(err, le == NULL32 ? -ENOENT : 0);
	if (!err) {
		make_record(w, le, w->flavour[le], expected);
		assert_memory_equal(record, expected, size);
	}
	while (ge < w->slots && !w->there[ge])
		ge++;
	err = btree_find_ge(&w->t, &key, record);
	assert_int_equal(err, ge == w->slots ? -ENOENT : 0);
	if (!err) {
		make_record(w, ge, w->flavour[ge], expected);
		assert_memory_equal(record, expected, size);
	}
}

/* `steps` changes, of which grow in 8 are insertions. */
static void change(struct world *w, u32 steps, u32 grow, u32 run)
{
	u32 slot = 0;

	for (u32 i = 0; i < steps; i++) {
		bool insert = draw(w, 8) < grow;

		/* runs of neighbours, and jumps */
		slot = draw(w, run) ? (slot + 1) % w->slots : draw(w, w->slots);
		if (insert && !w->there[slot])
			insert_one(w, slot);
		else if (!insert && w->there[slot] && w->count > 1)
			delete_one(w, slot);
		else if (w->there[slot])
			replace_one(w, slot);
		find_one(w, draw(w, w->slots));
		if (i % 256 == 255) {
			check_all(w);
			commit(w);
		}
	}
	check_all(w);
	commit(w);
	check_all(w);
}

static void run_schema(enum meta_id id)
{
	for (u32 block_log = 10; block_log <= 16; block_log++) {
		struct world w;

		open_world(&w, id, block_log, block_log < 11 ? 16000 : 4000);
		plant(&w);
		change(&w, block_log < 11 ? 20000 : 3000, 8, 1000);
		change(&w, 3000, 7, 30);
		change(&w, 1000, 4, 4);
		assert_true(block_log > 10 || w.t.levels >= 3);
		change(&w, 6000, 1, 8);
		change(&w, 2000, 0, 50);
		change(&w, 1500, 6, 3);
		close_world(&w);
	}
}

#define SCHEMA_TEST(name, id)          \
	static void name(void **state) \
	{                              \
		(void)state;           \
		run_schema(id);        \
	}
SCHEMA_TEST(bnobt, META_BNOBT)
SCHEMA_TEST(cntbt, META_CNTBT)
SCHEMA_TEST(inobt, META_INOBT)
SCHEMA_TEST(finobt, META_FINOBT)
SCHEMA_TEST(rmapbt, META_RMAPBT)
SCHEMA_TEST(refcountbt, META_REFCOUNTBT)
SCHEMA_TEST(bmbt, META_BMBT)

struct tally {
	struct world *w;
	u32 low, high, slot, found;
};

static bool touches(const struct tally *q, const struct rmap_rec *r)
{
	u32 start = be32_get(r->startblock);

	return start <= q->high && start + be32_get(r->blockcount) > q->low;
}

static int tally_one(void *arg, const void *record)
{
	struct tally *q = arg;

	assert_true(touches(q, record));
	q->found++;
	return 0;
}

/* A query of overlapping records finds each that touches, and no other. */
static void queries(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, META_RMAPBT, 10, 3000);
	plant(&w);
	change(&w, 5000, 6, 3);
	for (u32 round = 0; round < 200; round++) {
		u32 low = 1000 + draw(&w, 1100), high = low + draw(&w, 40), expected = 0;
		struct tally q = {&w, low, high, 0, 0};
		const struct btree_key from = {{low, 0, 0}}, to = {{high, NULL64, NULL64}};

		for (u32 i = 0; i < w.slots; i++) {
			struct rmap_rec r;

			make_record(&w, i, w.flavour[i], &r);
			expected += w.there[i] && touches(&q, &r);
		}
		assert_int_equal(btree_query(&w.t, &from, &to, tally_one, &q), 0);
		assert_int_equal(q.found, expected);
	}
	close_world(&w);
}

/* Nothing of a rolled back transaction is on the device or in the cache. */
static void rollback_restores(void **state)
{
	size_t size;
	struct world w;
	u8 *before;

	(void)state;
	open_world(&w, META_RMAPBT, 10, 3000);
	plant(&w);
	change(&w, 2000, 6, 3);
	size = (size_t)w.m.dev.size;
	before = malloc(size);
	memcpy(before, w.m.bytes, size);
	for (u32 i = 0; i < w.slots; i++)
		if (w.there[i]) {
			struct btree_key key = key_of(&w, i);

			assert_int_equal(btree_delete(&w.t, &key), 0);
		}
	txn_rollback(w.txn);
	assert_memory_equal(before, w.m.bytes, size);
	w.free_count = w.kept_free;
	w.t.root = w.kept_root;
	w.t.levels = w.kept_levels;
	begin(&w);
	check_all(&w);
	free(before);
	close_world(&w);
}

/* A device that refuses the nth write leaves all as it was. */
static void writes_fail(void **state)
{
	u8 *before;
	size_t size;
	struct world w;

	(void)state;
	open_world(&w, META_BNOBT, 10, 3000);
	plant(&w);
	change(&w, 1500, 7, 3);
	size = (size_t)w.m.dev.size;
	before = malloc(size);
	memcpy(before, w.m.bytes, size);
	for (u32 n = 1; n < 8; n++) {
		for (u32 i = 0, done = 0; i < w.slots && done < 40; i += 67)
			if (w.there[i]) {
				struct btree_key key = key_of(&w, i);

				assert_int_equal(btree_delete(&w.t, &key), 0);
				done++;
			}
		w.m.refuse = true;
		w.m.writes = n;
		assert_int_equal(txn_commit(w.txn), -EIO);
		w.m.refuse = false;
		assert_memory_equal(before, w.m.bytes, size);
		w.free_count = w.kept_free;
		w.t.root = w.kept_root;
		w.t.levels = w.kept_levels;
		begin(&w);
		check_all(&w);
	}
	free(before);
	close_world(&w);
}

/* The nth allocation fails, for all n until none is left to fail: -ENOMEM, nothing lost, nothing
 * changed. */
static void memory_fails(void **state)
{
	struct world w;
	u32 failures = 0;
	int err = -ENOMEM;

	(void)state;
	open_world(&w, META_RMAPBT, 10, 3000);
	plant(&w);
	change(&w, 1500, 7, 3);
	for (s64 n = 0; err; n++) {
		txn_rollback(w.txn);
		w.free_count = w.kept_free;
		w.t.root = w.kept_root;
		w.t.levels = w.kept_levels;
		cache_close(w.cache);
		assert_int_equal(cache_open(&w.env, &w.m.dev, &w.g, 0, &w.cache), 0);
		begin(&w);
		w.allocs_left = n;
		err = 0;
		for (u32 i = 0; i < w.slots && !err; i += 11)
			if (w.there[i]) {
				struct btree_key key = key_of(&w, i);

				err = btree_delete(&w.t, &key);
			}
		if (!err)
			err = txn_commit(w.txn);
		else
			failures++;
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_non_null(strstr(trail_text(), "out of memory"));
			if (failures < (u32)n + 1) /* the commit failed, and is over */
				w.txn = NULL;
			failures = (u32)n + 1;
		}
		w.allocs_left = -1;
	}
	assert_true(failures > 20);
	for (u32 i = 0; i < w.slots; i += 11)
		w.there[i] = false;
	begin(&w);
	check_all(&w);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bnobt),
	    cmocka_unit_test(cntbt),
	    cmocka_unit_test(inobt),
	    cmocka_unit_test(finobt),
	    cmocka_unit_test(rmapbt),
	    cmocka_unit_test(refcountbt),
	    cmocka_unit_test(bmbt),
	    cmocka_unit_test(queries),
	    cmocka_unit_test(rollback_restores),
	    cmocka_unit_test(writes_fail),
	    cmocka_unit_test(memory_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
