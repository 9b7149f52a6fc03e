/*
 * Fuzzing of whole images: what an input means, and everything that the library does with an image.
 *
 * An input is a list of edits of a base image, so that the fuzzer gets deep; checksums are made
 * right afterwards, of metadata and of log records.  Or it is the first bytes of an image itself.
 * Ends the program (abort) on what must not happen: memory above the limit, or leaked.
 */
#ifndef MENDFS_TESTS_FUZZ_IMAGE_H
#define MENDFS_TESTS_FUZZ_IMAGE_H

#include "objects.h"

#define FUZZ_BASES 12
#define FUZZ_MEMORY (64u << 20)

struct fuzz_base {
	char name[40];
	struct image image, rt;
	struct world_images images;
	struct objects objects;
	u64 log_at; /* bytes; 0: none */
	u64 log_size;
	u64 log_head; /* bytes used of it, about */
};

struct fuzz {
	struct world world;
	struct fuzz_base base[FUZZ_BASES];
	u32 bases;
};

/* Bases: all *.img of a directory, with NAME.rt beside. 0, or -1. */
int fuzz_open(struct fuzz *fuzz, const char *dir);
/* One input. explain: print the bytes that it changes, as a case for fuzz_case(). */
void fuzz_input(struct fuzz *fuzz, const u8 *data, size_t size, bool explain);
/* A case in text; see tests/fuzz/README.md. 0, or -1. */
int fuzz_case(struct fuzz *fuzz, const char *path);
/* Opens, checks, reads the image by every interface: the objects at `touched` (bytes), and every
 * eighth inode. */
struct touched {
	u64 at[64];
	u32 count;
};
void fuzz_exercise(struct world *world, const struct world_images *images,
		   const struct objects *objects, const struct touched *touched);

#endif
