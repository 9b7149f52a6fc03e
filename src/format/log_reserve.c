/*
 * How small a log may be; see log_reserve.h.
 *
 * Each function below is the worst case of one kind of transaction: how many inodes, header sectors
 * and blocks it may log.  Kinds that can never be the largest are left out.  Nothing fails: sizes
 * and features only.
 */
#include "format/log_reserve.h"

#include "format/btree.h"
#include "format/inode.h"
#include "format/levels.h"
#include "format/log.h"

/* Around each logged buffer: an operation header and a buffer item, in chunks of 128 bytes. */
#define BUFFER_OVERHEAD 128
/* Around each logged inode: four operation headers and an inode item. */
#define INODE_OVERHEAD (4 * 12 + 56)
#define QUOTA_BYTES 768	  /* of the dquots that most transactions change, too */
#define RMAP_LEVELS_OLD 9 /* what kernels once took for every AG with reflink */
#define HASH_DEPTH 5	  /* of the hash tree of a directory or of attributes */
#define LINK_TARGET_BYTES 1024
/* Parent pointers: intents of the names that change, and the steps that they add. */
#define PARENT_BYTES 308
#define PARENT_RENAME_BYTES 1192
#define PARENT_STEPS 3
#define STEPS_OLD_REFLINK 8
/* A transaction may take half of the log at most; the rest is room to write it back. */
#define LOG_FACTOR 3
#define LOG_WRITER_BYTES (256u * 1024) /* that the log writes at a time */
#define EXTENT_BLOCKS_MAX EXTENT_COUNT_MAX

struct sums {
	const struct geometry *g;
	struct tree_levels levels;
	bool old; /* the sums of the kernels before parent pointers */
};

static struct tree_levels levels_of(const struct geometry *g, bool old)
{
	struct tree_levels l = tree_levels_max(g);

	if (old && l.rmap && l.refcount)
		l.rmap = RMAP_LEVELS_OLD;
	return l;
}

static u64 buffers(u64 count, u64 size)
{
	return count * (size + BUFFER_OVERHEAD);
}
static u64 blocks(const struct sums *s, u64 count)
{
	return buffers(count, s->g->block_size);
}
static u64 sectors(const struct sums *s, u64 count)
{
	return buffers(count, s->g->sector_size);
}
static u64 inodes(const struct sums *s, u64 count)
{
	return count * (INODE_OVERHEAD + s->g->inode_size + 2 * sizeof(struct btree_long));
}
/* Blocks of the free space trees and the reverse map that `changes` of space may split. */
static u64 space_blocks(const struct sums *s, u64 changes)
{
	u64 count = changes * 2 * (2 * s->levels.alloc - 1);

	if (s->levels.rmap)
		count += changes * (2 * s->levels.rmap - 1);
	return count;
}
static u64 refcount_blocks(const struct sums *s, u64 changes)
{
	return s->levels.refcount ? changes * (2 * s->levels.refcount - 1) : 0;
}
/* Bitmap and summary, where a longest extent changes. */
static u64 realtime_blocks(const struct sums *s, u64 changes)
{
	u64 extents = EXTENT_BLOCKS_MAX / max_u64(s->g->rt_extent_size, 1);

	return changes * (div_up_u64(extents, s->g->block_size * 8ull) + 1);
}
/* Blocks of a block map that `count` new blocks, each an extent, may need. */
static u64 map_blocks(const struct sums *s, u64 count, u32 levels)
{
	u32 leaf = (u32)((s->g->block_size - sizeof(struct btree_long)) / sizeof(struct bmbt_rec));

	return div_up_u64(count, leaf) * (levels - 1);
}
/* One name in a directory. */
static u64 name_blocks(const struct sums *s)
{
	u64 depth = HASH_DEPTH + 2, at_once = s->g->dir_fsblocks;

	return depth * at_once + depth * map_blocks(s, at_once, s->levels.data) + 1;
}

static u64 write_bytes(const struct sums *s)
{
	const struct tree_levels *l = &s->levels;
	u64 map = inodes(s, 1) + blocks(s, l->data) + sectors(s, 3) + blocks(s, space_blocks(s, 2));
	u64 freeing = sectors(s, 5) + blocks(s, space_blocks(s, 2));
	u64 refcounts = s->old ? blocks(s, refcount_blocks(s, 2)) : 0, realtime = 0;

	if (s->g->rt_blocks)
		realtime = inodes(s, 1) + blocks(s, l->data) + sectors(s, 3) +
			   blocks(s, realtime_blocks(s, 1)) + blocks(s, space_blocks(s, 1));
	return QUOTA_BYTES + max_u64(realtime, refcounts + max_u64(map, freeing));
}

static u64 truncate_bytes(const struct sums *s)
{
	u64 map = inodes(s, 1) + blocks(s, s->levels.data + 1);
	u64 freeing = sectors(s, 9) + blocks(s, space_blocks(s, 4)), realtime = 0;

	if (s->old)
		freeing += blocks(s, refcount_blocks(s, 4));
	if (s->g->rt_blocks)
		realtime = sectors(s, 5) + blocks(s, realtime_blocks(s, 2)) +
			   blocks(s, space_blocks(s, 2));
	return QUOTA_BYTES + max_u64(realtime, max_u64(map, freeing));
}

