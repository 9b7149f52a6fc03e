/*
 * What the library does without FUSE: bench-create IMAGE FILES
 *
 * Creates that many empty files, a thousand in a folder, each in a transaction of its own, through
 * the journal; then removes them.  The image is a filesystem of the caller, and is changed.  Prints
 * creates and removals a second, first without the last checkpoint, and what the journal has done.
 */
#include "base/trail.h"
#include "fs/dir.h"
#include "fs/names.h"
#include "host/host.h"
#include "log/journal.h"
#include "meta/types_table.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER 1000u

struct bench {
	struct env env;
	struct vol *vol;
	struct inum folder;
	u32 files;
};

static double seconds(struct env *env, u64 since)
{
	return (double)(env->now(env) - since) / 1e9;
}

static struct names_entry entry_of(const struct bench *b, u32 i, char name[32])
{
	int length = snprintf(name, 32, "f%07u", i);

	return (struct names_entry){b->folder, name, (u32)length};
}

static int create_one(struct bench *b, const struct names_entry *at, u16 mode, struct inum *ino)
{
	const struct names_new new = {.mode = mode, .now = {1700000000, 0}};
	struct txn *txn;
	int err = vol_begin(b->vol, NULL, &txn);

	return err ? err : vol_end(b->vol, txn, names_create(b->vol, txn, at, &new, ino));
}

static int enter_folder(struct bench *b, u32 i, bool make)
{
	char name[32];
	int length = snprintf(name, sizeof(name), "d%u", i / FOLDER);
	const struct names_entry at = {inum_of(b->vol->geo.root_ino), name, (u32)length};
	struct inode root;
	u8 type;
	int err;

	if (make)
		return create_one(b, &at, 0040755, &b->folder);
	err = inode_get(b->vol, at.dir, &root);
	if (!err)
		err = dir_lookup(b->vol, &root, name, at.length, &b->folder, &type);
	inode_put(b->vol, &root);
	return err;
}

static int create_all(struct bench *b)
{
	int err = 0;

	for (u32 i = 0; i < b->files && !err; i++) {
		struct names_entry at;
		struct inum ino;
		char name[32];

		if (i % FOLDER == 0)
			err = enter_folder(b, i, true);
		at = entry_of(b, i, name);
		if (!err)
			err = create_one(b, &at, 0100644, &ino);
	}
	return err;
}

static int remove_one(struct bench *b, const struct names_entry *at)
{
	const struct names_time now = {1700000001, 0};
	struct inum gone;
	bool more = true;
	struct txn *txn;
	int err = vol_begin(b->vol, NULL, &txn);

	if (!err)
		err = vol_end(b->vol, txn, names_unlink(b->vol, txn, at, &now, &gone));
	while (!err && more) {
		err = vol_begin(b->vol, NULL, &txn);
		if (!err)
			err = vol_end(b->vol, txn, names_inactive_step(b->vol, txn, gone, &more));
	}
	return err;
}

static int remove_all(struct bench *b)
{
	int err = 0;

	for (u32 i = 0; i < b->files && !err; i++) {
		struct names_entry at;
		char name[32];

		if (i % FOLDER == 0)
			err = enter_folder(b, i, false);
		at = entry_of(b, i, name);
		if (!err)
			err = remove_one(b, &at);
	}
	return err;
}

static int measure(struct bench *b, const char *what, int (*work)(struct bench *b))
{
	u64 started = b->env.now(&b->env);
	int err = work(b);
	double took = seconds(&b->env, started);

	if (err)
		return err;
	err = journal_work(b->vol->journal);
	printf("%s %.0f %.0f\n", what, b->files / took, b->files / seconds(&b->env, started));
	return err;
}

int main(int argc, char **argv)
{
	struct vol_options options = {.write = true};
	struct journal_stats stats;
	struct bench b = {0};
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: bench-create IMAGE FILES\n");
		return 2;
	}
	host_env_init(&b.env, 1);
	b.files = (u32)strtoul(argv[2], NULL, 10);
	err = device_open_file(&b.env, argv[1], false, &options.data);
	if (!err)
		err = vol_open(&b.env, &meta_types, &options, &b.vol);
	if (!err)
		err = measure(&b, "create", create_all);
	if (!err)
		err = measure(&b, "remove", remove_all);
	if (!err) {
		journal_stats(b.vol->journal, &stats);
		printf("commits %llu checkpoints %llu home %llu log-KiB %llu\n",
		       (unsigned long long)stats.commits, (unsigned long long)stats.checkpoints,
		       (unsigned long long)stats.home_writes,
		       (unsigned long long)stats.log_bytes >> 10);
		err = vol_close(b.vol);
	}
	if (err)
		fprintf(stderr, "bench-create: %s\n", trail_text());
	return err != 0;
}
