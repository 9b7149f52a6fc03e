/* Verbs of damage, and checksums afterwards; see damage.h. Owns nothing, cannot fail. */
#include "format/damage.h"

#include "format/verify.h"

static const char *const verb_names[DAMAGE_VERBS] = {
    "zeroes", "ones", "firstbit", "middlebit", "lastbit", "add", "sub", "random",
};

const char *damage_verb_name(enum damage_verb verb)
{
	return verb_names[verb];
}

enum damage_verb damage_verb_find(const char *name)
{
	u32 i = 0;

	while (i < DAMAGE_VERBS && strcmp(verb_names[i], name))
		i++;
	return (enum damage_verb)i;
}

u64 damage_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

bool damage_field_whole(const struct field *field)
{
	return field->kind == FIELD_UUID || field->kind == FIELD_STRING ||
	       field->kind == FIELD_BYTES;
}

static u64 changed(enum damage_verb verb, u64 value, u32 width, u64 *seed)
{
	u64 all = width == 64 ? NULL64 : (1ull << width) - 1, other;

	switch (verb) {
	case DAMAGE_ZEROES:
		return 0;
	case DAMAGE_ONES:
		return all;
	case DAMAGE_FIRSTBIT:
		return value ^ 1ull << (width - 1);
	case DAMAGE_MIDDLEBIT:
		return value ^ 1ull << (width / 2);
	case DAMAGE_LASTBIT:
		return value ^ 1;
	case DAMAGE_ADD:
		return (value + 1) & all;
	case DAMAGE_SUB:
		return (value - 1) & all;
	default:
		do
			other = damage_random(seed) & all;
		while (other == value);
		return other;
	}
}

/* A run of bytes that is one value: the verb means its first, middle, last byte, or all. */
static void change_bytes(enum damage_verb verb, const struct field *field, u8 *base, u64 *seed)
{
	bool every = verb == DAMAGE_ZEROES || verb == DAMAGE_ONES || verb == DAMAGE_RANDOM;
	u32 one = field->count - 1;

	if (verb == DAMAGE_FIRSTBIT)
		one = 0;
	else if (verb == DAMAGE_MIDDLEBIT)
		one = field->count / 2;
	for (u32 i = every ? 0 : one; i < (every ? field->count : one + 1); i++)
		field_set(field, base, i,
			  changed(verb, field_get(field, base, i), field->width, seed));
}

void damage_field(enum damage_verb verb, const struct field *field, u32 element, u8 *base,
		  u64 *seed)
{
	if (damage_field_whole(field))
		change_bytes(verb, field, base, seed);
	else
		field_set(field, base, element,
			  changed(verb, field_get(field, base, element), field->width, seed));
}

/* The stretch of the object that one checksum covers, around `offset`. */
struct crc_area {
	struct part_sink sink;
	u32 start, end, crc; /* crc: from start */
	u32 offset, len;
	bool found;
};

static void find_crc(struct part_sink *sink, const struct part *part)
{
	struct crc_area *area = (struct crc_area *)sink;

	if (part->offset > area->len || part->layout->size > area->len - part->offset)
		return;
	for (u32 i = 0; i < part->layout->field_count; i++) {
		const struct field *field = &part->layout->fields[i];

		if (field->kind != FIELD_CRC)
			continue;
		if (part->offset <= area->offset && (!area->found || part->offset >= area->start)) {
			area->start = part->offset;
			area->crc = field->bit / 8;
			area->found = true;
		} else if (part->offset > area->offset && part->offset < area->end) {
			area->end = part->offset;
		}
	}
}

void damage_fix_crc(const struct geometry *g, const struct meta_type *type, const u8 *before,
		    u8 *now, u32 len, u32 offset)
{
	struct crc_area area = {.sink = {find_crc}, .end = len, .offset = offset, .len = len};
	struct le32 crc;

	if (type->crc_offset != CRC_NONE) {
		area.crc = type->crc_offset;
		area.found = true;
	} else if (type->parts) {
		type->parts(g, before, len, &area.sink);
	}
	if (!area.found || area.crc + sizeof(crc) > area.end - area.start)
		return;
	crc = le32_make(verify_crc(now + area.start, area.end - area.start, area.crc));
	memcpy(now + area.start + area.crc, &crc, sizeof(crc));
}
