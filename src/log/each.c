/*
 * Shows the log to somebody who wants to look at it; see log_each() in recover.h.
 *
 * Parts of an item are shown once it is whole, so behind its last operation.  An item that fails
 * its check is shown as raw regions.
 */
#include "base/trail.h"
#include "log/replay.h"

#include <errno.h>

struct shower {
	struct log_part_sink sink;
	struct log_replay r;
	int (*fn)(void *arg, const struct log_event *event);
	void *arg;
	int stop;	       /* what fn returned */
	struct log_event part; /* of the item at hand */
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
				  .layout = &log_record_layout,
				  .length = LOG_BLOCK};

	for (u32 i = 0; i < place->header_blocks; i++) {
		event.index = i;
		event.bytes = record + (size_t)i * LOG_BLOCK;
		if (show(arg, &event))
			break;
		event.layout = &log_ext_layout;
	}
	return ((struct shower *)arg)->stop;
}

static int show_op(void *arg, const struct log_place *place, const u8 *op, u32 offset)
{
	const struct log_event event = {.kind = LOG_EVENT_OP,
					.block = place->block,
					.offset = offset,
					.lsn = place->lsn,
					.tid = be32_get(((const struct log_op *)op)->tid),
					.name = "op",
					.layout = &log_op_layout,
					.bytes = op,
					.length = sizeof(struct log_op)};

	return show(arg, &event);
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
	show(s, &s->part);
}

static int show_item(void *arg, struct log_trans_state *trans, const struct log_item *item)
{
	struct shower *s = arg;
	const struct log_item_ops *ops = log_item_ops_of(item->type);

	s->part = (struct log_event){.kind = LOG_EVENT_PART,
				     .block = item->block,
				     .lsn = item->lsn,
				     .tid = trans->tid,
				     .name = ops ? ops->name : "unknown item"};
	s->part.kind = LOG_EVENT_ITEM;
	s->part.index = item->regions;
	s->part.length = item->region_end[item->regions - 1];
	show(s, &s->part);
	s->part.kind = LOG_EVENT_PART;
	if (ops && !ops->check(&s->r, item)) {
		ops->parts(item, &s->sink);
		return s->stop;
	}
	for (u32 i = 0; i < item->regions; i++)
		show_part(&s->sink, "region", i, log_region(item, i), log_region_length(item, i),
			  NULL);
	return s->stop;
}

static int show_commit(void *arg, struct log_trans_state *trans)
{
	const struct log_event event = {.kind = LOG_EVENT_COMMIT,
					.block = trans->block,
					.lsn = trans->lsn,
					.tid = trans->tid,
					.name = "commit"};

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
	return s.stop ? s.stop : err;
}
