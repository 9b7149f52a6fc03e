/*
 * Writing the log: operations go into records, records into the ring of blocks.
 *
 * One checkpoint is one transaction of the log: writer_begin(), regions, writer_end(). It takes
 * effect as a whole, with its last record, which is written only when all others are durable.  No
 * more records are ever on their way to the disk at a time than recovery is prepared to find torn
 * (LOG_RECORDS_IN_FLIGHT).
 *
 * Not locked: the journal has one thread in here.  When a write fails, the checkpoint is over, the
 * head stays where it was, and what has been written beyond it is made unreadable before anything
 * else is written.
 */
#ifndef MENDFS_LOG_WRITER_H
#define MENDFS_LOG_WRITER_H

#include "log/recover.h"

struct log_writer;

/* Begins at the head that recovery or examination has found, with the log empty (tail at the head).
 * Nothing is written yet. log NULL: internal, on data. */
int log_writer_open(struct env *env, const struct geometry *g, struct device *data,
		    struct device *log, const struct log_status *status, struct log_writer **out);
void log_writer_close(struct log_writer *w);
/* Makes unreadable what earlier writers have left beyond the head; flushes. Once before the first
 * checkpoint. */
int log_writer_clear(struct log_writer *w);

/* Blocks (LOG_BLOCK) that are free between head and tail, and all. */
u32 log_writer_room(const struct log_writer *w);
u32 log_writer_blocks(const struct log_writer *w);
/* Blocks that a checkpoint with so many regions and bytes takes at most. */
u64 log_writer_cost(const struct log_writer *w, u64 regions, u64 bytes);

/* items: how many there will be. */
int log_writer_begin(struct log_writer *w, u32 items);
int log_writer_region(struct log_writer *w, const void *bytes, u32 size);
/* Durable when it returns 0. */
int log_writer_end(struct log_writer *w);
/* Gives up a checkpoint that was begun. */
void log_writer_cancel(struct log_writer *w);
/* All that has been logged up to now is home: the tail comes to the head. In the log with the next
 * record. */
void log_writer_all_home(struct log_writer *w);
/* The log is empty and says so; nothing may be logged afterwards but a new checkpoint. */
int log_writer_unmount(struct log_writer *w);

#endif
