/*
 * Errors of our own, one kind at a time: mutations [NAME...].
 *
 * For each mutation (base/mutations.def) a new filesystem is worked on with names, files, sharing,
 * and inodes without names.  Every second time that the place of the mutation is come to, the error
 * is made.  A transaction with an error in it must be refused at its commit, unless the error has
 * changed nothing that a check of the whole filesystem would find; all others must go on as ever,
 * and in the end the filesystem must be sound.
 *
 * One line for each, and a count; exit status 1 when one was not caught. SEED in the environment.
 */
#include "base/mutate.h"
#include "base/trail.h"
#include "fs/attr_modify.h"
#include "fs/dir.h"
#include "fs/file_range.h"
#include "fs/file_share.h"
#include "fs/file_truncate.h"
#include "fs/file_write.h"
#include "fs/ialloc.h"
#include "fs/mkfs.h"
#include "fs/names.h"
#include "format/quota.h"
#include "ledger/sweep.h"
#include "log/journal.h"
#include "meta/quota_turn.h"
#include "meta/types_table.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE (160u << 20)
#define DIRS 4
#define NAMES 60
#define FILES 4
#define FILE_BYTES (300u << 10)
#define TRIES 6 /* of what is refused */
#define ORPHANS 4800
#define BATCH 60
#define GONE_MAX 64

/* What became of the errors that were made. */
struct tally {
	u32 caught, by_books; /* refused at the commit; of these, by the books */
	u32 stumbled;	      /* the operation itself has met it, and given up */
	u32 harmless, missed;
	char first[200]; /* why the first was refused */
};

struct work {
	struct world world;
	struct image image;
	struct vol *vol;
	struct txn *txn;
	struct inum dir[DIRS], file[FILES], gone[GONE_MAX];
	struct inum orphan[ORPHANS];
	u32 gone_count, orphans;
	u64 seed, done; /* errors, before the transaction at hand */
	struct tally tally;
};

static u32 draw(struct work *w, u32 below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (u32)((w->seed >> 20) % below);
}

static _Noreturn void broken(struct work *w, const char *what)
{
	(void)w;
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", what, trail_text());
	exit(1);
}

static void must(struct work *w, const char *what, int err)
{
	if (err)
		broken(w, what);
}

/* ---- transactions ---- */

/* Does a check of all of it find anything? */
static bool sound(struct work *w)
{
	enum mutation point = mutate.point;
	const struct vol_options how = {.memory = 0};
	struct sweep_stats stats;
	struct vol *snapshot;

	mutate.point = MUTATION_COUNT;
	w->world.findings = w->world.ids = 0;
	w->world.worst = SEVERITY_NONE;
	must(w, "snapshot", vol_snapshot(w->vol, &w->world.env, &how, &snapshot));
	must(w, "check", sweep_run(snapshot, NULL, &stats));
	vol_close(snapshot);
	mutate.point = point;
	return w->world.worst <= SEVERITY_WARNING;
}

static void begin(struct work *w)
{
	w->done = mutate.done;
	must(w, "begin", vol_begin(w->vol, NULL, &w->txn));
}

static bool expected(int err)
{
	return !err || err == -ENOENT || err == -EEXIST || err == -ENOTDIR || err == -EISDIR ||
	       err == -ENOTEMPTY || err == -EPERM || err == -EINVAL || err == -ENOSPC ||
	       err == -EAGAIN || err == -EFBIG;
}

static void judge(struct work *w, int err, int got)
{
	struct tally *t = &w->tally;

	if (err) {
		t->stumbled++;
	} else if (got == -EUCLEAN) {
		if (!t->caught++)
			snprintf(t->first, sizeof(t->first), "%s", trail_text());
		t->by_books += strstr(trail_text(), " against ") != NULL;
	} else if (got) {
		broken(w, "a commit fails otherwise");
	} else if (sound(w)) {
		t->harmless++;
	} else {
		t->missed++;
	}
}

