/*
 * Log recovery: replays a dirty log onto a device.
 *
 * Finds head and tail (cycle numbers, torn and wrapped writes), reads record by record, verifies
 * their CRCs, gathers transactions, and replays those that are complete: buffers and inodes whose
 * place on disk is not newer (LSN), dquots, inode chunk creation, cancelled buffers.  Lists of
 * unlinked inodes are left as they are (the mount processes them; check knows them).  Intents
 * without a done item are remembered: what they announce has not happened yet, and fs/finish.h
 * makes it happen.
 *
 * Reads the log device, writes `data` only; a check gives an overlay there.
 */
#ifndef MENDFS_LOG_RECOVER_H
#define MENDFS_LOG_RECOVER_H

#include "cache/cache.h"
#include "device/device.h"
#include "format/log.h"
#include "format/type.h"

/* LOG_UNSEEN: nobody has looked. */
enum log_state { LOG_UNSEEN, LOG_CLEAN, LOG_DIRTY, LOG_DAMAGED };

/* One piece of what an intent announces. Members that its type does not have are NO_ or 0. */
struct log_change {
	u64 ino;    /* whose mapping, reverse mapping (also a special owner) or attribute */
	u64 start;  /* fsblock */
	u64 count;  /* blocks */
	u64 offset; /* file block */
	u32 flags;  /* as logged; the kind in the low byte, see format/log.h */
};

/* An intent without its done item. */
struct log_pending {
	struct log_pending *next; /* in the order of the log */
	u16 type;		  /* enum log_item_type */
	const char *name;	  /* "efi" */
	u64 id, lsn;
	u32 block; /* of the log, where it ends */
	u32 change_count;
	struct log_change *change;
	/* The item as logged, for finishing it. */
	u32 regions;
	u32 *region_end;
	u8 *bytes;
};

/* Of a damaged log, what was given up when its loss was accepted. */
struct log_loss {
	bool all;	    /* nobody knows where it ends: none of it was replayed */
	u64 records, bytes; /* from the damage to the end */
	u64 items;	    /* whose place is not what it must be */
};

struct log_status {
	enum log_state state;
	u64 head_block, tail_block; /* 512-byte blocks of the log */
	u32 head_cycle, tail_cycle;
	u64 torn_blocks;		  /* of records cut before their end; no damage */
	u64 records, transactions, items; /* replayed */
	u64 skipped;			  /* items whose place is newer, or cancelled */
	u64 intents;			  /* without a done item, and not finished */
	u64 finished;			  /* intents of the log that have been, since */
	u64 unlinked;			  /* inodes on unlinked lists afterwards */
	struct log_pending *pending;	  /* the intents; log_status_free() */
	struct log_loss loss;
};

struct log_options {
	const struct meta_types *types;
	struct verdict *verdict; /* findings: LOG_*; NULL: only the trail */
	/* With a damaged log: false refuses (-EUCLEAN), true replays what is whole, up to the
	 * damage. */
	bool accept_loss;
};

/* The findings of the log, handed in by src/meta so that log stays below it. */
struct log_defs {
	/* The log as a whole. */
	const struct finding_def *place, *cycles, *head, *tail;
	/* A record, and what is in it. */
	const struct finding_def *record, *overrun, *uuid, *crc, *op, *item, *unknown;
	/* Where an item would be replayed to. */
	const struct finding_def *target;
	/* No damage. */
	const struct finding_def *torn, *pending, *ahead, *ignored;
};
extern const struct log_defs *log_defs;

/* Looks for head and tail, and writes nothing. log NULL: internal, on data. A log that makes no
 * sense is LOG_DAMAGED, and -EUCLEAN unless the loss is accepted. */
int log_examine(struct env *env, const struct geometry *g, struct device *data, struct device *log,
		const struct log_options *options, struct log_status *status);
/* The same, and reads all that would be replayed, so that all damage of the log itself is met; for
 * who will not replay it, which is a finding when the log is not clean. Fails for want of memory
 * alone: a log that is not at hand stays LOG_UNSEEN, one that cannot be read is LOG_DAMAGED. */
