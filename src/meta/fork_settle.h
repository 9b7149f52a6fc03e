/* Whose blocks are, where two inodes claim the same and no reverse map tells; private to the
 * rebuild of inodes. */
#ifndef MENDFS_META_FORK_SETTLE_H
#define MENDFS_META_FORK_SETTLE_H

#include "meta/fork_rebuild.h"

#define BROKEN_MAX 8

/* Records that map nothing that can be. */
struct broken {
	struct extent extent[BROKEN_MAX];
	u32 count;
};

struct settling {
	struct fork_work *w;
	const struct inode *inode;
	enum fork_id which;
	struct mapped *map;    /* what is left of the fork; changed */
	struct broken *broken; /* changed */
	u64 rest;	       /* blocks of the inode besides those of the map */
	bool changed;	       /* out */
};
/* Brings a map in line with the inode's count of blocks, with the owners that blocks name
 * themselves, and with who else claims them. Without claims nothing changes. */
int fork_settle(struct settling *s);
/* Does another file have some of the same blocks? */
bool fork_is_shared(const struct settling *s);

#endif
