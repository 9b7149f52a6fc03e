/*
 * Inode items: the core in host order, and what was changed of the forks.
 *
 * The core's fields lie where they lie on the disk, so they are turned around one by one from the
 * field table.  Three are not taken over: the unlinked pointer, which is logged with the inode's
 * buffer; the checksum; and the LSN, which becomes that of the transaction.
 *
 * The root of a fork's btree is logged as memory has it, with a full block header, and is packed
 * into the fork again.  A flag for a changed owner (two files have exchanged their forks) means
 * that each block of that btree gets the inode's number, which is logged nowhere else.
 */
#include "base/trail.h"
#include "format/inode.h"
#include "format/btree.h"
#include "format/verify.h"
#include "log/replay.h"

#include <errno.h>

#define INODE_BIGTIME (1ull << 3) /* di_flags2 */
#define LITERAL sizeof(struct log_dinode)
#define FORKOFF_LOG 3
#define ROOT_HEADER 4 /* of a btree root in a fork: level and numrecs */
#define BMBT_KEY 8
#define BMBT_PTR 8
#define FORK_BTREE 3 /* di_format, di_aformat */

/* Both forms of the format, in host numbers. */
struct format {
	u32 fields;
	u64 ino, blkno;
	u32 rdev, len, boffset;
};

static bool load_format(const struct log_item *item, struct format *f)
{
	const struct log_inode *l = LOG_FORMAT(item, log_inode);
	const struct log_inode32 *s = LOG_FORMAT(item, log_inode32);

	if (l) {
		*f = (struct format){le32_get(l->fields), le64_get(l->ino), le64_get(l->blkno),
				     le32_get(l->rdev),	  le32_get(l->len), le32_get(l->boffset)};
		return true;
	}
	if (s)
		*f = (struct format){le32_get(s->fields), le64_get(s->ino), le64_get(s->blkno),
				     le32_get(s->rdev),	  le32_get(s->len), le32_get(s->boffset)};
	return s;
}

static const struct log_dinode *core_of(const struct log_item *item)
{
	return (const struct log_dinode *)log_region(item, 1);
}

static u32 fork_size(const struct log_replay *r, const struct log_dinode *core, bool attr)
{
	u32 room = (u32)(r->g->inode_size - LITERAL), data = (u32)core->forkoff << FORKOFF_LOG;

	if (attr)
		return data ? room - data : 0;
	return data ? data : room;
}

/* A logged btree root: how many records, or -1 when it cannot be one. */
static s64 root_records(const u8 *root, u32 length)
{
	const struct btree_long *header = (const struct btree_long *)root;
	u32 records;

	if (length < sizeof(*header) || !be16_get(header->level) ||
	    be16_get(header->level) >= BTREE_LEVELS_MAX)
		return -1;
	records = be16_get(header->numrecs);
	if (records > (length - sizeof(*header)) / (BMBT_KEY + BMBT_PTR))
		return -1;
	return records;
}

static int check_fork(struct log_replay *r, const struct log_item *item, u32 region, u32 fields,
		      bool attr)
{
	u32 length = log_region_length(item, region);
	u32 room = fork_size(r, core_of(item), attr);
	s64 records;

	if (!(fields & (LOG_INODE_DBROOT | LOG_INODE_ABROOT))) {
		if (length > room)
			return log_item_bad(r, item, attr ? "attr fork length" : "data fork length",
					    length);
		return 0;
	}
	records = root_records(log_region(item, region), length);
	if (records < 0 || ROOT_HEADER + (u64)records * (BMBT_KEY + BMBT_PTR) > room)
		return log_item_bad(r, item, "btree root length", length);
	return 0;
}

static int check_core(struct log_replay *r, const struct log_item *item, const struct format *f)
{
	const struct log_dinode *core = core_of(item);

	if (log_region_length(item, 1) < sizeof(*core))
		return log_item_bad(r, item, "core length", log_region_length(item, 1));
	if (le16_get(core->magic) != INODE_MAGIC)
		return log_item_bad(r, item, "core magic", le16_get(core->magic));
	if (le64_get(core->ino) != f->ino)
		return log_item_bad(r, item, "core ino", le64_get(core->ino));
	if (((u64)core->forkoff << FORKOFF_LOG) >= r->g->inode_size - LITERAL)
		return log_item_bad(r, item, "core forkoff", core->forkoff);
	return 0;
}

