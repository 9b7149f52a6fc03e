/* Records of the log as objects; see object_log.h. */
#include "cli/object_log.h"

#include "base/trail.h"
#include "cli/inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- names ---- */

static void name_item_part(struct log_naming *n, const struct log_event *e)
{
	/* of the structures, an item has all but these any number of times */
	static const char *const once[] = {"format", "format32", "core"};

	snprintf(n->part, sizeof(n->part), "item[%u].%s", n->item - 1, e->part_name);
	n->repeated = true;
	for (u32 i = 0; i < ARRAY_COUNT(once); i++)
		n->repeated &= strcmp(e->part_name, once[i]) != 0;
}

void log_naming_next(struct log_naming *n, const struct log_event *e)
{
	if (e->kind == LOG_EVENT_RECORD && !e->index)
		*n = (struct log_naming){.record = n->record + 1};
	n->index = e->index;
	n->repeated = e->index != 0;
	if (e->kind == LOG_EVENT_RECORD) {
		snprintf(n->part, sizeof(n->part), "%s", e->part_name);
	} else if (e->kind == LOG_EVENT_OP) {
		snprintf(n->part, sizeof(n->part), "op");
		n->index = n->op++;
		n->repeated = true;
	} else if (e->kind == LOG_EVENT_ITEM) {
		snprintf(n->part, sizeof(n->part), "item");
		n->index = n->item++;
		n->repeated = true;
	} else if (e->kind == LOG_EVENT_PART && !strcmp(e->name, "unmount")) {
		snprintf(n->part, sizeof(n->part), "unmount");
	} else if (e->kind == LOG_EVENT_PART && !strcmp(e->name, "transaction")) {
		snprintf(n->part, sizeof(n->part), "transaction");
		n->index = n->transaction++;
		n->repeated = true;
	} else if (e->kind == LOG_EVENT_PART) {
		name_item_part(n, e);
	}
}

/* A structure that can be named and changed. */
static bool is_part(const struct log_event *e)
{
	return e->layout && e->record != NULL32 && e->layout->size <= e->length;
}

static int each(struct vol *vol, int (*fn)(void *arg, const struct log_event *e), void *arg)
{
	const struct log_options options = {.types = vol->types, .accept_loss = true};
	int err = log_each(vol->env, &vol->geo, vol->data, vol->log, &options, fn, arg);

	/* a log is damaged from somewhere on; what comes before can be named */
	return err == -EUCLEAN || err > 0 ? 0 : err;
}

struct listing {
	struct log_naming naming;
	void (*fn)(void *arg, const char *name, const struct part *part);
	void *arg;
};

static int list_event(void *arg, const struct log_event *e)
{
	struct listing *l = arg;
	struct part part = {.layout = e->layout};
	char name[32];

	log_naming_next(&l->naming, e);
	part.name = l->naming.part;
	part.index = l->naming.index;
	part.repeated = l->naming.repeated;
	snprintf(name, sizeof(name), "log record %u", l->naming.record);
	if (is_part(e))
		l->fn(l->arg, name, &part);
	return 0;
}

int object_log_each(struct vol *vol,
		    void (*fn)(void *arg, const char *name, const struct part *part), void *arg)
{
	struct listing l = {.naming = {.record = NULL32}, .fn = fn, .arg = arg};

	return each(vol, list_event, &l);
}

/* ---- objects ---- */

struct stretch {
	struct log_event record;
	u32 offset; /* in the object */
};
struct named {
	char name[LOG_PART];
	struct part part; /* offset: in its record, until the object is loaded */
	u32 block;
};
struct object_log {
	/* The last that came, the object being those from `first` on. An object lies in no more
	 * places than CACHE_RANGES, so what came before these is only counted: a log can have
	 * millions. */
	struct stretch record[CACHE_RANGES];
	u32 records, first, before;
	struct named *part;
	u32 parts;
	u8 *stored; /* the bytes of the object as they are on the device */
};

struct finding_record {
	const struct log_request *request;
	struct object_log *log;
	struct log_naming naming;
	bool found;
	int err;
};

static void keep_record(struct finding_record *f, const struct log_event *e)
{
	struct object_log *log = f->log;

	if (log->records == CACHE_RANGES) {
		memmove(log->record, log->record + 1, sizeof(log->record) - sizeof(*log->record));
		log->records--;
		log->before++;
	}
	log->record[log->records++] = (struct stretch){*e, 0};
}

static void keep_part(struct finding_record *f, const struct log_event *e)
{
	struct object_log *log = f->log;
	struct named *grown = realloc(log->part, (log->parts + 1) * sizeof(*log->part));

	if (!grown) {
		f->err = fail(-ENOMEM, "a record of the log: out of memory");
		return;
	}
	log->part = grown;
	log->part[log->parts] = (struct named){.part = {.index = f->naming.index,
							.repeated = f->naming.repeated,
							.offset = e->at,
							.layout = e->layout},
					       .block = e->record};
	memcpy(log->part[log->parts++].name, f->naming.part, LOG_PART);
}

