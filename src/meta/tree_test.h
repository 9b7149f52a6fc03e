/*
 * What the tests of the AG trees share: words of the root block of one AG's tree, damaged one at a
 * time, and the finding that each must have.
 */
#ifndef MENDFS_META_TREE_TEST_H
#define MENDFS_META_TREE_TEST_H

#include "meta/type_test.h"

struct tree_damage {
	u32 offset; /* within the block */
	u32 value;  /* of the be32 there */
	enum finding_id expected;
};

#define TREE_RECORDS ((u32)sizeof(struct btree_short)) /* where they begin */

/* What every tree of short blocks must notice about its header. */
static const struct tree_damage tree_header_damages[] = {
    {0, 0x41424142, FINDING_ID_BLOCK_MAGIC}, {8, 5, FINDING_ID_TREE_CHAIN},
    {12, 4000000, FINDING_ID_TREE_SIBLING},  {4, 0x00010001, FINDING_ID_TREE_EXPECT_LEVEL},
    {20, 77, FINDING_ID_BLOCK_BLKNO},	     {48, 3, FINDING_ID_BLOCK_OWNER},
};

static inline void tree_set_word(void *block, u64 arg)
{
	struct be32 value = be32_make((u32)arg);

	memcpy((u8 *)block + (arg >> 32), &value, sizeof(value));
}

/* Where the root is that `pointer` (of the header type `header`, element `index`) leads to. */
static inline u64 tree_root_of(struct test_image *t, enum meta_id header, u32 ag,
			       const char *pointer, u32 index)
{
	const struct meta_type *type = meta_types.type[header];
	struct vol *vol = test_image_open(t);
	u8 sector[512];
	u64 at;

	assert_int_equal(device_read(vol->data, type->place(&vol->geo, ag), sector, 512), 0);
	at = agblock_daddr(&vol->geo, ag,
			   (u32)field_get(layout_field(type->layout, pointer), sector, index))
		 .v;
	vol_close(vol);
	return at;
}

static inline void tree_damage_one(struct test_image *t, enum meta_id id, u64 at,
				   const struct tree_damage *d)
{
	u8 saved[4096];
	int fd = open(t->path, O_RDWR);

	assert_int_equal(pread(fd, saved, sizeof(saved), (off_t)at), sizeof(saved));
	test_image_change(t, meta_types.type[id], at, sizeof(saved), tree_set_word,
			  (u64)d->offset << 32 | d->value);
	test_image_check(t);
	if (!t->seen[d->expected])
		print_error("offset %u = %u: %s not found, but %s\n", d->offset, d->value,
			    finding_defs[d->expected].id, t->first);
	assert_true(t->seen[d->expected]);
	assert_int_equal(pwrite(fd, saved, sizeof(saved), (off_t)at), sizeof(saved));
	close(fd);
}

/* The common header damages and the tree's own, on an image with every AG tree; none is left
 * behind. */
static inline void test_tree(enum meta_id id, enum meta_id header, u32 ag, const char *pointer,
			     u32 index, const struct tree_damage *own, size_t count)
{
	struct test_image t;
	u64 at;

	test_image_make(&t, "-m rmapbt=1,reflink=1");
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	at = tree_root_of(&t, header, ag, pointer, index);
	for (size_t i = 0; i < ARRAY_COUNT(tree_header_damages); i++)
		tree_damage_one(&t, id, at, &tree_header_damages[i]);
	for (size_t i = 0; i < count; i++)
		tree_damage_one(&t, id, at, &own[i]);
	test_image_check(&t);
	assert_int_equal(t.total, 0);
	test_image_drop(&t);
}

#endif
