/*
 * mendfs inspect IMAGE log: the state of the log, its records, and the items in them.
 *
 * The volume has been opened as a check opens it, so that what is wrong with the log is the same;
 * records are shown from the tail up to where the log can be followed.
 */
#include "cli/inspect.h"

#include "base/trail.h"
#include "cli/cli.h"
#include "cli/object_log.h"
#include "cli/print.h"
#include "log/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KINDS 24 /* of items, more than there are */
#define DUMP_ROW 16

void log_finding_keep(struct verdict *v, const struct finding *finding)
{
	struct log_findings *f = v->sink;

	if (strcmp(finding->def->type, "log") != 0)
		return; /* others are told by whoever looks at the object */
	if (f->count < LOG_FINDINGS)
		f->finding[f->count] = *finding;
	f->count++;
	if (finding->def->severity > f->worst)
		f->worst = finding->def->severity;
}

struct log_request log_request_of(char **words, u32 count)
{
	struct log_request r = {.view = LOG_VIEW_NONE};
	char *colon;

	if (strcmp(words[0], "log") != 0)
		return r;
	if (count == 1)
		r.view = LOG_VIEW_SUMMARY;
	else if (count == 2 && !strcmp(words[1], "all"))
		r.view = LOG_VIEW_ALL;
	if (count != 3 || strcmp(words[1], "record") != 0)
		return r;
	colon = strchr(words[2], ':');
	if (colon) {
		u64 cycle = 0, block = 0;

		*colon = 0;
		r.by_lsn =
		    cli_parse_number(words[2], &cycle) && cli_parse_number(colon + 1, &block);
		*colon = ':';
		r.record = cycle << 32 | block;
	}
	if (r.by_lsn || (!colon && cli_parse_number(words[2], &r.record)))
		r.view = LOG_VIEW_RECORD;
	return r;
}

struct shown {
	const struct vol *vol;
	FILE *out;
	const struct log_request *request;
	u32 records; /* begun so far */
	struct log_naming naming;
	bool whole; /* the one at hand is shown with all it has */
	bool found;
	/* Of the record at hand, for its line. */
	struct {
		u32 block, bytes;
		u64 lsn;
		u32 ops, commits, kinds;
		bool unmount;
		const char *kind[KINDS];
		u32 items[KINDS];
	} line;
};

/* ---- one line a record ---- */

static void print_line(struct shown *s)
{
	char lsn[32];
	const char *comma = "";

	if (!s->records || s->request->view != LOG_VIEW_SUMMARY)
		return;
	snprintf(lsn, sizeof(lsn), "%" PRIu64 ":%" PRIu64, s->line.lsn >> 32, s->line.lsn & NULL32);
	fprintf(s->out, "%6u  %8u  %14s  %7u  %5u  %7u  ", s->records - 1, s->line.block, lsn,
		s->line.bytes, s->line.ops, s->line.commits);
	for (u32 i = 0; i < s->line.kinds; i++) {
		fprintf(s->out, "%s%u %s", comma, s->line.items[i], s->line.kind[i]);
		comma = ", ";
	}
	fprintf(s->out, "%s\n", s->line.unmount ? "unmount" : *comma ? "" : "-");
}

static void count_item(struct shown *s, const char *name)
{
	u32 i = 0;

	while (i < s->line.kinds && strcmp(s->line.kind[i], name) != 0)
		i++;
	if (i == KINDS)
		return;
	if (i == s->line.kinds)
		s->line.kind[s->line.kinds++] = name;
	s->line.items[i]++;
}

static void count_event(struct shown *s, const struct log_event *e)
{
	if (e->kind == LOG_EVENT_OP) {
		s->line.ops++;
		s->line.unmount |= ((const struct log_op *)e->bytes)->flags & LOG_OP_UNMOUNT;
	} else if (e->kind == LOG_EVENT_COMMIT) {
		s->line.commits++;
	} else if (e->kind == LOG_EVENT_ITEM) {
		count_item(s, e->name);
	}
}

/* ---- all that a record has ---- */

static void print_flags(FILE *out, u8 flags)
{
	static const struct {
		u8 bit;
		const char *name;
	} flag[] = {
	    {LOG_OP_START, "start"},
	    {LOG_OP_COMMIT, "commit"},
	    {LOG_OP_CONTINUE, "goes on in the next record"},
	    {LOG_OP_WAS_CONT, "goes on from the last record"},
	    {LOG_OP_END, "ends what goes on"},
	    {LOG_OP_UNMOUNT, "unmount"},
	};

	for (u32 i = 0; i < ARRAY_COUNT(flag); i++)
		if (flags & flag[i].bit)
			fprintf(out, ", %s", flag[i].name);
	fprintf(out, "\n");
}

/* Rows that repeat the one before are left out. */
static void dump(FILE *out, const u8 *bytes, u32 length)
{
	bool left_out = false;

	for (u32 at = 0; at < length; at += DUMP_ROW) {
		u32 n = length - at < DUMP_ROW ? length - at : DUMP_ROW;

		if (at && n == DUMP_ROW && !memcmp(bytes + at, bytes + at - DUMP_ROW, n)) {
			if (!left_out)
				fprintf(out, "      *\n");
			left_out = true;
			continue;
		}
		left_out = false;
		fprintf(out, "      %04x ", at);
		for (u32 i = 0; i < n; i++)
			fprintf(out, i % 4 ? "%02x" : " %02x", bytes[at + i]);
		fprintf(out, "\n");
	}
}

