/* Transactions: nothing is seen before the commit, two claims to one place are refused, and so is a
 * change that the type's own rules refuse. */
#include "base/test.h"
#include <errno.h>

#include "format/verify.h"
#include "host/host.h"
#include "log/txn.h"
#include "meta/findings.h"

#define BLOCK 1024
#define BLOCKS 64

struct memory_device {
	struct device dev;
	u8 bytes[BLOCKS * BLOCK];
};

static int memory_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	memcpy(to, ((struct memory_device *)dev)->bytes + at.v, size);
	return 0;
}

static int memory_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	memcpy(((struct memory_device *)dev)->bytes + at.v, from, size);
	return 0;
}

/* Byte 8 must not be 13. */
static void test_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	(void)g;
	(void)len;
	if (((const u8 *)block)[8] == 13)
		raise_value(v, FOUND(AGF_LENGTH), "unlucky", 13);
}

static const struct meta_type one = {.name = "one", .crc_offset = 4, .rules = test_rules};
static const struct meta_type other = {.name = "other", .crc_offset = CRC_NONE};

struct world {
	struct env env;
	struct geometry g;
	struct memory_device m;
	struct cache *cache;
	struct txn *txn;
};
static struct world world;

static struct where where_of(u64 block)
{
	return (struct where){
	    .type = "one", .ag = 0, .ino = NO_INO, .daddr = block * BLOCK, .owner = NO_OWNER};
}

static struct world *open_world(void)
{
	struct world *w = &world;

	memset(w, 0, sizeof(*w));
	host_env_init(&w->env, 1);
	w->m.dev =
	    (struct device){.size = sizeof(w->m.bytes), .read = memory_read, .write = memory_write};
	for (u32 i = 0; i < BLOCKS; i++) {
		u8 *block = w->m.bytes + i * BLOCK;
		struct le32 crc;

		memset(block, (int)i + 100, BLOCK);
		crc = le32_make(verify_crc(block, BLOCK, 4));
		memcpy(block + 4, &crc, sizeof(crc));
	}
	assert_int_equal(cache_open(&w->env, &w->m.dev, &w->g, 0, &w->cache), 0);
	return w;
}

static int get(struct world *w, const struct meta_type *type, u64 block, u32 size,
	       struct txn_buf **out)
{
	struct where where = where_of(block);

	return txn_get(w->txn, type, &where, daddr_of(block * BLOCK), size, out);
}

static void begin(struct world *w)
{
	assert_int_equal(txn_begin(&w->env, w->cache, &w->m.dev, &w->g, &w->txn), 0);
}

static u8 cached_byte(struct world *w, u64 block, u32 index)
{
	struct buf *buf;
	u8 byte;

	assert_int_equal(cache_get_raw(w->cache, daddr_of(block * BLOCK), BLOCK, &buf), 0);
	byte = buf->data[index];
	cache_put(w->cache, buf);
	return byte;
}

static void commit_shows(void **state)
{
	struct world *w = open_world();
	struct txn_buf *buf, *again;

	(void)state;
	begin(w);
	assert_int_equal(get(w, &one, 3, BLOCK, &buf), 0);
	txn_dirty(w->txn, buf);
	buf->data[8] = 7;
	assert_int_equal(get(w, &one, 3, BLOCK, &again), 0);
	assert_ptr_equal(buf, again);
	assert_int_equal(cached_byte(w, 3, 8), 103);
	assert_int_equal(txn_commit(w->txn), 0);
	assert_int_equal(cached_byte(w, 3, 8), 7);
	/* with its checksum, so that it can be read again */
	begin(w);
	assert_int_equal(get(w, &one, 3, BLOCK, &buf), 0);
	txn_dirty(w->txn, buf);
	buf->data[8] = 9;
	txn_rollback(w->txn);
	assert_int_equal(cached_byte(w, 3, 8), 7);
	assert_int_equal(w->m.bytes[3 * BLOCK + 8], 7);
	cache_close(w->cache);
}

