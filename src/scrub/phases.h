/*
 * A scrub of everything, in the phases that xfs_scrub has.
 *
 * 1 geometry and capabilities; 2 metadata of AGs and filesystem: what the inode scan needs is
 * repaired at once, the rest put off; 3 inodes, repaired at once where nothing was put off; 4 all
 * that is left, as long as anything moves; 5 names, links, the directory tree and quota usage; 6
 * (data of files) is not there; 7 counters of the superblock, and what was counted; 8 trim.
 *
 * The items of a phase come from one sweep of a snapshot (scrub/item.h), and their repairs are
 * rounds of one repair (scrub/repair.h): so a phase costs as much as a check, however many items it
 * has.
 */
#ifndef MENDFS_SCRUB_PHASES_H
#define MENDFS_SCRUB_PHASES_H

#include "scrub/item.h"

enum phase_word {
	PHASE_INFO,	/* for who wants to know much */
	PHASE_FINDING,	/* an item is damaged, or could be better */
	PHASE_REPAIRED, /* and is not any more */
	PHASE_WARNING,
	PHASE_ERROR, /* the scrub itself */
};

struct phases_options {
	struct env *env; /* whose progress and stop are heeded; NULL: the volume's */
	size_t memory;
	bool check_only; /* nothing is changed */
	bool preen_only; /* nothing is repaired but what could be better */
	bool force;	 /* everything is made anew */
	bool no_trim;
	u64 errors_max; /* more of them end the scrub; 0: as many as there are */
	/* A phase begins. */
	void (*phase)(void *arg, u32 number, const char *title);
	/* How far it is: of `max` things, `done`. */
	void (*progress)(void *arg, u32 phase, u64 done, u64 max);
	void (*say)(void *arg, enum phase_word word, const char *line);
	void *arg;
};
struct phases_result {
	u64 found, repaired; /* items that were damaged */
	u64 left;	     /* items that still are */
	u64 preen;	     /* that could be better */
	u64 warnings;
	u64 trimmed;  /* bytes */
	bool aborted; /* there were more than errors_max */
};
/* 0: it came to its end; result tells how. */
int phases_run(struct vol *vol, const struct phases_options *options, struct phases_result *result);

#endif
