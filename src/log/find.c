/*
 * Where the log ends and where replay has to begin.
 *
 * Every block carries the cycle in which it was written, so a sound log is one run of blocks of
 * cycle c followed by one of c - 1 (or of never-written zeros, in the first cycle): the head is
 * where they meet, found by bisection.  Up to LOG_RECORDS_IN_FLIGHT records may have been on their
 * way to the disk when the machine stopped, in any order, so the stretch before that point may have
 * holes of the older cycle; the head moves back to the first of them, and then to the start of the
 * record that the hole cuts.  What is cut off there never was acknowledged to anyone: `torn`
 * counts it, and it is no damage.  A record that was in flight and has a wrong checksum is taken
 * for torn as well, with all behind it, as the kernel does; older ones are damage, and not looked
 * at here.  A record that is cut off though it had all its blocks is told about (torn_bad).
 *
 * The last whole record says where the tail is, unless it is an unmount record: then the log is
 * clean.  Fails with -EUCLEAN and a finding when the blocks do not make such a log.
 */
#include "base/trail.h"
#include "log/scan.h"

#include <errno.h>

#define STEP 512 /* blocks read at a time */
/* Blocks that may hold records written out of order. */
#define IN_FLIGHT (LOG_RECORDS_IN_FLIGHT * (LOG_RECORD_MAX >> LOG_BLOCK_LOG))
/* A record that was cut may be followed by others, also cut. */
#define CUTS_MAX (2 * LOG_RECORDS_IN_FLIGHT)

struct finder {
	struct log_scan *scan;
	u8 *buffer; /* STEP blocks */
};

static int cycle_at(struct finder *f, u32 block, u32 *cycle)
{
	int err = log_scan_read(f->scan, block, 1, f->buffer);

	*cycle = err ? 0 : log_cycle_of(f->buffer);
	return err;
}

/* The first block in [from, from + count) whose cycle is `cycle`; *found is NULL32 for none. */
static int find_cycle(struct finder *f, u32 from, u32 count, u32 cycle, u32 *found)
{
	*found = NULL32;
	while (count) {
		u32 step = count < STEP ? count : STEP;
		int err = log_scan_read(f->scan, from, step, f->buffer);

		if (err)
			return err;
		for (u32 i = 0; i < step; i++)
			if (log_cycle_of(f->buffer + (size_t)i * LOG_BLOCK) == cycle) {
				*found = log_block_after(f->scan, from, i);
				return 0;
			}
		from = log_block_after(f->scan, from, step);
		count -= step;
	}
	return 0;
}

/* The last record header in the `count` blocks before `end`; *found is NULL32 for none. */
static int find_header(struct finder *f, u32 end, u32 count, u32 *found)
{
	*found = NULL32;
	while (count) {
		u32 step = count < STEP ? count : STEP;
		u32 from = log_block_after(f->scan, end, f->scan->blocks - step);
		int err = log_scan_read(f->scan, from, step, f->buffer);

		if (err)
			return err;
		for (u32 i = step; i--;)
			if (log_is_header(f->buffer + (size_t)i * LOG_BLOCK)) {
				*found = log_block_after(f->scan, from, i);
				return 0;
			}
		end = from;
		count -= step;
	}
	return 0;
}

/* Where cycle `newer` of block 0 gives way to what was there before. */
static int bisect(struct finder *f, u32 newer, u32 *head)
{
	u32 low = 0, high = f->scan->blocks - 1, cycle;

	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;
		int err = cycle_at(f, middle, &cycle);

		if (err)
			return err;
		if (cycle == newer)
			low = middle;
		else
			high = middle;
	}
	*head = high;
	return 0;
}

/* What was there before a write that did not come is a block of an older cycle, or zeros: anything
 * else has been damaged. */
static int look_at_head(struct finder *f, struct log_ends *ends)
{
	const struct log_record *r = (const struct log_record *)f->buffer;
	int err = log_scan_read(f->scan, ends->head, 1, f->buffer);

	if (err)
		return err;
	/* recovery fills the blocks ahead with headers of the older cycle, also of cycle 0 */
	if (log_is_header(f->buffer)) {
		ends->torn_bad |= lsn_cycle(be64_get(r->lsn)) != be32_get(r->cycle);
		return 0;
	}
	for (u32 i = 0; !log_cycle_of(f->buffer) && i < LOG_BLOCK; i++)
		ends->torn_bad |= f->buffer[i];
	return 0;
}

