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

static void report_change(struct verdict *v, const struct geometry *g, const struct log_pending *p,
			  const struct log_change *c)
{
	char text[FINDING_TEXT];

	v->where = (struct where){
	    .type = "log", .ag = NO_AG, .ino = NO_INO, .daddr = NO_DADDR, .owner = NO_OWNER};
	if (c->ino != NO_INO && (s64)c->ino > 0)
		v->where.ino = c->ino;
	if (c->count && fsblock_valid(g, fsblock_of(c->start), c->count)) {
		v->where.ag = fsblock_ag(g, fsblock_of(c->start));
		v->where.daddr = fsblock_daddr(g, fsblock_of(c->start)).v;
		snprintf(text, sizeof(text), "%s kind %u: AG %u block %u, %llu blocks", p->name,
			 c->flags & LOG_INTENT_KIND, v->where.ag,
			 fsblock_bno(g, fsblock_of(c->start)), (unsigned long long)c->count);
	} else {
		snprintf(text, sizeof(text), "%s kind %u: inode %llu", p->name,
			 c->flags & LOG_INTENT_KIND, (unsigned long long)c->ino);
	}
	raise_text(v, log_defs->pending, NULL, text, NULL);
}

void log_pending_report(const struct log_status *status, const struct geometry *g,
			struct verdict *verdict)
{
	for (const struct log_pending *p = status->pending; p; p = p->next)
		for (u32 i = 0; i < p->change_count; i++)
			report_change(verdict, g, p, &p->change[i]);
}

void log_pending_drop(struct env *env, struct log_status *status, struct log_pending *pending)
{
	struct log_pending **link = &status->pending;

	while (*link != pending)
		link = &(*link)->next;
	*link = pending->next;
	status->intents--;
	/* what finishing another has left is none of the log's */
	if (pending->regions)
		status->finished++;
	pending_free(env, pending);
}

int log_pending_free_later(struct env *env, struct log_status *status, u64 start, u64 count)
{
	struct log_pending **link = &status->pending;
	struct log_pending *p = env_alloc(env, sizeof(*p));

	if (p)
		p->change = env_array(env, 1, sizeof(*p->change));
	if (!p || !p->change) {
		env_free(env, p);
		return fail(-ENOMEM, "an intent: out of memory");
	}
	p->type = LOG_EFI;
	p->name = log_item_efi.name;
	p->change_count = 1;
	p->change[0] = (struct log_change){.ino = NO_INO, .start = start, .count = count};
	while (*link)
		link = &(*link)->next;
	*link = p;
	status->intents++;
	return 0;
}
