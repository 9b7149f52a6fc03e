/*
 * Who claims which blocks, by place, where no reverse map tells: all claims of one sweep, and what
 * is free. Kept in memory, up to CLAIMS_MAX of them; beyond that nothing is known.
 */
#ifndef MENDFS_META_SPACE_CLAIMS_H
#define MENDFS_META_SPACE_CLAIMS_H

#include "fs/vol.h"
#include "ledger/sweep.h"

#define CLAIMS_MAX (1u << 20)
/* Stands for the owner of what is free. */
#define CLAIM_FREE INT64_MIN

struct claims;

int claims_open(struct vol *vol, struct claims **out);
void claims_close(struct claims *claims);
/* Of the accounts of owners and of free space. */
int claims_post(struct claims *claims, const struct sweep_posting *p);
/* Behind the last posting. *known: they are all there. */
int claims_sort(struct claims *claims, bool *known);

/* How many of these blocks others than ino have; *owner: one of them. */
u64 claims_of_others(const struct claims *claims, u64 ino, u64 fsblock, u64 count, s64 *owner);
/* Runs of blocks that nobody but ino (NO_INO: nobody) has and that are not free, until fn returns
 * other than 0, which is returned. */
int claims_each_leak(const struct claims *claims, u64 ino,
		     int (*fn)(void *arg, u64 fsblock, u64 count), void *arg);

#endif
