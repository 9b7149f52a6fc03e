/*
 * What the commit guard costs: files made and removed through the library's transactions, with and
 * without it.
 *
 *	bench-guard IMAGE [FILES [ROUNDS [with|without]]]
 *
 * IMAGE is a filesystem that is written to, and as it was afterwards.  Each round makes FILES files
 * (20000) in 20 directories, one transaction each, and removes them again, once with the guard and
 * once without, taking turns who is first; the log is forced every 1000 operations.  Prints the
 *medians of ROUNDS (9) and the median of the ratios within the rounds. CPU time of the process
 *counts, since the machine may be busy; the disk is waited for by neither. "with" or "without" does
 *that half alone, for a profiler.
 */
#include "base/trail.h"
#include "fs/names.h"
#include "host/host.h"
#include "meta/types_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DIRS 20
#define ROUNDS_MAX 99
#define FORCE_EVERY 1000

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

/* Microseconds for a file: made, removed. */
static void run(const char *path, u32 files, bool guard, double us[2])
{
	struct bench *b = calloc(1, sizeof(*b));
	struct vol_options options = {.write = true, .no_guard = !guard};
	double start, made, removed;

	host_env_init(&b->env, 1);
	b->files = files;
	must(device_open_file(&b->env, path, false, &options.data));
	must(vol_open(&b->env, &meta_types, &options, &b->vol));
	directories(b, true);
	start = seconds();
	make_all(b);
	made = seconds();
	remove_all(b);
	removed = seconds();
	directories(b, false);
	must(vol_close(b->vol));
	us[0] = (made - start) * 1e6 / files;
	us[1] = (removed - made) * 1e6 / files;
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

int main(int argc, char **argv)
{
	static const char *const what[] = {"made", "removed"};
	u32 files = argc > 2 ? (u32)atoi(argv[2]) : 20000;
	u32 rounds = argc > 3 ? (u32)atoi(argv[3]) : 9;
	double us[2][2][ROUNDS_MAX], ratio[2][ROUNDS_MAX];

	if (argc < 2 || !files || !rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench-guard IMAGE [FILES [ROUNDS [with|without]]]\n");
		return 2;
	}
	for (u32 i = 0; argc > 4 && i < rounds; i++)
		run(argv[1], files, !strcmp(argv[4], "with"), us[0][0]);
	if (argc > 4)
		return 0;
	for (u32 i = 0; i < rounds; i++)
		for (u32 k = 0; k < 2; k++) {
			bool guard = (i + k) % 2;
			double t[2];

			run(argv[1], files, guard, t);
			us[0][guard][i] = t[0];
			us[1][guard][i] = t[1];
		}
	for (u32 w = 0; w < 2; w++) {
		double with, without;

		for (u32 i = 0; i < rounds; i++)
			ratio[w][i] = us[w][1][i] / us[w][0][i];
		with = median(us[w][1], rounds);
		without = median(us[w][0], rounds);
		printf("%s: %.2f us with the guard, %.2f us without; %.0f and %.0f a second; ratio "
		       "%.3f\n",
		       what[w], with, without, 1e6 / with, 1e6 / without, median(ratio[w], rounds));
	}
	return 0;
}
