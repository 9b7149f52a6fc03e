/* The report of a check as one JSON object; docs/JSON.md is its schema. */
#include "cli/report.h"

#include "base/trail.h"
#include "cli/cli.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#define SCHEMA_VERSION 1
#define LINE 2048

/* Names are bytes; JSON wants UTF-8. What is none becomes \xNN. */
static json_t *text_of(const char *text)
{
	json_t *value = json_string(text);
	char safe[4 * LINE];
	size_t at = 0;

	if (value)
		return value;
	for (; *text && at + 5 < sizeof(safe); text++) {
		u8 c = (u8)*text;

		if (c < 0x80)
			safe[at++] = (char)c;
		else
			at += (size_t)snprintf(safe + at, 5, "\\x%02x", c);
	}
	safe[at] = 0;
	return json_string(safe);
}

static json_t *number_or_null(u64 value, u64 none)
{
	return value == none ? json_null() : json_integer((json_int_t)value);
}

/* The block as the filesystem counts (AG and number within), or null. */
static json_t *block_of(const struct geometry *g, u64 daddr)
{
	u64 block;

	if (!g || daddr == NO_DADDR)
		return json_null();
	block = daddr >> g->block_log;
	if (block >= g->data_blocks)
		return json_null();
	return json_integer(
	    (json_int_t)fsblock_make(g, (u32)(block / g->ag_blocks), (u32)(block % g->ag_blocks))
		.v);
}

static json_t *finding_of(const struct geometry *g, const struct finding *f)
{
	const struct where *w = &f->where;
	json_t *o = json_object();
	char line[LINE];

	finding_print(f, line, sizeof(line));
	json_object_set_new(o, "id", json_string(f->def->id));
	json_object_set_new(o, "severity", json_string(severity_name(f->def->severity)));
	json_object_set_new(o, "type", json_string(w->type ? w->type : f->def->type));
	json_object_set_new(o, "ag", number_or_null(w->ag, NO_AG));
	json_object_set_new(o, "ino", number_or_null(w->ino, NO_INO));
	json_object_set_new(o, "path", w->path ? text_of(w->path) : json_null());
	json_object_set_new(o, "block", block_of(g, w->daddr));
	json_object_set_new(o, "sector",
			    w->daddr == NO_DADDR ? json_null()
						 : json_integer((json_int_t)(w->daddr / 512)));
	json_object_set_new(o, "field", f->field[0] ? text_of(f->field) : json_null());
	json_object_set_new(o, "found", f->found[0] ? text_of(f->found) : json_null());
	json_object_set_new(o, "expected", f->expected[0] ? text_of(f->expected) : json_null());
	json_object_set_new(o, "text", text_of(line));
	return o;
}

static json_t *loss_of(const struct log_loss *loss)
{
	return json_pack("{s:b, s:I, s:I, s:I}", "all", loss->all, "lost_records",
			 (json_int_t)loss->records, "lost_bytes", (json_int_t)loss->bytes,
			 "lost_items", (json_int_t)loss->items);
}

static json_t *log_of(const struct report *r)
{
	static const char *const state[] = {"unknown", "clean", "dirty", "damaged"};
	const struct log_status *log = &r->log;

	if (!r->opened)
		return json_null();
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "state",
			 r->mounted ? "mounted" : state[log->state], "replayed", r->replayed,
			 "records", (json_int_t)log->records, "transactions",
			 (json_int_t)log->transactions, "items", (json_int_t)log->items, "intents",
			 (json_int_t)log->finished, "intents_left", (json_int_t)log->intents,
			 "unlinked", (json_int_t)log->unlinked, "loss", loss_of(&log->loss));
}

static json_t *stats_of(const struct report *r)
{
	const struct sweep_stats *s = &r->stats;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "blocks", (json_int_t)s->blocks,
			 "bytes", (json_int_t)s->bytes, "inodes", (json_int_t)s->inodes,
			 "directories", (json_int_t)s->directories, "names", (json_int_t)s->names,
			 "device_bytes", (json_int_t)r->cache.bytes, "seconds",
			 (double)r->ns / 1e9);
}

static json_t *counts_of(const struct report *r)
{
	json_t *o = json_object();

	for (int s = SEVERITY_INCOMPLETE; s < SEVERITIES; s++)
		json_object_set_new(o, severity_name((enum severity)s),
				    json_integer((json_int_t)r->count[s]));
	return o;
}

int report_print_json(FILE *out, const struct report *r, int status)
{
	json_t *root = json_object(), *findings = json_array();
	int err = 0;

	for (u32 i = 0; i < r->kept; i++)
		json_array_append_new(findings, finding_of(r->opened ? &r->g : NULL, r->sorted[i]));
	json_object_set_new(root, "schema", json_integer(SCHEMA_VERSION));
	json_object_set_new(root, "version", json_string(MENDFS_VERSION));
	json_object_set_new(root, "image", text_of(r->image));
	json_object_set_new(root, "only", r->only ? text_of(r->only) : json_null());
	json_object_set_new(root, "exit", json_integer(status));
	json_object_set_new(root, "error", r->error ? text_of(r->error) : json_null());
	json_object_set_new(root, "total", json_integer((json_int_t)r->total));
	json_object_set_new(root, "paths_left", json_integer(paths_left(r->paths)));
	json_object_set_new(root, "counts", counts_of(r));
	json_object_set_new(root, "findings", findings);
	json_object_set_new(root, "log", log_of(r));
	json_object_set_new(root, "stats", stats_of(r));
	if (json_dumpf(root, out, JSON_INDENT(1)) || putc('\n', out) == EOF)
		err = fail(-ENOMEM, "writing JSON failed");
	json_decref(root);
	return err;
}
