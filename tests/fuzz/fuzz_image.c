/* Inputs and cases; see fuzz_image.h. */
#include "fuzz_image.h"

#include "base/trail.h"
#include "format/log.h"
#include "ledger/sweep.h"
#include "log/scan.h"
#include "meta/types_table.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- bases --- */

static int open_base(struct fuzz *fuzz, const char *dir, const char *file)
{
	struct fuzz_base *b = &fuzz->base[fuzz->bases];
	struct geometry *g = &b->objects.geo;
	char path[600];
	size_t length = strlen(file) - 4;

	snprintf(b->name, sizeof(b->name), "%.*s", (int)length, file);
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (image_map(&fuzz->world, path, false, &b->image))
		return -1;
	b->images.data = &b->image;
	snprintf(path, sizeof(path), "%s/%s.rt", dir, b->name);
	if (!access(path, R_OK)) {
		if (image_map(&fuzz->world, path, false, &b->rt))
			return -1;
		b->images.rt = &b->rt;
	}
	if (objects_collect(&fuzz->world, &b->images, 8, 1, &b->objects)) {
		fprintf(stderr, "%s: %s\n", file, trail_text());
		return -1;
	}
	if (g->log_internal) {
		b->log_at = fsblock_daddr(g, fsblock_of(g->log_start)).v;
		b->log_size = (u64)g->log_blocks << g->block_log;
	}
	fuzz->bases++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int fuzz_open(struct fuzz *fuzz, const char *dir)
{
	DIR *d = opendir(dir);
	char *name[FUZZ_BASES];
	u32 count = 0;
	struct dirent *e;
	int err = 0;

	if (!d) {
		perror(dir);
		return -1;
	}
	while ((e = readdir(d)) && count < FUZZ_BASES) {
		size_t length = strlen(e->d_name);

		if (length > 4 && !strcmp(e->d_name + length - 4, ".img"))
			name[count++] = strdup(e->d_name);
	}
	closedir(d);
	qsort(name, count, sizeof(*name), by_name);
	world_init(&fuzz->world);
	fuzz->world.limit = FUZZ_MEMORY;
	for (u32 i = 0; i < count; i++) {
		if (!err)
			err = open_base(fuzz, dir, name[i]);
		free(name[i]);
	}
	return err || !count ? -1 : 0;
}

/* --- what an input changes --- */

#define EDITS_MAX 24
#define SPAN_MAX 65536

/* A stretch of bytes as it was. */
struct saved {
	u64 at;
	u32 size;
	u8 *bytes;
};

struct edits {
	struct fuzz_base *base;
	struct saved saved[EDITS_MAX * 2];
	u32 count;
	const u8 *data;
	size_t left;
};

static u64 take(struct edits *e, u32 bytes)
{
	u64 v = 0;

	while (bytes-- && e->left) {
		v = v << 8 | *e->data++;
		e->left--;
	}
	return v;
}

/* Keeps the bytes; false when there is no room for more. */
static bool save(struct edits *e, u64 at, u32 size)
{
	struct saved *s = &e->saved[e->count];

	if (e->count == ARRAY_COUNT(e->saved) || size > SPAN_MAX || at > e->base->image.dev.size ||
	    size > e->base->image.dev.size - at)
		return false;
	s->bytes = malloc(size);
	if (!s->bytes)
		abort();
	memcpy(s->bytes, e->base->image.bytes + at, size);
	s->at = at;
	s->size = size;
	e->count++;
	return true;
}

static void restore(struct edits *e)
{
	while (e->count) {
		struct saved *s = &e->saved[--e->count];

		memcpy(e->base->image.bytes + s->at, s->bytes, s->size);
		free(s->bytes);
	}
}

static const struct spot *spot_of(const struct objects *objects, u64 group, u64 spot)
{
	const struct group *g = &objects->group[group % objects->groups];

	return &g->spot[spot % g->spots];
}

/* The value of a field: a verb's, one of the input, or that of another place, which makes loops and
 * double users. */
static void edit_field(struct edits *e, bool fix_crc)
{
	const struct objects *objects = &e->base->objects;
	const struct spot *spot = spot_of(objects, take(e, 2), take(e, 1));
	const struct object *object = &objects->object[spot->object];
	u8 *bytes = e->base->image.bytes + object->at;
	u8 how = (u8)take(e, 1);
	u64 seed = how;

	if (object->range || !save(e, object->at, object->size))
		return;
	if (how < 128) {
		damage_field((enum damage_verb)(how % DAMAGE_VERBS), spot->field, spot->element,
			     bytes + spot->offset, &seed);
	} else if (how < 192) {
		u32 width = (spot->field->width + 7) / 8;

		field_set(spot->field, bytes + spot->offset, spot->element, take(e, width));
	} else {
		const struct spot *other = spot_of(objects, take(e, 2), take(e, 1));
		const u8 *from = e->base->image.bytes + objects->object[other->object].at;

		if (objects->object[other->object].range)
			return;
		field_set(spot->field, bytes + spot->offset, spot->element,
			  field_get(other->field, from + other->offset, other->element));
	}
	if (fix_crc && spot->field->kind != FIELD_CRC)
		damage_fix_crc(&objects->geo, object->type, e->saved[e->count - 1].bytes, bytes,
			       object->size, spot->offset + spot->field->bit / 8);
}

/* Bytes of the input at any offset of an object. */
static void edit_bytes(struct edits *e, bool fix_crc)
{
	const struct objects *objects = &e->base->objects;
	const struct object *object = &objects->object[take(e, 2) % objects->count];
	u8 *bytes = e->base->image.bytes + object->at;
	u32 offset = (u32)take(e, 2) % object->size, count = 1 + (u32)take(e, 1) % 16;

	if (object->range || !save(e, object->at, object->size))
		return;
	for (u32 i = 0; i < count && offset + i < object->size; i++)
		bytes[offset + i] = (u8)take(e, 1);
	if (fix_crc)
		damage_fix_crc(&objects->geo, object->type, e->saved[e->count - 1].bytes, bytes,
			       object->size, offset);
}

/* A whole object is replaced by another of its size: same checksum, wrong place or owner, unless
 * that is what the input puts right. */
static void edit_copy(struct edits *e)
{
	const struct objects *objects = &e->base->objects;
	const struct object *to = &objects->object[take(e, 2) % objects->count];
	const struct object *from = &objects->object[take(e, 2) % objects->count];
	u8 *bytes = e->base->image.bytes;

	if (!from->range && !to->range && from->size == to->size && from->at != to->at &&
	    save(e, to->at, to->size))
		memcpy(bytes + to->at, bytes + from->at, to->size);
}

/* The header of the record that holds a block of the log; false: none near. */
static bool record_of(const struct fuzz_base *b, u64 *at)
{
	for (u64 back = 0; back < LOG_RECORD_MAX + LOG_BLOCK; back += LOG_BLOCK) {
		if (*at < back || *at - back < b->log_at)
			return false;
		if (log_is_header(b->image.bytes + *at - back)) {
			*at -= back;
			return true;
		}
	}
	return false;
}

static void fix_record(const struct fuzz_base *b, u64 header)
{
	struct log_scan scan = {.g = &b->objects.geo, .blocks = (u32)(b->log_size / LOG_BLOCK)};
	u8 *bytes = b->image.bytes + header;
	struct log_place place;
	struct le32 crc;

	if (log_place_parse(&scan, (u32)((header - b->log_at) / LOG_BLOCK), bytes, &place) ||
	    (u64)place.blocks * LOG_BLOCK > b->log_at + b->log_size - header)
		return;
	crc = le32_make(log_record_crc(bytes, &place, LOG_RECORD_CRC_SIZE));
	memcpy(bytes + offsetof(struct log_record, crc), &crc, sizeof(crc));
}

static void edit_log(struct edits *e, bool fix_crc)
{
	const struct fuzz_base *b = e->base;
	u64 at = take(e, 3), header;
	u32 count = 1 + (u32)take(e, 1) % 8;
	bool header_saved;

	if (!b->log_size)
		return;
	at = b->log_at + at % b->log_size;
	header = at / LOG_BLOCK * LOG_BLOCK;
	if (!record_of(b, &header)) {
		/* nearly all of the log is empty: start at its beginning */
		at = b->log_at + (at - b->log_at) % (b->log_size / 16);
		header = at / LOG_BLOCK * LOG_BLOCK;
		if (!record_of(b, &header))
			fix_crc = false;
	}
	header_saved = fix_crc && save(e, header, LOG_BLOCK);
	if (!save(e, at, count))
		return;
	for (u32 i = 0; i < count; i++)
		b->image.bytes[at + i] = (u8)take(e, 1);
	if (header_saved)
		fix_record(b, header);
}

static void exercise(struct fuzz *fuzz, const struct edits *e)
{
	struct touched touched = {.count = e->count};

	for (u32 i = 0; i < e->count; i++)
		touched.at[i] = e->saved[i].at;
	fuzz_exercise(&fuzz->world, &e->base->images, &e->base->objects, &touched);
}

static void apply(struct edits *e)
{
	for (u32 i = 0; i < EDITS_MAX && e->left > 2; i++) {
		u8 kind = (u8)take(e, 1);
		bool fix_crc = kind & 0x70;

		switch (kind & 7) {
		case 0:
		case 1:
		case 2:
		case 3:
			edit_field(e, fix_crc);
			break;
		case 4:
		case 5:
			edit_bytes(e, fix_crc);
			break;
		case 6:
			edit_log(e, fix_crc);
			break;
		default:
			edit_copy(e);
		}
	}
}

/* --- cases --- */

static void explain(const struct edits *e)
{
	printf("base %s\n", e->base->name);
	for (u32 i = 0; i < e->count; i++) {
		const struct saved *s = &e->saved[i];
		const u8 *now = e->base->image.bytes + s->at;

		for (u32 at = 0; at < s->size; at++) {
			u32 end = at;

			while (end < s->size && s->bytes[end] != now[end])
				end++;
			if (end == at)
				continue;
			printf("%llu ", (unsigned long long)s->at + at);
			for (; at < end; at++)
				printf("%02x", now[at]);
			printf("\n");
		}
	}
}

#define RAW_SIZE (16u << 20)

/* The first bytes of an image; the rest zero, or that of a base. */
static void raw_input(struct fuzz *fuzz, u8 how, const u8 *data, size_t size)
{
	struct fuzz_base *base = &fuzz->base[how % fuzz->bases];
	struct edits e = {.base = base};
	static u8 zero[RAW_SIZE];
	struct image image;
	struct world_images images = {.data = &image};

	if (size > SPAN_MAX)
		size = SPAN_MAX;
	if (how & 0x40) {
		if (save(&e, 0, (u32)size))
			memcpy(base->image.bytes, data, size);
		exercise(fuzz, &e);
		restore(&e);
		return;
	}
	memset(zero, 0, SPAN_MAX);
	memcpy(zero, data, size);
	image_over(&fuzz->world, zero, how & 0x20 ? size : RAW_SIZE, &image);
	fuzz_exercise(&fuzz->world, &images, NULL, NULL);
}

void fuzz_input(struct fuzz *fuzz, const u8 *data, size_t size, bool tell)
{
	struct edits e = {.data = data, .left = size};
	u8 how;

	world_reset(&fuzz->world);
	if (size < 4)
		return;
	how = (u8)take(&e, 1);
	if (how >= 0xf0) {
		raw_input(fuzz, (u8)take(&e, 1), e.data, e.left);
		return;
	}
	e.base = &fuzz->base[how % fuzz->bases];
	apply(&e);
	if (tell)
		explain(&e);
	else
		exercise(fuzz, &e);
	restore(&e);
}

static int hex_value(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void apply_line(struct edits *e, const char *line)
{
	char *text;
	u64 at = strtoull(line, &text, 10);
	u32 count = 0;

	while (*text == ' ')
		text++;
	while (hex_value(text[count]) >= 0 && hex_value(text[count + 1]) >= 0)
		count += 2;
	if (!count || !save(e, at, count / 2))
		return;
	for (u32 i = 0; i < count; i += 2)
		e->base->image.bytes[at + i / 2] =
		    (u8)(hex_value(text[i]) << 4 | hex_value(text[i + 1]));
}

int fuzz_case(struct fuzz *fuzz, const char *path)
{
	static struct edits e;
	static char line[SPAN_MAX * 2 + 64];
	FILE *file = fopen(path, "r");

	memset(&e, 0, sizeof(e));
	if (!file) {
		perror(path);
		return -1;
	}
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (*line == '#')
			continue;
		if (strncmp(line, "base ", 5) != 0) {
			if (e.base)
				apply_line(&e, line);
			continue;
		}
		for (u32 i = 0; i < fuzz->bases; i++)
			if (!strcmp(fuzz->base[i].name, line + 5))
				e.base = &fuzz->base[i];
	}
	fclose(file);
	if (!e.base) {
		fprintf(stderr, "%s: its base is not there\n", path);
		return -1;
	}
	world_reset(&fuzz->world);
	exercise(fuzz, &e);
	restore(&e);
	return 0;
}