static int end(struct work *w, int err)
{
	int got = vol_end(w->vol, w->txn, err);

	if (mutate.done != w->done)
		judge(w, err, got);
	else if (!expected(got) && !w->tally.missed)
		broken(w, "without an error of ours");
	if (got == -EAGAIN)
		must(w, "force",
		     journal_force(w->vol->journal, journal_number(w->vol->journal), true));
	return got;
}

/* ---- names ---- */

static struct names_entry some_name(struct work *w, char name[64])
{
	u32 n = draw(w, NAMES);

	snprintf(name, 64, "%.*s-%u", (int)(n % 5 * 9), "a-name-that-is-long-enough-to-fill-blocks",
		 n);
	return (struct names_entry){w->dir[draw(w, DIRS)], name, (u32)strlen(name)};
}

static void destroy(struct work *w, struct inum ino)
{
	bool more = true;
	int err = 0;

	for (u32 tries = 0; more && (!err || err == -EUCLEAN) && tries < TRIES; tries++) {
		begin(w);
		err = end(w, names_inactive_step(w->vol, w->txn, ino, &more));
		more = more || err;
	}
}

/* Some stay on their lists for a while. */
static void let_go(struct work *w, struct inum ino)
{
	if (ino.v && w->gone_count < GONE_MAX)
		w->gone[w->gone_count++] = ino;
	while (w->gone_count > GONE_MAX / 2) {
		u32 i = draw(w, w->gone_count);

		destroy(w, w->gone[i]);
		w->gone[i] = w->gone[--w->gone_count];
	}
}

static int link_name(struct work *w, const struct names_entry *from, const struct names_entry *to,
		     const struct names_time *now)
{
	struct vol view = vol_in(w->vol, w->txn);
	struct inode dir;
	struct inum ino = {0};
	u8 type;
	int err = inode_get(&view, from->dir, &dir);

	if (!err)
		err = dir_lookup(&view, &dir, from->name, from->length, &ino, &type);
	inode_put(&view, &dir);
	return err ? err : names_link(w->vol, w->txn, to, ino, now);
}

static int name_step(struct work *w, struct inum *gone)
{
	static const u16 modes[] = {0100644, 0100600, 0040755, 0120777, 0010644};
	struct names_new new = {.mode = modes[draw(w, 5)],
				.target = "somewhere/else",
				.uid = draw(w, 3) * 40,
				.gid = draw(w, 2)};
	const struct names_time now = {1000, 0};
	char a[64], b[64];
	struct names_entry from = some_name(w, a), to = some_name(w, b);
	struct inum ino;

	switch (draw(w, 11)) {
	case 0:
	case 1:
		return names_unlink(w->vol, w->txn, &from, &now, gone);
	case 2:
		return names_rmdir(w->vol, w->txn, &from, &now, gone);
	case 3:
	case 4:
		return names_rename(w->vol, w->txn, &from, &to, draw(w, 4) ? 0 : NAMES_EXCHANGE,
				    &now, gone);
	case 5:
		return link_name(w, &from, &to, &now);
	case 6:
		new.mode = 0100644;
		return names_tmpfile(w->vol, w->txn, from.dir, &new, gone);
	default:
		return names_create(w->vol, w->txn, &from, &new, &ino);
	}
}

static void work_names(struct work *w, u32 rounds)
{
	while (rounds--) {
		struct inum gone = {0};

		begin(w);
		if (!end(w, name_step(w, &gone)))
			let_go(w, gone);
	}
}

static struct names_entry numbered(struct work *w, u32 i, char name[64])
{
	snprintf(name, 64, "entry-%u-%.*s", i, (int)(i % 7 * 4), "with-more-or-less-of-a-name");
	return (struct names_entry){w->dir[1], name, (u32)strlen(name)};
}

