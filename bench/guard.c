/*
 * What the commit guard costs, or quotas, or a snapshot that is open and not read: files made,
 * written to and removed through the library's transactions, with it and without.
 *
 *	bench-guard IMAGE [FILES [ROUNDS [guard|quota|snapshot [with|without]]]]
 *
 * IMAGE is a filesystem that is written to, and afterwards as it was but for quota inodes.  Each
 * round makes FILES empty files (20000) in 20 directories, one transaction each, removes them
 * again, and writes as many blocks of 4 KiB to the ends of 20 files, once with and once without,
 * taking turns who is first; the log is forced every 1000 transactions.  Quotas are those of users,
 * groups and projects, enforced, without limits.  Prints the medians of ROUNDS (9) and the median
 * of the ratios within the rounds.  CPU time of the process counts, since the machine may be busy;
 * the disk is waited for by neither.  "with" or "without" does that half alone, for a profiler.
 */
#include "base/trail.h"
#include "format/quota.h"
#include "fs/file_write.h"
#include "fs/names.h"
#include "host/host.h"
#include "meta/quota_turn.h"
#include "meta/types_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DIRS 20
#define ROUNDS_MAX 99
#define FORCE_EVERY 1000
#define WRITE 4096u

enum what { GUARD, QUOTA, SNAPSHOT };
static const char *const what_name[] = {"guard", "quota", "snapshot"};

enum work { MADE, REMOVED, WRITTEN, WORKS };
static const char *const work_name[] = {"made", "removed", "written"};

struct bench {
	struct env env;
	struct vol *vol;
	struct inum dir[DIRS];
	u32 files, done;
};

