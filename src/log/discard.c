/*
 * Emptying a log without replaying it; see recover.h.
 *
 * Every block gets the cycle before the one that comes next, as a log looks that was never written
 * beyond its start; one record then says that it is clean.  A crash on the way leaves a log that is
 * to be discarded again.
 */
#include "base/trail.h"
#include "log/scan.h"
#include "log/writer.h"

#include <errno.h>

#define STEP_BLOCKS 128

/* The greatest cycle of a record that is where it says it is. */
static int last_cycle(const struct log_scan *scan, u8 *step, u32 *cycle)
{
	*cycle = 1;
	for (u32 at = 0; at < scan->blocks; at += STEP_BLOCKS) {
		u32 count = (u32)min_u64(STEP_BLOCKS, scan->blocks - at);

		if (log_scan_read(scan, at, count, step)) {
			trail_clear(); /* what cannot be read will be written */
			continue;
		}
		for (u32 i = 0; i < count; i++) {
			const struct log_record *h =
			    (const struct log_record *)(step + (size_t)i * LOG_BLOCK);
			u64 lsn = be64_get(h->lsn);

			if (log_is_header((const u8 *)h) && (lsn & NULL32) == at + i &&
			    lsn >> 32 == be32_get(h->cycle))
				*cycle = (u32)max_u64(*cycle, be32_get(h->cycle));
		}
	}
	return *cycle < NULL32 ? 0 : fail(-EUCLEAN, "the log has come to its last cycle");
}

static int fill(const struct log_scan *scan, u8 *step, u32 cycle)
{
	const struct be32 stamp = be32_make(cycle);
	int err = 0;

	memset(step, 0, STEP_BLOCKS * LOG_BLOCK);
	for (u32 i = 0; i < STEP_BLOCKS; i++)
		memcpy(step + (size_t)i * LOG_BLOCK, &stamp, sizeof(stamp));
	for (u32 at = 0; at < scan->blocks && !err; at += STEP_BLOCKS)
		err = device_write(scan->dev, daddr_of(scan->base + (u64)at * LOG_BLOCK), step,
				   (size_t)min_u64(STEP_BLOCKS, scan->blocks - at) * LOG_BLOCK);
	return err ? err : device_flush(scan->dev);
}

int log_discard(struct env *env, const struct geometry *g, struct device *data, struct device *log)
{
	const struct log_options options = {.accept_loss = true};
	struct log_status status = {.state = LOG_CLEAN};
	struct log_writer *writer = NULL;
	struct log_scan scan;
	u8 *step = env_alloc(env, STEP_BLOCKS * LOG_BLOCK);
	u32 cycle = 0;
	int err = step ? log_scan_init(&scan, env, g, data, log, &options)
		       : fail(-ENOMEM, "discarding the log: out of memory");

	if (!err)
		err = last_cycle(&scan, step, &cycle);
	if (!err)
		err = fill(&scan, step, cycle);
	status.head_cycle = cycle + 1;
	if (!err)
		err = log_writer_open(env, g, data, log, &status, &writer);
	if (!err)
		err = log_writer_unmount(writer);
	log_writer_close(writer);
	env_free(env, step);
	return err ? fail_in(err, "discarding the log") : 0;
}
