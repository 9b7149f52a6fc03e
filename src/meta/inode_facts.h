/*
 * What others say of inodes: names that lead to them, and the reverse map of their blocks.
 *
 * Gathered from the postings of one sweep and read once, inode by inode in rising order.  An inode
 * comes up when it is on the list that was given, or when its forks and the reverse map do not
 * tell the same, or when others claim some of its blocks, too.  Whoever knows already which inodes
 * can be of the second kind, and that there are none of the third, spares the facts of all others.
 */
#ifndef MENDFS_META_INODE_FACTS_H
#define MENDFS_META_INODE_FACTS_H

#include "format/inode.h"
#include "fs/vol.h"

struct mapped {
	struct extent *extent; /* in the order of the file, neighbours joined */
	u32 count, room;
	u64 blocks, map_blocks;
};

struct inode_facts {
	u64 ino;
	bool wanted;			/* on the list */
	u64 names;			/* that lead to it */
	bool named;			/* it may have names that nobody has seen */
	u8 ftype;			/* as most of them have it; 0: not known */
	bool rmaps;			/* there is a reverse map that can be believed */
	const struct claims *claims;	/* of all blocks; NULL: not known */
	struct mapped said[2], seen[2]; /* by its forks, by the reverse map; enum fork_id */
};

struct facts;

struct facts_options {
	const u64 *ino; /* sorted */
	u32 count;
	bool names; /* all directories have been seen */
	bool all;   /* compare the forks of all inodes with the reverse map, or with each other */
	/* Or of these with the reverse map; sorted. */
	const u64 *odd;
	u32 odd_count;
	bool claims; /* who claims which blocks is to be known; with `all` */
	bool rmaps;  /* there is a reverse map, and nowhere has it been seen to be damaged */
};
int facts_gather(struct vol *snapshot, const struct facts_options *options, struct facts **out);
void facts_free(struct facts *facts);
/* 1 and the next inode, 0 at the end, or a negative errno. What it has lasts until the next call.
 */
int facts_next(struct facts *facts, struct inode_facts **out);
/* How many of these blocks are free, by the bnobt; *known: it can be told. */
u64 facts_free_blocks(const struct facts *facts, u64 fsblock, u64 count, bool *known);

int mapped_add(struct env *env, const struct geometry *g, struct mapped *m, const struct extent *e);

#endif
