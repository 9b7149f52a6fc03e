/*
 * Recovery: two passes over the log; see recover.h.
 *
 * The first pass looks at every item of every complete transaction, and gathers what replay must
 * know beforehand: which buffers are freed later.  It finds all damage of the log itself, so the
 * second pass, which writes, does not stop half-way for such.  The second replays each transaction
 * when its commit comes in, its items in the order of enum log_order.
 *
 * With accept_loss, the log ends where the first damage is; an item whose target is not what it
 * must be is left out.
 */
#include "log/recover.h"

#include "base/trail.h"
#include "log/replay.h"
#include "log/summary.h"

#include <errno.h>
#include <stdio.h>

const struct log_item_ops *const log_items[] = {
    &log_item_buffer,	&log_item_inode,   &log_item_dquot,
    &log_item_quotaoff, &log_item_icreate, &log_item_efi,
    &log_item_efd,	&log_item_rui,	   &log_item_rud,
    &log_item_cui,	&log_item_cud,	   &log_item_bui,
    &log_item_bud,	&log_item_attri,   &log_item_attrd,
    &log_item_xmi,	&log_item_xmd,	   NULL,
};

const struct log_item_ops *log_item_ops_of(u16 type)
{
	for (u32 i = 0; log_items[i]; i++)
		if (log_items[i]->type == type)
			return log_items[i];
	return NULL;
}

const char *log_item_type_name(u16 type)
{
	const struct log_item_ops *ops = log_item_ops_of(type);

	return ops ? ops->name : NULL;
}

/* What a transaction keeps until its commit, by order of replay. */
struct kept {
	struct log_store *store[LOG_ORDERS];
};

static int keep(struct log_replay *r, struct log_trans_state *trans, enum log_order order,
		const struct log_item *item)
{
	struct kept *kept = trans->user;
	int err = 0;

	if (!kept) {
		kept = trans->user = env_alloc(r->env, sizeof(*kept));
		if (!kept)
			return fail(-ENOMEM, "a transaction of the log: out of memory");
	}
	if (!kept->store[order])
		err = log_store_open(r->env, &kept->store[order]);
	return err ? err : log_store_add(kept->store[order], item);
}

static void end_trans(void *arg, struct log_trans_state *trans)
{
	struct log_replay *r = arg;
	struct kept *kept = trans->user;

	for (u32 i = 0; kept && i < LOG_ORDERS; i++)
		log_store_close(kept->store[i]);
	env_free(r->env, kept);
	trans->user = NULL;
}

static int checked(struct log_replay *r, const struct log_item *item,
		   const struct log_item_ops **ops)
{
	*ops = log_item_ops_of(item->type);
	if (!*ops)
		return log_damage_u64(r->scan, log_defs->unknown, item->block, NULL, item->type, 0);
	return (*ops)->check(r, item);
}

static enum log_order order_of(const struct log_item_ops *ops, const struct log_item *item)
{
	return ops->order ? ops->order(item) : LOG_ORDER_ITEM;
}

static int gather_item(void *arg, struct log_trans_state *trans, const struct log_item *item)
{
	struct log_replay *r = arg;
	const struct log_item_ops *ops;
	enum log_order order;
	int err = checked(r, item, &ops);

	if (err || !ops->gather)
		return err;
	order = order_of(ops, item);
	/* of buffers, only what cancels: the others are most of the log */
	if (order == LOG_ORDER_BUFFER || order == LOG_ORDER_INODE_BUFFER)
		return 0;
	return keep(r, trans, order, item);
}

static int gather_one(void *arg, const struct log_item *item)
{
	return log_item_ops_of(item->type)->gather(arg, item);
}

static int each_kept(struct log_replay *r, const struct log_trans_state *trans,
		     int (*fn)(void *arg, const struct log_item *item))
{
	struct kept *kept = trans->user;
	int err = 0;

	for (u32 i = 0; kept && i < LOG_ORDERS && !err; i++)
		if (kept->store[i])
			err = log_store_each(kept->store[i], fn, r);
	return err;
}

