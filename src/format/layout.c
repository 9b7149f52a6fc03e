/* Field tables: reading, writing and printing one field of any structure; see layout.h. */
#include "format/layout.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

static bool is_little(const struct field *field)
{
	return field->little || field->kind == FIELD_CRC;
}

u64 field_get(const struct field *field, const void *base, u32 index)
{
	const u8 *bytes = base;
	u64 bit = field->bit + (u64)index * field->width, value = 0;

	if (is_little(field)) {
		for (u32 i = field->width / 8; i--;)
			value = value << 8 | bytes[bit / 8 + i];
		return value;
	}
	for (u32 left = field->width; left;) {
		u32 in_byte = (u32)(bit % 8), take = 8 - in_byte;

		if (take > left)
			take = left;
		value =
		    value << take | (bytes[bit / 8] >> (8 - in_byte - take) & ((1u << take) - 1));
		bit += take;
		left -= take;
	}
	return value;
}

void field_set(const struct field *field, void *base, u32 index, u64 value)
{
	u8 *bytes = base;
	u64 bit = field->bit + (u64)index * field->width;

	if (is_little(field)) {
		for (u32 i = 0; i < field->width / 8; i++)
			bytes[bit / 8 + i] = (u8)(value >> i * 8);
		return;
	}
	for (u32 left = field->width; left;) {
		u32 in_byte = (u32)(bit % 8), take = 8 - in_byte, shift;
		u8 mask;

		if (take > left)
			take = left;
		left -= take;
		shift = 8 - in_byte - take;
		mask = (u8)(((1u << take) - 1) << shift);
		bytes[bit / 8] = (u8)((bytes[bit / 8] & ~mask) | ((value >> left) << shift & mask));
		bit += take;
	}
}

const struct field *layout_field(const struct layout *layout, const char *name)
{
	for (u32 i = 0; i < layout->field_count; i++)
		if (!strcmp(layout->fields[i].name, name))
			return &layout->fields[i];
	return NULL;
}

bool layout_tiles(const struct layout *layout)
{
	u64 next = 0;

	for (u32 i = 0; i < layout->field_count; i++) {
		const struct field *f = &layout->fields[i];

		if (f->bit != next || !f->width || f->width > 64 || !f->count)
			return false;
		next += (u64)f->width * f->count;
	}
	return next == (u64)layout->size * 8;
}

static size_t print_string(const struct field *field, const void *base, char *text, size_t size)
{
	size_t at = 0;

	for (u32 i = 0; i < field->count && at + 5 < size; i++) {
		u8 c = (u8)field_get(field, base, i);

		if (!c)
			break;
		if (isprint(c) && c != '"' && c != '\\')
			text[at++] = (char)c;
		else
			at += (size_t)snprintf(text + at, size - at, "\\x%02x", c);
	}
	text[at] = 0;
	return at;
}

static int print_one(enum field_kind kind, u32 width, u64 v, char *text, size_t size)
{
	u64 all = width == 64 ? NULL64 : (1ull << width) - 1;
	u32 unused = (64 - width) % 64; /* bits above it */

	switch (kind) {
	case FIELD_AGBLOCK:
	case FIELD_FSBLOCK:
	case FIELD_INO:
	case FIELD_AGINO:
	case FIELD_DADDR:
		if (v == all)
			return snprintf(text, size, "null");
		return snprintf(text, size, "%" PRIu64, v);
	case FIELD_HEX:
	case FIELD_ITEM:
	case FIELD_MAGIC:
	case FIELD_CRC:
	case FIELD_FLAGS:
	case FIELD_HASH:
	case FIELD_PAD:
		return snprintf(text, size, "0x%" PRIx64, v);
	case FIELD_MODE:
		return snprintf(text, size, "0%" PRIo64, v);
	case FIELD_LSN:
		return snprintf(text, size, "%" PRIu64 ":%" PRIu64, v >> 32, v & NULL32);
	case FIELD_OWNER:
		if ((s64)v < 0)
			return snprintf(text, size, "%" PRId64, (s64)v);
		return snprintf(text, size, "%" PRIu64, v);
	case FIELD_INT:
		return snprintf(text, size, "%" PRId64, (s64)(v << unused) >> unused);
	default:
		return snprintf(text, size, "%" PRIu64, v);
	}
}

void field_print(const struct field *field, const void *base, char *text, size_t size)
{
	size_t at = 0;

	if (!size)
		return;
	text[0] = 0;
	if (field->kind == FIELD_STRING) {
		print_string(field, base, text, size);
		return;
	}
	for (u32 i = 0; i < field->count && at + 1 < size; i++) {
		u64 v = field_get(field, base, i);
		int n;

		if (field->kind == FIELD_UUID)
			n = snprintf(text + at, size - at, "%s%02x",
				     i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", (unsigned)v);
		else if (field->kind == FIELD_BYTES)
			n = snprintf(text + at, size - at, "%02x", (unsigned)v);
		else {
			if (i && at + 2 < size)
				text[at++] = ' ';
			n = print_one(field->kind, field->width, v, text + at, size - at);
		}
		if (n < 0 || (size_t)n >= size - at)
			return;
		at += (size_t)n;
	}
}
