/*
 * Pauses of writers while an AG is rebuilt beside them: bench-pauses IMAGE RECORDS SECONDS
 *
 * Makes a filesystem of two AGs in a sparse file and gives its first AG that many records of the
 * reverse map: files whose blocks lie side by side, and not so their offsets.  Then four threads
 * create files and write 4 KiB to each, for so many seconds undisturbed, while a snapshot is
 * checked, and until the AG has been rebuilt (meta/ag_live.h).  Prints operations a second, the
 * longest of them, and the memory that the library has taken more than before.  First, as what the
 * machine itself does, the longest that one of as many threads stops that only look at the clock.
 * In the end the image is sound, or the status is 1.
 */
#include "base/trail.h"
#include "fs/file_data.h"
#include "fs/file_range.h"
#include "fs/file_write.h"
#include "fs/mkfs.h"
#include "fuse/change.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "meta/ag_live.h"
#include "meta/types_table.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 4
#define FOLDER 1000u
#define FILE_RECORDS 20000u
#define TXN_RECORDS 128u
#define IMAGE_SIZE (6ull << 30)
#define SWEEP_MEMORY (4u << 20)

struct writer {
	pthread_t thread;
	struct bench *b;
	struct inum folder;
	u32 files, number;
	atomic_ullong longest; /* ns, of the phase at hand */
};

struct bench {
	struct env env;
	void *(*alloc)(struct env *env, size_t size);
	void (*free)(struct env *env, void *memory);
	struct vol *vol;
	struct changer *changer;
	struct writer writer[THREADS];
	atomic_ullong operations;
	atomic_bool stop;
	atomic_llong memory, peak;
	u64 findings;
};

static struct bench bench;

static void must(int err)
{
	if (!err)
		return;
	fprintf(stderr, "%d: %s\n", err, trail_text());
	exit(1);
}

/* ---- memory ---- */

static void *count_alloc(struct env *env, size_t size)
{
	void *memory = bench.alloc(env, size);
	long long now = atomic_fetch_add(&bench.memory, (long long)malloc_usable_size(memory)) +
			(long long)malloc_usable_size(memory);

	if (now > atomic_load(&bench.peak))
		atomic_store(&bench.peak, now);
	return memory;
}

static void count_free(struct env *env, void *memory)
{
	atomic_fetch_sub(&bench.memory, (long long)malloc_usable_size(memory));
	bench.free(env, memory);
}

static void on_finding(struct env *env, const struct finding *finding)
{
	(void)env;
	bench.findings += finding->def->severity > SEVERITY_WARNING;
}

/* ---- the filesystem ---- */

static void open_bench(const char *path)
{
	const struct mkfs_target target = {.data_size = IMAGE_SIZE};
	struct vol_options options = {.write = true, .memory = 64u << 20};
	struct mkfs_devices devices = {0};
	struct mkfs_options mkfs;
	struct geometry g;

	host_env_init(&bench.env, 2);
	bench.alloc = bench.env.alloc;
	bench.free = bench.env.free;
	bench.env.alloc = count_alloc;
	bench.env.alloc_bytes = NULL;
	bench.env.free = count_free;
	bench.env.finding = on_finding;
	must(device_create_file(&bench.env, path, target.data_size, &devices.data));
	mkfs_options_init(&mkfs);
	mkfs.block_size = 1024;
	mkfs.ag_count = 2;
	must(mkfs_plan(&bench.env, &mkfs, &target, &g));
	must(mkfs_build(&bench.env, &meta_types, &mkfs, &g, &devices));
	options.data = devices.data;
	must(vol_open(&bench.env, &meta_types, &options, &bench.vol));
	must(changer_open(bench.vol, &bench.changer));
}

struct request {
	struct names_entry at;
	struct names_new new;
	struct inum ino;
	struct file_plan plan;
	u64 off;
};

static int create_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return names_create(vol, txn, &r->at, &r->new, &r->ino);
}
static int prepare_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return file_write_prepare(vol, txn, r->ino, 0, 4096, 0, &r->plan);
}
static int finish_step(struct vol *vol, struct txn *txn, void *arg)
{
	return file_write_finish(vol, txn, &((struct request *)arg)->plan);
}

/* Every second block of the file. */
static int comb_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;
	int err = 0;

	for (u32 i = 0; i < TXN_RECORDS && !err; i++) {
		u64 at = r->off + 2ull * i;

		err = file_allocate_step(vol, txn, r->ino, &at, at + 1);
	}
	return err;
}

static struct inum make(struct inum dir, const char *name, u16 mode)
{
	struct request r = {.at = {dir, name, (u32)strlen(name)}, .new = {.mode = mode}};

	must(change(bench.changer, create_step, &r));
	return r.ino;
}

static void make_records(u64 records)
{
	char name[32];

	for (u64 done = 0, n = 0; done < records; n++) {
		struct request r = {0};

		snprintf(name, sizeof(name), "comb%llu", (unsigned long long)n);
		r.ino = make(inum_of(bench.vol->geo.root_ino), name, 0100644);
		for (u32 i = 0; i < FILE_RECORDS && done < records; i += TXN_RECORDS) {
			r.off = 2ull * i;
			must(change(bench.changer, comb_step, &r));
			done += TXN_RECORDS;
		}
	}
	must(journal_push(bench.vol->journal));
}

/* ---- writers ---- */

static u64 now(void)
{
	return bench.env.now(&bench.env);
}

static void note(struct writer *w, u64 since)
{
	u64 took = now() - since;

	if (took > atomic_load(&w->longest))
		atomic_store(&w->longest, took);
	atomic_fetch_add(&bench.operations, 1);
}