static int gather_commit(void *arg, struct log_trans_state *trans)
{
	return each_kept(arg, trans, gather_one);
}

static int replay_item(void *arg, struct log_trans_state *trans, const struct log_item *item)
{
	struct log_replay *r = arg;
	const struct log_item_ops *ops;
	int err = checked(r, item, &ops);

	if (err || !ops->replay)
		return err;
	return keep(r, trans, order_of(ops, item), item);
}

static int replay_one(void *arg, const struct log_item *item)
{
	struct log_replay *r = arg;
	int err = log_item_ops_of(item->type)->replay(r, item);

	if (err == -EUCLEAN && r->scan->options->accept_loss) {
		r->status->loss.items++;
		return 0;
	}
	r->status->items++;
	return err;
}

static int replay_commit(void *arg, struct log_trans_state *trans)
{
	struct log_replay *r = arg;

	r->status->transactions++;
	return each_kept(r, trans, replay_one);
}

static int count_record(void *arg, const struct log_place *place, const u8 *record)
{
	struct log_replay *r = arg;

	(void)place;
	(void)record;
	r->status->records++;
	return 0;
}

/* What lies behind the damage. The bodies of records begin with their cycle, and are no headers. */
static int count_loss(struct log_replay *r, u32 from, u32 to)
{
	struct log_loss *loss = &r->status->loss;
	u8 block[LOG_BLOCK];
	int err = 0;

	loss->bytes = (u64)log_distance(r->scan, from, to) * LOG_BLOCK;
	/* what is damaged may be no header any more */
	loss->records = 1;
	for (u32 at = log_block_after(r->scan, from, 1); at != to && !err;
	     at = log_block_after(r->scan, at, 1)) {
		err = log_scan_read(r->scan, at, 1, block);
		loss->records += !err && log_is_header(block);
	}
	return err;
}

static int gather(struct log_replay *r, struct log_ends *ends)
{
	const struct log_visitor visitor = {.item = gather_item,
					    .commit = gather_commit,
					    .end = end_trans,
					    .arg = r,
					    .task = "reading the log"};
	u32 head = ends->head, reached = head;
	int err;

	for (;;) {
		log_cancels_close(r->cancels);
		err = log_cancels_open(r->env, &r->cancels);
		if (!err)
			err = log_walk(r->scan, ends->tail, head, &visitor, &reached);
		if (err != -EUCLEAN || !r->scan->damaged || !r->scan->options->accept_loss ||
		    reached == head)
			break;
		head = reached; /* strictly nearer to the tail: this ends */
		r->quotaoff = 0;
	}
	if (!err && head != ends->head)
		err = count_loss(r, head, ends->head);
	ends->head = head;
	return err;
}

static int replay(struct log_replay *r, const struct log_ends *ends)
{
	const struct log_visitor visitor = {.record = count_record,
					    .item = replay_item,
					    .commit = replay_commit,
					    .end = end_trans,
					    .arg = r,
					    .task = "replaying the log"};
	u32 reached;
	int err = log_walk(r->scan, ends->tail, ends->head, &visitor, &reached);

	if (!err)
		err = log_summary_update(r);
	return err ? err : device_flush(r->data);
}

static int run(struct log_replay *r, struct log_ends *ends)
{
	int err = gather(r, ends);

	return err ? err : replay(r, ends);
}

static void report_torn(struct log_scan *scan, const struct log_ends *ends)
{
	const struct where where = {.type = "log",
				    .ag = NO_AG,
				    .ino = NO_INO,
				    .daddr = scan->base + (u64)ends->head * LOG_BLOCK,
				    .owner = NO_OWNER};
	char text[32];

	snprintf(text, sizeof(text), "%u", ends->torn);
	if (ends->torn_bad)
		log_report(scan, log_defs->torn, &where, text);
}

