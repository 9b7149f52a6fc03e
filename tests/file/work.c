/*
 * Random writing to the files of a new image; for tests/file_write.sh.
 *
 *	file-work SEED ROUNDS IMAGE MKFS-OPTIONS [cut]
 *
 * Leaves in IMAGE the filesystem, and in IMAGE.0 to IMAGE.3 what the files should be.  Exit status
 *77 without mkfs.xfs.
 */
#include "files.h"

#include <stdio.h>
#include <stdlib.h>

#define MIB 64

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

int main(int argc, char **argv)
{
	static struct files f;
	const char *mib = getenv("MIB");

	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: file-work SEED ROUNDS IMAGE MKFS-OPTIONS [cut]\n");
		return 2;
	}
	if (!files_make(argv[3], mib ? (u32)strtoul(mib, NULL, 0) : MIB, argv[4]))
		return 77;
	files_open(&f, argv[3], strtoull(argv[1], NULL, 0));
	files_run(&f, (u32)strtoul(argv[2], NULL, 0));
	if (argc == 5)
		files_recover(&f);
	files_check(&f);
	files_flatten(&f, argv[3]);
	save(&f, argv[3]);
	printf("seed %s: %u rounds, %u abandoned, %u without space, %u steps more\n", argv[1],
	       f.round, f.abandoned, f.full, f.stepped);
	files_close(&f);
	return 0;
}
