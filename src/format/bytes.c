/* Layouts of runs of bytes; see bytes.h. */
#include "format/bytes.h"

#include <stdio.h>

#define REPEAT4(R, n) R(n) R((n) + 1) R((n) + 2) R((n) + 3)
#define REPEAT16(R, n) REPEAT4(R, n) REPEAT4(R, (n) + 4) REPEAT4(R, (n) + 8) REPEAT4(R, (n) + 12)
#define REPEAT64(R, n) \
	REPEAT16(R, n) REPEAT16(R, (n) + 16) REPEAT16(R, (n) + 32) REPEAT16(R, (n) + 48)
#define REPEAT256(R) REPEAT64(R, 0) REPEAT64(R, 64) REPEAT64(R, 128) REPEAT64(R, 192)

#define NAME_FIELD(n) {"name", 0, 8, n, FIELD_STRING},
#define NAME_LAYOUT_OF(n)                    \
	{                                    \
		"name", &name_field[n], 1, n \
	}
#define NAME_LAYOUT(n) NAME_LAYOUT_OF(n),
#define BYTES_FIELD(n) {"bytes", 0, 8, n, FIELD_BYTES},
#define BYTES_LAYOUT_OF(n)                     \
	{                                      \
		"bytes", &bytes_field[n], 1, n \
	}
#define BYTES_LAYOUT(n) BYTES_LAYOUT_OF(n),

static const struct field name_field[] = {REPEAT256(NAME_FIELD)};
static const struct layout name_layouts[] = {REPEAT256(NAME_LAYOUT)};
static const struct field bytes_field[] = {REPEAT256(BYTES_FIELD)};
static const struct layout bytes_layouts[] = {REPEAT256(BYTES_LAYOUT)};
const struct layout name_short_layout = NAME_LAYOUT_OF(1), bytes_short_layout = BYTES_LAYOUT_OF(1);

const struct layout *name_layout(u32 count)
{
	return &name_layouts[count <= BYTES_MAX ? count : BYTES_MAX];
}

const struct layout *bytes_layout(u32 count)
{
	return &bytes_layouts[count <= BYTES_MAX ? count : BYTES_MAX];
}

void bytes_parts(const char *name, u32 offset, u32 size, u32 *index, struct part_sink *sink)
{
	while (size) {
		u32 take = size < BYTES_MAX ? size : BYTES_MAX;
		const struct part part = {name, (*index)++, true, offset, bytes_layout(take)};

		sink->part(sink, &part);
		offset += take;
		size -= take;
	}
}

static bool is_control(u8 c)
{
	return c < 0x20 || c == 0x7f;
}

bool name_has_control(const void *name, u32 length)
{
	const u8 *c = name;

	for (u32 i = 0; i < length; i++)
		if (is_control(c[i]))
			return true;
	return false;
}

const char *name_shown(const void *name, u32 length, char *text, size_t size)
{
	const u8 *c = name;
	size_t at = 0;

	for (u32 i = 0; i < length && at + sizeof("\\x00") <= size; i++)
		if (is_control(c[i]))
			at += (size_t)snprintf(text + at, size - at, "\\x%02x", c[i]);
		else
			text[at++] = (char)c[i];
	text[at] = 0;
	return text;
}
