/*
 * A device that knows what has been flushed, and what is left of it when the power fails.
 *
 * Writes wait until the next flush.  A wreck is the device after a cut: of what waits, any subset
 * is there, sector by sector the old or the new, as mode and seed say.  The wreck can be written to
 * (a recovery does so); that goes to pages of its own, until wreck_end().
 */
#ifndef MENDFS_TESTS_CUT_H
#define MENDFS_TESTS_CUT_H

#include "device/device.h"

#define SIM_SECTOR 512u
#define WRECK_MODES 4 /* all, nothing, all but a torn last one, a random subset */

struct pending;
struct wreck_page;

struct sim {
	struct device dev;
	u8 *durable;
	struct pending *first, **end;
	u32 unflushed;
	/* Called after each write; NULL: no cuts. */
	void (*written)(void *arg);
	void *arg;
};

struct wreck {
	struct device dev;
	struct sim *sim;
	u64 seed;
	u32 mode;
	struct wreck_page *page; /* written to */
};

u32 sim_draw(u64 *seed, u32 below);
/* A device of zeroes. */
void sim_open(struct sim *sim, u64 size);
/* What waits becomes durable. */
void sim_settle(struct sim *sim);
void sim_close(struct sim *sim);
/* A filesystem of two AGs on it, which is durable; 0 or a negative errno. */
int sim_mkfs(struct env *env, struct sim *sim, u32 block_size);
/* Good as long as the sim is not written to. */
void wreck_begin(struct wreck *wreck, struct sim *sim, u32 mode, u64 seed);
void wreck_end(struct wreck *wreck);

#endif