int log_look(struct env *env, const struct geometry *g, struct device *data, struct device *log,
	     const struct log_options *options, struct log_status *status);
/* Does nothing to a clean log. status is to be freed in any case. */
int log_recover(struct env *env, const struct geometry *g, struct device *data, struct device *log,
		const struct log_options *options, struct log_status *status);
/* Makes an empty, clean log of whatever is there. What it had and was not home is lost. */
int log_discard(struct env *env, const struct geometry *g, struct device *data, struct device *log);
void log_status_free(struct env *env, struct log_status *status);

/* Raises LOG_INTENT_PENDING for each intent that is left. */
void log_pending_report(const struct log_status *status, const struct geometry *g,
			struct verdict *verdict);
/* This one has been finished. */
void log_pending_drop(struct env *env, struct log_status *status, struct log_pending *pending);
/* One more, at the end: space that finishing another has left without an owner. */
int log_pending_free_later(struct env *env, struct log_status *status, u64 start, u64 count);

enum log_event_kind {
	LOG_EVENT_RECORD, /* a record header, or an extended one (index > 0) */
	LOG_EVENT_OP,	  /* an operation header */
	LOG_EVENT_ITEM, /* an item that is whole: length, and as index its regions; parts follow */
	LOG_EVENT_PART, /* a structure, or raw bytes (layout NULL), of an item that is whole; or
			 * what an operation carries that is no item: "transaction", "unmount" */
	LOG_EVENT_COMMIT, /* the transaction of this lsn is complete */
};
struct log_event {
	enum log_event_kind kind;
	u32 block;  /* of the record, in 512-byte blocks of the log */
	u32 offset; /* of an operation in the record's body */
	u64 lsn;    /* of the record; of the transaction for parts */
	u32 tid;
	const char *name;      /* "record", "op", "transaction", "unmount", or the item: "buf" */
	const char *part_name; /* "hdr", "ext", "format", "core", "data", "extents" */
	u32 index;	       /* of repeated parts */
	const struct layout *layout;
	const void *bytes;
	u32 length;
	/* Where the bytes are: in the record at this block, and how far from its start once
	 * log_record_open() has made it what its writer had. NULL32: not in one piece. */
	u32 record, at;
	u32 blocks, header_blocks; /* of a record, with its headers */
};
/* "efi"; NULL: a type that is not known. */
const char *log_item_type_name(u16 type);
/* Every kind of part that log_each() can show, with the name of the event: in whatever log. */
void log_kinds_each(void (*fn)(void *arg, const char *name, const struct part_kind *kind),
		    void *arg);
/* Shows each record, operation and item from tail to head (of a clean log: the last record), until
 * fn returns nonzero, which is returned. Reads only. */
int log_each(struct env *env, const struct geometry *g, struct device *data, struct device *log,
	     const struct log_options *options, int (*fn)(void *arg, const struct log_event *event),
	     void *arg);

/*
 * Changing a record where it lies, for who damages logs.  A record as its writer had it is "open":
 * without the cycle words, which take the place of the first word of each block of its body.
 */
/* In blocks of 512 bytes. */
static inline u64 log_size(const struct geometry *g)
{
	return (u64)g->log_blocks << (g->block_log - LOG_BLOCK_LOG);
}
/* `count` blocks of the log from `block`: at most two runs, the second where it begins anew. */
u32 log_ranges(const struct geometry *g, u32 block, u32 count, struct cache_range out[2]);
void log_record_open(u8 *record, u32 header_blocks, u32 blocks);
/* Makes of an open record what is to be stored: `now` is what was stored, opened and changed in one
 * place, or is new (stored NULL). A change of the headers leaves the body as it was. fix_crc: the
 * checksum is made right. record: its event, or block, header_blocks and blocks alone. */
int log_record_store(struct env *env, const struct geometry *g, struct device *data,
		     struct device *log, const struct log_event *record, const u8 *stored, u8 *now,
		     bool fix_crc);

#endif
