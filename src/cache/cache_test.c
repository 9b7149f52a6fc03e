/* The cache: reads once, verifies by descriptor and owner, stays within its memory. */
#include "base/test.h"
#include <errno.h>

#include "cache/cache.h"
#include "format/verify.h"
#include "host/host.h"

#define BLOCK 4096

/* A device whose block n is all bytes n, with a valid "test" header where asked. */
struct memory_device {
	struct device dev;
	u8 bytes[64 * BLOCK];
	u32 reads;
};

static int memory_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	struct memory_device *m = (struct memory_device *)dev;

	m->reads++;
	memcpy(to, m->bytes + at.v, size);
	return 0;
}

/* magic at 0, crc at 4, owner at 8 */
static const struct meta_type test_type = {
    .name = "test",
    .magic = 0x54455354,
    .magic_width = 4,
    .crc_offset = 4,
    .owner_offset = 8,
    .owner_width = 4,
};

static void stamp(struct memory_device *m, u32 block, u32 owner)
{
	u8 *b = m->bytes + block * BLOCK;
	struct be32 magic = be32_make(0x54455354), own = be32_make(owner);
	struct le32 crc;

	memcpy(b, magic.b, 4);
	memcpy(b + 8, own.b, 4);
	crc = le32_make(verify_crc(b, BLOCK, 4));
	memcpy(b + 4, crc.b, 4);
}

struct fixture {
	struct env env;
	struct memory_device *m;
	struct geometry g;
	struct cache *cache;
};

static void open_fixture(struct fixture *f, size_t memory)
{
	host_env_init(&f->env, 1);
	f->m = env_alloc(&f->env, sizeof(*f->m));
	f->m->dev.read = memory_read;
	f->m->dev.size = sizeof(f->m->bytes);
	memset(&f->g, 0, sizeof(f->g));
	for (u32 i = 0; i < 64; i++)
		memset(f->m->bytes + i * BLOCK, (int)i, BLOCK);
	assert_int_equal(cache_open(&f->env, &f->m->dev, &f->g, memory, &f->cache), 0);
}

static void close_fixture(struct fixture *f)
{
	cache_close(f->cache);
	env_free(&f->env, f->m);
}

static void reads_once(void **state)
{
	struct fixture f;
	struct buf *a, *b;

	(void)state;
	open_fixture(&f, 0);
	assert_int_equal(cache_get_raw(f.cache, daddr_of(5 * BLOCK), BLOCK, &a), 0);
	assert_int_equal(cache_get_raw(f.cache, daddr_of(5 * BLOCK), BLOCK, &b), 0);
	assert_ptr_equal(a, b);
	assert_int_equal(a->data[17], 5);
	assert_int_equal(f.m->reads, 1);
	cache_put(f.cache, a);
	cache_put(f.cache, b);
	close_fixture(&f);
}

static void ranges_are_joined(void **state)
{
	const struct cache_range ranges[] = {{daddr_of(9 * BLOCK), BLOCK},
					     {daddr_of(3 * BLOCK), BLOCK}};
	struct fixture f;
	struct buf *a;

	(void)state;
	open_fixture(&f, 0);
	assert_int_equal(cache_get_ranges(f.cache, NULL, NULL, ranges, 2, &a), 0);
	assert_int_equal(a->size, 2 * BLOCK);
	assert_int_equal(a->data[0], 9);
	assert_int_equal(a->data[BLOCK], 3);
	cache_put(f.cache, a);
	close_fixture(&f);
}

static void verifies(void **state)
{
	struct where where = {
	    .type = "test", .ag = NO_AG, .ino = NO_INO, .daddr = 2 * BLOCK, .owner = 7};
	struct fixture f;
	struct buf *a;

	(void)state;
	open_fixture(&f, 0);
	stamp(f.m, 2, 7);
	assert_int_equal(cache_get(f.cache, &test_type, &where, daddr_of(2 * BLOCK), BLOCK, &a), 0);
	cache_put(f.cache, a);
	where.owner = 8;
	assert_int_equal(cache_get(f.cache, &test_type, &where, daddr_of(2 * BLOCK), BLOCK, &a),
			 -EUCLEAN);
	assert_non_null(strstr(trail_text(), "BLOCK_OWNER"));
	stamp(f.m, 4, 7);
	f.m->bytes[4 * BLOCK + 100] ^= 1;
	where.owner = 7;
	assert_int_equal(cache_get(f.cache, &test_type, &where, daddr_of(4 * BLOCK), BLOCK, &a),
			 -EBADMSG);
	assert_null(a);
	close_fixture(&f);
}

