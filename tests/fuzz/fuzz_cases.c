/*
 * Runs inputs and cases without libFuzzer.
 *
 *	fuzz-cases BASES [--explain] FILE...
 *
 * FILE.case is a case in text, any other an input of the fuzzer.  --explain prints the case that an
 * input amounts to.  One line `ok NAME` for each; a crash, a hang of CASE_SECONDS, a leak or too
 * much memory end the program with a signal.
 */
#include "fuzz_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CASE_SECONDS 60
#define INPUT_MAX (1u << 20)

static int run_input(struct fuzz *fuzz, const char *path, bool tell)
{
	static u8 data[INPUT_MAX];
	FILE *file = fopen(path, "r");
	size_t size;

	if (!file) {
		perror(path);
		return -1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	fuzz_input(fuzz, data, size, tell);
	return 0;
}

int main(int argc, char **argv)
{
	static struct fuzz fuzz;
	bool tell = false;
	int bad = 0;

	if (argc < 3 || fuzz_open(&fuzz, argv[1]))
		return 1;
	for (int i = 2; i < argc; i++) {
		const char *dot = strrchr(argv[i], '.');
		int err;

		if (!strcmp(argv[i], "--explain")) {
			tell = true;
			continue;
		}
		alarm(CASE_SECONDS);
		err = dot && !strcmp(dot, ".case") ? fuzz_case(&fuzz, argv[i])
						   : run_input(&fuzz, argv[i], tell);
		alarm(0);
		if (!tell)
			printf("%s %s\n", err ? "not ok" : "ok", argv[i]);
		bad |= err;
	}
	return bad ? 1 : 0;
}
