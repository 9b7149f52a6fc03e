/* The libFuzzer target. MENDFS_FUZZ_BASES: the directory of base images. */
#include "fuzz_image.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct fuzz fuzz;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("MENDFS_FUZZ_BASES");

	(void)argc;
	(void)argv;
	if (!dir || fuzz_open(&fuzz, dir)) {
		fprintf(stderr, "MENDFS_FUZZ_BASES must name a directory of images\n");
		exit(1);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	fuzz_input(&fuzz, data, size, false);
	return 0;
}
