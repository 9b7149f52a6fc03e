/* Raising and printing findings; see finding.h. */
#include "format/finding.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void raise_it(struct verdict *v, struct finding *f)
{
	bool worse = f->def->severity > v->worst;

	v->count++;
	if (worse)
		v->worst = f->def->severity;
	/* One that is worse than all before is never left out: the exit status hangs on it. */
	if ((v->count <= VERDICT_MAX || worse) && v->raise)
		v->raise(v, f);
}

static void fill(struct verdict *v, struct finding *f, const struct finding_def *def,
		 const char *field)
{
	f->def = def;
	f->where = v->where;
	snprintf(f->field, sizeof(f->field), "%s", field ? field : "");
	f->found[0] = 0;
	f->expected[0] = 0;
}

void raise_u64(struct verdict *v, const struct finding_def *def, const char *field, u64 found,
	       u64 expected)
{
	struct finding f;

	fill(v, &f, def, field);
	snprintf(f.found, sizeof(f.found), "%" PRIu64, found);
	snprintf(f.expected, sizeof(f.expected), "%" PRIu64, expected);
	raise_it(v, &f);
}

void raise_hex(struct verdict *v, const struct finding_def *def, const char *field, u64 found,
	       u64 expected)
{
	struct finding f;

	fill(v, &f, def, field);
	snprintf(f.found, sizeof(f.found), "0x%" PRIx64, found);
	snprintf(f.expected, sizeof(f.expected), "0x%" PRIx64, expected);
	raise_it(v, &f);
}

void raise_value(struct verdict *v, const struct finding_def *def, const char *field, u64 found)
{
	struct finding f;

	fill(v, &f, def, field);
	snprintf(f.found, sizeof(f.found), "%" PRIu64, found);
	raise_it(v, &f);
}

void raise_text(struct verdict *v, const struct finding_def *def, const char *field,
		const char *found, const char *expected)
{
	struct finding f;

	fill(v, &f, def, field);
	snprintf(f.found, sizeof(f.found), "%s", found ? found : "");
	snprintf(f.expected, sizeof(f.expected), "%s", expected ? expected : "");
	raise_it(v, &f);
}

const char *field_index(char text[FIELD_INDEX_TEXT], const char *part, u32 index)
{
	char digits[10];
	u32 at = 0, count = 0;

	while (at < FIELD_INDEX_TEXT - sizeof(digits) - sizeof("[]") && part[at]) {
		text[at] = part[at];
		at++;
	}
	do
		digits[count++] = (char)('0' + index % 10);
	while ((index /= 10) != 0);
	text[at++] = '[';
	while (count)
		text[at++] = digits[--count];
	text[at++] = ']';
	text[at] = 0;
	return text;
}

const char *severity_name(enum severity severity)
{
	static const char *const name[] = {
	    [SEVERITY_NONE] = "none",		[SEVERITY_INCOMPLETE] = "incomplete",
	    [SEVERITY_WARNING] = "warning",	[SEVERITY_PREEN] = "preen",
	    [SEVERITY_DISAGREES] = "disagrees", [SEVERITY_CORRUPT] = "corrupt",
	};

	return name[severity];
}

struct text_out {
	char *text;
	size_t size, at;
};

__attribute__((format(printf, 2, 3))) static void put(struct text_out *out, const char *format, ...)
{
	va_list args;
	int n;

	if (out->at >= out->size)
		return;
	va_start(args, format);
	n = vsnprintf(out->text + out->at, out->size - out->at, format, args);
	va_end(args);
	if (n > 0)
		out->at += (size_t)n;
}

static void put_template(struct text_out *out, const struct finding *f)
{
	for (const char *p = f->def->text; *p;) {
		if (!strncmp(p, "{found}", 7)) {
			put(out, "%s", f->found);
			p += 7;
		} else if (!strncmp(p, "{expected}", 10)) {
			put(out, "%s", f->expected);
			p += 10;
		} else {
			put(out, "%c", *p++);
		}
	}
}

void finding_print(const struct finding *f, char *text, size_t size)
{
	struct text_out out = {text, size, 0};
	const struct where *w = &f->where;

	if (!size)
		return;
	text[0] = 0;
	put(&out, "%s", w->type ? w->type : f->def->type);
	if (w->ino != NO_INO)
		put(&out, " %" PRIu64, w->ino);
	else if (w->ag != NO_AG)
		put(&out, " %u", w->ag);
	if (w->path)
		put(&out, " %s", w->path);
	if (w->daddr != NO_DADDR)
		put(&out, " (sector %" PRIu64 ")", w->daddr / 512);
	put(&out, ": ");
	if (f->field[0])
		put(&out, "%s: ", f->field);
	put_template(&out, f);
	put(&out, " [%s]", f->def->id);
}