static void write_one(struct writer *w)
{
	static const u8 bytes[4096] = {1};
	char name[32];
	struct request r = {0};
	u64 start;

	if (w->files % FOLDER == 0) {
		snprintf(name, sizeof(name), "d%u-%u", w->number, w->files);
		w->folder = make(inum_of(bench.vol->geo.root_ino), name, 0040755);
	}
	snprintf(name, sizeof(name), "f%07u", w->files++);
	start = now();
	r.ino = make(w->folder, name, 0100644);
	note(w, start);
	start = now();
	file_lock(bench.changer, r.ino);
	must(change(bench.changer, prepare_step, &r));
	must(file_write_data(bench.vol, &r.plan, bytes));
	must(change(bench.changer, finish_step, &r));
	file_unlock(bench.changer, r.ino);
	note(w, start);
}

static void *write_all(void *arg)
{
	while (!atomic_load(&bench.stop))
		write_one(arg);
	return NULL;
}

/* What the server's thread does. */
static void *background(void *arg)
{
	(void)arg;
	while (!atomic_load(&bench.stop)) {
		must(journal_work(bench.vol->journal));
		usleep(100000);
	}
	return NULL;
}

/* ---- phases ---- */

struct phase {
	u64 start, operations;
	long long memory;
};

static struct phase begin_phase(void)
{
	for (u32 i = 0; i < THREADS; i++)
		atomic_store(&bench.writer[i].longest, 0);
	atomic_store(&bench.peak, atomic_load(&bench.memory));
	return (struct phase){now(), atomic_load(&bench.operations), atomic_load(&bench.memory)};
}

static double end_phase(const char *name, const struct phase *p, double undisturbed)
{
	double seconds = (double)(now() - p->start) / 1e9;
	double rate = (double)(atomic_load(&bench.operations) - p->operations) / seconds;
	u64 longest = 0;

	for (u32 i = 0; i < THREADS; i++)
		longest = max_u64(longest, atomic_load(&bench.writer[i].longest));
	printf("%-12s %6.2f s, %8.0f operations a second, the longest %7.2f ms, memory +%.1f MiB",
	       name, seconds, rate, (double)longest / 1e6,
	       (double)(atomic_load(&bench.peak) - p->memory) / 1048576);
	if (undisturbed > 0)
		printf(", throughput %.2f", rate / undisturbed);
	printf("\n");
	fflush(stdout);
	return rate;
}

/* ---- the machine itself ---- */

static void *spin(void *arg)
{
	u64 *longest = arg, start = now(), last = start;

	while (last - start < 3000000000ull) {
		u64 at = now();

		*longest = max_u64(*longest, at - last);
		last = at;
	}
	return NULL;
}

static void measure_machine(void)
{
	pthread_t thread[THREADS];
	u64 longest[THREADS] = {0}, worst = 0;

	for (u32 i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, spin, &longest[i]);
	for (u32 i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		worst = max_u64(worst, longest[i]);
	}
	printf("%u threads that do nothing: the longest stop %.2f ms\n", THREADS,
	       (double)worst / 1e6);
	fflush(stdout);
}

static void check_snapshot(void)
{
	const struct vol_options how = {.memory = SWEEP_MEMORY};
	struct sweep_stats stats;
	struct vol *snapshot;

	must(vol_snapshot(bench.vol, &bench.env, &how, &snapshot));
	must(sweep_run(snapshot, NULL, &stats));
	must(vol_close(snapshot));
}

static void rebuild(u32 ag)
{
	struct repair repair = {.vol = bench.vol};
	struct ag_live_result r;

	must(ag_live_rebuild(&repair, ag, SWEEP_MEMORY, &r));
	printf("swept in %.2f s, built in %.2f s, followed for %.2f s\n", (double)r.swept / 1e9,
	       (double)r.built / 1e9, (double)r.followed / 1e9);
	printf("AG %u: %llu records, %llu changes caught up with in %u rounds, %llu at the switch, "
	       "for "
	       "which the writers waited %.2f ms\n",
	       ag, (unsigned long long)r.records, (unsigned long long)r.caught_up, r.rounds,
	       (unsigned long long)r.last, (double)r.stopped / 1e6);
}

static void run(u32 seconds)
{
	pthread_t ground;
	struct phase p;
	double rate;

	for (u32 i = 0; i < THREADS; i++) {
		bench.writer[i].number = i;
		pthread_create(&bench.writer[i].thread, NULL, write_all, &bench.writer[i]);
	}
	pthread_create(&ground, NULL, background, NULL);
	sleep(1);
	p = begin_phase();
	sleep(seconds);
	rate = end_phase("undisturbed", &p, 0);
	p = begin_phase();
	check_snapshot();
	end_phase("check", &p, rate);
	p = begin_phase();
	rebuild(0);
	end_phase("rebuild", &p, rate);
	p = begin_phase();
	sleep(seconds);
	end_phase("afterwards", &p, rate);
	atomic_store(&bench.stop, true);
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(bench.writer[i].thread, NULL);
	pthread_join(ground, NULL);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: bench-pauses IMAGE RECORDS SECONDS\n");
		return 8;
	}
	open_bench(argv[1]);
	make_records(strtoull(argv[2], NULL, 10));
	measure_machine();
	run((u32)atoi(argv[3]));
	check_snapshot();
	changer_close(bench.changer);
	must(vol_close(bench.vol));
	if (bench.findings)
		fprintf(stderr, "%llu findings\n", (unsigned long long)bench.findings);
	return bench.findings != 0;
}
