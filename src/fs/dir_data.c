/*
 * Entries and free runs of a data block.
 *
 * The block is tiled by entries and free runs; two free runs never touch.  The header lists the
 * three longest runs.  What comes in has passed the type's rules.
 */
#include "base/mutate.h"
#include "base/trail.h"
#include "fs/dir_impl.h"

#include <errno.h>

/* A free run here. */
static void set_free(struct txn_buf *buf, u32 offset, u32 length)
{
	struct dir_data_unused *u = (struct dir_data_unused *)(buf->data + offset);
	struct dir_tag tag = {be16_make((u16)offset)};

	u->freetag = be16_make(DIR_FREE_TAG);
	u->length = be16_make((u16)length);
	memcpy(buf->data + offset + length - sizeof(tag), &tag, sizeof(tag));
}

static bool is_free(const struct txn_buf *buf, u32 offset)
{
	const struct dir_data_unused *u = (const struct dir_data_unused *)(buf->data + offset);

	return be16_get(u->freetag) == DIR_FREE_TAG;
}

static u32 free_length(const struct txn_buf *buf, u32 offset)
{
	u32 length = be16_get(((const struct dir_data_unused *)(buf->data + offset))->length);

	return length < DIR_ALIGN ? DIR_ALIGN : length;
}

/* The length of whatever is at offset; never 0. */
static u32 slot_length(const struct geometry *g, const struct txn_buf *buf, u32 offset)
{
	const struct dir_data_entry *e = (const struct dir_data_entry *)(buf->data + offset);

	return is_free(buf, offset) ? free_length(buf, offset) : dir_entry_size(g, e->namelen);
}

/* ---- the table: (offset, length), of the longest runs ---- */

static struct be16 *bests_of(struct txn_buf *buf)
{
	return &((struct dir_data *)buf->data)->best0_offset;
}

static u32 third_of(struct txn_buf *buf)
{
	return be16_get(bests_of(buf)[2 * DIR_BESTS - 1]);
}

/* The run has gone; false: the table did not have it. */
static bool best_take(struct txn_buf *buf, u32 offset)
{
	struct be16 *best = bests_of(buf), *last = best + 2 * (DIR_BESTS - 1);

	for (; best <= last; best += 2) {
		if (be16_get(best[0]) != offset || !be16_get(best[1]))
			continue;
		memmove(best, best + 2, (size_t)(last - best) * sizeof(*best));
		last[0] = last[1] = be16_make(0);
		return true;
	}
	return false;
}

static void best_put(struct txn_buf *buf, u32 offset, u32 length)
{
	struct be16 *best = bests_of(buf);
	u32 i = DIR_BESTS;

	while (i && length > be16_get(best[2 * i - 1]))
		i--;
	if (i == DIR_BESTS)
		return;
	memmove(best + 2 * i + 2, best + 2 * i, (DIR_BESTS - 1 - i) * 2 * sizeof(*best));
	best[2 * i] = be16_make((u16)offset);
	best[2 * i + 1] = be16_make((u16)length);
}

/* The three longest runs, longest first. */
static void find_bests(const struct geometry *g, struct txn_buf *buf, u32 end)
{
	struct be16 *best = bests_of(buf);
	u32 offset[DIR_BESTS] = {0}, length[DIR_BESTS] = {0};

	for (u32 at = sizeof(struct dir_data); at < end; at += slot_length(g, buf, at)) {
		u32 size = is_free(buf, at) ? free_length(buf, at) : 0, i = DIR_BESTS;

		while (i && size > length[i - 1])
			i--;
		if (i == DIR_BESTS)
			continue;
		for (u32 k = DIR_BESTS - 1; k > i; k--) {
			offset[k] = offset[k - 1];
			length[k] = length[k - 1];
		}
		offset[i] = at;
		length[i] = size;
	}
	for (u32 i = 0; i < DIR_BESTS; i++) {
		best[2 * i] = be16_make((u16)offset[i]);
		best[2 * i + 1] = be16_make((u16)length[i]);
	}
}

void dir_data_init(struct txn_buf *buf, u32 end)
{
	struct dir_data *d = (struct dir_data *)buf->data;

	set_free(buf, sizeof(*d), end - (u32)sizeof(*d));
	d->best0_offset = be16_make(sizeof(*d));
	d->best0_length = be16_make((u16)(end - sizeof(*d)));
}

