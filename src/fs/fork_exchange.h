/*
 * The exchange of what two forks map, inside a transaction: for files (fs/file_exchange.h), and for
 * what a log has left to do (fs/finish.h).
 */
#ifndef MENDFS_FS_FORK_EXCHANGE_H
#define MENDFS_FS_FORK_EXCHANGE_H

#include "fs/fork_modify.h"

struct fork_exchange {
	struct fork_edit *first, *second; /* of the same inode they are the same fork */
	u64 first_at, second_at, count;	  /* blocks; the ranges do not overlap */
	bool written; /* what is a hole in the first or unwritten stays where it is */
};

/* Extents, unwritten ones and holes change places. -EFBIG when the transaction grows too large. */
int fork_exchange(const struct fork_exchange *exchange);

#endif