/* Moves the head back to the first hole in what may have been in flight. Behind block 0 lies the
 * end of the cycle before. */
static int skip_holes(struct finder *f, u32 newer, u32 *head)
{
	u32 blocks = f->scan->blocks, window = IN_FLIGHT < blocks ? IN_FLIGHT : blocks, found;
	int err;

	if (*head < window) {
		/* the cycle before began blocks earlier, and may have a hole of its own */
		u32 rest = window - *head;

		err = newer < 2 ? 0 : find_cycle(f, blocks - rest, rest, newer - 2, &found);
		if (err)
			return err;
		if (newer >= 2 && found != NULL32) {
			*head = found;
			return 0;
		}
		window = *head;
	}
	err = find_cycle(f, *head - window, window, newer - 1, &found);
	if (!err && found != NULL32)
		*head = found;
	return err;
}

static int find_head(struct finder *f, struct log_ends *ends)
{
	u32 first, last;
	int err = cycle_at(f, 0, &first);

	if (!err)
		err = cycle_at(f, f->scan->blocks - 1, &last);
	if (err)
		return err;
	if (!first && !last) {
		ends->clean = true; /* never written */
		return 0;
	}
	if (!first || (first != last && last && first - last != 1) || (!last && first != 1))
		return log_damage_u64(f->scan, log_defs->cycles, 0, NULL, last, first);
	ends->head_cycle = first;
	if (first == last) {
		/* written exactly up to the end: the next block is 0, of the next cycle */
		ends->head = f->scan->blocks;
	} else {
		err = bisect(f, first, &ends->head);
	}
	if (!err)
		err = skip_holes(f, first, &ends->head);
	return err || ends->head == f->scan->blocks ? err : look_at_head(f, ends);
}

/* Takes records that do not end at the head off it, until one does. */
static int find_last(struct finder *f, struct log_ends *ends)
{
	struct log_scan *scan = f->scan;
	u32 from = ends->head % scan->blocks, head = from, at;
	u32 window = LOG_RECORD_BYTES / LOG_BLOCK;
	const char *bad;

	for (u32 i = 0; i < CUTS_MAX; i++) {
		int err = find_header(f, head, window, &at);

		if (err)
			return err;
		if (at == NULL32)
			break;
		err = log_scan_read(scan, at, 1, f->buffer);
		if (err)
			return err;
		bad = log_place_parse(scan, at, f->buffer, &ends->last);
		if (!bad && ends->last.blocks == log_distance(scan, at, head)) {
			ends->torn += log_distance(scan, head, from);
			ends->head = head;
			/* a record that runs to the end, or over it, ends in the next cycle */
			ends->head_cycle = ends->last.cycle +
					   (ends->last.block + ends->last.blocks >= scan->blocks);
			return 0;
		}
		/* A sector is written whole, and what was cut is too long, not too short. */
		ends->torn_bad |= bad || ends->last.blocks < log_distance(scan, at, head);
		head = at;
	}
	return log_damage(scan, log_defs->head, ends->head % scan->blocks, NULL, NULL, NULL);
}

/* An unmount record is the last of a clean log, and alone in its record. */
static int check_unmount(struct finder *f, struct log_ends *ends)
{
	const struct log_op *op = (const struct log_op *)f->buffer;
	u32 body = log_block_after(f->scan, ends->last.block, ends->last.header_blocks);
	int err = 0;

	if (ends->last.ops != 1)
		return 0;
	err = log_scan_read(f->scan, body, 1, f->buffer);
	ends->clean = !err && op->flags & LOG_OP_UNMOUNT;
	return err;
}

