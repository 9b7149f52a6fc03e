/*
 * From records to operations to items.
 *
 * A transaction is a series of operations with one id: a start, the transaction header, the regions
 * of its items, a commit.  A region that does not fit into a record is continued in the next one,
 * also when it is the header.  Several transactions may be on their way at once.
 *
 * 1. trans->wanted is the number of regions of the item that is coming in; 0 before its first
 *    region is whole.
 * 2. trans->regions < trans->wanted, or both are 0: an item that is complete is handed on at once.
 * 3. What a transaction holds of an item never exceeds LOG_ITEM_MAX, nor what the log has brought;
 *    there are never more than TRANSACTIONS_MAX.  So memory is bounded, whatever lengths are
 *    claimed.
 *
 * A record or operation that cannot be right ends the walk with a finding; what the visitor got
 * before that was sound.
 */
#include "base/trail.h"
#include "log/scan.h"

#include <errno.h>
#include <stdio.h>

#define TRANSACTIONS_MAX 64
#define ROOM_FIRST 4096

struct walk {
	struct log_scan *scan;
	const struct log_visitor *visitor;
	struct log_trans_state *trans; /* all that are open */
	u32 open;
	u8 *record;
	struct log_place place; /* of the record at hand */
};

static void trans_end(struct walk *w, struct log_trans_state *trans)
{
	struct log_trans_state **link = &w->trans;

	while (*link != trans)
		link = &(*link)->next;
	*link = trans->next;
	w->open--;
	if (w->visitor->end)
		w->visitor->end(w->visitor->arg, trans);
	env_free(w->scan->env, trans->bytes);
	env_free(w->scan->env, trans);
}

static struct log_trans_state *trans_find(struct walk *w, u32 tid)
{
	struct log_trans_state *trans = w->trans;

	while (trans && trans->tid != tid)
		trans = trans->next;
	return trans;
}

static int bad_op(struct walk *w, const char *field, u64 found)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)found);
	return log_damage(w->scan, log_defs->op, w->place.block, field, text, NULL);
}

static int trans_start(struct walk *w, u32 tid)
{
	struct log_trans_state *trans;

	if (w->open == TRANSACTIONS_MAX)
		return bad_op(w, "transactions", w->open + 1);
	trans = env_alloc(w->scan->env, sizeof(*trans));
	if (!trans)
		return fail(-ENOMEM, "a transaction of the log: out of memory");
	trans->tid = tid;
	trans->lsn = w->place.lsn;
	trans->block = w->place.block;
	trans->next = w->trans;
	w->trans = trans;
	w->open++;
	return 0;
}

/* Room for `more` bytes of the item that is coming in. */
static int reserve(struct walk *w, struct log_trans_state *trans, u32 more)
{
	u32 room = trans->room ? trans->room : ROOM_FIRST;
	u8 *bytes;

	if (more > LOG_ITEM_MAX - trans->used)
		return bad_op(w, "len", (u64)trans->used + more);
	while (room < trans->used + more)
		room *= 2;
	if (room == trans->room)
		return 0;
	bytes = env_alloc(w->scan->env, room);
	if (!bytes)
		return fail(-ENOMEM, "an item of the log: out of memory");
	if (trans->used)
		memcpy(bytes, trans->bytes, trans->used);
	env_free(w->scan->env, trans->bytes);
	trans->bytes = bytes;
	trans->room = room;
	return 0;
}

/* The transaction header is the first region of all, and no item. */
static int take_header(struct walk *w, struct log_trans_state *trans)
{
	const struct log_trans *header = (const struct log_trans *)trans->bytes;

	if (trans->used != sizeof(*header))
		return bad_op(w, "transaction header len", trans->used);
	if (le32_get(header->magic) != LOG_TRANS_MAGIC)
		return bad_op(w, "transaction header magic", le32_get(header->magic));
	trans->have_header = true;
	trans->used = 0;
	return 0;
}

static int take_region(struct walk *w, struct log_trans_state *trans)
{
	const struct log_head *head = (const struct log_head *)trans->bytes;
	struct log_item item;
	int err = 0;

	if (!trans->have_header)
		return take_header(w, trans);
	if (!trans->wanted) {
		if (trans->used < sizeof(*head))
			return bad_op(w, "item len", trans->used);
		trans->wanted = le16_get(head->size);
		if (!trans->wanted || trans->wanted > LOG_REGIONS_MAX)
			return bad_op(w, "item size", trans->wanted);
	}
	trans->region_end[trans->regions++] = trans->used;
	if (trans->regions < trans->wanted)
		return 0;
	item = (struct log_item){.lsn = trans->lsn,
				 .block = w->place.block,
				 .type = le16_get(head->type),
				 .regions = trans->regions,
				 .bytes = trans->bytes,
				 .region_end = trans->region_end};
	if (w->visitor->item)
		err = w->visitor->item(w->visitor->arg, trans, &item);
	trans->regions = trans->wanted = trans->used = 0;
	trans->items++;
	return err;
}

