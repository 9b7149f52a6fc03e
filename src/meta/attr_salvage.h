/* What is left of the attributes of an inode whose fork is damaged; see attr_rebuild.c. */
#ifndef MENDFS_META_ATTR_SALVAGE_H
#define MENDFS_META_ATTR_SALVAGE_H

#include "fs/attr_build.h"
#include "meta/rebuild.h"

/* Blocks of one remote value, one after the other in the fork. */
struct value_chain {
	u32 block, length;
};

struct attr_salvage {
	struct repair *r;
	struct vol *vol;
	const struct geometry *g;
	struct inode inode;
	struct value_chain *chain; /* all of the fork, by block */
	u32 chains, room;
	/* results */
	struct attr_list list;
	u32 kept, mended, lost;
	u32 senseless; /* blocks: what was in them is lost */
	int err;
};

/* Every attribute that is whole goes to the list. -ENOMEM, -EIO. */
int attr_salvage_all(struct attr_salvage *s);
/* Those of the short form. */
int attr_salvage_short(struct attr_salvage *s);
/* An attribute that has been found; dropped when it is against the rules. value: also of a remote
 * one. */
int attr_salvage_add(struct attr_salvage *s, const struct attr_slot *slot, const u8 *value);
void attr_salvage_lose(struct attr_salvage *s, const struct attr_slot *slot);

/* Remote values: attr_values.c. All chains of the fork. */
int attr_values_find(struct attr_salvage *s);
/* The value of an entry; *value is the caller's to free. NULL: it is not whole. slot gets its
 * length and place. */
int attr_value_read(struct attr_salvage *s, struct attr_slot *slot, u8 **value);

#endif