static int inode_check(struct log_replay *r, const struct log_item *item)
{
	struct format f;
	u32 data, attr, region = 2;
	int err;

	if (!load_format(item, &f) || item->regions < 2)
		return log_item_bad(r, item, "format length", log_region_length(item, 0));
	err = check_core(r, item, &f);
	if (!err)
		err = log_target_check(r, item, f.blkno, f.len);
	if (err)
		return err;
	if ((u64)f.boffset + r->g->inode_size > (u64)f.len * LOG_BLOCK)
		return log_item_bad(r, item, "boffset", f.boffset);
	/* The log may make the filesystem larger, so how many AGs there are says nothing yet. */
	if (f.ino >> r->g->agino_log > NULL32)
		return log_item_bad(r, item, "ino", f.ino);
	if (inum_daddr(r->g, inum_of(f.ino)).v != (f.blkno << LOG_BLOCK_LOG) + f.boffset)
		return log_target_bad(r, item, f.blkno, "the inode is elsewhere");
	data = f.fields & LOG_INODE_DFORK;
	attr = f.fields & LOG_INODE_AFORK;
	/* a fork has one format */
	if (data & (data - 1) || attr & (attr - 1))
		return log_item_bad(r, item, "fields", f.fields);
	if (item->regions == 2)
		return 0;
	if (item->regions != 2u + !!data + !!attr)
		return log_item_bad(r, item, "size", item->regions);
	if (data)
		err = check_fork(r, item, region++, data, false);
	if (!err && attr)
		err = check_fork(r, item, region, attr, true);
	return err;
}

static void turn(u8 *to, const u8 *from, u32 width)
{
	for (u32 i = 0; i < width; i++)
		to[i] = from[width - 1 - i];
}

/* Times are one number with bigtime, else two: seconds and nanoseconds. */
static bool is_time(u32 offset)
{
	return offset == offsetof(struct log_dinode, atime) ||
	       offset == offsetof(struct log_dinode, mtime) ||
	       offset == offsetof(struct log_dinode, ctime) ||
	       offset == offsetof(struct log_dinode, crtime);
}

static bool is_kept(u32 offset)
{
	return offset == offsetof(struct log_dinode, next_unlinked) ||
	       offset == offsetof(struct log_dinode, crc) ||
	       offset == offsetof(struct log_dinode, lsn);
}

static void replay_core(u8 *raw, const struct log_item *item)
{
	const u8 *from = log_region(item, 1);
	bool bigtime = le64_get(core_of(item)->flags2) & INODE_BIGTIME;
	struct be64 lsn = be64_make(item->lsn);

	for (u32 i = 0; i < log_dinode_layout.field_count; i++) {
		const struct field *f = &log_dinode_layout.fields[i];
		u32 at = f->bit / 8, width = f->width / 8;

		if (is_kept(at))
			continue;
		if (f->count > 1) {
			memcpy(raw + at, from + at, f->count);
		} else if (is_time(at) && !bigtime) {
			turn(raw + at, from + at, 4);
			turn(raw + at + 4, from + at + 4, 4);
		} else {
			turn(raw + at, from + at, width);
		}
	}
	memcpy(raw + offsetof(struct log_dinode, lsn), lsn.b, sizeof(lsn));
}

/* From a block in memory to the short form in the fork. */
static void pack_root(u8 *fork, u32 room, const u8 *root, u32 length)
{
	const struct btree_long *header = (const struct btree_long *)root;
	u32 records = be16_get(header->numrecs);
	u32 logged = (u32)((length - sizeof(*header)) / (BMBT_KEY + BMBT_PTR));
	u32 fits = (room - ROOT_HEADER) / (BMBT_KEY + BMBT_PTR);
	const u8 *keys = root + sizeof(*header), *ptrs = keys + (size_t)logged * BMBT_KEY;

	memcpy(fork, header->level.b, sizeof(header->level));
	memcpy(fork + sizeof(header->level), header->numrecs.b, sizeof(header->numrecs));
	memcpy(fork + ROOT_HEADER, keys, (size_t)records * BMBT_KEY);
	memcpy(fork + ROOT_HEADER + (size_t)fits * BMBT_KEY, ptrs, (size_t)records * BMBT_PTR);
}