static u64 parent_bytes(const struct sums *s, u64 bytes)
{
	return geometry_has(s->g, FEATURE_PARENT) ? bytes : 0;
}

static u64 rename_bytes(const struct sums *s)
{
	u64 names = inodes(s, 5) + blocks(s, 2 * name_blocks(s));
	u64 freeing = sectors(s, 7) + blocks(s, space_blocks(s, 3));

	return QUOTA_BYTES + parent_bytes(s, PARENT_RENAME_BYTES) + max_u64(names, freeing);
}

static u64 inode_tree_bytes(const struct sums *s)
{
	return blocks(s, s->levels.inobt) + blocks(s, space_blocks(s, 1));
}

/* A name in a directory, and an inode from the inode trees, perhaps in a new chunk. */
static u64 create_bytes(const struct sums *s)
{
	u64 free_inodes = geometry_has(s->g, FEATURE_FINOBT) ? inode_tree_bytes(s) : 0;
	u64 chunk = sectors(s, 2) + blocks(s, space_blocks(s, 1)) + inode_tree_bytes(s);
	u64 name = inodes(s, 2) + sectors(s, 1) + s->g->block_size + blocks(s, name_blocks(s));

	return QUOTA_BYTES + parent_bytes(s, PARENT_BYTES) + free_inodes + max_u64(chunk, name);
}

/* Space that an attribute of the largest local size may take, one change of it after the other. */
static u64 attribute_bytes(const struct sums *s)
{
	u32 size = s->g->block_size, levels = s->levels.attr;
	u64 value = size / 2 + size / 4 - 256;
	u64 count = HASH_DEPTH + HASH_DEPTH * map_blocks(s, 1, levels) + div_up_u64(value, size) +
		    map_blocks(s, value, levels);
	u64 fixed = QUOTA_BYTES + inodes(s, 1) + sectors(s, 1) + blocks(s, HASH_DEPTH);

	return fixed + count * (sectors(s, 1) + blocks(s, levels));
}

static u32 space_steps(const struct sums *s)
{
	bool rmap = s->levels.rmap, reflink = s->levels.refcount;

	if (s->old)
		return reflink ? STEPS_OLD_REFLINK : 2;
	return rmap && reflink ? 5 : rmap || reflink ? 4 : 2;
}

static void greater(struct log_reservation *max, u64 bytes, u32 count)
{
	if (bytes * count > max->bytes * max->count)
		*max = (struct log_reservation){bytes, count};
}

struct log_reservation log_reservation_max(const struct geometry *g)
{
	bool parent = geometry_has(g, FEATURE_PARENT);
	struct sums s = {.g = g, .levels = levels_of(g, !parent), .old = !parent};
	u32 more = parent ? PARENT_STEPS : 0;
	struct log_reservation max = {write_bytes(&s), space_steps(&s)};
	u64 attribute = attribute_bytes(&s);

	greater(&max, truncate_bytes(&s), space_steps(&s));
	greater(&max, rename_bytes(&s), 2 + more);
	greater(&max, create_bytes(&s) + buffers(1, LINK_TARGET_BYTES), 3 + more);
	/* a cluster of dquots that must be made first */
	greater(&max, write_bytes(&s) + buffers(1, g->block_size - 1), space_steps(&s));
	/* compared without its steps, and then taken with them: so does the kernel */
	if (attribute > max.bytes * max.count)
		max = (struct log_reservation){attribute, 3};
	return max;
}

/* What a reservation of so many bytes takes in the log, with record headers and padding. */
static u64 in_log(const struct geometry *g, u64 bytes)
{
	const u64 op = sizeof(struct log_op);
	const u64 headers = LOG_WRITER_BYTES / LOG_HEADER_COVERS * LOG_BLOCK;
	const u64 room = LOG_WRITER_BYTES - headers;
	u64 records;

	bytes += 2 * op + sizeof(struct log_trans);
	records = div_up_u64(bytes, room);
	bytes += records * op;
	for (; div_up_u64(bytes, room) > records; records++)
		bytes += op;
	bytes += headers * (records + 1);
	return bytes + 2 * (g->log_stripe_unit > 1 ? g->log_stripe_unit : LOG_BLOCK);
}

u64 log_least_blocks(const struct geometry *g)
{
	struct log_reservation max = log_reservation_max(g);
	u64 sum = div_up_u64(in_log(g, max.bytes) * max.count, LOG_BLOCK);
	u64 unit = g->log_stripe_unit > 1 ? g->log_stripe_unit / LOG_BLOCK : 0;

	if (unit)
		sum = round_up_u64(sum, unit) + 2 * unit;
	else
		sum += 2 * LOG_BLOCK;
	return div_up_u64(sum * LOG_FACTOR << LOG_BLOCK_LOG, g->block_size);
}