static void rules_guard(void **state)
{
	struct world *w = open_world();
	struct txn_buf *good, *bad;

	(void)state;
	begin(w);
	assert_int_equal(get(w, &one, 3, BLOCK, &good), 0);
	assert_int_equal(get(w, &one, 4, BLOCK, &bad), 0);
	txn_dirty(w->txn, good);
	txn_dirty(w->txn, bad);
	good->data[8] = 1;
	bad->data[8] = 13;
	assert_int_equal(txn_commit(w->txn), -EUCLEAN);
	assert_non_null(strstr(trail_text(), "not committed"));
	assert_int_equal(cached_byte(w, 3, 8), 103);
	cache_close(w->cache);
}

static void claims_collide(void **state)
{
	const struct where where = where_of(5);
	struct world *w = open_world();
	struct txn_buf *buf, *half;

	(void)state;
	begin(w);
	assert_int_equal(get(w, &one, 5, BLOCK, &buf), 0);
	assert_int_equal(get(w, &other, 5, BLOCK, &buf), -EUCLEAN);
	assert_int_equal(txn_new(w->txn, &other, &where, daddr_of(5 * BLOCK), BLOCK, &buf),
			 -EUCLEAN);
	/* a freed place can be used anew */
	assert_int_equal(get(w, &one, 5, BLOCK, &buf), 0);
	txn_drop(w->txn, buf);
	assert_int_equal(txn_new(w->txn, &other, &where, daddr_of(5 * BLOCK), BLOCK, &buf), 0);
	/* places that overlap without beginning together are found at the end */
	assert_int_equal(txn_new(w->txn, &other, &where, daddr_of(5 * BLOCK + 512), 512, &half), 0);
	assert_int_equal(txn_commit(w->txn), -EUCLEAN);
	assert_int_equal(cached_byte(w, 5, 600), 105);
	cache_close(w->cache);
}

/* Two structures of one transaction may have a place one after the other. */
static void freed_is_dropped(void **state)
{
	const struct where where = where_of(5);
	struct world *w = open_world();
	struct txn_buf *first, *buf;

	(void)state;
	begin(w);
	assert_int_equal(get(w, &one, 5, BLOCK, &first), 0);
	txn_dirty(w->txn, first);
	first->data[8] = 13; /* would not be committed */
	assert_int_equal(txn_freed(w->txn, daddr_of(4 * BLOCK), 2 * BLOCK, false), 0);
	txn_drop(w->txn, first);
	assert_int_equal(txn_new(w->txn, &other, &where, daddr_of(5 * BLOCK), BLOCK, &buf), 0);
	assert_int_equal(txn_freed(w->txn, daddr_of(0), 64 * BLOCK, false), 0);
	assert_int_equal(txn_new(w->txn, &one, &where, daddr_of(5 * BLOCK), BLOCK, &buf), 0);
	assert_int_equal(txn_commit(w->txn), 0);
	cache_close(w->cache);
}

static void size_is_bounded(void **state)
{
	static const struct where where = {.type = "other", .owner = NO_OWNER};
	struct world *w = open_world();
	struct txn_buf *buf;
	int err = 0;
	u64 at = 0;

	(void)state;
	begin(w);
	while (!err && at < 2ull * TXN_MEMORY_MAX) {
		err = txn_new(w->txn, &other, &where, daddr_of(at), 1 << 20, &buf);
		at += 1 << 20;
	}
	assert_int_equal(err, -EFBIG);
	txn_rollback(w->txn);
	cache_close(w->cache);
}

static const struct meta_type crowd = {.name = "crowd", .crc_offset = CRC_NONE};
static const struct meta_type member = {.name = "member", .crc_offset = 4, .rules = test_rules};