/* A directory of many blocks, filled and emptied. */
static void work_directory(struct work *w, u32 count)
{
	const struct names_time now = {2000, 0};

	for (u32 i = 0; i < count; i++) {
		const struct names_new new = {.mode = 0100644};
		char name[64];
		struct names_entry at = numbered(w, i, name);
		struct inum ino;

		begin(w);
		end(w, names_create(w->vol, w->txn, &at, &new, &ino));
	}
	for (u32 n = 0; n < count; n++) {
		struct inum gone = {0};
		char name[64];
		struct names_entry at = numbered(w, n * 7 % count, name);

		begin(w);
		if (!end(w, names_unlink(w->vol, w->txn, &at, &now, &gone)))
			let_go(w, gone);
	}
}

/* ---- files ---- */

static void write_file(struct work *w, struct inum ino, u64 off, u64 len)
{
	static const u8 bytes[FILE_BYTES];
	struct file_plan plan;
	int err;

	begin(w);
	err = end(w, file_write_prepare(w->vol, w->txn, ino, off, len, 0, &plan));
	if (err)
		return;
	must(w, "data", file_write_data(w->vol, &plan, bytes));
	for (u32 tries = 0; tries < TRIES; tries++) {
		begin(w);
		err = end(w, file_write_finish(w->vol, w->txn, &plan));
		if (err != -EUCLEAN)
			return;
	}
	begin(w);
	end(w, file_write_cancel(w->vol, w->txn, &plan));
}

static void cut_file(struct work *w, struct inum ino, u64 size)
{
	bool more = true;

	for (u32 tries = 0; more && tries < TRIES; tries++) {
		begin(w);
		if (end(w, file_truncate_step(w->vol, w->txn, ino, size, &more)))
			more = true;
	}
}

static void share(struct work *w, struct inum from, struct inum to, u64 at, u64 blocks)
{
	struct file_share s = {
	    .from = from, .to = to, .from_at = at, .to_at = at, .blocks = blocks};

	for (u32 tries = 0; s.blocks && tries < TRIES; tries++) {
		struct file_share before = s;

		begin(w);
		if (end(w, file_share_step(w->vol, w->txn, &s)))
			s = before;
	}
}

static void punch(struct work *w, struct inum ino, u64 at, u64 until)
{
	for (u32 tries = 0; at < until && tries < TRIES; tries++) {
		u64 before = at;

		begin(w);
		if (end(w, file_punch_step(w->vol, w->txn, ino, &at, until)))
			at = before;
	}
}

static void allocate(struct work *w, struct inum ino, u64 at, u64 until)
{
	for (u32 tries = 0; at < until && tries < TRIES; tries++) {
		u64 before = at;

		begin(w);
		if (end(w, file_allocate_step(w->vol, w->txn, ino, &at, until)))
			at = before;
	}
}

static void unshare(struct work *w, struct inum ino)
{
	struct file_plan plan;
	int err;

	begin(w);
	err = end(w, file_unshare_prepare(w->vol, w->txn, ino, 0, FILE_BYTES, &plan));
	if (err)
		return;
	must(w, "data", file_write_data(w->vol, &plan, NULL));
	begin(w);
	if (!end(w, file_write_finish(w->vol, w->txn, &plan)))
		return;
	begin(w);
	end(w, file_write_cancel(w->vol, w->txn, &plan));
}

static void give_away(struct work *w, struct inum ino)
{
	const struct names_attr attr = {
	    .what = SETATTR_UID | SETATTR_GID, .uid = draw(w, 3) * 40, .gid = draw(w, 2)};

	begin(w);
	end(w, names_setattr(w->vol, w->txn, ino, &attr));
}

static void file_round(struct work *w)
{
	u32 block = w->vol->geo.block_size, blocks = FILE_BYTES / block;
	struct inum ino = w->file[draw(w, FILES)], other = w->file[draw(w, FILES)];
	u32 at = draw(w, blocks), count = 1 + draw(w, blocks - at);

	switch (draw(w, 10)) {
	case 0:
		cut_file(w, ino, (u64)at * block);
		break;
	case 1:
		punch(w, ino, at, at + count);
		break;
	case 2:
		allocate(w, ino, at, at + count);
		break;
	case 3:
		if (ino.v != other.v)
			share(w, ino, other, at, count);
		break;
	case 4:
		unshare(w, ino);
		break;
	case 5:
		give_away(w, ino);
		break;
	default:
		write_file(w, ino, (u64)at * block, min_u64(count * (u64)block, 9000));
	}
}

