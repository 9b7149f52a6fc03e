/*
 * Shows the log to somebody who wants to look at it; see log_each() in recover.h.
 *
 * Parts of an item are shown once it is whole, so behind its last operation.  An item that fails
 * its check is shown as raw regions.
 *
 * Where a part lies is found out by following the operations: of each transaction that has been
 * seen to start, the pieces of the item that is coming in are kept, in the order of its bytes.
 */
#include "base/trail.h"
#include "log/replay.h"

#include <errno.h>

/* What one operation brought of an item, where it lies. */
struct piece {
	struct piece *next;
	u32 record, at; /* the record's block; bytes from its start */
	u32 length;
};
struct pieces {
	struct pieces *next;
	u32 tid;
	bool have_header;
	struct piece *first, **end;
};

struct shower {
	struct log_part_sink sink;
	struct log_replay r;
	int (*fn)(void *arg, const struct log_event *event);
	void *arg;
	int stop;	       /* what fn returned */
	struct log_event part; /* of the item at hand */
	struct pieces *pieces, *of_item;
	const struct log_item *item;
};

static int show(struct shower *s, const struct log_event *event)
{
	if (!s->stop)
		s->stop = s->fn(s->arg, event);
	return s->stop;
}

static int show_record(void *arg, const struct log_place *place, const u8 *record)
{
	struct log_event event = {.kind = LOG_EVENT_RECORD,
				  .block = place->block,
				  .lsn = place->lsn,
				  .name = "record",
				  .part_name = "hdr",
				  .layout = &log_record_layout,
				  .length = LOG_BLOCK,
				  .record = place->block,
				  .blocks = place->blocks,
				  .header_blocks = place->header_blocks};

	for (u32 i = 0; i < place->header_blocks; i++) {
		event.index = i;
		event.at = i * LOG_BLOCK;
		event.bytes = record + (size_t)i * LOG_BLOCK;
		if (show(arg, &event))
			break;
		event.layout = &log_ext_layout;
		event.part_name = "ext";
	}
	return ((struct shower *)arg)->stop;
}

/* ---- where the parts lie ---- */

static struct pieces *pieces_of(const struct shower *s, u32 tid)
{
	struct pieces *p = s->pieces;

	while (p && p->tid != tid)
		p = p->next;
	return p;
}

static void drop_pieces(struct shower *s, struct pieces *p)
{
	while (p->first) {
		struct piece *piece = p->first;

		p->first = piece->next;
		env_free(s->r.env, piece);
	}
	p->end = &p->first;
}

static void drop_all(struct shower *s)
{
	while (s->pieces) {
		struct pieces *p = s->pieces;

		s->pieces = p->next;
		drop_pieces(s, p);
		env_free(s->r.env, p);
	}
}

static int start_pieces(struct shower *s, u32 tid)
{
	struct pieces *p = pieces_of(s, tid);

	if (!p) {
		p = env_alloc(s->r.env, sizeof(*p));
		if (!p)
			return fail(-ENOMEM, "a transaction of the log: out of memory");
		*p = (struct pieces){.next = s->pieces, .tid = tid};
		p->end = &p->first;
		s->pieces = p;
	}
	drop_pieces(s, p);
	p->have_header = false;
	return 0;
}

static int add_piece(struct shower *s, struct pieces *p, const struct log_event *op, u32 length)
{
	struct piece *piece = env_alloc(s->r.env, sizeof(*piece));

	if (!piece)
		return fail(-ENOMEM, "an item of the log: out of memory");
	*piece = (struct piece){
	    .record = op->record, .at = op->at + (u32)sizeof(struct log_op), .length = length};
	*p->end = piece;
	p->end = &piece->next;
	return 0;
}

/* Of `length` bytes from `offset` of the item; of none when they do not lie in one piece. */
static void find_piece(const struct pieces *p, u32 offset, u32 length, struct log_event *event)
{
	event->record = NULL32;
	for (const struct piece *piece = p ? p->first : NULL; piece; piece = piece->next) {
		if (offset < piece->length) {
			if (length <= piece->length - offset) {
				event->record = piece->record;
				event->at = piece->at + offset;
			}
			return;
		}
		offset -= piece->length;
	}
}

/* ---- what is shown ---- */

/* What an operation carries that is no item. */
static void show_carried(struct shower *s, const struct log_event *op, const char *name, u32 length,
			 const struct layout *layout)
{
	struct log_event event = *op;

	event.kind = LOG_EVENT_PART;
	event.name = name;
	event.part_name = "hdr";
	event.layout = layout;
	event.bytes = (const u8 *)op->bytes + sizeof(struct log_op);
	event.length = length;
	event.at = op->at + (u32)sizeof(struct log_op);
	show(s, &event);
}

