/*
 * Inodes that the books of a survey are uneven about, by account: what is not among them has been
 * seen to be right, so a rebuild need not ask about it.
 *
 * Findings come one at a time.  At most SURVEY_INODES are kept of either kind; beyond, and where a
 * finding does not say of which inode it is, there is more than the list tells, and everything has
 * to be looked at.
 */
#ifndef MENDFS_SCRUB_UNEVEN_H
#define MENDFS_SCRUB_UNEVEN_H

#include "fs/vol.h"

struct uneven_list {
	u64 *ino; /* sorted by uneven_sort() */
	u32 count, room;
	bool more; /* than these */
};

struct uneven {
	struct env *env;
	struct uneven_list names;  /* names, links, `..`, parent pointers */
	bool circles;		   /* of directories */
	struct uneven_list owners; /* forks and the reverse map */
};

/* Empties it; what it has allocated stays. */
void uneven_begin(struct uneven *uneven, struct env *env);
void uneven_note(struct uneven *uneven, const struct meta_types *types,
		 const struct finding *finding);
void uneven_sort(struct uneven *uneven);
void uneven_free(struct uneven *uneven);

#endif
