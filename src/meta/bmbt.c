/*
 * Blocks of the block map btree: schema, rules, parts. forks.c walks them for each inode.
 *
 * The rules run over a whole leaf at a time, without a call per record: files of a hundred thousand
 * extents are checked here. Whether a block lies in the realtime section only the inode knows, so
 * that extents lie inside the filesystem is checked by forks.c.
 */
#include "format/btree.h"
#include "format/inode.h"
#include "meta/findings.h"
#include "meta/forks.h"
#include "meta/inode.h"
#include "meta/rebuild.h"
#include "meta/tree.h"

#include <stdio.h>

static void bmbt_record_key(const void *record, struct btree_key *low)
{
	struct extent e;

	extent_load(record, &e);
	*low = (struct btree_key){{e.off, 0, 0}};
}

static void bmbt_key_load(const void *key, struct btree_key *low)
{
	*low = (struct btree_key){{be64_get(((const struct bmbt_key *)key)->startoff), 0, 0}};
}

static u64 bmbt_record_end(const void *record)
{
	struct extent e;

	extent_load(record, &e);
	return e.off + e.count;
}

static void bmbt_key_of(const void *record, void *low, void *high)
{
	struct btree_key key;

	(void)high;
	bmbt_record_key(record, &key);
	((struct bmbt_key *)low)->startoff = be64_make(key.w[0]);
}

static const struct btree_schema bmbt_schema = {
    .name = "bmbt",
    .long_format = true,
    .record_size = sizeof(struct bmbt_rec),
    .key_size = sizeof(struct bmbt_key),
    .ptr_size = sizeof(struct be64),
    .record_key = bmbt_record_key,
    .key_load = bmbt_key_load,
    .record_end = bmbt_record_end,
    .key_of = bmbt_key_of,
    .record_layout = &bmbt_rec_layout,
    .key_layout = &bmbt_key_layout,
};

static void name_of(char *name, size_t size, const char *part, u32 index)
{
	snprintf(name, size, "%s[%u]", part, index);
}

/* Names the first thing wrong with record i; everything behind it would only repeat it. */
static void raise_extent(struct verdict *v, const struct extent *e, u32 i, u64 after)
{
	char name[24];

	name_of(name, sizeof(name), "recs", i);
	if (!e->count)
		raise_value(v, FOUND(BMBT_EXTENT_EMPTY), name, e->off);
	else if (e->off < after)
		raise_u64(v, FOUND(BMBT_EXTENT_ORDER), name, e->off, after);
	else
		raise_u64(v, FOUND(BMBT_EXTENT_END), name, e->off + e->count, FILEOFF_END);
}

static void leaf_rules(struct verdict *v, const struct btree_block *b)
{
	const struct bmbt_rec *rec = btree_record(b, 0);
	struct extent e;
	u64 after = 0;

	for (u32 i = 0; i < b->count; i++) {
		extent_load(&rec[i], &e);
		if (!e.count || e.off < after || e.off + e.count > FILEOFF_END)
			raise_extent(v, &e, i, after);
		after = e.off + e.count;
	}
}

static void bmbt_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	struct btree_block b = btree_block_of(&bmbt_schema, block, len);

	tree_block_rules(v, g, &bmbt_schema, block, len);
	/* The root is in the inode, so that no block may be empty. */
	if (!b.count)
		raise_text(v, FOUND(TREE_EMPTY), "numrecs", NULL, NULL);
	if (!b.level)
		leaf_rules(v, &b);
}

static void bmbt_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink)
{
	(void)g;
	btree_parts(&bmbt_schema, block, len, sink);
}

static u32 bmbt_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_bmbt = {
    .id = META_BMBT,
    .name = "bmbt",
    .title = "block map btree block",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = BMBT_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct btree_long, crc),
    .size = bmbt_size,
    .layout = &btree_long_layout,
    .parts = bmbt_parts,
    .rules = bmbt_rules,
    .post_inode = forks_post,
    .rebuild = inode_rebuild,
    .change = forks_change_block,
    .btree = &bmbt_schema,
    .uuid_offset = offsetof(struct btree_long, uuid),
    .blkno_offset = offsetof(struct btree_long, blkno),
    .owner_offset = offsetof(struct btree_long, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct btree_long, lsn),
    .needs_check = 1ull << META_INODE,
    .needs_rebuild = 1ull << META_INODE,
    .items = SCRUB_BIT(BMBTD) | SCRUB_BIT(BMBTA),
    .in_inode = inode_has_map,
    .rebuilt_from = "the reverse map",
    .else_from = "what can be read of the map itself",
    .kernel_scrub = "xchk_bmap",
};
