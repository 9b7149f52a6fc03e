/* One value as a person reads it; see print.h. Knows kinds of fields, never types. */
#include "cli/print.h"

#include "format/btree.h"
#include "log/recover.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define BYTES_SHOWN 32 /* a longer run of zeroes is only counted */
#define NS_IN_SECOND 1000000000ull

static bool is_bytes(const struct field *field)
{
	return field->kind == FIELD_UUID || field->kind == FIELD_STRING ||
	       field->kind == FIELD_BYTES;
}

static const char *owner_name(s64 owner)
{
	switch (owner) {
	case RMAP_OWN_FS:
		return "static";
	case RMAP_OWN_LOG:
		return "log";
	case RMAP_OWN_AG:
		return "free-space trees";
	case RMAP_OWN_INOBT:
		return "inode trees";
	case RMAP_OWN_INODES:
		return "inodes";
	case RMAP_OWN_REFC:
		return "refcount tree";
	case RMAP_OWN_COW:
		return "CoW staging";
	default:
		return NULL;
	}
}

static void add_mode(u64 mode, char *text, size_t size)
{
	static const char kind[] = "?pc?d?b?-?l?s???";
	static const char bits[] = "rwxrwxrwx";
	char out[11];

	out[0] = kind[mode >> 12 & 15];
	for (u32 i = 0; i < 9; i++)
		out[i + 1] = mode >> (8 - i) & 1 ? bits[i] : '-';
	out[10] = 0;
	snprintf(text, size, " (%s)", out);
}

/* Structures with times say in their own flags which of the two formats they are in. */
static void add_time(const struct layout *layout, const struct field *field, const u8 *base,
		     u64 raw, char *text, size_t size)
{
	const struct field *flags = layout_field(layout, "flags2");
	bool big = flags && field_get(flags, base, 0) & INODE_FLAG2_BIGTIME;

	/* seconds come first, whatever the byte order of them is */
	if (!big && field->little)
		raw = raw << 32 | raw >> 32;

	s64 seconds = big ? (s64)(raw / NS_IN_SECOND) + BIGTIME_EPOCH : (s32)(raw >> 32);
	u32 ns = big ? (u32)(raw % NS_IN_SECOND) : (u32)raw;
	time_t when = (time_t)seconds;
	struct tm tm;
	char date[40];

	if (gmtime_r(&when, &tm) && strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(text, size, " (%s.%09u UTC)", date, ns);
}

static void add_meaning(const struct geometry *g, const struct layout *layout,
			const struct field *field, const u8 *base, u64 v, char *text, size_t size)
{
	char magic[9] = "";

	switch (field->kind) {
	case FIELD_MAGIC:
		for (u32 i = 0; i < field->width / 8; i++) {
			u8 c = (u8)(v >> (field->width - 8 - 8 * i));

			magic[i] = (char)(isprint(c) ? c : '.');
		}
		snprintf(text, size, " \"%s\"", magic);
		return;
	case FIELD_FSBLOCK:
		if (v != NULL64 && v)
			snprintf(text, size, " (%u:%u)", fsblock_ag(g, fsblock_of(v)),
				 fsblock_bno(g, fsblock_of(v)));
		return;
	case FIELD_MODE:
		add_mode(v, text, size);
		return;
	case FIELD_TIME:
		if (field->width == 64)
			add_time(layout, field, base, v, text, size);
		return;
	case FIELD_ITEM:
		if (log_item_type_name((u16)v))
			snprintf(text, size, " (%s)", log_item_type_name((u16)v));
		return;
	case FIELD_OWNER:
		if (owner_name((s64)v))
			snprintf(text, size, " (%s)", owner_name((s64)v));
		return;
	default:
		return;
	}
}

static bool all_zero(const struct field *field, const u8 *base)
{
	for (u32 i = 0; i < field->count; i++)
		if (field_get(field, base, i))
			return false;
	return true;
}

void value_print(const struct geometry *g, const struct layout *layout, const struct field *field,
		 const u8 *base, u32 element, char text[VALUE_TEXT])
{
	struct field one = *field;
	size_t length;

	if (!is_bytes(field)) {
		one.bit += element * field->width;
		one.count = 1;
	}
	if (field->kind == FIELD_BYTES && field->count > BYTES_SHOWN && all_zero(field, base)) {
		snprintf(text, VALUE_TEXT, "%u bytes of zero", field->count);
		return;
	}
	if (field->kind == FIELD_STRING) {
		text[0] = '"';
		field_print(&one, base, text + 1, VALUE_TEXT - 2);
		length = strlen(text);
		text[length] = '"';
		text[length + 1] = 0;
		return;
	}
	field_print(&one, base, text, VALUE_TEXT);
	if (is_bytes(field))
		return;
	length = strlen(text);
	add_meaning(g, layout, field, base, field_get(field, base, element), text + length,
		    VALUE_TEXT - length);
}