/* Every other block of one file is an extent of another, and a shared one of its own; then the same
 * with unshared ones. */
static void comb(struct work *w)
{
	u32 block = w->vol->geo.block_size, blocks = FILE_BYTES / block;

	for (u32 i = 0; i < 2; i++)
		cut_file(w, w->file[i], 0);
	write_file(w, w->file[1], FILE_BYTES - block, block);
	for (u32 at = 0; at < blocks; at += 9)
		write_file(w, w->file[0], (u64)at * block, 9ull * block);
	for (u32 at = 0; at < blocks; at += 2)
		share(w, w->file[0], w->file[1], at, 1);
	for (u32 at = 0; at < blocks; at += 16)
		punch(w, w->file[1], at, at + 1);
	for (u32 at = 2; at < blocks; at += 20)
		write_file(w, w->file[1], (u64)at * block, block);
	for (u32 i = 0; i < 2; i++)
		cut_file(w, w->file[i], 0);
	cut_file(w, w->file[2], 0);
	for (u32 i = 0; i < blocks / 2; i++)
		write_file(w, w->file[2], i * 7ull % (blocks / 2) * 2 * block, block);
	for (u32 at = 0; at < blocks; at += 32)
		punch(w, w->file[2], at, at + 32);
}

static void work_files(struct work *w, u32 rounds)
{
	while (rounds--)
		file_round(w);
	comb(w);
}

/* ---- inodes ---- */

/* Many in one AG, so that the inode trees have several blocks, and all of them gone again. */
static void work_inodes(struct work *w)
{
	u32 failed = 0;

	for (u32 i = 0; i < ORPHANS / BATCH; i++) {
		u32 before = w->orphans;
		int err = 0;

		begin(w);
		for (u32 n = 0; n < BATCH && !err; n++) {
			struct inum near = inum_of(w->vol->geo.root_ino);
			struct txn_buf *buf;

			err = inode_alloc(w->vol, w->txn, near, 0100600, &w->orphan[w->orphans],
					  &buf);
			if (!err)
				err = iunlink_add(w->vol, w->txn, w->orphan[w->orphans++]);
		}
		if (end(w, err))
			w->orphans = before;
	}
	for (u32 tries = 0; w->orphans && tries < ORPHANS && failed < TRIES; tries++) {
		u32 left = w->orphans > BATCH / 4 ? w->orphans - BATCH / 4 : 0;
		int err = 0;

		begin(w);
		for (u32 i = w->orphans; i-- > left && !err;) {
			err = iunlink_remove(w->vol, w->txn, w->orphan[i]);
			if (!err)
				err = inode_free(w->vol, w->txn, w->orphan[i]);
		}
		if (end(w, err))
			failed++;
		else
			w->orphans = left;
	}
}

/* ---- all of it ---- */

static int write_image(struct device *dev, struct daddr at, const void *from, size_t size)
{
	memcpy(((struct image *)dev)->bytes + at.v, from, size);
	return 0;
}

static void map_image(struct work *w, u8 *bytes)
{
	image_over(&w->world, bytes, SIZE, &w->image);
	w->image.dev.read_only = false;
	w->image.dev.write = write_image;
}

static void make_image(struct work *w, u8 *bytes, u32 block_size)
{
	struct mkfs_target target = {.data_size = SIZE};
	struct mkfs_devices devices;
	struct mkfs_options options;
	struct geometry g;

	map_image(w, bytes);
	devices = (struct mkfs_devices){.data = &w->image.dev};
	mkfs_options_init(&options);
	options.block_size = block_size;
	options.ag_count = 2;
	options.features_on = 1u << FEATURE_PARENT;
	must(w, "plan", mkfs_plan(&w->world.env, &options, &target, &g));
	must(w, "mkfs", mkfs_build(&w->world.env, &meta_types, &options, &g, &devices));
}

