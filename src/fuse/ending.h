/*
 * The end of a mount by a signal: SIGTERM, SIGINT, SIGHUP. Private to src/fuse; see server.h.
 *
 * What programs have written is in the kernel's cache, and comes to the server as long as that
 * serves.  So a signal does not end the session.  It wakes a thread, which has the kernel write all
 * that it has (exchange_flush.h), and ends the session then.  How long that takes is bounded.
 */
#ifndef MENDFS_FUSE_ENDING_H
#define MENDFS_FUSE_ENDING_H

#include "base/types.h"

#include <stdatomic.h>

/* How far the kernel's writes are. */
struct writes {
	atomic_uint now;  /* that are being done */
	atomic_uint done; /* so far */
};
static inline void write_begins(struct writes *w)
{
	atomic_fetch_add_explicit(&w->now, 1, memory_order_relaxed);
}
static inline void write_ends(struct writes *w)
{
	atomic_fetch_add_explicit(&w->done, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&w->now, 1, memory_order_relaxed);
}

#endif
