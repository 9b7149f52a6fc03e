/*
 * Repair: check, rebuild what is sick, check again, until nothing is left or nothing moves.
 *
 * A round is a survey of a snapshot and the rebuilds that can be made of what it has found: an
 * object whose descriptor needs another that is sick waits for that one.  When nothing moves, the
 * AGs are tried that wait, and then whatever waits.  Only the last survey is believed.
 *
 * A volume that others change is theirs between the rounds, and not during one. With `live`, there
 * is first a survey while others write, and beside them are rebuilt: the space trees of AGs
 * (meta/ag_live.h) where those are all that is sick of one; names, link counts and parent pointers,
 * and quota records (repair_gather()), where what they need is sound.  If that was all, no round
 * stops anybody.
 */
#ifndef MENDFS_SCRUB_REPAIR_H
#define MENDFS_SCRUB_REPAIR_H

#include "scrub/survey.h"

#define REPAIR_ROUNDS 32

/* Which objects are to be rebuilt. types 0: all that is sick. */
struct repair_only {
	u64 types; /* bits 1 << enum meta_id */
	u32 ag;	   /* of types that hang on an AG; NO_AG: all */
	u64 ino;   /* of types that hang on an inode; NO_INO: all */
};
struct repair_options {
	/* A survey begins; what was found before is void. */
	void (*round)(void *arg, u32 round);
	void (*finding)(void *arg, const struct finding *finding);
	/* What has been done, what was lost, and what could not be done. */
	void (*say)(void *arg, const char *line);
	void *arg;
	struct env *env; /* whose progress and stop are heeded; NULL: the volume's */
	size_t memory;
	u64 force; /* types to be rebuilt although nothing is wrong: bits 1 << enum meta_id */
	struct repair_only only;
	u32 rounds;	 /* that it may take; 0: REPAIR_ROUNDS */
	bool live;	 /* what can be rebuilt while others write is, before anybody is stopped */
	bool never_stop; /* with live: the rest is left as it is */
};
struct repair_result {
	u32 rounds;
	u64 first, left; /* findings of the first and of the last survey */
	u64 rebuilt, failed;
	u64 beside;				     /* of the rebuilt ones: while others wrote */
	u64 lost_names, lost_attributes, lost_bytes; /* bytes of files; as far as that is known */
	int error;				     /* why the last of them has failed */
	struct sweep_stats stats;		     /* of the last survey */
};
/* Whether some of these types may be rebuilt while others write. forced: although nothing is wrong
 * with them. */
bool repair_beside(const struct vol *vol, u64 types, bool forced);
/* 0: the last survey was made, result tells how it came out. */
int repair_run(struct vol *vol, const struct repair_options *options, struct repair_result *result);

#endif