static void open_image(struct work *w, u8 *bytes)
{
	struct vol_options options = {.write = true};

	map_image(w, bytes);
	options.data = &w->image.dev;
	must(w, "open", vol_open(&w->world.env, &meta_types, &options, &w->vol));
	must(w, "quotas", quota_turn(w->vol, DQUOT_TYPES, 0));
}

/* What the work needs is made without errors. */
static void prepare(struct work *w)
{
	const struct names_new dir = {.mode = 0040755}, file = {.mode = 0100644};

	w->dir[0] = inum_of(w->vol->geo.root_ino);
	for (u32 i = 1; i < DIRS + FILES; i++) {
		char name[8];
		struct names_entry at = {w->dir[0], name, 2};

		snprintf(name, sizeof(name), "D%u", i);
		begin(w);
		must(w, "prepare",
		     end(w, names_create(w->vol, w->txn, &at, i < DIRS ? &dir : &file,
					 i < DIRS ? &w->dir[i] : &w->file[i - DIRS])));
	}
	for (u32 i = DIRS + FILES; i <= DIRS + FILES; i++) {
		struct names_entry at = {w->dir[0], "last", 4};

		begin(w);
		must(w, "prepare",
		     end(w, names_create(w->vol, w->txn, &at, &file, &w->file[FILES - 1])));
	}
}

static struct tally run(enum mutation point, u32 every, u8 *bytes, u64 seed)
{
	struct work *w = calloc(1, sizeof(*w));
	struct tally tally;

	world_init(&w->world);
	w->seed = (seed + 1) * 0x9e3779b97f4a7c15ull;
	mutate = (struct mutate){.point = MUTATION_COUNT, .every = every};
	open_image(w, bytes);
	prepare(w);
	mutate.point = point;
	work_names(w, 400);
	if (!w->tally.missed)
		work_directory(w, 260);
	if (!w->tally.missed)
		work_files(w, 150);
	if (!w->tally.missed)
		work_inodes(w);
	if (!w->tally.missed)
		work_names(w, 200);
	mutate.point = MUTATION_COUNT;
	if (!w->tally.missed && !sound(w)) {
		w->tally.missed++;
		printf("the filesystem is not sound in the end\n");
	}
	must(w, "close", vol_close(w->vol));
	tally = w->tally;
	free(w);
	return tally;
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	static const char *const name[] = {
#define MUTATION(id, text) #id,
#include "base/mutations.def"
#undef MUTATION
	};
	const char *text = getenv("SEED");
	u64 seed = text ? strtoull(text, NULL, 0) : 1;
	u8 *made = calloc(1, SIZE), *bytes = malloc(SIZE);
	struct work *maker = calloc(1, sizeof(*maker));
	u32 caught = 0, all = 0;

	world_init(&maker->world);
	make_image(maker, made, 1024);
	printf("seed %llu\n", (unsigned long long)seed);
	for (u32 i = 0; i <= MUTATION_COUNT; i++) {
		struct tally t = {0};
		bool good;

		if (!wanted(i < MUTATION_COUNT ? name[i] : "none", argc, argv))
			continue;
		for (u32 every = 2; every && !t.caught && !t.missed; every--) {
			memcpy(bytes, made, SIZE);
			t = run(i, every, bytes, seed);
		}
		if (i == MUTATION_COUNT) {
			printf("%s none\n", t.caught ? "not ok" : "ok");
			caught -= t.caught != 0;
			continue;
		}
		good = t.caught && !t.missed;
		all++;
		caught += good;
		printf("%u caught, %u by the books; %u met before the commit, %u without effect, "
		       "%u missed; %s\n%s %s\n",
		       t.caught, t.by_books, t.stumbled, t.harmless, t.missed, t.first,
		       good ? "ok" : "not ok", name[i]);
		fflush(stdout);
	}
	printf("%u of %u mutations caught at the commit and rolled back\n", caught, all);
	free(made);
	free(bytes);
	free(maker);
	return caught != all;
}
