/*
 * The work that the benchmark of the writing mount puts on a filesystem: bench-work DIR
 * WORK=AMOUNT...
 *
 *   create, stat, rename, unlink   that many files, a thousand in a folder, in the order of their
 * making stream   MiB of a file, written 1 MiB at a time, with fsync at the end read     the same
 * file, 1 MiB at a time random   that many writes of 4 KiB at random places of it, with fsync at
 * the end fsync    that many times 4 KiB more of another file, and fsync
 *
 * Each prints its name and what was done in a second (MiB, or times). One thread, one file at a
 * time.  The first thing that fails ends it with status 1.
 */
#include "base/types.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER 1000u
#define PIECE (1u << 20)
#define SMALL 4096u

static u8 piece[PIECE];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* For what cannot fail where a filesystem works. */
static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static void path(char to[64], char kind, u32 i)
{
	snprintf(to, 64, "d%u/%c%07u", i / FOLDER, kind, i);
}

static void create(u64 amount)
{
	char name[64];

	for (u32 i = 0; i < amount; i++) {
		int fd;

		if (i % FOLDER == 0) {
			snprintf(name, sizeof(name), "d%u", i / FOLDER);
			must(!mkdir(name, 0755), name);
		}
		path(name, 'f', i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		must(fd >= 0 && !close(fd), name);
	}
}

static void stat_all(u64 amount)
{
	char name[64];
	struct stat st;

	for (u32 i = 0; i < amount; i++) {
		path(name, 'f', i);
		must(!stat(name, &st), name);
	}
}

static void rename_all(u64 amount)
{
	char name[64], to[64];

	for (u32 i = 0; i < amount; i++) {
		path(name, 'f', i);
		path(to, 'g', i);
		must(!rename(name, to), name);
	}
}

static void unlink_all(u64 amount)
{
	char name[64];

	for (u32 i = 0; i < amount; i++) {
		path(name, 'g', i);
		must(!unlink(name), name);
	}
}

static void stream(u64 amount)
{
	int fd = open("stream", O_CREAT | O_TRUNC | O_WRONLY, 0644);

	for (u64 i = 0; i < amount; i++)
		must(write(fd, piece, PIECE) == PIECE, "stream");
	must(!fsync(fd) && !close(fd), "stream");
}

static void read_all(u64 amount)
{
	int fd = open("stream", O_RDONLY);

	for (u64 i = 0; i < amount; i++)
		must(read(fd, piece, PIECE) == PIECE, "stream");
	close(fd);
}

static void random_writes(u64 amount)
{
	int fd = open("stream", O_WRONLY);
	u64 seed = 88172645463325252ull, blocks;
	struct stat st;

	must(fd >= 0 && !fstat(fd, &st), "stream");
	blocks = (u64)st.st_size / SMALL;
	for (u64 i = 0; i < amount; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		must(pwrite(fd, piece, SMALL, (off_t)(seed % blocks * SMALL)) == SMALL, "random");
	}
	must(!fsync(fd) && !close(fd), "random");
}

static void fsyncs(u64 amount)
{
	int fd = open("fsynced", O_CREAT | O_TRUNC | O_WRONLY, 0644);

	for (u64 i = 0; i < amount; i++)
		must(write(fd, piece, SMALL) == SMALL && !fsync(fd), "fsynced");
	close(fd);
}

static const struct work {
	const char *name;
	void (*run)(u64 amount);
} works[] = {
    {"create", create}, {"stat", stat_all}, {"rename", rename_all},    {"unlink", unlink_all},
    {"stream", stream}, {"read", read_all}, {"random", random_writes}, {"fsync", fsyncs},
};

static void run(const char *order)
{
	for (u32 i = 0; i < ARRAY_COUNT(works); i++) {
		size_t length = strlen(works[i].name);
		u64 amount;
		double started;

		if (strncmp(order, works[i].name, length) || order[length] != '=')
			continue;
		amount = strtoull(order + length + 1, NULL, 10);
		started = now();
		works[i].run(amount);
		printf("%s %.1f\n", works[i].name, (double)amount / (now() - started));
		return;
	}
	fprintf(stderr, "bench-work: no such work: %s\n", order);
	exit(2);
}

int main(int argc, char **argv)
{
	if (argc < 3 || chdir(argv[1])) {
		fprintf(stderr, "usage: bench-work DIR WORK=AMOUNT...\n");
		return 2;
	}
	for (u32 i = 0; i < PIECE; i++)
		piece[i] = (u8)(i * 2654435761u >> 13);
	for (int i = 2; i < argc; i++)
		run(argv[i]);
	return 0;
}
