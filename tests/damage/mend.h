/*
 * Repairs a damaged image in place, and puts back what the repair has written.
 */
#ifndef MENDFS_TESTS_MEND_H
#define MENDFS_TESTS_MEND_H

#include "world.h"

struct kept; /* bytes as they were before a write */

struct mend {
	struct device dev; /* over the image, writable */
	struct image *image;
	struct kept *kept; /* the last first */
	u64 writes;	   /* that came */
	u64 power;	   /* how many of them are let through; 0: all. Then all fail */
};

/* Repairs as `mendfs repair` does; mend is zero but for `power`. *left: findings of the last
 * survey. An error: the trail says why it could not be done. mend_undo() in any case. */
int mend_image(struct world *world, struct mend *mend, struct image *image, struct image *rt,
	       u64 *left);
void mend_undo(struct mend *mend);

#endif