static void replay_fork(struct log_replay *r, u8 *raw, const struct log_item *item, u32 region,
			bool attr, bool root)
{
	const struct log_dinode *core = core_of(item);
	u8 *fork = raw + LITERAL + (attr ? (u32)core->forkoff << FORKOFF_LOG : 0);

	if (root)
		pack_root(fork, fork_size(r, core, attr), log_region(item, region),
			  log_region_length(item, region));
	else
		memcpy(fork, log_region(item, region), log_region_length(item, region));
}

static void replay_inode(struct log_replay *r, u8 *raw, const struct log_item *item,
			 const struct format *f)
{
	u32 region = 2;

	replay_core(raw, item);
	if (f->fields & LOG_INODE_DEV) {
		struct be32 rdev = be32_make(f->rdev);

		memcpy(raw + LITERAL, rdev.b, sizeof(rdev));
	}
	if (f->fields & LOG_INODE_DFORK && region < item->regions)
		replay_fork(r, raw, item, region++, false, f->fields & LOG_INODE_DBROOT);
	if (f->fields & LOG_INODE_AFORK && region < item->regions)
		replay_fork(r, raw, item, region, true, f->fields & LOG_INODE_ABROOT);
	log_stamp_crc(raw, r->g->inode_size, offsetof(struct log_dinode, crc));
}

/* One block of a fork's btree gets its owner. *right and *child: the neighbour and the first child,
 * NULL64 for none. */
static int own_block(struct log_replay *r, const struct log_item *item, u64 fsblock, u32 level,
		     u64 ino, u64 *right, u64 *child)
{
	const struct geometry *g = r->g;
	struct btree_long *header = (struct btree_long *)r->target;
	u32 count = g->block_size >> LOG_BLOCK_LOG, keys;
	u64 blkno = fsblock_daddr(g, fsblock_of(fsblock)).v >> LOG_BLOCK_LOG;
	int err;

	if (!fsblock_valid(g, fsblock_of(fsblock), 1))
		return log_target_bad(r, item, fsblock,
				      "a btree pointer outside of the filesystem");
	err = log_target_read(r, blkno, count);
	if (err)
		return err;
	if (be32_get(header->magic) != BMBT_MAGIC || be16_get(header->level) != level)
		return log_target_bad(r, item, blkno, "no block of the inode's btree");
	*right = be64_get(header->rightsib);
	*child = NULL64;
	if (level && be16_get(header->numrecs)) {
		struct be64 ptr;

		keys = (u32)((g->block_size - sizeof(*header)) / (BMBT_KEY + BMBT_PTR));
		memcpy(ptr.b, r->target + sizeof(*header) + (size_t)keys * BMBT_KEY, sizeof(ptr));
		*child = be64_get(ptr);
	}
	if (be64_get(header->owner) == ino)
		return 0;
	header->owner = be64_make(ino);
	log_stamp_crc(r->target, g->block_size, offsetof(struct btree_long, crc));
	return log_target_write(r, blkno, count);
}

/* Level by level from the root in the fork, each from its left edge along the siblings. */
static int own_tree(struct log_replay *r, const struct log_item *item, const u8 *fork, u32 room,
		    u64 ino)
{
	struct be16 level_raw, count_raw;
	struct be64 ptr;
	u32 fits = (room - ROOT_HEADER) / (BMBT_KEY + BMBT_PTR), level;
	u64 blocks = r->g->data_blocks, first, block, right = NULL64, child = NULL64;

	memcpy(level_raw.b, fork, 2);
	memcpy(count_raw.b, fork + 2, 2);
	level = be16_get(level_raw);
	if (!level || level >= BTREE_LEVELS_MAX || !be16_get(count_raw) ||
	    be16_get(count_raw) > fits)
		return log_item_bad(r, item, "btree root level", level);
	memcpy(ptr.b, fork + ROOT_HEADER + (size_t)fits * BMBT_KEY, sizeof(ptr));
	first = be64_get(ptr);
	while (level--) {
		u64 down = NULL64;

		for (block = first; block != NULL64; block = right) {
			int err = own_block(r, item, block, level, ino, &right, &child);

			if (err)
				return err;
			if (block == first)
				down = child;
			if (!blocks--)
				return log_target_bad(r, item, block, "the btree has a loop");
		}
		first = down;
	}
	return 0;
}

