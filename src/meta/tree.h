/*
 * What all btrees share: the rules of one block, what a parent expects of its child, and the walk
 * down.
 */
#ifndef MENDFS_META_TREE_H
#define MENDFS_META_TREE_H

#include "format/btree.h"
#include "ledger/guard.h"
#include "ledger/sweep.h"

/* Level, record count, siblings, pointers, and the order of a node's keys. */
void tree_block_rules(struct verdict *v, const struct geometry *g,
		      const struct btree_schema *schema, const void *block, u32 len);
/* The same, and the order of a leaf's records by the schema; the block map looks at its own faster.
 */
void tree_rules(struct verdict *v, const struct geometry *g, const struct btree_schema *schema,
		const void *block, u32 len);

/*
 * What ref says of this block, against what the block says; raises on sweep->verdict. True when the
 * walk may go on into it: then its records mean what they say.
 */
bool tree_expect(struct sweep *sweep, const struct ref *ref, const struct btree_block *b);

/* Pushes the children of a node; their arg[] is the parent's. */
int tree_push(struct sweep *sweep, const struct ref *ref, const struct btree_block *b);

/* One AG tree's use of its blocks. */
struct tree_use {
	u64 owner; /* RMAP_OWN_* */
	/* Counters that each block adds 1 to; COUNTER_COUNT: none. */
	enum counter blocks;
	bool in_btreeblks; /* counted in agf.btreeblks, but for the root */
	int (*leaf)(struct sweep *sweep, const struct ref *ref, const struct btree_block *b);
	/* For change(): one record that has become other. */
	guard_entry_fn *changed;
};
/* post() of the AG trees: expectation, own block, counters, children or leaf(). */
int tree_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len,
	      const struct tree_use *use);
/* change() of the AG trees: own block, counters, pointers and siblings, and changed() for records.
 */
int tree_change(struct sweep *sweep, const struct txn_change *c, const struct tree_use *use);
/* Of any btree: pointers and siblings, and changed() for records. */
void tree_change_block(struct sweep *sweep, const struct txn_change *c, guard_entry_fn *changed);
/* The pointers of a node that has changed; level: of what they point to. */
struct tree_pointers {
	const u8 *keys, *ptrs;
	u32 count, level;
};
void tree_change_pointers(struct sweep *sweep, const struct meta_type *type, u32 ag,
			  const struct tree_pointers *before, const struct tree_pointers *after);
/* The root of an AG tree, as a header has it, before and after. */
void tree_change_root(struct sweep *sweep, enum meta_id id, u32 ag, const u32 root[2],
		      const u32 levels[2]);
/* A counter of the AG or the filesystem that has changed. */
void tree_change_count(struct sweep *sweep, enum counter counter, u32 ag, enum side side,
		       u64 before, u64 after);

/* Pushes the root of an AG tree that a header points to; levels as the header says. arg0 travels
 * down. */
int tree_push_root(struct sweep *sweep, enum meta_id id, u32 ag, u32 root, u32 levels, u64 arg0);

/* Record `index` covers [bno, bno + blocks): not empty, inside the AG, behind its headers. True
 * when so. */
bool tree_extent_rule(struct verdict *v, const struct geometry *g, u32 index, u32 bno, u32 blocks,
		      const struct finding_def *def);

/* The self-describing fields of the short header, for descriptors. */
#define TREE_SHORT_OFFSETS                                                     \
	.crc_offset = offsetof(struct btree_short, crc),                       \
	.uuid_offset = offsetof(struct btree_short, uuid),                     \
	.blkno_offset = offsetof(struct btree_short, blkno),                   \
	.owner_offset = offsetof(struct btree_short, owner), .owner_width = 4, \
	.lsn_offset = offsetof(struct btree_short, lsn)

u32 tree_block_size(const struct geometry *g);

/* Do the superblock's counters mean anything?  After a replay they are stale and the next mount
 * counts anew; in copies they never were true. */
static inline bool super_counts(const struct vol *vol)
{
	return !vol->replayed && !vol->super_at.v;
}

/* Posts a counter; ag NO_AG for those of the whole filesystem. */
void tree_count(struct sweep *sweep, enum counter counter, u32 ag, enum side side, s64 amount);

#endif
