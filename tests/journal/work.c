/*
 * Works on an image through the journal, and leaves it in the middle: work IMAGE SEED OPS [finish].
 *
 * Each operation is one transaction: it maps new blocks to a regular file of the image or takes
 * some away, and writes what it was into the mtime; or it makes inodes without a name, or frees
 * some. Now and then it forces, and prints the number of operations that are durable. Without
 * "finish" it ends like a killed program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/trail.h"
#include "fs/dir.h"
#include "fs/fork_modify.h"
#include "fs/ialloc.h"
#include "fs/space.h"
#include "host/host.h"
#include "meta/types_table.h"

#define FILES 64
#define ORPHANS 3000

struct work {
	struct env env;
	struct vol *vol;
	u64 seed;
	struct inum file[FILES];
	u32 files;
	struct inum orphan[ORPHANS];
	u32 orphans;
	u32 last; /* operation that was done */
};

static u32 draw(struct work *w, u32 below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (u32)((w->seed >> 20) % below);
}

static int take_file(void *arg, const struct dir_entry *entry)
{
	struct work *w = arg;

	if (entry->type == DIR_FT_FILE && w->files < FILES)
		w->file[w->files++] = entry->ino;
	return 0;
}

static int find_files(struct work *w)
{
	struct inode root;
	int err = inode_get(w->vol, inum_of(w->vol->geo.root_ino), &root);

	if (!err)
		err = dir_each(w->vol, &root, 0, take_file, w);
	inode_put(w->vol, &root);
	return err;
}

static int give_back(void *arg, u64 start, u64 count)
{
	struct fork_edit *f = arg;
	const struct geometry *g = &f->vol->geo;
	static const struct owner whoever = {(u64)OWNER_UNKNOWN, 0};
	struct ag ag;
	int err = ag_open(f->vol, f->txn, fsblock_ag(g, fsblock_of(start)), &ag);

	return err ? err : space_free(&ag, fsblock_bno(g, fsblock_of(start)), (u32)count, &whoever);
}

static int unmap_one(struct fork_edit *f, u64 off)
{
	struct extent e;
	int err = fork_extent(f, off, off + 1, &e);

	if (err || e.start == NULL64)
		return err;
	err = fork_unmap(f, off, 1);
	return err ? err : give_back(f, e.start + (off - e.off), 1);
}

static int change(struct work *w, struct fork_edit *f, u32 number)
{
	struct dinode *d = (struct dinode *)f->buf->data;
	u32 count = 1 + draw(w, 8);
	int err = 0;

	for (u32 i = 0; i < count && !err; i++) {
		u64 off = 1000 + 2ull * draw(w, 2000), block;
		struct extent e;

		err = fork_extent(f, off, off + 1, &e);
		if (!err && e.start == NULL64)
			err = fork_add_block(f, off, NULL64, &block);
		else if (!err)
			err = unmap_one(f, off);
	}
	txn_dirty(f->txn, f->buf);
	d->mtime = be64_make(number);
	return err;
}

static int make_orphan(struct work *w, struct txn *txn, struct inum *ino)
{
	struct inum near = w->files ? w->file[draw(w, w->files)] : inum_of(w->vol->geo.root_ino);
	struct txn_buf *buf;
	int err = inode_alloc(w->vol, txn, near, draw(w, 4) ? 0100644 : 0010644, ino, &buf);

	return err ? err : iunlink_add(w->vol, txn, *ino);
}

static int free_orphan(struct work *w, struct txn *txn, struct inum ino)
{
	int err = iunlink_remove(w->vol, txn, ino);

	return err ? err : inode_free(w->vol, txn, ino);
}

/* Some of one kind, so that chunks come and go. */
static int operate_inodes(struct work *w)
{
	u32 count = 1 + draw(w, 20), before = w->orphans;
	bool more = draw(w, 9) < 5;
	struct txn *txn;
	int err = vol_begin(w->vol, NULL, &txn);

	if (err)
		return err;
	while (count-- && !err) {
		if (more && w->orphans < ORPHANS) {
			err = make_orphan(w, txn, &w->orphan[w->orphans]);
			w->orphans += !err;
		} else if (!more && w->orphans) {
			u32 i = draw(w, w->orphans);
			struct inum ino = w->orphan[i];

			err = free_orphan(w, txn, ino);
			w->orphan[i] = w->orphan[--w->orphans];
			w->orphan[w->orphans] = ino;
		}
	}
	err = vol_end(w->vol, txn, err);
	if (err)
		w->orphans = before; /* freed ones lie behind those that are left */
	return err == -ENOSPC ? 0 : err;
}

/* Whatever is on the lists, also from before. */
static int free_orphans(struct work *w)
{
	struct inum ino;
	u32 ag = 0;
	int err = 0;

	while (!err && !(err = iunlink_first(w->vol, &ag, &ino))) {
		struct txn *txn;

		err = vol_begin(w->vol, NULL, &txn);
		if (!err)
			err = vol_end(w->vol, txn, free_orphan(w, txn, ino));
	}
	return err == -ENOENT ? 0 : err;
}

static int operate(struct work *w, u32 number)
{
	struct fork_edit f = {.vol = w->vol,
			      .ino = w->file[draw(w, w->files)],
			      .which = FORK_DATA,
			      .unused = give_back,
			      .arg = &f};
	int err = vol_begin(w->vol, NULL, &f.txn);

	if (err)
		return err;
	err = inode_edit(w->vol, f.txn, f.ino, &f.buf);
	if (!err)
		err = change(w, &f, number);
	err = vol_end(w->vol, f.txn, err);
	if (!err)
		w->last = number;
	return err == -ENOSPC ? 0 : err;
}

static int run(struct work *w, u32 operations)
{
	int err = find_files(w);

	if (!err)
		err = free_orphans(w);
	for (u32 i = 0; i < operations && !err; i++) {
		err = draw(w, 4) ? operate(w, i) : operate_inodes(w);
		if (!err && !draw(w, 20)) {
			err = journal_force(w->vol->journal, journal_number(w->vol->journal), true);
			printf("durable %u\n", w->last);
			fflush(stdout);
		}
		if (!err && !draw(w, 100))
			err = journal_push(w->vol->journal);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct work w = {.seed = argc > 2 ? strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15ull + 1
					  : 1};
	struct vol_options options = {.write = true};
	int err;

	if (argc < 4)
		return 2;
	host_env_init(&w.env, 1);
	err = device_open_file(&w.env, argv[1], false, &options.data);
	if (!err)
		err = vol_open(&w.env, &meta_types, &options, &w.vol);
	if (!err)
		err = run(&w, (u32)atoi(argv[3]));
	if (!err && argc > 4)
		err = free_orphans(&w);
	if (!err && argc > 4)
		err = vol_close(w.vol);
	if (err)
		fprintf(stderr, "%s\n", trail_text());
	_exit(err ? 1 : 0);
}
