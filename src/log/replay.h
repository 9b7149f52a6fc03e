/*
 * Replaying items: what recover.c and the files of the item types share.  Private to src/log.
 */
#ifndef MENDFS_LOG_REPLAY_H
#define MENDFS_LOG_REPLAY_H

#include "log/scan.h"

/* Bytes of the largest buffer that an item can change: what its chunk map covers. */
#define LOG_TARGET_MAX (LOG_BUF_MAP_WORDS * 32 * LOG_BUF_CHUNK)

struct log_cancels;

struct log_replay {
	struct log_scan *scan;
	struct env *env;
	const struct geometry *g;
	struct device *data;
	struct log_status *status;
	struct log_cancels *cancels;
	struct log_pending *pending_last;
	u32 quotaoff; /* LOG_QUOTAOFF_*: quotas that are turned off somewhere in the log */
	u8 *target;   /* LOG_TARGET_MAX bytes */
};

/* In which order the items of one transaction are replayed: buffers before the inodes in them;
 * unlinked pointers, which live in inode buffers, after those inodes; cancellations at last. */
enum log_order { LOG_ORDER_BUFFER, LOG_ORDER_ITEM, LOG_ORDER_INODE_BUFFER, LOG_ORDER_CANCEL };
#define LOG_ORDERS 4

struct log_part_sink {
	void (*part)(struct log_part_sink *sink, const char *name, u32 index, const void *bytes,
		     u32 length, const struct layout *layout);
};

/* What the array behind the head of an intent is made of. */
struct log_element {
	const char *name;
	const struct layout *layout;
	void (*load)(const void *element, struct log_change *change);
};

/* One item type. */
struct log_item_ops {
	u16 type;
	const char *name;
	/* Intents of extents, which are a head and an array (intent.c has their functions). */
	const struct log_element *(*element)(const struct log_item *item);
	u16 done; /* done items: the type of the intent that is done */
	/* NULL: LOG_ORDER_ITEM */
	enum log_order (*order)(const struct log_item *item);
	/* Everything that the item alone must obey, for it to be replayed without looking again at
	 * its lengths; run in both passes. */
	int (*check)(struct log_replay *r, const struct log_item *item);
	/* The first pass, over all transactions that are complete. NULL: nothing. */
	int (*gather)(struct log_replay *r, const struct log_item *item);
	/* The second. NULL: nothing. */
	int (*replay)(struct log_replay *r, const struct log_item *item);
	/* The structures of an item that has passed its check. */
	void (*parts)(const struct log_item *item, struct log_part_sink *sink);
	/* What parts() can call a part, but for raw bytes; up to one without a name. */
	const struct part_kind *kinds;
	/* Intents: what it announces; sets change_count and allocates change. */
	int (*changes)(struct log_replay *r, const struct log_item *item, struct log_pending *p);
};

/* Every type, up to NULL. */
extern const struct log_item_ops *const log_items[];
extern const struct log_item_ops log_item_buffer, log_item_inode, log_item_dquot, log_item_quotaoff,
    log_item_icreate, log_item_efi, log_item_efd, log_item_rui, log_item_rud, log_item_cui,
    log_item_cud, log_item_bui, log_item_bud, log_item_attri, log_item_attrd, log_item_xmi,
    log_item_xmd;

/* NULL: not known. */
const struct log_item_ops *log_item_ops_of(u16 type);

/* Findings about an item; return -EUCLEAN. */
int log_item_bad(struct log_replay *r, const struct log_item *item, const char *field, u64 found);
int log_target_bad(struct log_replay *r, const struct log_item *item, u64 blkno, const char *why);

/* The `count` blocks of 512 bytes at blkno can be a buffer of this filesystem. */
int log_target_check(struct log_replay *r, const struct log_item *item, u64 blkno, u64 count);
int log_target_read(struct log_replay *r, u64 blkno, u32 count);
int log_target_write(struct log_replay *r, u64 blkno, u32 count);
/* What a buffer item says that it logs (enum log_buf_type), told by the magic. */
u32 log_buf_type_of(const u8 *bytes);
/* The LSN in the buffer at hand, 0 when it has none that counts. type: enum log_buf_type. */
u64 log_target_lsn(const struct log_replay *r, u32 count, u32 type);
/* Is what has this LSN newer than the item, so that the item is not for it? An LSN behind the end
 * of the log is nonsense, which is reported, and not obeyed: it would keep what is there for ever.
 */
bool log_target_newer(struct log_replay *r, const struct log_item *item, u64 blkno, u64 stamp);
/* LSN and checksum of the buffer at hand, now that it has changed. */
void log_target_stamp(struct log_replay *r, u32 count, u32 type, u64 lsn);
/* The checksum of an inode, a dquot or a block of `size` bytes. */
void log_stamp_crc(u8 *bytes, u32 size, u32 crc_offset);

/* Buffers that are freed in the log: what was logged for them before that must not be replayed. */
int log_cancels_open(struct env *env, struct log_cancels **out);
void log_cancels_close(struct log_cancels *cancels);
int log_cancel_add(struct log_cancels *cancels, u64 blkno, u32 count);
bool log_cancelled(const struct log_cancels *cancels, u64 blkno, u32 count);
/* One cancellation has been passed: when it was the last, the buffer lives again. */
void log_cancel_drop(struct log_cancels *cancels, u64 blkno, u32 count);

/* Remember an intent; forget the one that is done. */
int log_pending_add(struct log_replay *r, const struct log_item_ops *ops,
		    const struct log_item *item, u64 id);
void log_pending_done(struct log_replay *r, u16 type, u64 id);
/* Intents with extents, by ops->element. */
int log_intent_check(struct log_replay *r, const struct log_item *item);
int log_intent_replay(struct log_replay *r, const struct log_item *item);
void log_intent_parts(const struct log_item *item, struct log_part_sink *sink);
int log_intent_changes(struct log_replay *r, const struct log_item *item, struct log_pending *p);
/* The element of log_map, with its owner and place in a file; RUI and BUI have it. */
const struct log_element *log_map_element(const struct log_item *item);
extern const struct part_kind log_map_kinds[];
#define LOG_INTENT_FUNCTIONS                                                               \
	.check = log_intent_check, .replay = log_intent_replay, .parts = log_intent_parts, \
	.changes = log_intent_changes
/* Done items, by ops->done. */
int log_done_check(struct log_replay *r, const struct log_item *item);
int log_done_replay(struct log_replay *r, const struct log_item *item);
void log_done_parts(const struct log_item *item, struct log_part_sink *sink);
extern const struct part_kind log_done_kinds[];
#define LOG_DONE_FUNCTIONS                                                           \
	.check = log_done_check, .replay = log_done_replay, .parts = log_done_parts, \
	.kinds = log_done_kinds
/* Room for `count` changes. */
int log_changes_alloc(struct log_replay *r, struct log_pending *p, u32 count);

/* Items of a transaction until it commits. */
struct log_store;
int log_store_open(struct env *env, struct log_store **out);
void log_store_close(struct log_store *store);
int log_store_add(struct log_store *store, const struct log_item *item);
/* In the order in which they came, until fn returns nonzero. */
int log_store_each(struct log_store *store, int (*fn)(void *arg, const struct log_item *item),
		   void *arg);

#endif
