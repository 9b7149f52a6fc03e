/*
 * Printing objects; see print.h.
 *
 * The parts of an object are gathered first.  A part that does not repeat is printed as a list of
 * its fields.  Repeated parts are printed in rows: those that follow each other with the same
 * number (an entry, its name, its tag) make one row, and rows of the same shape one table.
 */
#include "cli/print.h"

#include "base/trail.h"
#include "format/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ROW_PARTS 8
#define COLUMNS_MAX 64

struct parts {
	struct part *part;
	u32 count, room;
	const struct object *object;
	bool failed;
};

static void gather(void *arg, const struct part *part)
{
	struct parts *p = arg;
	const struct object *o = p->object;

	if (o->part[0] &&
	    (strcmp(part->name, o->part) != 0 || (part->repeated && part->index != o->part_index)))
		return;
	if (p->count == p->room) {
		u32 room = p->room ? 2 * p->room : 64;
		struct part *more = realloc(p->part, room * sizeof(*more));

		if (!more) {
			p->failed = true;
			return;
		}
		p->part = more;
		p->room = room;
	}
	p->part[p->count++] = *part;
}

static bool is_array(const struct field *field)
{
	return field->count > 1 && field->kind != FIELD_UUID && field->kind != FIELD_STRING &&
	       field->kind != FIELD_BYTES;
}

/* Elements that are alike, in one line: `[3-63] null`. */
static void print_array(FILE *out, const struct geometry *g, const struct layout *layout,
			const struct field *field, const u8 *base)
{
	char text[VALUE_TEXT];

	for (u32 i = 0; i < field->count;) {
		u64 v = field_get(field, base, i);
		u32 end = i + 1;

		while (end < field->count && field_get(field, base, end) == v)
			end++;
		value_print(g, layout, field, base, i, text);
		if (end - i > 2)
			fprintf(out, "%s[%u-%u] %s", i ? " " : "", i, end - 1, text);
		else
			fprintf(out, "%s[%u] %s", i ? " " : "", i, text);
		i = end - i > 2 ? end : i + 1;
	}
	fprintf(out, "\n");
}

void fields_print(FILE *out, const struct geometry *g, const struct layout *layout, const u8 *base,
		  int indent)
{
	char text[VALUE_TEXT];
	int width = 0;

	for (u32 i = 0; i < layout->field_count; i++) {
		int length = (int)strlen(layout->fields[i].name);

		if (length > width)
			width = length;
	}
	for (u32 i = 0; i < layout->field_count; i++) {
		const struct field *field = &layout->fields[i];

		fprintf(out, "%*s%-*s  ", indent, "", width, field->name);
		if (is_array(field)) {
			print_array(out, g, layout, field, base);
			continue;
		}
		value_print(g, layout, field, base, 0, text);
		fprintf(out, "%s\n", text);
	}
}

static void print_list(FILE *out, const struct object *o, const struct part *part)
{
	fprintf(out, "%s (%u bytes at %u)\n", part->name, part->layout->size, part->offset);
	fields_print(out, &o->vol->geo, part->layout, o->bytes + part->offset, 2);
}

static bool same_name(const struct parts *p, u32 a, u32 b)
{
	return a < p->count && b < p->count && !strcmp(p->part[a].name, p->part[b].name);
}

/* How many parts from `at` on make one row. What begins a column of its own does not belong. */
static u32 row_length(const struct parts *p, u32 at)
{
	u32 n = 1;

	if (same_name(p, at, at + 1))
		return 1;
	while (n < ROW_PARTS && at + n < p->count && p->part[at + n].repeated &&
	       p->part[at + n].index == p->part[at].index && !same_name(p, at + n, at + n + 1)) {
		for (u32 i = 0; i < n; i++)
			if (same_name(p, at + i, at + n))
				return n;
		n++;
	}
	return n;
}

static bool same_shape(const struct parts *p, u32 a, u32 b, u32 n)
{
	if (row_length(p, b) != n)
		return false;
	for (u32 i = 0; i < n; i++) {
		const struct part *x = &p->part[a + i], *y = &p->part[b + i];

		/* Names and values have a layout for each length: alike but for the size. */
		if (strcmp(x->name, y->name) != 0 ||
		    x->layout->field_count != y->layout->field_count ||
		    strcmp(x->layout->name, y->layout->name) != 0)
			return false;
	}
	return true;
}

struct table {
	FILE *out;
	const struct parts *p;
	u32 first, rows, row_parts;
	int width[COLUMNS_MAX];
};

/* Calls fn for each cell of a row, in the order of columns. */
static void each_cell(const struct table *t, u32 row,
		      void (*fn)(struct table *t, u32 column, const struct part *part,
				 const struct field *field),
		      struct table *out)
{
	u32 column = 0;

