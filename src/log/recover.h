/*
 * Log recovery: replays a dirty log onto a device.
 *
 * Finds head and tail (cycle numbers, torn and wrapped writes), reads record by record, verifies
 * their CRCs, gathers transactions, and replays those that are complete: buffers and inodes whose
 * place on disk is older (LSN), dquots, inode chunk creation, cancelled buffers, then the intents
 * without a done item, then the lists of unlinked inodes are left as they are (the mount processes
 * them; check knows them).
 *
 * Reads the log device, writes `data` only; a check gives an overlay there.
 */
#ifndef MENDFS_LOG_RECOVER_H
#define MENDFS_LOG_RECOVER_H

#include "device/device.h"
#include "format/type.h"

enum log_state { LOG_CLEAN, LOG_DIRTY, LOG_DAMAGED };

struct log_status {
	enum log_state state;
	u64 head_block, tail_block; /* 512-byte blocks of the log */
	u32 head_cycle, tail_cycle;
	u64 records, transactions, items; /* replayed */
	u64 intents;			  /* found without a done item, and finished */
	u64 unlinked;			  /* inodes on unlinked lists afterwards */
};

struct log_options {
	const struct meta_types *types;
	struct verdict *verdict; /* findings: LOG_*; NULL: only the trail */
	/* With a damaged log: false refuses (-EUCLEAN), true replays what is whole, up to the
	 * damage. */
	bool accept_loss;
};

/* Looks, and writes nothing. log NULL: internal, on data. */
int log_examine(struct env *env, const struct geometry *g, struct device *data, struct device *log,
		const struct log_options *options, struct log_status *status);
int log_recover(struct env *env, const struct geometry *g, struct device *data, struct device *log,
		const struct log_options *options, struct log_status *status);

#endif
