/*
 * What a check has found, by object: the sick list that a repair works through.
 *
 * A finding marks the type that it is about, in its AG or inode; one of an account marks the side
 * that is derived, which is rebuilt from the other.  At most SURVEY_INODES inodes are kept; there
 * may be more, which the next survey will find.
 */
#ifndef MENDFS_SCRUB_SURVEY_H
#define MENDFS_SCRUB_SURVEY_H

#include "fs/health.h"
#include "ledger/sweep.h"

#define SURVEY_INODES (1u << 20)

struct sick_inode {
	u64 ino;
	u64 types;   /* bits 1 << enum meta_id */
	u64 corrupt; /* those of which a block itself is damaged */
};

struct survey {
	struct env *env;
	const struct meta_types *types;
	const struct geometry *g;
	u64 findings; /* that ask for a repair */
	u64 digest;   /* of all of them: two surveys that are alike have one */
	u64 fs;	      /* types of the whole filesystem */
	u64 any;      /* types that are sick anywhere */
	u64 *ag;      /* by AG: types */
	u64 *corrupt; /* by AG: those of which a block itself is damaged */
	u32 ags;
	struct sick_inode *inode; /* sorted, each once, after survey_run() */
	u32 inodes, room;
	struct sweep_stats stats;
};

struct survey_options {
	/* Told of every finding, also of those that ask for nothing. May be NULL. */
	void (*finding)(void *arg, const struct finding *finding);
	void *arg;
	struct env *env; /* as in struct repair_options */
	size_t memory;	 /* of the cache */
	bool names;	 /* as in struct sweep */
	bool sift;	 /* as in struct sweep_options */
	/* For who also wants to know what was posted; see struct sweep_options. */
	void (*posted)(void *arg, const struct sweep_posting *posting);
	void *posted_arg;
	u32 posted_accounts;
};
/* A snapshot of the volume, swept. */
int survey_run(struct vol *vol, const struct survey_options *options, struct survey *out);
void survey_free(struct survey *s);
/* Which scrub items it is about: bits. */
u64 survey_items_of(const struct meta_types *types, const struct geometry *g,
		    const struct finding *finding);
/* Tells the health of a mounted filesystem; health NULL: nobody. */
void survey_tell(struct health_survey *health, const struct vol *vol,
		 const struct finding *finding);
/* Puts types of an inode on the list, besides what was found; then survey_sort(). */
int survey_add(struct survey *s, u64 ino, u64 types);
void survey_sort(struct survey *s);
u64 survey_digest(const struct finding *finding);

#endif
