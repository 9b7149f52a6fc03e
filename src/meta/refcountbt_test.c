/* The refcountbt: wrong headers and records have their findings, and noise stays inside the block.
 */
#include "meta/tree_test.h"

#include "fs/refcount.h"

#include <errno.h>

static void records(void **state)
{
	static const struct tree_damage own[] = {
	    {4, 0x00000001, FINDING_ID_REFCOUNT_EXTENT},
	};

	(void)state;
	test_tree(META_REFCOUNTBT, META_AGF, 1, "refcount_root", 0, own, ARRAY_COUNT(own));
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_REFCOUNTBT, 2000);
}

/* --- a tree whose keys lie --- */

#define LEFT 5000 /* blocks of AG 1 for its leaves */
#define RIGHT 5001

static void put_block(struct test_image *t, const struct geometry *g, u32 bno, u32 level, u32 left,
		      u32 right, const struct refcount_rec *recs, u32 count)
{
	const struct meta_type *type = meta_types.type[META_REFCOUNTBT];
	u64 at = agblock_daddr(g, 1, bno).v;
	struct btree_short h = {.magic = be32_make(REFCOUNTBT_MAGIC),
				.level = be16_make((u16)level),
				.numrecs = be16_make((u16)count),
				.leftsib = be32_make(left),
				.rightsib = be32_make(right),
				.blkno = be64_make(at / 512),
				.owner = be32_make(1)};
	u8 block[4096] = {0};
	struct le32 crc;
	int fd = open(t->path, O_RDWR);

	memcpy(h.uuid, g->meta_uuid.b, sizeof(h.uuid));
	memcpy(block, &h, sizeof(h));
	memcpy(block + sizeof(h), recs, count * sizeof(*recs));
	if (level) { /* keys are the starts, pointers their blocks */
		struct btree_block b = btree_block_of(type->btree, block, sizeof(block));

		for (u32 i = 0; i < count; i++) {
			struct be32 ptr = recs[i].blockcount;
			u8 *ptrs = block + sizeof(h) +
				   btree_max_ptrs(type->btree, b.len) * sizeof(struct be32);

			memcpy(block + sizeof(h) + i * 4, &recs[i].startblock, 4);
			memcpy(ptrs + i * 4, &ptr, 4);
		}
	}
	crc = le32_make(verify_crc(block, sizeof(block), type->crc_offset));
	memcpy(block + type->crc_offset, &crc, sizeof(crc));
	assert_int_equal(pwrite(fd, block, sizeof(block), (off_t)at), sizeof(block));
	close(fd);
}

static void two_levels(void *block, u64 arg)
{
	(void)arg;
	((struct agf *)block)->refcount_level = be32_make(2);
}

static struct refcount_rec record(u32 start, u32 blocks, u32 count)
{
	return (struct refcount_rec){be32_make(start), be32_make(blocks), be32_make(count)};
}

/* A key says that the second leaf begins at 1000. It begins with an extent that ends where the
 * question begins: taken for an answer, whoever asks would go on at the same place for ever. */
static void lying_keys(void **state)
{
	const struct refcount_rec left[] = {record(20, 5, 2)};
	const struct refcount_rec right[] = {record(50, 50, 2)};
	const struct refcount_rec nodes[] = {record(20, LEFT, 0), record(1000, RIGHT, 0)};
	const struct meta_type *agf = meta_types.type[META_AGF];
	struct refcount_hint hint = {0};
	struct refcount_record r;
	struct test_image t;
	struct geometry g;
	struct vol *vol;

	(void)state;
	test_image_make(&t, "-m rmapbt=1,reflink=1");
	vol = test_image_open(&t);
	g = vol->geo;
	vol_close(vol);
	put_block(&t, &g, LEFT, 0, NULL32, RIGHT, left, 1);
	put_block(&t, &g, RIGHT, 0, LEFT, NULL32, right, 1);
	put_block(
	    &t, &g,
	    (u32)(tree_root_of(&t, META_AGF, 1, "refcount_root", 0) - agblock_daddr(&g, 1, 0).v) >>
		g.block_log,
	    1, NULL32, NULL32, nodes, 2);
	test_image_change(&t, agf, agf->place(&g, 1).v, g.sector_size, two_levels, 0);
	test_image_check(&t);
	assert_true(t.seen[FINDING_ID_TREE_LOW_KEY]);
	vol = test_image_open(&t);
	assert_int_equal(refcount_next(vol, &hint, 1, 22, &r), 0);
	assert_int_equal(r.start, 20);
	assert_int_equal(refcount_next(vol, &hint, 1, 100, &r), -EUCLEAN);
	assert_int_equal(r.blocks, 0);
	refcount_hint_drop(vol, &hint);
	vol_close(vol);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(noise),
					   cmocka_unit_test(lying_keys)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