static void must(int err)
{
	if (!err)
		return;
	fprintf(stderr, "%s\n", trail_text());
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct txn *begin(struct bench *b)
{
	struct txn *txn;

	if (++b->done % FORCE_EVERY == 0)
		must(journal_force(b->vol->journal, journal_number(b->vol->journal), false));
	must(vol_begin(b->vol, NULL, &txn));
	return txn;
}

static struct names_entry entry(struct bench *b, u32 i, char name[32])
{
	snprintf(name, 32, "file-%u", i);
	return (struct names_entry){b->dir[i % DIRS], name, (u32)strlen(name)};
}

static void create(struct bench *b, const struct names_entry *at, u16 mode, struct inum *ino)
{
	const struct names_new new = {.mode = mode};
	struct txn *txn = begin(b);

	must(vol_end(b->vol, txn, names_create(b->vol, txn, at, &new, ino)));
}

static void destroy(struct bench *b, struct inum ino)
{
	bool more = true;

	while (more) {
		struct txn *txn = begin(b);

		must(vol_end(b->vol, txn, names_inactive_step(b->vol, txn, ino, &more)));
	}
}

static void make_all(struct bench *b)
{
	for (u32 i = 0; i < b->files; i++) {
		char name[32];
		struct names_entry at = entry(b, i, name);
		struct inum ino;

		create(b, &at, 0100644, &ino);
	}
}

static void remove_all(struct bench *b)
{
	const struct names_time now = {0};

	for (u32 i = 0; i < b->files; i++) {
		char name[32];
		struct names_entry at = entry(b, i, name);
		struct txn *txn = begin(b);
		struct inum gone;

		must(vol_end(b->vol, txn, names_unlink(b->vol, txn, &at, &now, &gone)));
		destroy(b, gone);
	}
}

static void directories(struct bench *b, bool make)
{
	const struct names_time now = {0};

	for (u32 i = 0; i < DIRS; i++) {
		char name[32];
		const struct names_entry at = {inum_of(b->vol->geo.root_ino), name, 3};
		struct inum gone;
		struct txn *txn;

		snprintf(name, sizeof(name), "d%02u", i);
		if (make) {
			create(b, &at, 0040755, &b->dir[i]);
			continue;
		}
		txn = begin(b);
		must(vol_end(b->vol, txn, names_rmdir(b->vol, txn, &at, &now, &gone)));
		destroy(b, gone);
	}
}

/* ---- writes ---- */

static void write_one(struct bench *b, struct inum ino, u64 off)
{
	static const u8 bytes[WRITE];
	struct file_plan plan;
	struct txn *txn = begin(b);

	must(vol_end(b->vol, txn, file_write_prepare(b->vol, txn, ino, off, WRITE, 0, &plan)));
	must(file_write_data(b->vol, &plan, bytes));
	txn = begin(b);
	must(vol_end(b->vol, txn, file_write_finish(b->vol, txn, &plan)));
}

/* The files are made before, and removed after. */
static double write_all(struct bench *b)
{
	const struct names_time now = {0};
	struct inum file[DIRS], gone;
	double start, took;
	char name[32];

	for (u32 i = 0; i < DIRS; i++) {
		struct names_entry at = entry(b, i, name);

		create(b, &at, 0100644, &file[i]);
	}
	start = seconds();
	for (u32 i = 0; i < b->files; i++)
		write_one(b, file[i % DIRS], (u64)(i / DIRS) * WRITE);
	took = seconds() - start;
	for (u32 i = 0; i < DIRS; i++) {
		struct names_entry at = entry(b, i, name);
		struct txn *txn = begin(b);

		must(vol_end(b->vol, txn, names_unlink(b->vol, txn, &at, &now, &gone)));
		destroy(b, gone);
	}
	return took;
}

/* ---- rounds ---- */

static void open_bench(struct bench *b, const char *path, enum what what, bool with)
{
	const u32 all = DQUOT_USER | DQUOT_GROUP | DQUOT_PROJECT, kept = with ? all : 0;
	struct vol_options options = {.write = true, .no_guard = what == GUARD && !with};

	host_env_init(&b->env, 1);
	must(device_open_file(&b->env, path, false, &options.data));
	must(vol_open(&b->env, &meta_types, &options, &b->vol));
	if (what == QUOTA)
		must(quota_turn(b->vol, kept, kept));
}

/* Microseconds for a file or a block. */
static void run(const char *path, u32 files, enum what what, bool with, double us[WORKS])
{
	struct bench *b = calloc(1, sizeof(*b));
	struct device *snapshot = NULL;
	double start;

	b->files = files;
	open_bench(b, path, what, with);
	directories(b, true);
	if (what == SNAPSHOT && with)
		must(journal_snapshot(b->vol->journal, &snapshot));
	start = seconds();
	make_all(b);
	us[MADE] = seconds() - start;
	start = seconds();
	remove_all(b);
	us[REMOVED] = seconds() - start;
	us[WRITTEN] = write_all(b);
	device_close(snapshot);
	directories(b, false);
	if (what == QUOTA)
		must(quota_turn(b->vol, 0, 0));
	must(vol_close(b->vol));
	for (u32 i = 0; i < WORKS; i++)
		us[i] *= 1e6 / files;
	free(b);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, u32 count)
{
	qsort(v, count, sizeof(*v), by_value);
	return v[count / 2];
}

static void measure(const char *path, u32 files, u32 rounds, enum what what)
{
	double us[WORKS][2][ROUNDS_MAX], ratio[WORKS][ROUNDS_MAX];

	for (u32 i = 0; i < rounds; i++)
		for (u32 k = 0; k < 2; k++) {
			bool with = (i + k) % 2;
			double t[WORKS];

			run(path, files, what, with, t);
			for (u32 w = 0; w < WORKS; w++)
				us[w][with][i] = t[w];
		}
	for (u32 w = 0; w < WORKS; w++) {
		double with, without;

		for (u32 i = 0; i < rounds; i++)
			ratio[w][i] = us[w][1][i] / us[w][0][i];
		with = median(us[w][1], rounds);
		without = median(us[w][0], rounds);
		printf("%s: %.2f us with the %s, %.2f us without; %.0f and %.0f a second; ratio "
		       "%.3f\n",
		       work_name[w], with, what_name[what], without, 1e6 / with, 1e6 / without,
		       median(ratio[w], rounds));
	}
}

int main(int argc, char **argv)
{
	u32 files = argc > 2 ? (u32)atoi(argv[2]) : 20000;
	u32 rounds = argc > 3 ? (u32)atoi(argv[3]) : 9;
	double us[WORKS];
	u32 what = 0;

	while (argc > 4 && what < ARRAY_COUNT(what_name) && strcmp(argv[4], what_name[what]) != 0)
		what++;
	if (argc < 2 || !files || !rounds || rounds > ROUNDS_MAX ||
	    what == ARRAY_COUNT(what_name)) {
		fprintf(stderr, "usage: bench-guard IMAGE [FILES [ROUNDS [guard|quota|snapshot "
				"[with|without]]]]\n");
		return 2;
	}
	for (u32 i = 0; argc > 5 && i < rounds; i++)
		run(argv[1], files, what, !strcmp(argv[5], "with"), us);
	if (argc <= 5)
		measure(argv[1], files, rounds, what);
	return 0;
}