/* The first of the records in flight whose checksum is wrong; NULL32: none. */
static int find_unsound(struct finder *f, const struct log_ends *ends, u32 *unsound)
{
	struct log_scan *scan = f->scan;
	u32 window = LOG_RECORD_BYTES / LOG_BLOCK, at = ends->head, tail;
	u8 *record = env_alloc(scan->env, LOG_RECORD_BYTES);
	bool sound;
	int err = 0;

	*unsound = NULL32;
	if (!record)
		return fail(-ENOMEM, "finding the ends of the log: out of memory");
	tail = lsn_block(ends->last.tail_lsn);
	for (u32 i = 0; i < LOG_RECORDS_IN_FLIGHT && at != tail && !err; i++) {
		err = find_header(f, at, window, &at);
		if (err || at == NULL32)
			break;
		err = log_record_sound(scan, at, record, &sound);
		if (!sound)
			*unsound = at;
	}
	env_free(scan->env, record);
	return err;
}

static int cut_unsound(struct finder *f, struct log_ends *ends)
{
	u32 unsound;
	int err = find_unsound(f, ends, &unsound);

	if (err || unsound == NULL32)
		return err;
	ends->torn += log_distance(f->scan, unsound, ends->head);
	ends->torn_bad = true;
	ends->head = unsound;
	return find_last(f, ends);
}

/* A torn write may have run over the tail that the last whole record still names: those records
 * were done with, or their space would not have been written. Go on to the first that is whole. */
static int seek_tail(struct finder *f, struct log_ends *ends)
{
	u32 left = ends->torn + LOG_RECORD_BYTES / LOG_BLOCK, block = ends->tail;

	while (left-- && block != ends->last.block) {
		struct log_place place;
		int err = log_scan_read(f->scan, block, 1, f->buffer);

		if (err)
			return err;
		if (log_is_header(f->buffer) &&
		    !log_place_parse(f->scan, block, f->buffer, &place) &&
		    place.cycle == ends->tail_cycle) {
			ends->tail = block;
			return 0;
		}
		block = log_block_after(f->scan, block, 1);
	}
	return log_damage_u64(f->scan, log_defs->tail, ends->last.block, "tail_lsn", ends->tail,
			      ends->last.block);
}

static int find_tail(struct finder *f, struct log_ends *ends)
{
	struct log_scan *scan = f->scan;
	u64 lsn = ends->last.tail_lsn;
	u32 behind, reach;
	int err;

	if (ends->clean) {
		ends->tail = ends->head;
		ends->tail_cycle = ends->head_cycle;
		return 0;
	}
	ends->tail = lsn_block(lsn);
	ends->tail_cycle = lsn_cycle(lsn);
	if (lsn > ends->last.lsn || ends->tail >= scan->blocks ||
	    ends->last.cycle - ends->tail_cycle > 1 ||
	    (ends->last.cycle != ends->tail_cycle && ends->tail < ends->last.block))
		return log_damage_u64(scan, log_defs->tail, ends->last.block, "tail_lsn",
				      lsn_block(lsn), ends->last.block);
	err = log_scan_read(scan, ends->tail, 1, f->buffer);
	if (err)
		return err;
	if (log_is_header(f->buffer) && log_cycle_of(f->buffer) == ends->tail_cycle)
		return 0;
	behind = log_distance(scan, ends->head, ends->tail);
	reach = ends->torn + IN_FLIGHT;
	if (ends->torn && behind < reach)
		return seek_tail(f, ends);
	return log_damage_u64(scan, log_defs->tail, ends->last.block, "tail_lsn", ends->tail,
			      ends->last.block);
}

int log_find(struct log_scan *scan, struct log_ends *ends)
{
	struct finder f = {.scan = scan};
	int err;

	*ends = (struct log_ends){0};
	f.buffer = env_alloc(scan->env, (size_t)STEP * LOG_BLOCK);
	if (!f.buffer)
		return fail(-ENOMEM, "finding the ends of the log: out of memory");
	err = find_head(&f, ends);
	if (!err && !ends->clean) {
		err = find_last(&f, ends);
		if (!err)
			err = check_unmount(&f, ends);
		if (!err && !ends->clean)
			err = cut_unsound(&f, ends);
		if (!err)
			err = find_tail(&f, ends);
	}
	env_free(scan->env, f.buffer);
	return err;
}
