/*
 * Writing to files of filesystems whose metadata were changed at random, with checksums put right:
 * every step ends, with success or one of the errors that it may have, and a plan can always be
 * carried out. An alarm ends what does not end.
 */
#include "base/test.h"
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/trail.h"
#include "format/verify.h"
#include "fs/file_range.h"
#include "fs/file_share.h"
#include "fs/file_truncate.h"
#include "fs/file_write.h"
#include "fs/inode.h"
#include "ledger/sweep.h"

#define MIB 48
#define ROUNDS 600
#define OBJECTS_MAX 400
#define SECONDS 100

struct object {
	u64 at;
	u32 size;
	u32 crc_offset;
};

struct hostile {
	struct files f;
	char path[40];
	struct object object[OBJECTS_MAX];
	u32 objects;
	u64 seed;
	u32 done, refused;
};

static u32 draw(struct hostile *h, u32 below)
{
	h->seed ^= h->seed << 13;
	h->seed ^= h->seed >> 7;
	h->seed ^= h->seed << 17;
	return (u32)((h->seed >> 20) % below);
}

static void collect(void *arg, const struct ref *ref)
{
	struct hostile *h = arg;

	if (ref->type->id == META_INODES || ref->size > 4096 || h->objects == OBJECTS_MAX)
		return;
	h->object[h->objects++] = (struct object){ref->at.v, ref->size, (u32)ref->type->crc_offset};
}

/* The inodes of the files themselves. */
static void collect_inodes(struct hostile *h)
{
	const struct meta_type *type = vol_type(h->f.vol, META_INODE);
	struct inode inode;

	for (u32 i = 0; i < FILES_COUNT; i++) {
		files_must(&h->f, inode_get(h->f.vol, h->f.file[i].ino, &inode));
		for (u32 times = 0; times < 8 && h->objects < OBJECTS_MAX; times++)
			h->object[h->objects++] =
			    (struct object){inode.buf->at.v + (u64)(inode.raw - inode.buf->data),
					    h->f.vol->geo.inode_size, (u32)type->crc_offset};
		inode_put(h->f.vol, &inode);
	}
}

/* Files with large maps, shared blocks, and staging. */
static bool make(struct hostile *h)
{
	struct file_plan plan;
	struct files *f = &h->f;

	strcpy(h->path, "/tmp/mendfs-file-XXXXXX");
	close(mkstemp(h->path));
	if (!files_make(h->path, MIB, "-b size=1024 -m reflink=1,rmapbt=1 -d agcount=2"))
		return false;
	files_open(f, h->path, 1);
	f->quiet = true;
	files_comb(f, 0, 0, FILES_MAX);
	files_share(f, 0, 1, 0, 0, 700);
	files_comb(f, 2, 0, 100000);
	files_write(f, 3, 0, 100000);
	files_allocate(f, 3, 200, 400);
	files_begin(f);
	files_must(f, file_write_prepare(f->vol, f->txn, f->file[1].ino, 0, 100000, 0, &plan));
	files_commit(f);
	files_flatten(f, h->path);
	files_close(f);
	files_open(f, h->path, 1);
	files_must(f,
		   sweep_run(f->vol, &(struct sweep_options){.visited = collect, .visited_arg = h},
			     &(struct sweep_stats){0}));
	collect_inodes(h);
	files_close(f);
	return true;
}

static void damage(struct hostile *h, u8 *bytes, const struct object *o)
{
	u32 times = 1 + draw(h, 4);
	struct le32 crc;

	while (times--) {
		u32 at = 4 + draw(h, draw(h, 2) ? 150 : o->size - 4);

		if (at >= o->size)
			continue;
		switch (draw(h, 3)) {
		case 0:
			bytes[at] = (u8)draw(h, 256);
			break;
		case 1:
			bytes[at] ^= (u8)(1u << draw(h, 8));
			break;
		default:
			memmove(bytes + at, bytes + draw(h, o->size - 8),
				min_u64(1u << draw(h, 4), o->size - at) / 2);
		}
	}
	if (!o->crc_offset)
		return;
	crc = le32_make(verify_crc(bytes, o->size, o->crc_offset));
	memcpy(bytes + o->crc_offset, &crc, sizeof(crc));
}

static bool may_be(int err)
{
	static const int errors[] = {-EUCLEAN, -EBADMSG, -ENOSPC, -EFBIG,     -EINVAL,
				     -EAGAIN,  -ENOENT,	 -EIO,	  -EOPNOTSUPP};

	for (u32 i = 0; i < ARRAY_COUNT(errors); i++)
		if (err == errors[i])
			return true;
	return false;
}