static int find_event(void *arg, const struct log_event *e)
{
	struct finding_record *f = arg;

	if (e->kind == LOG_EVENT_RECORD && !e->index && f->found)
		return 1;
	log_naming_next(&f->naming, e);
	if (e->kind == LOG_EVENT_RECORD && !e->index) {
		keep_record(f, e);
		f->found = f->request->record == (f->request->by_lsn ? e->lsn : f->naming.record);
	}
	if (f->found && is_part(e))
		keep_part(f, e);
	return f->err;
}

static u32 find_stretch(const struct object_log *log, u32 block)
{
	u32 r = log->records;

	while (r-- && log->record[r].record.block != block)
		;
	return r;
}

/* From the first record that one of the parts lies in. Parts that lie in none of those that came
 * began before the tail. */
static int settle_places(struct object *o)
{
	struct object_log *log = o->log;
	u32 r;

	log->first = log->records - 1;
	for (u32 i = 0; i < log->parts; i++) {
		r = find_stretch(log, log->part[i].block);
		if (r == NULL32 && log->before)
			return fail(-EUCLEAN, "%s: its items begin too far before it", o->name);
		if (r < log->first)
			log->first = r;
	}
	o->len = 0;
	for (r = log->first; r < log->records; r++) {
		log->record[r].offset = o->len;
		o->len += log->record[r].record.blocks * LOG_BLOCK;
	}
	for (u32 i = 0; i < log->parts; i++) {
		r = find_stretch(log, log->part[i].block);
		if (r != NULL32)
			log->part[i].part.offset += log->record[r].offset;
	}
	return 0;
}

static int load_record(struct object *o, const struct stretch *r)
{
	u8 *to = o->log->stored + r->offset;
	struct cache_range range[2];
	u32 count = log_ranges(&o->vol->geo, r->record.block, r->record.blocks, range);

	for (u32 i = 0; i < count; to += range[i++].size) {
		int err = device_read(o->dev, range[i].at, to, range[i].size);

		if (!err && o->range_count == CACHE_RANGES)
			err = fail(-EUCLEAN, "%s: its items begin too far before it", o->name);
		if (err)
			return err;
		o->ranges[o->range_count++] = range[i];
	}
	to = o->bytes + r->offset;
	memcpy(to, o->log->stored + r->offset, (size_t)r->record.blocks * LOG_BLOCK);
	log_record_open(to, r->record.header_blocks, r->record.blocks);
	return 0;
}

static int load(struct object *o)
{
	struct object_log *log = o->log;
	int err = settle_places(o);

	if (err)
		return err;
	o->bytes = env_alloc(o->vol->env, o->len);
	log->stored = env_alloc(o->vol->env, o->len);
	if (!o->bytes || !log->stored)
		return fail(-ENOMEM, "%s: out of memory", o->name);
	for (u32 r = log->first; r < log->records && !err; r++)
		err = load_record(o, &log->record[r]);
	return err;
}

int object_log_find(struct object *o, char **words, u32 count)
{
	static const struct meta_type type = {.name = "log", .crc_offset = CRC_NONE};
	const struct log_request request = log_request_of(words, count);
	struct finding_record f = {.request = &request, .naming = {.record = NULL32}};
	int err;

	if (request.view != LOG_VIEW_RECORD)
		return fail(-EINVAL, "expected log record and its number or LSN");
	o->type = &type;
	o->dev = o->vol->geo.log_internal ? o->vol->data : o->vol->log;
	snprintf(o->name, sizeof(o->name), "log record %s", words[2]);
	o->log = f.log = env_alloc(o->vol->env, sizeof(*o->log));
	if (!o->log)
		return fail(-ENOMEM, "%s: out of memory", o->name);
	err = each(o->vol, find_event, &f);
	if (!err)
		err = f.err;
	if (!err && !f.found)
		err = fail(-ENOENT, "there is no such record: %s", o->name);
	return err ? err : load(o);
}

void object_log_parts(const struct object *o, struct part_sink *sink)
{
	for (u32 i = 0; i < o->log->parts; i++) {
		struct part part = o->log->part[i].part;

		part.name = o->log->part[i].name;
		sink->part(sink, &part);
	}
}

const u8 *object_log_stored(const struct object *o)
{
	return o->log->stored;
}

int object_log_store(const struct object *o, u8 *bytes, bool fix_crc)
{
	const struct object_log *log = o->log;
	int err = 0;

	for (u32 i = log->first; i < log->records && !err; i++)
		err = log_record_store(o->vol->env, &o->vol->geo, o->vol->data, o->vol->log,
				       &log->record[i].record, log->stored + log->record[i].offset,
				       bytes + log->record[i].offset, fix_crc);
	return err;
}

void object_log_drop(struct object *o)
{
	if (!o->log)
		return;
	free(o->log->part);
	env_free(o->vol->env, o->log->stored);
	env_free(o->vol->env, o->log);
	o->log = NULL;
}
