/* What the inode trees share; see inobt_common.h. */
#include "meta/inobt_common.h"

#include <stdio.h>

static void record_key(const void *record, struct btree_key *key)
{
	const struct inobt_rec *r = record;

	*key = (struct btree_key){{be32_get(r->startino), 0, 0}};
}

static void key_load(const void *at, struct btree_key *key)
{
	const struct inobt_key *k = at;

	*key = (struct btree_key){{be32_get(k->startino), 0, 0}};
}

static u64 record_end(const void *record)
{
	const struct inobt_rec *r = record;

	return (u64)be32_get(r->startino) + CHUNK_INODES;
}

#define SCHEMA(tree)                                                                           \
	{                                                                                      \
		.name = (tree), .record_size = sizeof(struct inobt_rec),                       \
		.key_size = sizeof(struct inobt_key), .ptr_size = 4, .record_key = record_key, \
		.key_load = key_load, .record_end = record_end,                                \
		.record_layout = &inobt_rec_layout, .key_layout = &inobt_key_layout,           \
	}
const struct btree_schema inobt_schema = SCHEMA("inobt");
const struct btree_schema finobt_schema = SCHEMA("finobt");

void inode_record_load(const struct geometry *g, const void *record, struct inode_record *out)
{
	const struct inobt_rec *r = record;

	*out = (struct inode_record){
	    .startino = be32_get(r->startino),
	    .count = CHUNK_INODES,
	    .free = be64_get(r->free),
	    .freecount = r->freecount,
	};
	if (!geometry_has(g, FEATURE_SPARSE)) {
		out->freecount |= (u32)be16_get(r->holemask) << 16 | (u32)r->count << 8;
		return;
	}
	out->count = r->count;
	out->holemask = be16_get(r->holemask);
	for (u32 i = 0; out->holemask >> i; i++)
		if (out->holemask >> i & 1)
			out->holes |= 0xfull << i * HOLEMASK_INODES;
}

/* The first inode of a chunk lies on this boundary. */
static u32 chunk_alignment(const struct geometry *g)
{
	u32 align = g->inode_align ? g->inode_align << g->inopb_log : 1u << g->inopb_log;

	if (geometry_has(g, FEATURE_SPARSE) && g->spino_align)
		align = g->spino_align << g->inopb_log;
	return align < CHUNK_INODES ? align : CHUNK_INODES;
}

/* Most chunks are without holes, and without free inodes or new. */
static u32 ones(u64 bits)
{
	return !bits ? 0 : bits == NULL64 ? 64 : (u32)__builtin_popcountll(bits);
}

static void check_record(struct verdict *v, const struct geometry *g, u32 index,
			 const struct inode_record *r)
{
	u32 holes = ones(r->holes), free = ones(r->free & ~r->holes);
	u32 first = r->startino, last = r->startino + CHUNK_INODES - 1;
	char field[FIELD_INDEX_TEXT];

	if (r->startino % chunk_alignment(g))
		raise_u64(v, FOUND(INOBT_ALIGN), field_index(field, "recs", index), r->startino,
			  chunk_alignment(g));
	/* A sparse chunk may reach over the end of the AG, or into its headers, with its holes
	 * only. */
	while (last > r->startino && r->holes >> (last - r->startino) & 1)
		last--;
	while (first < last && r->holes >> (first - r->startino) & 1)
		first++;
	if (last < r->startino || !agino_valid(g, v->where.ag, last) ||
	    !agino_valid(g, v->where.ag, first))
		raise_value(v, FOUND(INOBT_RANGE), field_index(field, "recs", index), r->startino);
	if (r->count != CHUNK_INODES - holes)
		raise_u64(v, FOUND(INOBT_HOLES), field_index(field, "recs", index), r->count,
			  CHUNK_INODES - holes);
	if (r->freecount != free)
		raise_u64(v, FOUND(INOBT_FREECOUNT), field_index(field, "recs", index),
			  r->freecount, free);
	if (r->holes & ~r->free)
		raise_hex(v, FOUND(INOBT_HOLE_USED), field_index(field, "recs", index), r->free,
			  r->free | r->holes);
}

void inobt_rules(struct verdict *v, const struct geometry *g, const struct btree_schema *schema,
		 const void *block, u32 len)
{
	struct btree_block b = btree_block_of(schema, block, len);
	struct inode_record r;

	tree_rules(v, g, schema, block, len);
	for (u32 i = 0; !b.level && i < b.count; i++) {
		inode_record_load(g, btree_record(&b, i), &r);
		check_record(v, g, i, &r);
	}
}

struct fact free_inode_fact(u32 ag, const struct inode_record *r)
{
	return (struct fact){{ag, r->startino, r->free,
			      (u64)r->holemask << 32 | (u64)r->count << 16 | r->freecount}};
}
