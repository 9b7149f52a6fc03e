/*
 * Rebuilding metadata from the other sides of its entries.
 *
 * rebuild() of a descriptor gets the repair at hand and which object it is about, makes the new
 * structure aside, and switches to it in one transaction.  0: done (only the next check is
 * believed); a negative errno with a trail: nothing has changed but free space.  Nobody else
 * changes the volume meanwhile, but of a type that gathers, before repair_gather() has returned.
 */
#ifndef MENDFS_META_REBUILD_H
#define MENDFS_META_REBUILD_H

#include "fs/vol.h"
#include "ledger/sweep.h"
#include "meta/evidence.h"
#include "meta/inode.h"
#include "meta/inode_facts.h"

/* What is lost, of all rounds: names that led to no inode, attributes, content of files. */
#define LOST_NAMES 64
struct lost_name {
	u64 dir;
	u8 type, length, name[255];
	bool used;
};
struct lost_names {
	u32 count; /* also of those that are not kept */
	u32 found; /* that inodes without a name have got */
	u32 attributes;
	u64 bytes; /* of files */
	struct lost_name name[LOST_NAMES];
};

struct repair {
	struct vol *vol; /* opened to write */
	/* Others write to this one until repair_gather() has returned; vol is a copy of it, and
	 * alone from then on, to be ended by who has set this. NULL: vol is alone. */
	struct vol *beside;
	/* Inodes whose names, links, .. or parent pointers do not agree, sorted: names are put
	 * right of these alone, if they are known. */
	const u64 *uneven;
	u32 uneven_count;
	bool uneven_known;
	struct lost_names *lost;
	struct evidence *evidence;
	const struct evidence_ag *wanted;
	u32 daring;			 /* nothing has moved: what is undecided is to be decided */
	bool others;			 /* something is sick besides the superblock */
	bool quota_done, rt_done;	 /* in this round */
	struct facts *facts;		 /* about inodes; NULL: none */
	const struct inode_facts *inode; /* of the one at hand */
	bool force;			 /* it is to be made anew although nothing may be wrong */
	bool moved; /* the primary superblock is another now: what was found before is void */
	/* Something that the person should know: what was done, or lost. May be NULL. */
	void (*say)(void *arg, const char *line);
	void *arg;
};
void repair_say(struct repair *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The postings of a sweep, and with `beside` also of all that was committed since: a snapshot is
 * swept while others write, what commits post meanwhile is kept in a side file and told behind,
 * rounds of it while they go on, and the rest with them stopped.  So an amount, or how often a fact
 * was posted, is the sum of `times`, which may be negative.  Of accounts whose facts have digests
 * those of commits have another key.  Of options, posted, posted_arg and posted_accounts count.
 * -EBUSY, -EOPNOTSUPP or -EAGAIN: not while others write.
 */
int repair_gather(struct repair *r, size_t memory, const struct sweep_options *options);

struct guard_listener;
/* In one instant, since nobody commits meanwhile: also(), a snapshot is opened, and from then on
 * every commit is told (ledger/guard.h). When an error comes back nobody is; *snapshot is the
 * caller's to close, also then. */
int repair_listen(struct vol *vol, size_t memory, const struct guard_listener *listener,
		  int (*also)(struct vol *view, struct txn *txn, void *arg), void *arg,
		  struct vol **snapshot);

/* A name that is dropped since there is no such inode. */
void repair_lost_name(struct repair *r, u64 dir, u8 type, const u8 *name, u32 length);

/* The space trees and headers of an AG, all at once: bnobt, cntbt, rmapbt, refcountbt, AGF, AGFL;
 * and where the evidence says so, inobt, finobt and AGI. */
int ag_rebuild(struct repair *r, u32 ag, u64 ino);
/* What files map has to be known; what cannot be read of it, the reverse map is asked for. */
#define AG_REBUILD_NEEDS (1ull << META_INODE | 1ull << META_BMBT)
/* The superblock, from its copies and from what it says itself, its counters from the AG headers;
 * and the copies. */
int super_rebuild(struct repair *r, u32 ag, u64 ino);
/* One inode: its record, and its maps. */
int inode_rebuild(struct repair *r, u32 ag, u64 ino);
/* The realtime bitmap and its summary, from what files map. */
int rt_rebuild(struct repair *r, u32 ag, u64 ino);
/* All quota records: their usage from what inodes are charged; what else they say stays. */
int dquot_rebuild(struct repair *r, u32 ag, u64 ino);
/* The same, where nothing else is damaged: for a quota check. */
int dquot_count(struct repair *r);

/* Inodes can be read, and space can be had. */
#define NAMES_NEED_SPACE                                                                       \
	(AG_REBUILD_NEEDS | 1ull << META_INODES | 1ull << META_REFCOUNTBT | 1ull << META_AGF | \
	 1ull << META_AGFL | 1ull << META_AGI | 1ull << META_BNOBT | 1ull << META_CNTBT |      \
	 1ull << META_RMAPBT | 1ull << META_INOBT | 1ull << META_FINOBT)
/* The entries and the indexes of a directory, in any form. */
int dir_rebuild(struct repair *r, u32 ag, u64 ino);
/* The attributes of an inode that are whole, in a new fork. */
int attr_rebuild(struct repair *r, u32 ag, u64 ino);

/* What the descriptors of all that a directory, or attributes, are made of have in common: one
 * rebuild makes them anew together. */
#define REBUILT_AS_DIRECTORY                                                                \
	.rebuild = dir_rebuild, .needs_rebuild = NAMES_NEED_SPACE, .items = SCRUB_BIT(DIR), \
	.in_inode = inode_has_directory, .rebuilt_from = "its data blocks",                 \
	.else_from = "the hash index, parent pointers, the types of inodes"
#define REBUILT_AS_ATTRIBUTES                                                                      \
	.rebuild = attr_rebuild, .needs_rebuild = NAMES_NEED_SPACE, .items = SCRUB_BIT(XATTR),     \
	.in_inode = inode_has_attributes, .rebuilt_from = "all leaves of the fork that are whole", \
	.else_from = "hashes of names, checksums of values"
/* The target of a symbolic link, as far as it is there. */
int symlink_rebuild(struct repair *r, u32 ag, u64 ino);
/* Names, link counts, `..` and parent pointers of all inodes, from each other. */
int names_rebuild(struct repair *r, u32 ag, u64 ino);
struct dir_remake;
int dir_short_rebuild(struct repair *r, struct dir_remake *m);

#endif
