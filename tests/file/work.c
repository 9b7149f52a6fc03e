/*
 * Random writing to the files of a new image; for tests/file_write.sh.
 *
 *	file-work SEED ROUNDS IMAGE MKFS-OPTIONS [HOW]
 *
 * Leaves in IMAGE the filesystem, and in IMAGE.0 to IMAGE.3 what the files should be.  HOW:
 *
 *	cut	as a crash leaves it, with staging blocks of abandoned changes
 *	journal	through the log of the image; ends like a killed program when all is durable
 *	killed	the same, when nothing of the last rounds is durable by intention: what the files
 *		should be is not known
 *
 * Exit status 77 without mkfs.xfs.  MIB=N in the environment: an image of another size.
 */
#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MIB 64
#define FORCE_EVERY 100 /* rounds */

static void save(const struct files *f, const char *image)
{
	for (u32 i = 0; i < FILES_COUNT; i++) {
		char path[300];
		FILE *out;

		snprintf(path, sizeof(path), "%s.%u", image, i);
		out = fopen(path, "w");
		if (!out || fwrite(f->file[i].bytes, 1, f->file[i].size, out) != f->file[i].size ||
		    fclose(out))
			exit(1);
	}
}

static void in_overlay(struct files *f, const char *image, u64 seed, u32 rounds, bool cut)
{
	files_open(f, image, seed);
	files_run(f, rounds);
	if (!cut)
		files_recover(f);
	files_check(f);
	files_flatten(f, image);
	save(f, image);
}

static void in_journal(struct files *f, const char *image, u64 seed, u32 rounds, bool killed)
{
	files_open_journal(f, image, seed);
	f->apart = killed;
	for (u32 done = 0; done < rounds; done += FORCE_EVERY) {
		files_run(f, FORCE_EVERY);
		files_must(f,
			   journal_force(f->vol->journal, journal_number(f->vol->journal), true));
	}
	save(f, image);
	if (killed)
		files_run(f, FORCE_EVERY / 2);
}

int main(int argc, char **argv)
{
	static struct files f;
	const char *mib = getenv("MIB"), *how = argc == 6 ? argv[5] : "";
	u64 seed;
	u32 rounds;

	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: file-work SEED ROUNDS IMAGE MKFS-OPTIONS [HOW]\n");
		return 2;
	}
	seed = strtoull(argv[1], NULL, 0);
	rounds = (u32)strtoul(argv[2], NULL, 0);
	if (!files_make(argv[3], mib ? (u32)strtoul(mib, NULL, 0) : MIB, argv[4]))
		return 77;
	if (!strcmp(how, "journal") || !strcmp(how, "killed"))
		in_journal(&f, argv[3], seed, rounds, !strcmp(how, "killed"));
	else
		in_overlay(&f, argv[3], seed, rounds, !strcmp(how, "cut"));
	printf("seed %s: %u rounds, %u abandoned, %u without space, %u steps more\n", argv[1],
	       f.round, f.abandoned, f.full, f.stepped);
	fflush(stdout);
	if (f.vol->journal)
		_exit(0); /* nothing is put home */
	files_close(&f);
	return 0;
}
