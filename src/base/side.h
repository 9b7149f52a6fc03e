/*
 * A side file: records that one side adds while another catches up with them.
 *
 * Who adds does so piece by piece, and either publishes what was added since the last time or drops
 * it. Who reads gets what has been published, in order, each once.  The last `memory` bytes are in
 * memory, what is older in a scratch file, which starts anew whenever the reader has caught up.
 *
 * Locked by itself: one thread adds at a time, and one reads.  An error of the scratch file is
 * kept, and told to who reads: who adds is never held up by it.
 */
#ifndef MENDFS_BASE_SIDE_H
#define MENDFS_BASE_SIDE_H

#include "base/env.h"

struct side_file;

int side_open(struct env *env, u32 record_size, size_t memory, struct side_file **out);
void side_close(struct side_file *side);
void side_add(struct side_file *side, const void *record);
/* What was added since the last of these calls can be read from now on. */
void side_publish(struct side_file *side);
/* Or has never been. */
void side_drop(struct side_file *side);
/* How many have been published and not read. */
u64 side_waiting(struct side_file *side);
/* Up to `most` of those: *count of them. 0, or the error that was met. */
int side_read(struct side_file *side, void *records, u64 most, u64 *count);

#endif
