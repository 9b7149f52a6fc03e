/*
 * Scrub items: one aspect of one object is checked, rebuilt, and checked again.
 *
 * An item is named as XFS_IOC_SCRUB_METADATA names it (format/scrub.h).  What it is, is said by the
 * descriptors: the types and the accounts that have it among their items.
 *
 * A check is of two parts.  The object's own blocks and what hangs on them are read and put to
 * their rules each time (sweep_part()).  What the books say of it comes from the last sweep of
 * everything, which is made again when there has been a commit since, or when it is older than
 * SCRUB_KEEP times what it took; so who drives all items over a quiet filesystem has one sweep.  Of
 * inodes the books are asked only where an account speaks of the item.
 *
 * A rebuild is a round of a repair (scrub/repair.h) for the types of the item alone; only the check
 * after it is believed.
 *
 * Locking: `lock` is held while the books are made or asked.  Nothing here may be called with a
 * transaction open.
 */
#ifndef MENDFS_SCRUB_ITEM_H
#define MENDFS_SCRUB_ITEM_H

#include "fs/vol.h"

#define SCRUB_KEEP 20	   /* times what the sweep took */
#define SCRUB_KEEP_LEAST 5 /* seconds */

struct scrub_item {
	enum scrub_type type;
	u32 flags; /* in: SCRUB_FLAGS_IN; out: what was found, besides */
	u64 ino;   /* of items of inodes */
	u32 gen, ag;
};

/* For one volume, which outlives it. */
struct scrub;

struct scrub_options {
	struct env *env; /* whose stop is heeded; NULL: the volume's */
	size_t memory;	 /* of the caches */
	bool names;	 /* names that may mislead are warnings */
	/* What a rebuild says; NULL: nobody hears it. */
	void (*say)(void *arg, const char *line);
	void *arg;
};
int scrub_open(struct vol *vol, const struct scrub_options *options, struct scrub **out);
void scrub_close(struct scrub *s); /* NULL: nothing */

/*
 * 0, and item->flags tell; a rebuild that has not helped is told by the flags, too.  -EINVAL: no
 * such request; -ENOENT: there is no such object (feature, AG, inode, generation, fork);
 * -EOPNOTSUPP: nothing could rebuild it; -EROFS: and nothing may; -EUCLEAN: the rebuild could not
 * be made of what is left; -ECANCELED; and what else went wrong.
 */
int scrub_item(struct scrub *s, struct scrub_item *item);

/* The next check looks at everything again. */
void scrub_forget(struct scrub *s);

/* ---- for who goes over all of them (scrub/phases.h) ---- */

/* The books of now; then flags of every item can be had without another look. -ECANCELED */
int scrub_survey(struct scrub *s);
/* What the last survey has found of an item: SCRUB_CORRUPT and so on; ag or ino as the type says.
 */
u32 scrub_found(const struct scrub *s, enum scrub_type type, u32 ag, u64 ino);
/* Items of inodes in which anything was found: the next behind *ino and *type (begin with 0 and
 * SCRUB_COUNT). */
bool scrub_next_found(const struct scrub *s, u64 *ino, enum scrub_type *type, u32 *flags);
/* Is there such an item in this filesystem at all? */
bool scrub_exists(const struct scrub *s, enum scrub_type type);
/* What must be rebuilt for it: bits 1 << enum meta_id; 0: nothing can. */
u64 scrub_rebuilds(const struct meta_types *types, enum scrub_type type);
/* The same of several: items are bits 1 << enum scrub_type. */
u64 scrub_rebuilds_of(const struct meta_types *types, u64 items);

#endif
