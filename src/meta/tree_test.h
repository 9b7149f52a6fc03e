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

/* --- trees of two leaves, made by hand --- */

#define TREE_LEFT 5000 /* blocks of the AG for the leaves */
#define TREE_RIGHT 5001

/* A whole block of the tree at `bno`: records, or (level 1) for each record the key of it, with
 * ptrs[] to go with. */
static inline void tree_put_block(struct test_image *t, const struct geometry *g, enum meta_id id,
				  u32 ag, u32 bno, u32 left, u32 right, const void *recs, u32 count,
				  const u32 *ptrs)
{
	const struct meta_type *type = meta_types.type[id];
	const struct btree_schema *s = type->btree;
	u64 at = agblock_daddr(g, ag, bno).v;
	struct btree_short h = {.magic = be32_make((u32)type->magic),
				.level = be16_make(ptrs ? 1 : 0),
				.numrecs = be16_make((u16)count),
				.leftsib = be32_make(left),
				.rightsib = be32_make(right),
				.blkno = be64_make(at / 512),
				.owner = be32_make(ag)};
	u8 block[4096] = {0}, *body = block + sizeof(h);
	u32 stride = s->key_size * (s->overlapping ? 2 : 1);
	struct le32 crc;
	int fd = open(t->path, O_RDWR);

	memcpy(h.uuid, g->meta_uuid.b, sizeof(h.uuid));
	memcpy(block, &h, sizeof(h));
	if (!ptrs)
		memcpy(body, recs, (size_t)count * s->record_size);
	for (u32 i = 0; ptrs && i < count; i++) {
		const u8 *rec = (const u8 *)recs + (size_t)i * s->record_size;
		struct be32 ptr = be32_make(ptrs[i]);

		if (s->key_of)
			s->key_of(rec, body + i * stride, body + i * stride + s->key_size);
		else
			memcpy(body + i * stride, rec, s->key_size);
		memcpy(body + btree_max_ptrs(s, sizeof(block)) * stride + i * 4, &ptr, 4);
	}
	crc = le32_make(verify_crc(block, sizeof(block), type->crc_offset));
	memcpy(block + type->crc_offset, &crc, sizeof(crc));
	assert_int_equal(pwrite(fd, block, sizeof(block), (off_t)at), sizeof(block));
	close(fd);
}

static inline void tree_set_levels(void *block, u64 arg)
{
	memcpy((u8 *)block + (arg >> 32), &(struct be32){{0, 0, 0, (u8)arg}}, sizeof(struct be32));
}

/* The tree of AG 1 that the AGF has at `pointer`, now of two leaves with one record each; then
 * check. levels: the offset of its height in the AGF. */
static inline void tree_two_leaves(struct test_image *t, enum meta_id id, const char *pointer,
				   u32 index, u32 levels, const void *recs)
{
	static const u32 leaves[] = {TREE_LEFT, TREE_RIGHT};
	const struct meta_type *agf = meta_types.type[META_AGF];
	const u8 *second = (const u8 *)recs + meta_types.type[id]->btree->record_size;
	struct vol *vol = test_image_open(t);
	struct geometry g = vol->geo;
	u64 root;

	vol_close(vol);
	root = tree_root_of(t, META_AGF, 1, pointer, index) - agblock_daddr(&g, 1, 0).v;
	tree_put_block(t, &g, id, 1, TREE_LEFT, NULL32, TREE_RIGHT, recs, 1, NULL);
	tree_put_block(t, &g, id, 1, TREE_RIGHT, TREE_LEFT, NULL32, second, 1, NULL);
	tree_put_block(t, &g, id, 1, (u32)(root >> g.block_log), NULL32, NULL32, recs, 2, leaves);
	test_image_change(t, agf, agf->place(&g, 1).v, g.sector_size, tree_set_levels,
			  (u64)levels << 32 | 2);
	test_image_check(t);
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