/* Bytes of a region, whole or a piece of it. */
static int trans_bytes(struct walk *w, struct log_trans_state *trans, u32 flags, const u8 *bytes,
		       u32 len)
{
	int err;

	if (!!(flags & LOG_OP_WAS_CONT) != trans->continued)
		return bad_op(w, "flags", flags);
	if (!len && !trans->continued)
		return 0; /* no region at all: nothing is written so */
	err = reserve(w, trans, len);
	if (err)
		return err;
	memcpy(trans->bytes + trans->used, bytes, len);
	trans->used += len;
	trans->continued = flags & LOG_OP_CONTINUE;
	return trans->continued ? 0 : take_region(w, trans);
}

static int trans_commit(struct walk *w, struct log_trans_state *trans)
{
	int err = 0;

	if (trans->continued || trans->wanted)
		return bad_op(w, "commit of an item with regions", trans->regions);
	if (w->visitor->commit)
		err = w->visitor->commit(w->visitor->arg, trans);
	trans_end(w, trans);
	return err;
}

static int take_op(struct walk *w, const struct log_op *op, const u8 *bytes)
{
	u32 tid = be32_get(op->tid), len = be32_get(op->len);
	struct log_trans_state *trans = trans_find(w, tid);

	if (op->flags & LOG_OP_UNMOUNT)
		return 0;
	if (op->flags & LOG_OP_START) {
		if (trans || op->flags != LOG_OP_START)
			return bad_op(w, "flags", op->flags);
		return trans_start(w, tid);
	}
	if (!trans)
		return 0; /* began before the tail: all that it changed is on the disk */
	if (op->flags == LOG_OP_COMMIT)
		return trans_commit(w, trans);
	if (op->flags & ~(LOG_OP_CONTINUE | LOG_OP_WAS_CONT | LOG_OP_END))
		return bad_op(w, "flags", op->flags);
	return trans_bytes(w, trans, op->flags, bytes, len);
}

static int take_record(struct walk *w)
{
	const u8 *body = log_record_body(w->record, &w->place);
	u32 at = 0, len;
	int err = 0;

	for (u32 i = 0; i < w->place.ops && !err; i++) {
		const struct log_op *op = (const struct log_op *)(body + at);

		if (w->place.len - at < sizeof(*op))
			return bad_op(w, "num_logops", w->place.ops);
		len = be32_get(op->len);
		if (len > w->place.len - at - sizeof(*op))
			return bad_op(w, "len", len);
		if (op->clientid != LOG_CLIENT_TRANSACTION && op->clientid != LOG_CLIENT_LOG)
			return bad_op(w, "clientid", op->clientid);
		if (w->visitor->op)
			err = w->visitor->op(w->visitor->arg, &w->place, body + at, at);
		if (!err)
			err = take_op(w, op, body + at + sizeof(*op));
		at += (u32)sizeof(*op) + len;
	}
	/* a writer fills up to its unit, and no further */
	if (!err && w->place.len - at >= max_u64(LOG_BLOCK, w->scan->g->log_stripe_unit))
		return bad_op(w, "num_logops", w->place.ops);
	return err;
}

static void show_progress(const struct walk *w, u32 done, u32 total)
{
	struct progress progress = {w->visitor->task, (u64)done >> (20 - LOG_BLOCK_LOG),
				    (u64)total >> (20 - LOG_BLOCK_LOG), "MiB"};

	if (w->visitor->task)
		w->scan->env->progress(w->scan->env, &progress);
}

static int walk_records(struct walk *w, u32 tail, u32 head, u32 *reached)
{
	u32 total = log_distance(w->scan, tail, head), done = 0;
	int err = 0;

	*reached = tail;
	while (done < total && !err) {
		show_progress(w, done, total);
		err = log_record_read(w->scan, *reached, total - done, w->record, &w->place);
		if (!err && w->visitor->record)
			err = w->visitor->record(w->visitor->arg, &w->place, w->record);
		if (!err)
			err = take_record(w);
		if (err)
			break;
		done += w->place.blocks;
		*reached = log_block_after(w->scan, *reached, w->place.blocks);
	}
	show_progress(w, done, total);
	return err;
}

int log_walk(struct log_scan *scan, u32 tail, u32 head, const struct log_visitor *visitor,
	     u32 *reached)
{
	struct walk w = {.scan = scan, .visitor = visitor};
	int err;

	w.record = env_alloc(scan->env, LOG_RECORD_BYTES);
	if (!w.record)
		return fail(-ENOMEM, "reading the log: out of memory");
	err = walk_records(&w, tail, head, reached);
	while (w.trans)
		trans_end(&w, w.trans);
	env_free(scan->env, w.record);
	return err;
}