	for (u32 i = 0; i < t->row_parts; i++) {
		const struct part *part = &t->p->part[t->first + row * t->row_parts + i];

		for (u32 f = 0; f < part->layout->field_count && column < COLUMNS_MAX; f++)
			fn(out, column++, part, &part->layout->fields[f]);
	}
}

static void heading(const struct table *t, const struct part *part, const struct field *field,
		    char text[96])
{
	if (t->row_parts > 1)
		snprintf(text, 96, "%s.%s", part->name, field->name);
	else
		snprintf(text, 96, "%s", field->name);
}

static void widen(struct table *t, u32 column, const char *text)
{
	int length = (int)strlen(text);

	if (length > t->width[column])
		t->width[column] = length;
}

static void measure_heading(struct table *t, u32 column, const struct part *part,
			    const struct field *field)
{
	char text[96];

	heading(t, part, field, text);
	widen(t, column, text);
}

static void cell_text(const struct table *t, const struct part *part, const struct field *field,
		      char text[VALUE_TEXT])
{
	const struct object *o = t->p->object;

	value_print(&o->vol->geo, part->layout, field, o->bytes + part->offset, 0, text);
}

static void measure_cell(struct table *t, u32 column, const struct part *part,
			 const struct field *field)
{
	char text[VALUE_TEXT];

	cell_text(t, part, field, text);
	widen(t, column, text);
}

static void print_heading(struct table *t, u32 column, const struct part *part,
			  const struct field *field)
{
	char text[96];

	heading(t, part, field, text);
	fprintf(t->out, "  %*s", t->width[column], text);
}

static void print_cell(struct table *t, u32 column, const struct part *part,
		       const struct field *field)
{
	char text[VALUE_TEXT];

	cell_text(t, part, field, text);
	fprintf(t->out, "  %*s", t->width[column], text);
}

/* The table that starts at part `at`; returns how many parts it took. */
static u32 print_table(FILE *out, const struct parts *p, u32 at)
{
	struct table t = {
	    .out = out, .p = p, .first = at, .rows = 1, .row_parts = row_length(p, at)};
	u32 row;
	char label[64];
	int label_width;

	while (at + t.rows * t.row_parts < p->count &&
	       p->part[at + t.rows * t.row_parts].repeated &&
	       same_shape(p, at, at + t.rows * t.row_parts, t.row_parts))
		t.rows++;
	each_cell(&t, 0, measure_heading, &t);
	for (row = 0; row < t.rows; row++)
		each_cell(&t, row, measure_cell, &t);
	label_width = snprintf(label, sizeof(label), "%s[%u]", p->part[at].name,
			       p->part[at + (t.rows - 1) * t.row_parts].index);
	fprintf(out, "%-*s", label_width, p->part[at].name);
	each_cell(&t, 0, print_heading, &t);
	fprintf(out, "\n");
	for (row = 0; row < t.rows; row++) {
		snprintf(label, sizeof(label), "%s[%u]", p->part[at].name,
			 p->part[at + row * t.row_parts].index);
		fprintf(out, "%-*s", label_width, label);
		each_cell(&t, row, print_cell, &t);
		fprintf(out, "\n");
	}
	return t.rows * t.row_parts;
}

int object_print(FILE *out, const struct object *o)
{
	struct parts p = {.object = o};
	u32 at = 0;
	int err = 0;

	object_parts(o, gather, &p);
	if (p.failed)
		err = fail(-ENOMEM, "%s: out of memory", o->name);
	else if (o->part[0] && !p.count)
		err = fail(-ENOENT, "%s has no %s %u", o->name, o->part, o->part_index);
	if (!err) {
		fprintf(out, "%s: %s, sector %" PRIu64 ", %u bytes", o->name, o->type->title,
			o->ranges[0].at.v / 512, o->len);
		fprintf(out, o->range_count > 1 ? " in %u pieces\n" : "\n", o->range_count);
	}
	while (!err && at < p.count) {
		if (p.part[at].repeated) {
			at += print_table(out, &p, at);
		} else {
			print_list(out, o, &p.part[at]);
			at++;
		}
	}
	free(p.part);
	return err;
}

static void print_finding(struct verdict *v, const struct finding *finding)
{
	char text[768];

	finding_print(finding, text, sizeof(text));
	fprintf(v->sink, "finding: %s\n", text);
}

enum severity object_verify_print(FILE *out, const struct object *o)
{
	struct verdict v = {.raise = print_finding, .where = o->where, .sink = out};

	verify(&v, o->type, &o->vol->geo, o->bytes, o->len);
	if (v.count > VERDICT_MAX)
		fprintf(out, "and %u findings more\n", v.count - VERDICT_MAX);
	else if (!v.count)
		fprintf(out, "no findings\n");
	return v.worst;
}
