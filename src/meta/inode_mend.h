/*
 * Mending the record of one inode, in memory: what has one right value gets it.
 *
 * Pure: bytes and what is known of the inode in, bytes out.  Whether a value is better than another
 * is asked of the rules of the inode (meta/inode.h).
 */
#ifndef MENDFS_META_INODE_MEND_H
#define MENDFS_META_INODE_MEND_H

#include "meta/inode_facts.h"

enum inode_use { USE_UNKNOWN, USE_FREE, USE_TAKEN };

struct mend_inode {
	const struct geometry *g;
	const struct meta_type *type; /* META_INODE */
	u64 ino;
	u8 *raw; /* g->inode_size bytes, changed in place */
	const struct inode_facts *facts;
	enum inode_use use; /* as the inobt has it */
	u64 head;	    /* LSN that the log has reached; 0: not known */
	bool made;	    /* nothing of it could be believed: it is another inode now */
	bool freed;	    /* it is a free inode now */
	char what[256];	    /* was changed: names of fields */
};

/* Two of what tells an inode are there: magic, own number, uuid, checksum. */
bool inode_believable(const struct geometry *g, u64 ino, const u8 *raw);
/* Everything but what its forks map. */
void inode_mend(struct mend_inode *m);
/* How many extents a fork in extents format has, when the count is not to be believed. blocks: that
 * they have together, or NULL64. */
u32 inode_count_extents(const struct geometry *g, const struct fork *fork, u64 blocks);
/* For fields that others work out, with a note of what was changed. */
void inode_set(struct mend_inode *m, const char *name, u64 value);
/* The size, once the maps are right. */
void inode_mend_size(struct mend_inode *m);
bool inode_is_realtime(const struct mend_inode *m);
/* How many rules it breaks. */
u32 inode_broken(const struct mend_inode *m);

#endif