static int change_owner(struct log_replay *r, const struct log_item *item, const u8 *raw, bool attr)
{
	const struct log_dinode *disk = (const struct log_dinode *)raw;
	u32 data = (u32)disk->forkoff << FORKOFF_LOG;
	u32 room = (u32)(r->g->inode_size - LITERAL);
	u8 format = attr ? disk->aformat : disk->format;
	struct be64 ino;
	u8 fork[LOG_BLOCK * 4];

	if (format != FORK_BTREE || data >= room || (attr && !data))
		return 0;
	room = attr ? room - data : data ? data : room;
	if (room <= ROOT_HEADER || room > sizeof(fork))
		return 0;
	memcpy(ino.b, raw + offsetof(struct log_dinode, ino), sizeof(ino));
	memcpy(fork, raw + LITERAL + (attr ? data : 0), room);
	return own_tree(r, item, fork, room, be64_get(ino));
}

static int change_owners(struct log_replay *r, const struct log_item *item, const struct format *f)
{
	u8 raw[LOG_BLOCK * 4];
	int err = 0;

	if (!(f->fields & (LOG_INODE_DOWNER | LOG_INODE_AOWNER)) || r->g->inode_size > sizeof(raw))
		return 0;
	memcpy(raw, r->target + f->boffset, r->g->inode_size);
	if (!raw[offsetof(struct log_dinode, mode)] && !raw[offsetof(struct log_dinode, mode) + 1])
		return 0; /* it has been freed since */
	if (f->fields & LOG_INODE_DOWNER)
		err = change_owner(r, item, raw, false);
	if (!err && f->fields & LOG_INODE_AOWNER)
		err = change_owner(r, item, raw, true);
	return err;
}

static int inode_replay(struct log_replay *r, const struct log_item *item)
{
	struct format f = {0};
	struct be16 magic;
	struct be64 stamp;
	u8 *raw;
	int err;

	load_format(item, &f);
	if (log_cancelled(r->cancels, f.blkno, f.len)) {
		r->status->skipped++;
		return 0;
	}
	err = log_target_read(r, f.blkno, f.len);
	if (err)
		return err;
	raw = r->target + f.boffset;
	memcpy(magic.b, raw, sizeof(magic));
	if (be16_get(magic) != INODE_MAGIC)
		return log_target_bad(r, item, f.blkno, "no inodes there");
	memcpy(stamp.b, raw + offsetof(struct log_dinode, lsn), sizeof(stamp));
	if (log_target_newer(r, item, f.blkno, be64_get(stamp))) {
		r->status->skipped++;
	} else {
		replay_inode(r, raw, item, &f);
		err = log_target_write(r, f.blkno, f.len);
	}
	return err ? err : change_owners(r, item, &f);
}

static void fork_part(const struct log_item *item, struct log_part_sink *sink, u32 region,
		      const char *name)
{
	sink->part(sink, name, 0, log_region(item, region), log_region_length(item, region), NULL);
}

static void inode_parts(const struct log_item *item, struct log_part_sink *sink)
{
	bool full = LOG_FORMAT(item, log_inode);
	struct format f = {0};
	u32 region = 2;

	load_format(item, &f);
	sink->part(sink, full ? "format" : "format32", 0, log_region(item, 0),
		   full ? sizeof(struct log_inode) : sizeof(struct log_inode32),
		   full ? &log_inode_layout : &log_inode32_layout);
	sink->part(sink, "core", 0, core_of(item), sizeof(struct log_dinode), &log_dinode_layout);
	if (f.fields & LOG_INODE_DFORK && region < item->regions)
		fork_part(item, sink, region++, "data fork");
	if (f.fields & LOG_INODE_AFORK && region < item->regions)
		fork_part(item, sink, region, "attr fork");
}

static const struct part_kind kinds[] = {{"format", &log_inode_layout},
					 {"format32", &log_inode32_layout},
					 {"core", &log_dinode_layout},
					 {NULL, NULL}};

const struct log_item_ops log_item_inode = {
    .type = LOG_INODE,
    .name = "inode",
    .check = inode_check,
    .replay = inode_replay,
    .parts = inode_parts,
    .kinds = kinds,
};