/* What the transaction has changed is seen through its view, and by nobody else. */
static void view_shows_own(void **state)
{
	const struct where where = where_of(6);
	struct world *w = open_world();
	struct txn_buf *buf;
	struct buf *seen;

	(void)state;
	begin(w);
	assert_int_equal(get(w, &one, 6, BLOCK, &buf), 0);
	txn_dirty(w->txn, buf);
	buf->data[8] = 50;
	assert_int_equal(cache_get(txn_view(w->txn), &one, &where, buf->at, BLOCK, &seen), 0);
	buf->data[9] = 51;
	assert_int_equal(seen->data[8], 50);
	assert_int_equal(seen->data[9], 51);
	cache_put(txn_view(w->txn), seen);
	assert_int_equal(cached_byte(w, 6, 8), 106);
	/* what it has not, comes from the cache, and another type is refused */
	assert_int_equal(
	    cache_get(txn_view(w->txn), &one, &where, daddr_of(7 * BLOCK), BLOCK, &seen), 0);
	assert_int_equal(seen->data[8], 107);
	cache_put(txn_view(w->txn), seen);
	assert_int_equal(cache_get(txn_view(w->txn), &other, &where, buf->at, BLOCK, &seen),
			 -EUCLEAN);
	txn_rollback(w->txn);
	cache_close(w->cache);
}

/* Parts are sealed and judged one by one; the whole is written. */
static void parts_are_sealed(void **state)
{
	struct where where = where_of(2);
	struct world *w = open_world();
	struct txn_buf *whole, *part, *again;
	u32 crc;

	(void)state;
	begin(w);
	assert_int_equal(txn_get_whole(w->txn, &crowd, &where, daddr_of(2 * BLOCK), BLOCK, &whole),
			 0);
	assert_int_equal(txn_part(w->txn, whole, &member, &where, 256, 256, &part), 0);
	assert_int_equal(txn_part(w->txn, whole, &member, &where, 256, 256, &again), 0);
	assert_ptr_equal(part, again);
	txn_dirty(w->txn, part);
	part->data[8] = 1;
	assert_int_equal(txn_commit(w->txn), 0);
	crc = verify_crc(w->m.bytes + 2 * BLOCK + 256, 256, 4);
	assert_memory_equal(w->m.bytes + 2 * BLOCK + 260, &crc, 4);
	assert_int_equal(w->m.bytes[2 * BLOCK + 264], 1);
	assert_int_equal(w->m.bytes[2 * BLOCK + 512 + 8], 102);
	begin(w);
	assert_int_equal(txn_get_whole(w->txn, &crowd, &where, daddr_of(2 * BLOCK), BLOCK, &whole),
			 0);
	assert_int_equal(txn_part(w->txn, whole, &member, &where, 256, 256, &part), 0);
	txn_dirty(w->txn, part);
	part->data[8] = 13;
	assert_int_equal(txn_commit(w->txn), -EUCLEAN);
	assert_int_equal(w->m.bytes[2 * BLOCK + 264], 1);
	cache_close(w->cache);
}

/* An object of two ranges is written to both. */
static void ranges_are_written(void **state)
{
	static const struct cache_range range[] = {{{10 * BLOCK}, BLOCK}, {{20 * BLOCK}, BLOCK}};
	const struct where where = where_of(10);
	struct world *w = open_world();
	struct txn_buf *buf;

	(void)state;
	begin(w);
	assert_int_equal(txn_new_ranges(w->txn, &other, &where, range, 2, &buf), 0);
	assert_int_equal(buf->size, 2 * BLOCK);
	memset(buf->data, 1, BLOCK);
	memset(buf->data + BLOCK, 2, BLOCK);
	assert_int_equal(txn_commit(w->txn), 0);
	assert_int_equal(w->m.bytes[10 * BLOCK + 77], 1);
	assert_int_equal(w->m.bytes[11 * BLOCK], 111);
	assert_int_equal(w->m.bytes[20 * BLOCK + 77], 2);
	cache_close(w->cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commit_shows),	cmocka_unit_test(rules_guard),
	    cmocka_unit_test(claims_collide),	cmocka_unit_test(freed_is_dropped),
	    cmocka_unit_test(size_is_bounded),	cmocka_unit_test(view_shows_own),
	    cmocka_unit_test(parts_are_sealed), cmocka_unit_test(ranges_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