static void fill_status(struct log_status *status, const struct log_ends *ends)
{
	status->state = ends->clean ? LOG_CLEAN : LOG_DIRTY;
	status->head_block = ends->head;
	status->tail_block = ends->tail;
	status->head_cycle = ends->head_cycle;
	status->tail_cycle = ends->tail_cycle;
	status->torn_blocks = ends->torn;
}

static int examine(struct log_scan *scan, struct env *env, const struct geometry *g,
		   struct device *data, struct device *log, const struct log_options *options,
		   struct log_ends *ends, struct log_status *status)
{
	int err = log_scan_init(scan, env, g, data, log, options);

	*status = (struct log_status){0};
	*ends = (struct log_ends){0};
	if (!err)
		err = log_find(scan, ends);
	fill_status(status, ends);
	if (!scan->damaged)
		return err;
	status->state = LOG_DAMAGED;
	status->loss.all = true;
	return err == -EUCLEAN && options->accept_loss ? 0 : err;
}

int log_examine(struct env *env, const struct geometry *g, struct device *data, struct device *log,
		const struct log_options *options, struct log_status *status)
{
	struct log_scan scan;
	struct log_ends ends;
	int err = examine(&scan, env, g, data, log, options, &ends, status);

	/* of a dirty one, recovery says it */
	if (!err && status->state == LOG_CLEAN)
		report_torn(&scan, &ends);
	return err;
}

static int look(struct log_scan *scan, struct device *data, const struct log_ends *found,
		struct log_status *status)
{
	struct log_replay r = {
	    .scan = scan, .env = scan->env, .g = scan->g, .data = data, .status = status};
	struct log_ends ends = *found;
	int err = gather(&r, &ends);

	log_cancels_close(r.cancels);
	if (scan->damaged)
		status->state = LOG_DAMAGED;
	return err;
}

static void report_ignored(struct log_scan *scan, const struct log_status *status)
{
	static const char *const state[] = {"on a device that is not given", NULL, "dirty",
					    "damaged"};
	const struct where where = {
	    .type = "log", .ag = NO_AG, .ino = NO_INO, .daddr = NO_DADDR, .owner = NO_OWNER};

	if (state[status->state])
		log_report(scan, log_defs->ignored, &where, state[status->state]);
}

int log_look(struct env *env, const struct geometry *g, struct device *data, struct device *log,
	     const struct log_options *options, struct log_status *status)
{
	struct log_options all = *options;
	struct log_scan scan = {.env = env, .g = g, .options = &all};
	struct log_ends ends;
	int err = 0;

	*status = (struct log_status){0};
	all.accept_loss = true; /* goes on behind what it has met */
	if (g->log_internal || log) {
		err = examine(&scan, env, g, data, log, &all, &ends, status);
		if (!err && status->state != LOG_DAMAGED)
			report_torn(&scan, &ends);
		if (!err && status->state == LOG_DIRTY)
			err = look(&scan, data, &ends, status);
	}
	if (err == -ENOMEM)
		return err;
	if (err)
		status->state = LOG_DAMAGED;
	status->loss = (struct log_loss){0}; /* nobody has given up anything */
	report_ignored(&scan, status);
	return 0;
}

int log_recover(struct env *env, const struct geometry *g, struct device *data, struct device *log,
		const struct log_options *options, struct log_status *status)
{
	struct log_scan scan;
	struct log_ends ends;
	struct log_replay r = {.scan = &scan, .env = env, .g = g, .data = data, .status = status};
	int err = examine(&scan, env, g, data, log, options, &ends, status);

	if (err || status->state != LOG_DIRTY)
		return err;
	report_torn(&scan, &ends);
	r.target = env_alloc(env, LOG_TARGET_MAX);
	if (!r.target)
		return fail(-ENOMEM, "replaying the log: out of memory");
	err = run(&r, &ends);
	status->head_block = ends.head;
	if (scan.damaged)
		status->state = LOG_DAMAGED;
	log_cancels_close(r.cancels);
	env_free(env, r.target);
	return err;
}
