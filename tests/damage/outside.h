/*
 * Repairing a damaged image by another program, in the file that the image is mapped from, and
 * putting the file back.
 */
#ifndef MENDFS_TESTS_OUTSIDE_H
#define MENDFS_TESTS_OUTSIDE_H

#include "world.h"

#define OUTSIDE_MAX 4

struct outside {
	const char *name, *command; /* which is run with the path behind it */
};

/* "NAME=COMMAND", which is changed. False when it is none. */
bool outside_parse(struct outside *o, char *text);
/* Exit status; -1: a signal. */
int outside_run(const char *command, const char *path);

/* What an image is, page by page; pages of zeroes cost nothing. */
struct sound;
struct sound *sound_keep(const struct image *image);
/* Makes it that again. */
void sound_restore(const struct sound *sound, struct image *image);
void sound_free(struct sound *sound);

#endif