static int show_op(void *arg, const struct log_place *place, const u8 *bytes, u32 offset)
{
	const struct log_op *op = (const struct log_op *)bytes;
	struct shower *s = arg;
	u32 length = be32_get(op->len);
	const struct log_event event = {.kind = LOG_EVENT_OP,
					.block = place->block,
					.offset = offset,
					.lsn = place->lsn,
					.tid = be32_get(op->tid),
					.name = "op",
					.part_name = "hdr",
					.layout = &log_op_layout,
					.bytes = op,
					.length = sizeof(struct log_op),
					.record = place->block,
					.at = place->header_blocks * LOG_BLOCK + offset};
	struct pieces *p;

	if (show(s, &event))
		return s->stop;
	if (op->flags & LOG_OP_UNMOUNT) {
		if (length >= sizeof(struct log_unmount))
			show_carried(s, &event, "unmount", length, &log_unmount_layout);
		return s->stop;
	}
	if (op->flags & LOG_OP_START)
		return start_pieces(s, event.tid);
	p = pieces_of(s, event.tid);
	if (!p || !length)
		return 0;
	if (p->have_header)
		return add_piece(s, p, &event, length);
	p->have_header = !(op->flags & LOG_OP_CONTINUE);
	if (length == sizeof(struct log_trans))
		show_carried(s, &event, "transaction", length, &log_trans_layout);
	return s->stop;
}

static void show_part(struct log_part_sink *sink, const char *name, u32 index, const void *bytes,
		      u32 length, const struct layout *layout)
{
	struct shower *s = (struct shower *)sink;

	s->part.part_name = name;
	s->part.index = index;
	s->part.bytes = bytes;
	s->part.length = length;
	s->part.layout = layout;
	find_piece(s->of_item, (u32)((const u8 *)bytes - s->item->bytes),
		   layout ? layout->size : length, &s->part);
	show(s, &s->part);
}

static void show_regions(struct shower *s, const struct log_item *item)
{
	for (u32 i = 0; i < item->regions; i++)
		show_part(&s->sink, "region", i, log_region(item, i), log_region_length(item, i),
			  NULL);
}

static int show_item(void *arg, struct log_trans_state *trans, const struct log_item *item)
{
	struct shower *s = arg;
	const struct log_item_ops *ops = log_item_ops_of(item->type);

	s->item = item;
	s->of_item = pieces_of(s, trans->tid);
	s->part = (struct log_event){.kind = LOG_EVENT_ITEM,
				     .block = item->block,
				     .lsn = item->lsn,
				     .tid = trans->tid,
				     .name = ops ? ops->name : "unknown item",
				     .index = item->regions,
				     .length = item->region_end[item->regions - 1],
				     .record = NULL32};
	show(s, &s->part);
	s->part.kind = LOG_EVENT_PART;
	if (ops && !ops->check(&s->r, item))
		ops->parts(item, &s->sink);
	else
		show_regions(s, item);
	if (s->of_item)
		drop_pieces(s, s->of_item);
	return s->stop;
}

static int show_commit(void *arg, struct log_trans_state *trans)
{
	const struct log_event event = {.kind = LOG_EVENT_COMMIT,
					.block = trans->block,
					.lsn = trans->lsn,
					.tid = trans->tid,
					.name = "commit",
					.record = NULL32};

	return show(arg, &event);
}

int log_each(struct env *env, const struct geometry *g, struct device *data, struct device *log,
	     const struct log_options *options, int (*fn)(void *arg, const struct log_event *event),
	     void *arg)
{
	struct log_scan scan;
	struct log_ends ends;
	struct log_status status = {0};
	struct shower s = {
	    .sink = {show_part},
	    .r = {.scan = &scan, .env = env, .g = g, .data = data, .status = &status},
	    .fn = fn,
	    .arg = arg};
	const struct log_visitor visitor = {.record = show_record,
					    .op = show_op,
					    .item = show_item,
					    .commit = show_commit,
					    .arg = &s};
	u32 reached;
	int err = log_scan_init(&scan, env, g, data, log, options);

	if (!err)
		err = log_find(&scan, &ends);
	if (err || !ends.last.blocks)
		return err;
	err = log_walk(&scan, ends.clean ? ends.last.block : ends.tail, ends.head, &visitor,
		       &reached);
	drop_all(&s);
	return s.stop ? s.stop : err;
}

void log_kinds_each(void (*fn)(void *arg, const char *name, const struct part_kind *kind),
		    void *arg)
{
	static const struct {
		const char *name;
		struct part_kind kind;
	} frame[] = {
	    {"record", {"hdr", &log_record_layout}},   {"record", {"ext", &log_ext_layout}},
	    {"op", {"hdr", &log_op_layout}},	       {"transaction", {"hdr", &log_trans_layout}},
	    {"unmount", {"hdr", &log_unmount_layout}},
	};

	for (u32 i = 0; i < ARRAY_COUNT(frame); i++)
		fn(arg, frame[i].name, &frame[i].kind);
	for (const struct log_item_ops *const *ops = log_items; *ops; ops++)
		for (const struct part_kind *kind = (*ops)->kinds; kind->name; kind++)
			fn(arg, (*ops)->name, kind);
}
