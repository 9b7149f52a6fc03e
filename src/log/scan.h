/*
 * The log as an array of blocks and records: what find, read, each and the tests share.
 *
 * Private to src/log.  Nothing here writes.
 */
#ifndef MENDFS_LOG_SCAN_H
#define MENDFS_LOG_SCAN_H

#include <assert.h>

#include "format/log.h"
#include "log/recover.h"

/* Where the log lies. Block numbers are below `blocks` and wrap. */
struct log_scan {
	struct env *env;
	const struct geometry *g;
	const struct log_options *options;
	struct device *dev;
	u64 base; /* bytes */
	u32 blocks;
	bool damaged; /* log_damage() has been called */
};

/* One record, its header checked. */
struct log_place {
	u32 block;	   /* of the header */
	u32 header_blocks; /* with the extended ones */
	u32 blocks;	   /* with the body */
	u32 len;	   /* bytes of the body */
	u32 ops;
	u32 cycle, crc;
	u64 lsn, tail_lsn;
};

/* What find.c finds out. `head` is the block that will be written next. */
struct log_ends {
	u32 head, tail;
	u32 head_cycle, tail_cycle; /* of the head: in which it will be written */
	struct log_place last;	    /* the last record; blocks 0: none */
	bool clean;
	u32 torn;      /* blocks of incomplete records cut off before the head */
	bool torn_bad; /* of which one had all its blocks, but not its header or checksum */
};

/* -EUCLEAN when the geometry's log lies where there is no device. log NULL: internal. */
int log_scan_init(struct log_scan *scan, struct env *env, const struct geometry *g,
		  struct device *data, struct device *log, const struct log_options *options);
/* Any run of blocks, wrapping at the end; count <= scan->blocks. */
int log_scan_read(const struct log_scan *scan, u32 block, u32 count, void *to);
/* Raises the finding and returns -EUCLEAN with it as trail. block: of the log. */
int log_damage(struct log_scan *scan, const struct finding_def *def, u32 block, const char *field,
	       const char *found, const char *expected) __attribute__((cold));
int log_damage_u64(struct log_scan *scan, const struct finding_def *def, u32 block,
		   const char *field, u64 found, u64 expected) __attribute__((cold));
/* A finding that is no damage: goes to the verdict alone. */
void log_report(struct log_scan *scan, const struct finding_def *def, const struct where *where,
		const char *found);

static inline u32 log_block_after(const struct log_scan *scan, u32 block, u32 count)
{
	assert(scan->blocks); /* log_scan_init() takes no empty log */
	return (u32)(((u64)block + count) % scan->blocks);
}
/* Blocks from `from` up to `to`, forwards; 0 when they are the same. */
static inline u32 log_distance(const struct log_scan *scan, u32 from, u32 to)
{
	return to >= from ? to - from : scan->blocks - from + to;
}

/* The first word of a block is its cycle, but in a record header the second is. */
u32 log_cycle_of(const u8 *block);
bool log_is_header(const u8 *block);
/* Reads a header. Returns NULL, or the name of the field that cannot be right. */
const char *log_place_parse(const struct log_scan *scan, u32 block, const u8 *header,
			    struct log_place *out);
/* The record must fit into `room` blocks. `record` has LOG_RECORD_BYTES; -EUCLEAN with a finding
 * when the header, the fit or the checksum is wrong. Puts the cycle words back into the body. */
#define LOG_RECORD_BYTES (LOG_RECORD_MAX + (LOG_RECORD_MAX / LOG_HEADER_COVERS) * LOG_BLOCK)
int log_record_read(struct log_scan *scan, u32 block, u32 room, u8 *record, struct log_place *out);
/* Whether header and checksum of the record are right; raises nothing. */
int log_record_sound(struct log_scan *scan, u32 block, u8 *record, bool *sound);
static inline u8 *log_record_body(u8 *record, const struct log_place *place)
{
	return record + (size_t)place->header_blocks * LOG_BLOCK;
}
/* The checksum that the record should carry; its bytes as on the disk. */
u32 log_record_crc(const u8 *record, const struct log_place *place, u32 header_size);

int log_find(struct log_scan *scan, struct log_ends *ends);

/* A transaction as its operations come in. */
struct log_trans_state {
	struct log_trans_state *next;
	u32 tid;
	u64 lsn;   /* of the record that starts it: the LSN of all its items */
	u32 block; /* of that record */
	bool have_header, continued;
	/* The item that is coming in: its regions, one behind the other in `bytes`. */
	u32 regions, wanted;
	u32 region_end[LOG_REGIONS_MAX];
	u8 *bytes;
	u32 used, room;
	u64 items; /* completed */
	void *user;
};

/* One complete item. */
struct log_item {
	u64 lsn;
	u32 block; /* of a record that has a part of it, for findings */
	u16 type;
	u32 regions;
	const u8 *bytes;
	const u32 *region_end;
};
static inline const u8 *log_region(const struct log_item *item, u32 i)
{
	return item->bytes + (i ? item->region_end[i - 1] : 0);
}
static inline u32 log_region_length(const struct log_item *item, u32 i)
{
	return item->region_end[i] - (i ? item->region_end[i - 1] : 0);
}
/* The format structure of an item, or NULL when the region is shorter. */
#define LOG_FORMAT(item, tag)                             \
	(log_region_length(item, 0) >= sizeof(struct tag) \
	     ? (const struct tag *)log_region(item, 0)    \
	     : NULL)

/* The same for an item whose check has passed. */
#define LOG_CHECKED(item, tag) ((const struct tag *)log_region(item, 0))

/* Who watches a walk; each function may be NULL, and ends the walk with a nonzero result. */
struct log_visitor {
	int (*record)(void *arg, const struct log_place *place, const u8 *record);
	int (*op)(void *arg, const struct log_place *place, const u8 *op, u32 offset);
	int (*item)(void *arg, struct log_trans_state *trans, const struct log_item *item);
	int (*commit)(void *arg, struct log_trans_state *trans);
	/* The transaction goes away, committed or not: let go of trans->user. */
	void (*end)(void *arg, struct log_trans_state *trans);
	void *arg;
	const char *task; /* for the progress; NULL: none */
};
/* All records in [tail, head). *reached is the block of the record that the walk stopped at. */
int log_walk(struct log_scan *scan, u32 tail, u32 head, const struct log_visitor *visitor,
	     u32 *reached);

#endif