/* Ends a step; true when it was done. */
static bool end(struct hostile *h, int err)
{
	if (err)
		txn_rollback(h->f.txn);
	else
		err = txn_commit(h->f.txn);
	if (err && !may_be(err))
		files_must(&h->f, err);
	*(err ? &h->refused : &h->done) += 1;
	return !err;
}

static void write_some(struct hostile *h, struct inum ino)
{
	static const u8 bytes[200000];
	struct files *f = &h->f;
	struct file_plan plan;
	u64 off = draw(h, FILES_MAX), len = draw(h, sizeof(bytes));
	int err;

	files_begin(f);
	err = draw(h, 3) ? file_write_prepare(f->vol, f->txn, ino, off, len, draw(h, 20), &plan)
			 : file_zero_prepare(f->vol, f->txn, ino, off, len, &plan);
	if (!end(h, err))
		return;
	err = file_write_data(f->vol, &plan, bytes);
	if (err)
		assert_true(may_be(err));
	files_begin(f);
	end(h, draw(h, 4) ? file_write_finish(f->vol, f->txn, &plan)
			  : file_write_cancel(f->vol, f->txn, &plan));
}

static void steps(struct hostile *h, u32 kind, struct inum a, struct inum b)
{
	struct files *f = &h->f;
	struct file_shift shift = file_shift_of(a, draw(h, 300), 1 + draw(h, 50));
	struct file_share share = {a, b, draw(h, 100), draw(h, 100), draw(h, 500), 0};
	u64 at = draw(h, 500), last = at + draw(h, 500), size = draw(h, 100000);
	bool more = true, done = true;

	for (u32 i = 0; i < 20 && done && more; i++) {
		files_begin(f);
		switch (kind) {
		case 0:
			done = end(h, file_truncate_step(f->vol, f->txn, a, size, &more));
			break;
		case 1:
			done = end(h, file_punch_step(f->vol, f->txn, a, &at, last));
			break;
		case 2:
			done = end(h, file_allocate_step(f->vol, f->txn, a, &at, last));
			break;
		case 3:
			done = end(h, file_collapse_step(f->vol, f->txn, &shift));
			break;
		case 4:
			done = end(h, file_insert_step(f->vol, f->txn, &shift));
			break;
		case 5:
			done = end(h, file_share_step(f->vol, f->txn, &share));
			break;
		default:
			done = end(h, file_cow_cleanup(f->vol, f->txn, draw(h, 2), &more));
		}
		more = more && !shift.done && at < last && share.blocks;
	}
}

static int open_damaged(struct hostile *h, const struct object *o, u8 *before)
{
	struct vol_options options = {.memory = 0};
	struct files *f = &h->f;

	memcpy(before, f->image.bytes + o->at, o->size);
	damage(h, f->image.bytes + o->at, o);
	files_must(f, device_open_overlay(&f->world.env, &f->image.dev, 64u << 20, &options.data));
	return vol_open(&f->world.env, f->vol->types, &options, &f->vol);
}

static void hostile(void **state)
{
	static struct hostile h;
	struct vol *sound;
	u8 before[4096];

	(void)state;
	h.seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 0) : 88172645463325252u;
	if (!make(&h)) {
		unlink(h.path);
		printf("skipped: no mkfs.xfs\n");
		skip();
	}
	alarm(SECONDS);
	files_open(&h.f, h.path, 1);
	sound = h.f.vol;
	for (u32 i = 0; i < ROUNDS; i++) {
		const struct object *o = &h.object[draw(&h, h.objects)];
		int err;

		h.f.vol = sound;
		err = open_damaged(&h, o, before);
		for (u32 n = 0; n < 12 && !err; n++) {
			struct inum a = h.f.file[draw(&h, FILES_COUNT)].ino;
			struct inum b = h.f.file[draw(&h, FILES_COUNT)].ino;

			if (draw(&h, 2))
				write_some(&h, a);
			else
				steps(&h, draw(&h, 7), a, b);
		}
		if (!err)
			vol_close(h.f.vol);
		memcpy(h.f.image.bytes + o->at, before, o->size);
	}
	h.f.vol = sound;
	assert_true(h.done > 1000 && h.refused > 1000);
	files_close(&h.f);
	alarm(0);
	unlink(h.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