/* As the fields below it are named. */
static void print_part_name(FILE *out, const struct log_naming *n, u32 length)
{
	if (n->repeated)
		fprintf(out, "    %s[%u] (%u bytes)\n", n->part, n->index, length);
	else
		fprintf(out, "    %s (%u bytes)\n", n->part, length);
}

static void print_event(struct shown *s, const struct log_event *e)
{
	FILE *out = s->out;
	int indent = 4;

	switch (e->kind) {
	case LOG_EVENT_RECORD:
		if (e->index)
			fprintf(out, "  %s[%u]: extended header\n", s->naming.part, e->index);
		else
			fprintf(out, "record %u at block %u, lsn %" PRIu64 ":%" PRIu64 "\n",
				s->records - 1, e->block, e->lsn >> 32, e->lsn & NULL32);
		break;
	case LOG_EVENT_OP:
		fprintf(out, "  op[%u]: operation at byte %u, transaction 0x%x, %u bytes",
			s->naming.index, e->offset, e->tid,
			be32_get(((const struct log_op *)e->bytes)->len));
		print_flags(out, ((const struct log_op *)e->bytes)->flags);
		return;
	case LOG_EVENT_COMMIT:
		fprintf(out, "  committed: transaction 0x%x\n", e->tid);
		return;
	case LOG_EVENT_ITEM:
		fprintf(out, "  item[%u]: %s, %u regions, %u bytes\n", s->naming.index, e->name,
			e->index, e->length);
		return;
	case LOG_EVENT_PART:
		print_part_name(out, &s->naming, e->length);
		indent = 6;
		break;
	}
	if (e->layout && e->layout->size <= e->length)
		fields_print(out, &s->vol->geo, e->layout, e->bytes, indent);
	else if (!e->layout && s->request->view == LOG_VIEW_RECORD)
		dump(out, e->bytes, e->length);
}

/* ---- the log ---- */

/* Nonzero: this was the one that was asked for. */
static int begin_record(struct shown *s, const struct log_event *e)
{
	const struct log_request *r = s->request;

	if (r->view == LOG_VIEW_RECORD && s->whole)
		return 1;
	print_line(s);
	memset(&s->line, 0, sizeof(s->line));
	s->line.block = e->block;
	s->line.lsn = e->lsn;
	s->line.bytes = be32_get(((const struct log_record *)e->bytes)->len);
	s->whole = r->view == LOG_VIEW_ALL ||
		   (r->view == LOG_VIEW_RECORD && r->record == (r->by_lsn ? e->lsn : s->records));
	s->found |= s->whole;
	s->records++;
	return 0;
}

static int on_event(void *arg, const struct log_event *e)
{
	struct shown *s = arg;

	if (e->kind == LOG_EVENT_RECORD && !e->index && begin_record(s, e))
		return 1;
	log_naming_next(&s->naming, e);
	if (s->whole)
		print_event(s, e);
	else
		count_event(s, e);
	return ferror(s->out) ? fail(-ECANCELED, "the listing has been stopped") : 0;
}

static void print_state(FILE *out, const struct vol *vol)
{
	static const char *const state[] = {"unknown", "clean", "dirty", "damaged"};
	const struct log_status *l = &vol->log_status;
	const struct geometry *g = &vol->geo;

	fprintf(out,
		"log: %s, %u blocks of %u bytes%s\n"
		"  head  cycle %u, block %" PRIu64 "\n"
		"  tail  cycle %u, block %" PRIu64 "\n",
		state[l->state], g->log_blocks, g->block_size, g->log_internal ? "" : ", external",
		l->head_cycle, l->head_block, l->tail_cycle, l->tail_block);
	if (l->torn_blocks)
		fprintf(out, "  %" PRIu64 " blocks at the head are torn\n", l->torn_blocks);
	if (l->finished + l->intents)
		fprintf(out, "  %" PRIu64 " operations are announced and not done\n",
			l->finished + l->intents);
}

static void print_findings(FILE *out, const struct log_findings *f)
{
	char text[768];

	for (u64 i = 0; i < f->count && i < LOG_FINDINGS; i++) {
		finding_print(&f->finding[i], text, sizeof(text));
		fprintf(out, "finding: %s\n", text);
	}
	if (f->count > LOG_FINDINGS)
		fprintf(out, "and %" PRIu64 " findings more\n", f->count - LOG_FINDINGS);
	else if (!f->count)
		fprintf(out, "no findings\n");
}

/* Where a walk ends at damage, that is among the findings. */
static int each_record(struct shown *s)
{
	const struct vol *vol = s->vol;
	const struct log_options options = {.types = vol->types, .accept_loss = true};
	int err = log_each(vol->env, &vol->geo, vol->data, vol->log, &options, on_event, s);

	print_line(s);
	return err > 0 || err == -EUCLEAN ? 0 : err;
}

int inspect_log(FILE *out, struct vol *vol, const struct log_request *request,
		const struct log_findings *findings)
{
	struct shown s = {.vol = vol, .out = out, .request = request, .naming = {.record = NULL32}};
	int err;

	if (request->view == LOG_VIEW_RECORD) {
		err = each_record(&s);
		if (err || s.found)
			return err;
		if (request->by_lsn)
			return fail(-ENOENT, "no record has the LSN %" PRIu64 ":%" PRIu64,
				    request->record >> 32, request->record & NULL32);
		return fail(-ENOENT, "there is no record %" PRIu64 ", of %u", request->record,
			    s.records);
	}
	print_state(out, vol);
	if (request->view == LOG_VIEW_SUMMARY)
		fprintf(out, "record     block             lsn    bytes    ops  commits  items\n");
	err = each_record(&s);
	if (!err)
		print_findings(out, findings);
	return err;
}