/* The shortest of the longest that is long enough. */
u32 dir_data_find(const struct txn_buf *buf, u32 end, u32 need)
{
	const struct dir_data *d = (const struct dir_data *)buf->data;

	for (u32 i = DIR_BESTS; i--;) {
		u32 offset = dir_best_offset(d, i), length = dir_best_length(d, i);

		if (length >= need && offset >= sizeof(*d) && offset + length <= end &&
		    is_free(buf, offset) && free_length(buf, offset) == length)
			return offset;
	}
	return 0;
}

void dir_data_set(const struct da_op *op, struct txn_buf *buf, u32 offset, u64 ino, u8 type)
{
	struct dir_data_entry *e = (struct dir_data_entry *)(buf->data + offset);

	txn_dirty(op->txn, buf);
	e->inumber = be64_make(ino);
	if (dir_has_type(op->g))
		buf->data[offset + sizeof(*e) + e->namelen] =
		    MUTATE(ENTRY_TYPE) ? DIR_FT_FIFO : type;
}

void dir_data_put(const struct da_op *op, struct txn_buf *buf, u32 end, u32 offset, u64 ino,
		  u8 type, const void *name, u32 length)
{
	u32 size = dir_entry_size(op->g, length), room = free_length(buf, offset);
	u32 rest = room - size, third = third_of(buf);
	bool listed = best_take(buf, offset);
	struct dir_data_entry *e = (struct dir_data_entry *)(buf->data + offset);
	struct dir_tag tag = {be16_make((u16)offset)};

	memset(e, 0, size);
	e->namelen = (u8)length;
	memcpy(e + 1, name, length);
	dir_data_set(op, buf, offset, ino, type);
	memcpy(buf->data + offset + size - sizeof(tag), &tag, sizeof(tag));
	if (rest)
		set_free(buf, offset + size, rest);
	/* One that is not listed is no longer than the third; without a third all are. */
	if (!listed || (third && rest < third))
		find_bests(op->g, buf, end);
	else if (rest)
		best_put(buf, offset + size, rest);
}

/* Joined with the free runs around it. */
int dir_data_take(const struct da_op *op, struct txn_buf *buf, u32 end, u32 offset)
{
	u32 at = sizeof(struct dir_data), before = 0, from = offset, to, third = third_of(buf);
	u32 listed = 0;

	while (at < offset) {
		before = at;
		at += slot_length(op->g, buf, at);
	}
	if (at != offset || offset >= end || is_free(buf, offset))
		return fail(-EUCLEAN, "directory %llu: no entry at offset %u of its block",
			    (unsigned long long)op->ino.v, offset);
	txn_dirty(op->txn, buf);
	to = offset + slot_length(op->g, buf, offset);
	if (before && is_free(buf, before)) {
		from = before;
		listed += best_take(buf, before);
	}
	if (to < end && is_free(buf, to)) {
		listed += best_take(buf, to);
		to += free_length(buf, to);
	}
	set_free(buf, from, to - from);
	if (third && listed > 1)
		find_bests(op->g, buf, end);
	else
		best_put(buf, from, to - from);
	return 0;
}

bool dir_data_is_empty(const struct txn_buf *buf, u32 end)
{
	return is_free(buf, sizeof(struct dir_data)) &&
	       free_length(buf, sizeof(struct dir_data)) == end - sizeof(struct dir_data);
}

void dir_data_grow(const struct da_op *op, struct txn_buf *buf, u32 from, u32 to)
{
	u32 at = sizeof(struct dir_data), last = 0;

	txn_dirty(op->txn, buf);
	while (at < (from < to ? from : to)) {
		last = at;
		at += slot_length(op->g, buf, at);
	}
	if (from < to) {
		if (last && is_free(buf, last))
			from = last;
		set_free(buf, from, to - from);
	} else if (last && is_free(buf, last) && last + free_length(buf, last) == from) {
		/* what lay between `to` and `from` is free, and is not to be any more */
		if (last < to)
			set_free(buf, last, to - last);
	}
	find_bests(op->g, buf, to);
}

void dir_data_skip(const struct da_op *op, struct txn_buf *buf, u32 end, u32 at, u32 offset)
{
	set_free(buf, at, offset - at);
	if (offset < end)
		set_free(buf, offset, end - offset);
	find_bests(op->g, buf, end);
}

bool dir_data_ends_free(const struct da_op *op, const struct txn_buf *buf, u32 end, u32 size)
{
	u32 at = sizeof(struct dir_data), last = 0;

	while (at < end) {
		last = at;
		at += slot_length(op->g, buf, at);
	}
	return last && is_free(buf, last) && free_length(buf, last) >= size;
}
