/* What the types that hang on inodes share: the rules of one inode, and the rules of extents. */
#ifndef MENDFS_META_INODE_H
#define MENDFS_META_INODE_H

#include "format/finding.h"
#include "format/inode.h"
#include "format/type.h"

struct txn_change;
struct ref;

/* Magic, checksum, filesystem and place; findings go to v. */
enum inode_state {
	INODE_BAD,	  /* no inode, or not this one: nothing in it can be used */
	INODE_UNVERIFIED, /* the checksum is wrong, the rest may still be true */
	INODE_SOUND,
};
enum inode_state inode_identify(struct verdict *v, const struct geometry *g, const u8 *raw);
/* Everything else that an inode alone must obey. False: its forks cannot be followed. */
bool inode_rules(struct verdict *v, const struct geometry *g, const struct inode *inode);
/* Those of its flags that an inode of its type can have. */
u32 inode_flags_possible(const struct geometry *g, const struct inode *inode);
u64 inode_flags2_possible(const struct geometry *g, const struct inode *inode);

/* in_inode() of the types that hang on inodes. */
bool inode_has_map(const struct geometry *g, const struct inode *inode, enum scrub_type item);
bool inode_has_directory(const struct geometry *g, const struct inode *inode, enum scrub_type item);
bool inode_has_attributes(const struct geometry *g, const struct inode *inode,
			  enum scrub_type item);
bool inode_has_target(const struct geometry *g, const struct inode *inode, enum scrub_type item);
bool inode_has_parent(const struct geometry *g, const struct inode *inode, enum scrub_type item);

/* Each inode of a piece of a chunk (a ref of META_INODES) as an object of its own. */
void inodes_each(const struct meta_types *types, const struct geometry *g, const struct ref *piece,
		 void (*fn)(void *arg, const struct ref *ref), void *arg);

/* change() of inodes: inode_change.c. */
int inode_change(struct sweep *sweep, const struct txn_change *c);

#endif
