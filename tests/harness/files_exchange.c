/* The content of files changes places; see files.h. */
#include "files.h"

#include "fs/file_exchange.h"

/* Byte for byte, also where the two are one. */
static void model_exchange(struct file_model *a, struct file_model *b, u64 a_at, u64 b_at, u64 len)
{
	for (u64 i = 0; i < len; i++) {
		u8 byte = a->bytes[a_at + i];

		a->bytes[a_at + i] = b->bytes[b_at + i];
		b->bytes[b_at + i] = byte;
	}
}

void files_exchange(struct files *f, u32 first, u32 second, u64 first_at, u64 second_at, u64 bytes)
{
	struct file_model *a = &f->file[first], *b = &f->file[second];
	const struct file_exchange x = {.first = a->ino,
					.second = b->ino,
					.first_at = first_at,
					.second_at = second_at,
					.bytes = bytes,
					.flags = bytes == NULL64 ? FILE_EXCHANGE_TO_EOF : 0};
	u64 rest_a = a->size - first_at, rest_b = b->size - second_at;

	files_begin(f);
	if (!files_stepped(f, file_exchange(f->vol, f->txn, &x)))
		return;
	if (bytes != NULL64) {
		model_exchange(a, b, first_at, second_at, bytes);
		return;
	}
	model_exchange(a, b, first_at, second_at, max_u64(rest_a, rest_b));
	a->size = first_at + rest_b;
	b->size = second_at + rest_a;
}

void files_exchange_some(struct files *f, u32 file)
{
	u32 other = files_draw(f, FILES_COUNT), log = f->vol->geo.block_log;
	u64 size = f->file[file].size, other_size = f->file[other].size;
	u64 at = files_draw(f, (u32)(size >> log) + 1),
	    other_at = files_draw(f, (u32)(other_size >> log) + 1);
	u64 blocks = min_u64((size >> log) - at, (other_size >> log) - other_at);

	if (f->apart)
		return;
	if (files_draw(f, 4) == 0)
		at = other_at = 0;
	if (file != other && files_draw(f, 2)) {
		if ((at << log) + other_size <= FILES_MAX && (other_at << log) + size <= FILES_MAX)
			files_exchange(f, file, other, at << log, other_at << log, NULL64);
	} else if (blocks &&
		   (file != other || max_u64(at, other_at) - min_u64(at, other_at) >= blocks)) {
		files_exchange(f, file, other, at << log, other_at << log, blocks << log);
	}
	files_same(f, other);
}
