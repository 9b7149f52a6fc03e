/* Parts and fields of an object, by name; see object.h. */
#include "cli/object.h"

#include "base/trail.h"
#include "cli/cli.h"
#include "cli/object_log.h"

#include <errno.h>
#include <stdio.h>

struct guard {
	struct part_sink sink;
	const struct object *object;
	void (*fn)(void *arg, const struct part *part);
	void *arg;
};

/* A part outside of the object would be the descriptor's fault; never read there. */
static void guard_part(struct part_sink *sink, const struct part *part)
{
	struct guard *guard = (struct guard *)sink;

	if (part->offset <= guard->object->len &&
	    part->layout->size <= guard->object->len - part->offset)
		guard->fn(guard->arg, part);
}

void object_parts(const struct object *object, void (*fn)(void *arg, const struct part *part),
		  void *arg)
{
	struct guard guard = {{guard_part}, object, fn, arg};
	const struct meta_type *type = object->type;
	const struct part whole = {.name = "hdr", .layout = type->layout};

	if (object->log)
		object_log_parts(object, &guard.sink);
	else if (type->parts)
		type->parts(&object->vol->geo, object->bytes, object->len, &guard.sink);
	else if (type->layout)
		guard_part(&guard.sink, &whole);
}

/* PART[INDEX].FIELD[ELEMENT], taken apart. */
struct path {
	char part[LOG_PART], field[48];
	u32 index, element;
	bool has_part, has_index;
};

/* NAME or NAME[N] from text[0..length). A name may have numbers of its own: item[2].extent. */
static bool split_index(const char *text, size_t length, char *name, size_t size, u32 *index,
			bool *has_index)
{
	const char *open = length && text[length - 1] == ']' ? memrchr(text, '[', length) : NULL;
	size_t name_length = open ? (size_t)(open - text) : length;
	char digits[16];
	u64 number = 0;

	*index = 0;
	*has_index = open != NULL;
	if (!name_length || name_length >= size)
		return false;
	memcpy(name, text, name_length);
	name[name_length] = 0;
	if (!open)
		return true;
	if (length - name_length - 2 >= sizeof(digits))
		return false;
	memcpy(digits, open + 1, length - name_length - 2);
	digits[length - name_length - 2] = 0;
	if (!cli_parse_number(digits, &number) || number > NULL32)
		return false;
	*index = (u32)number;
	return true;
}

static bool split_path(const char *text, struct path *path)
{
	const char *dot = strrchr(text, '.');
	bool has_element;

	*path = (struct path){.has_part = dot != NULL};
	if (dot && !split_index(text, (size_t)(dot - text), path->part, sizeof(path->part),
				&path->index, &path->has_index))
		return false;
	text = dot ? dot + 1 : text;
	return split_index(text, strlen(text), path->field, sizeof(path->field), &path->element,
			   &has_element);
}

struct search {
	const struct path *path;
	struct object_field *out;
	bool found;
};

static void match_part(void *arg, const struct part *part)
{
	struct search *search = arg;
	const struct path *path = search->path;
	const struct field *field;

	if (search->found)
		return;
	if (path->has_part ? strcmp(part->name, path->part) != 0 ||
				 (part->repeated ? part->index : 0) != path->index
			   : part->repeated)
		return;
	field = layout_field(part->layout, path->field);
	if (!field || path->element >= field->count)
		return;
	*search->out = (struct object_field){field, part->layout, path->element, part->offset};
	search->found = true;
}

int object_field_find(const struct object *object, const char *text, struct object_field *out)
{
	struct path path;
	struct search search = {&path, out, false};

	if (!split_path(text, &path))
		return fail(-EINVAL, "\"%s\" is not written like a field: PART[N].FIELD[N]", text);
	if (!path.has_part && object->part[0]) {
		path.has_part = true;
		memcpy(path.part, object->part, sizeof(object->part));
		path.index = object->part_index;
	}
	object_parts(object, match_part, &search);
	if (!search.found)
		return fail(-ENOENT, "%s has no field %s", object->name, text);
	return 0;
}
