/* The free list in a commit: which of its slots are in use is said by the AGF. */
#ifndef MENDFS_META_AGFL_H
#define MENDFS_META_AGFL_H

#include "ledger/sweep.h"

/* Posts what has come to the list of the AG and gone from it. */
int agfl_change_list(struct sweep *sweep, u32 ag);

#endif
