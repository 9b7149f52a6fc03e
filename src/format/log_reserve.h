/*
 * How small a log may be.
 *
 * Before it changes anything, the kernel reserves in the log what the worst case of a transaction
 * may write.  A log in which the largest reservation does not fit several times is refused by
 * mount; so this is part of the format, though no structure says it.  The kernel keeps the sums of
 * older kernels for filesystems without parent pointers, since those must still mount there; so
 * does this.
 *
 * Found out with `xfs_db -c logres`, which prints each reservation.
 */
#ifndef MENDFS_FORMAT_LOG_RESERVE_H
#define MENDFS_FORMAT_LOG_RESERVE_H

#include "format/geometry.h"

/* The fewest filesystem blocks that a log for this geometry may have. Looks at sizes and features
 * alone. */
u64 log_least_blocks(const struct geometry *g);
/* The largest reservation as xfs_db has it: bytes, and how often it is taken at once. For the
 * tests. */
struct log_reservation {
	u64 bytes;
	u32 count;
};
struct log_reservation log_reservation_max(const struct geometry *g);

#endif