static void memory_is_bounded(void **state)
{
	struct cache_stats stats;
	struct fixture f;
	struct buf *a;

	(void)state;
	open_fixture(&f, BLOCK);
	for (u32 i = 0; i < 64; i++) {
		assert_int_equal(cache_get_raw(f.cache, daddr_of(i * BLOCK), BLOCK, &a), 0);
		cache_put(f.cache, a);
	}
	assert_int_equal(cache_get_raw(f.cache, daddr_of(0), BLOCK, &a), 0);
	cache_put(f.cache, a);
	cache_stats(f.cache, &stats);
	assert_int_equal(stats.reads, 65); /* block 0 had gone */
	assert_int_equal(stats.bytes, 65 * BLOCK);
	close_fixture(&f);
}

/* Who holds the old content keeps it; the next reader gets the new. */
static void forgets(void **state)
{
	const struct cache_range pieces[] = {{daddr_of(9 * BLOCK), BLOCK},
					     {daddr_of(3 * BLOCK), BLOCK}};
	const struct cache_range changed = {daddr_of(5 * BLOCK + 512), 16};
	struct buf *before, *after, *other, *far;
	struct fixture f;

	(void)state;
	open_fixture(&f, 0);
	assert_int_equal(cache_get_raw(f.cache, daddr_of(5 * BLOCK), BLOCK, &before), 0);
	assert_int_equal(cache_get_raw(f.cache, daddr_of(6 * BLOCK), BLOCK, &other), 0);
	assert_int_equal(cache_get_ranges(f.cache, NULL, NULL, pieces, 2, &far), 0);
	cache_put(f.cache, far);
	memset(f.m->bytes + changed.at.v, 77, changed.size);
	cache_forget(f.cache, &changed, 1);
	assert_int_equal(f.m->reads, 4);
	assert_int_equal(cache_get_raw(f.cache, daddr_of(5 * BLOCK), BLOCK, &after), 0);
	assert_int_equal(f.m->reads, 5);
	assert_int_equal(before->data[512], 5);
	assert_int_equal(after->data[512], 77);
	cache_put(f.cache, before);
	cache_put(f.cache, after);
	cache_put(f.cache, other);
	assert_int_equal(cache_get_raw(f.cache, daddr_of(6 * BLOCK), BLOCK, &other), 0);
	assert_int_equal(f.m->reads, 5);
	cache_put(f.cache, other);
	/* what is made of pieces is read again, wherever they lie */
	assert_int_equal(cache_get_ranges(f.cache, NULL, NULL, pieces, 2, &far), 0);
	assert_int_equal(f.m->reads, 7);
	/* all of it, held or not */
	memset(f.m->bytes, 78, sizeof(f.m->bytes));
	cache_forget(f.cache, NULL, 0);
	assert_int_equal(cache_get_raw(f.cache, daddr_of(6 * BLOCK), BLOCK, &other), 0);
	assert_int_equal(cache_get_ranges(f.cache, NULL, NULL, pieces, 2, &after), 0);
	assert_int_equal(f.m->reads, 10);
	assert_int_equal(far->data[0], 9);
	assert_int_equal(other->data[0], 78);
	assert_int_equal(after->data[0], 78);
	cache_put(f.cache, far);
	cache_put(f.cache, other);
	cache_put(f.cache, after);
	close_fixture(&f);
}

/* What others have asked for outlives a sweep through much more than there is memory for, also
 * where the sweep has read it first. */
static void done_makes_room(void **state)
{
	struct daddr mine = daddr_of(7 * BLOCK), shared = daddr_of(40 * BLOCK);
	struct fixture f;
	struct buf *a, *b;

	(void)state;
	open_fixture(&f, (size_t)16 * 2 * BLOCK);
	assert_int_equal(cache_get_raw(f.cache, mine, BLOCK, &a), 0);
	cache_put(f.cache, a);
	for (u32 i = 0; i < 64; i++) {
		struct daddr at = daddr_of((u64)i * BLOCK);

		assert_int_equal(cache_get_raw(f.cache, at, BLOCK, &a), 0);
		assert_int_equal(a->data[5], i);
		if (at.v == shared.v) {
			assert_int_equal(cache_get_raw(f.cache, at, BLOCK, &b), 0);
			cache_put(f.cache, b);
		}
		cache_done(f.cache, a);
	}
	assert_int_equal(f.m->reads, 64);
	assert_int_equal(cache_get_raw(f.cache, mine, BLOCK, &a), 0);
	assert_int_equal(cache_get_raw(f.cache, shared, BLOCK, &b), 0);
	assert_int_equal(f.m->reads, 64);
	assert_int_equal(a->data[0], 7);
	assert_int_equal(b->data[0], 40);
	cache_put(f.cache, a);
	cache_put(f.cache, b);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_once), cmocka_unit_test(ranges_are_joined),
	    cmocka_unit_test(verifies),	  cmocka_unit_test(memory_is_bounded),
	    cmocka_unit_test(forgets),	  cmocka_unit_test(done_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
