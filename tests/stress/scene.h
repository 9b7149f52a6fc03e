/*
 * What a mount can do, operation by operation, each with objects of its own to be done to: for
 * tests that make something fail in it.
 */
#ifndef MENDFS_TESTS_SCENE_H
#define MENDFS_TESTS_SCENE_H

#include "grove.h"

struct scene {
	struct grove *g;
	struct grove_node *dir, *other, *file, *shared; /* the operation's */
	struct grove_node *large, *top; /* everybody's; top: where scenes are made */
	u32 scenes;
};

struct operation {
	const char *name;
	void (*prepare)(struct scene *s); /* NULL: nothing more */
	int (*run)(struct scene *s);
	bool once; /* cannot be repeated when it has failed */
	bool writes_log;
};
extern const struct operation operations[];
extern const u32 operations_count;

/* Makes the large directory; once. */
void scene_open(struct scene *s, struct grove *g);
void scene_begin(struct scene *s, const struct operation *op);
/* Removes what the last scene_begin() has made. */
void scene_end(struct scene *s);
/* And what operations have put into the large directory. */
void scene_end_large(struct scene *s);
/* The file gets many extents. */
void scene_comb(struct scene *s);

#endif
