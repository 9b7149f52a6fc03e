/* What the last sweep of everything has found, by item; private to the scrub items. */
#ifndef MENDFS_SCRUB_BOOKS_H
#define MENDFS_SCRUB_BOOKS_H

#include "format/quota.h"
#include "scrub/item.h"
#include "scrub/survey.h"

/* One item of one inode in which something was found. */
struct found_item {
	u64 ino;
	u32 type, flags;
};

struct scrub {
	struct vol *vol;
	struct scrub_options options;
	struct env_lock *lock;
	/* Of the last sweep, under the lock. */
	bool known;
	u64 number;	/* of the last commit that it has seen */
	u64 made, took; /* ns */
	u64 findings;	/* that ask for a repair */
	u32 fs[SCRUB_COUNT];
	u32 (*ag)[SCRUB_COUNT];	  /* by AG */
	struct found_item *inode; /* by inode and type, each once */
	u32 inodes, room;
	struct sweep_stats stats;
	int err; /* of a finding that could not be kept */
};

/* Makes them anew unless they are still good. Under the lock. */
int books_make(struct scrub *s);
void books_drop(struct scrub *s);
/* Does any account speak of it? */
bool books_speak_of(enum scrub_type type);
u32 books_flags(const struct scrub *s, enum scrub_type type, u32 ag, u64 ino);

/* What a finding is for the items that it is about. */
u32 books_flag_of(const struct finding *finding);

#endif
