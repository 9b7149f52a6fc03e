/*
 * Directories put together anew: for repairs, which know what the entries are.
 *
 * Entries stay at their addresses, so what lists a directory meanwhile goes on, and blocks in which
 * nothing is wrong are not touched.  A data block is written whole, in its place; the log makes
 * that one step.  The hash index and the free index are built from the data blocks: beside the old
 * ones when they are too large for one transaction, and then the root is switched.  A crash in
 * between leaves a directory whose index has blocks that nothing leads to, or is the old one.
 *
 * What cannot be read is never asked for here: old index blocks are only given back.
 */
#ifndef MENDFS_FS_DIR_REMAKE_H
#define MENDFS_FS_DIR_REMAKE_H

#include "fs/dir_impl.h"

/* An entry of a data block, where it stays. */
struct dir_kept {
	u32 offset;
	u64 ino;
	u8 type, length;
	const u8 *name;
};

/* A directory in a series of transactions. */
struct dir_remake {
	struct vol *vol, view;
	struct txn *txn;
	struct inum ino;
	struct da_op op;
	u64 changed; /* bytes of this transaction, about */
	u64 most;    /* of one */
	bool hold;   /* what follows is one transaction, whatever it changes */
};

int dir_remake_begin(struct vol *vol, struct inum ino, struct dir_remake *m);
/* So many bytes will be changed next: ends the transaction and begins the next when it is full. */
int dir_remake_room(struct dir_remake *m, u64 bytes);
int dir_remake_end(struct dir_remake *m, int err);

/* The data block at `off`, which is mapped, or new: these entries and nothing else, in the order of
 * their offsets. */
int dir_remake_data(struct dir_remake *m, u64 off, bool new, const struct dir_kept *kept,
		    u32 count);
/* The only block of a directory, with its index. False: not all of it fits. */
bool dir_remake_fits_block(const struct geometry *g, const struct dir_kept *kept, u32 count);
int dir_remake_block(struct dir_remake *m, bool new, const struct dir_kept *kept, u32 count);
/* Both indexes, from the data blocks, and the size. twice(): of two entries with one name, the
 * second has just been taken out. */
int dir_remake_index(struct dir_remake *m, void (*twice)(void *arg, const struct dir_slot *slot),
		     void *arg);

#endif
