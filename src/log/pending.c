/*
 * Intents: what a transaction announced, to be done by a later one; see replay.h.
 *
 * An intent that comes in is kept until its done item comes in.  What is left at the end of the log
 * has been announced and not been done: the filesystem is consistent but for that.
 */
#include "base/trail.h"
#include "log/replay.h"

#include <errno.h>
#include <stdio.h>

#define PENDING_MAX (1u << 20)

int log_changes_alloc(struct log_replay *r, struct log_pending *p, u32 count)
{
	p->change = env_array(r->env, count ? count : 1, sizeof(*p->change));
	p->change_count = p->change ? count : 0;
	return p->change ? 0 : fail(-ENOMEM, "an intent of the log: out of memory");
}

static void pending_free(struct env *env, struct log_pending *p)
{
	env_free(env, p->change);
	env_free(env, p->region_end);
	env_free(env, p->bytes);
	env_free(env, p);
}

void log_status_free(struct env *env, struct log_status *status)
{
	while (status->pending) {
		struct log_pending *p = status->pending;

		status->pending = p->next;
		pending_free(env, p);
	}
}

static int copy_item(struct log_replay *r, struct log_pending *p, const struct log_item *item)
{
	u32 size = item->region_end[item->regions - 1];

	p->regions = item->regions;
	p->bytes = env_alloc(r->env, size);
	p->region_end = env_array(r->env, item->regions, sizeof(u32));
	if (!p->bytes || !p->region_end)
		return fail(-ENOMEM, "an intent of the log: out of memory");
	memcpy(p->bytes, item->bytes, size);
	memcpy(p->region_end, item->region_end, item->regions * sizeof(u32));
	return 0;
}

int log_pending_add(struct log_replay *r, const struct log_item_ops *ops,
		    const struct log_item *item, u64 id)
{
	struct log_pending *p;
	int err;

	if (r->status->intents >= PENDING_MAX)
		return log_item_bad(r, item, "intents", r->status->intents);
	p = env_alloc(r->env, sizeof(*p));
	if (!p)
		return fail(-ENOMEM, "an intent of the log: out of memory");
	p->type = item->type;
	p->name = ops->name;
	p->id = id;
	p->lsn = item->lsn;
	p->block = item->block;
	err = copy_item(r, p, item);
	if (!err)
		err = ops->changes(r, item, p);
	if (err) {
		pending_free(r->env, p);
		return err;
	}
	if (r->pending_last)
		r->pending_last->next = p;
	else
		r->status->pending = p;
	r->pending_last = p;
	r->status->intents++;
	return 0;
}

/* Few intents are open at a time, and most are done soon: the list is short. */
void log_pending_done(struct log_replay *r, u16 type, u64 id)
{
	struct log_pending **link = &r->status->pending, *before = NULL;

	while (*link && ((*link)->type != type || (*link)->id != id)) {
		before = *link;
		link = &(*link)->next;
	}
	if (*link) {
		struct log_pending *p = *link;

		*link = p->next;
		if (r->pending_last == p)
			r->pending_last = before;
		pending_free(r->env, p);
		r->status->intents--;
	}
}

static void report_change(struct log_replay *r, const struct log_pending *p,
			  const struct log_change *c)
{
	struct where where = {
	    .type = "log", .ag = NO_AG, .ino = NO_INO, .daddr = NO_DADDR, .owner = NO_OWNER};
	char text[FINDING_TEXT];

	if (c->ino != NO_INO && (s64)c->ino > 0)
		where.ino = c->ino;
	if (c->count && fsblock_valid(r->g, fsblock_of(c->start), c->count)) {
		where.ag = fsblock_ag(r->g, fsblock_of(c->start));
		where.daddr = fsblock_daddr(r->g, fsblock_of(c->start)).v;
		snprintf(text, sizeof(text), "%s kind %u: AG %u block %u, %llu blocks", p->name,
			 c->flags & LOG_INTENT_KIND, where.ag,
			 fsblock_bno(r->g, fsblock_of(c->start)), (unsigned long long)c->count);
	} else {
		snprintf(text, sizeof(text), "%s kind %u: inode %llu", p->name,
			 c->flags & LOG_INTENT_KIND, (unsigned long long)c->ino);
	}
	log_report(r->scan, log_defs->pending, &where, text);
}

void log_pending_report(struct log_replay *r)
{
	for (const struct log_pending *p = r->status->pending; p; p = p->next)
		for (u32 i = 0; i < p->change_count; i++)
			report_change(r, p, &p->change[i]);
}

int log_intent_check(struct log_replay *r, const struct log_item *item, u32 element)
{
	const struct log_intent *l = LOG_FORMAT(item, log_intent);
	u32 length = log_region_length(item, 0);

	if (!l || item->regions != 1)
		return log_item_bad(r, item, "format length", length);
	if (!le32_get(l->nextents) || le32_get(l->nextents) > (length - sizeof(*l)) / element)
		return log_item_bad(r, item, "nextents", le32_get(l->nextents));
	return 0;
}

int log_intent_replay(struct log_replay *r, const struct log_item *item)
{
	const struct log_intent *l = LOG_CHECKED(item, log_intent);

	return log_pending_add(r, log_item_ops_of(item->type), item, le64_get(l->id));
}

int log_done_check(struct log_replay *r, const struct log_item *item)
{
	if (!LOG_FORMAT(item, log_done))
		return log_item_bad(r, item, "format length", log_region_length(item, 0));
	return 0;
}

void log_done_parts(const struct log_item *item, struct log_part_sink *sink)
{
	sink->part(sink, "format", 0, log_region(item, 0), sizeof(struct log_done),
		   &log_done_layout);
}
