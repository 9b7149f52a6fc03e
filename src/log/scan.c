/* The log as an array of blocks: reading, and raising findings about it; see scan.h. */
#include "log/scan.h"

#include "base/trail.h"

#include <errno.h>
#include <stdio.h>

/* A finding becomes the trail, and goes to the verdict of the caller when there is one. */
static void raise_damage(struct verdict *v, const struct finding *finding)
{
	const struct log_scan *scan = v->sink;
	struct verdict *outer = scan->options->verdict;
	char text[512];

	finding_print(finding, text, sizeof(text));
	fail(-EUCLEAN, "%s", text);
	if (!outer)
		return;
	outer->count++;
	if (finding->def->severity > outer->worst)
		outer->worst = finding->def->severity;
	if (outer->raise)
		outer->raise(outer, finding);
}

static struct verdict verdict_at(struct log_scan *scan, u32 block)
{
	return (struct verdict){.raise = raise_damage,
				.where = {.type = "log",
					  .ag = NO_AG,
					  .ino = NO_INO,
					  .daddr = scan->base + (u64)block * LOG_BLOCK,
					  .owner = NO_OWNER},
				.sink = scan};
}

int log_damage(struct log_scan *scan, const struct finding_def *def, u32 block, const char *field,
	       const char *found, const char *expected)
{
	struct verdict v = verdict_at(scan, block);

	scan->damaged = true;
	raise_text(&v, def, field, found, expected);
	return -EUCLEAN;
}

int log_damage_u64(struct log_scan *scan, const struct finding_def *def, u32 block,
		   const char *field, u64 found, u64 expected)
{
	struct verdict v = verdict_at(scan, block);

	scan->damaged = true;
	raise_u64(&v, def, field, found, expected);
	return -EUCLEAN;
}

void log_report(struct log_scan *scan, const struct finding_def *def, const struct where *where,
		const char *found)
{
	struct verdict v = verdict_at(scan, 0);

	if (!scan->options->verdict)
		return;
	v.where = *where;
	raise_text(&v, def, NULL, found, NULL);
}

int log_scan_init(struct log_scan *scan, struct env *env, const struct geometry *g,
		  struct device *data, struct device *log, const struct log_options *options)
{
	u64 bytes = (u64)g->log_blocks << g->block_log, size;
	struct fsblock start = fsblock_of(g->log_start);

	*scan = (struct log_scan){.env = env, .g = g, .options = options};
	scan->dev = g->log_internal ? data : log;
	if (!scan->dev)
		return fail(-ENODEV, "the log is on a device of its own, which is not given");
	if (g->log_internal) {
		if (!fsblock_valid(g, start, g->log_blocks))
			return log_damage_u64(scan, log_defs->place, 0, "logstart", g->log_start,
					      g->log_blocks);
		scan->base = fsblock_daddr(g, start).v;
	}
	size = scan->dev->size;
	if (bytes < 2 * LOG_RECORD_BYTES || bytes >> LOG_BLOCK_LOG > NULL32 / 2 ||
	    scan->base > size || bytes > size - scan->base)
		return log_damage_u64(scan, log_defs->place, 0, "logblocks", g->log_blocks,
				      size >> g->block_log);
	scan->blocks = (u32)(bytes >> LOG_BLOCK_LOG);
	return 0;
}

u32 log_ranges(const struct geometry *g, u32 block, u32 count, struct cache_range out[2])
{
	u64 base = g->log_internal ? fsblock_daddr(g, fsblock_of(g->log_start)).v : 0;
	u32 first = (u32)min_u64(count, log_size(g) - block);

	out[0] = (struct cache_range){daddr_of(base + (u64)block * LOG_BLOCK), first * LOG_BLOCK};
	out[1] = (struct cache_range){daddr_of(base), (count - first) * LOG_BLOCK};
	return first < count ? 2 : 1;
}

int log_scan_read(const struct log_scan *scan, u32 block, u32 count, void *to)
{
	u32 first = count < scan->blocks - block ? count : scan->blocks - block;
	int err = device_read(scan->dev, daddr_of(scan->base + (u64)block * LOG_BLOCK), to,
			      (size_t)first * LOG_BLOCK);

	if (!err && first < count)
		err = device_read(scan->dev, daddr_of(scan->base),
				  (u8 *)to + (size_t)first * LOG_BLOCK,
				  (size_t)(count - first) * LOG_BLOCK);
	return err ? fail_in(err, "log block %u", block) : 0;
}
