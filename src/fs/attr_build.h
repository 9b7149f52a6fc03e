/*
 * Building the attribute fork of an inode anew, inside a transaction: from a list of attributes to
 * the smallest form that holds them (short, one leaf, a node above leaves), remote values included.
 *
 * The new blocks are written before the old ones are let go, so nothing is lost when space is
 * short: -ENOSPC, and the transaction is rolled back.
 */
#ifndef MENDFS_FS_ATTR_BUILD_H
#define MENDFS_FS_ATTR_BUILD_H

#include "fs/attr.h"
#include "fs/da_modify.h"

/* Names and values together. */
#define ATTR_LIST_BYTES_MAX (16u << 20)

struct attr_item {
	struct attr_item *next;
	u32 hash;
	u8 flags; /* name space */
	u32 name_length, value_length;
	u32 value_block; /* of a remote value, once it has a place */
	u8 bytes[];	 /* name, value */
};

struct attr_list {
	struct env *env;
	struct attr_item *first, **end;
	u32 count;
	u64 bytes;
};

/* False where an attribute fork has no leaf: short form, or no attributes. */
bool attr_tree_is(const struct da_op *op);
/* Changes of one attribute in such a fork: attr_tree.c. Of parent pointers the value belongs to the
 * name. -EEXIST is not looked for; -ENODATA. */
int attr_tree_add(struct da_op *op, const struct attr *attr);
int attr_tree_find(struct da_op *op, const struct attr *attr);
int attr_tree_remove(struct da_op *op, const struct attr *attr);
/* Whether all of it may fit into the inode. */
int attr_tree_small(struct da_op *op, bool *small);

void attr_list_open(struct env *env, struct attr_list *list);
void attr_list_close(struct attr_list *list);
/* All attributes of the inode but incomplete ones. */
int attr_list_read(struct attr_list *list, struct vol *vol, const struct inode *inode);
int attr_list_add(struct attr_list *list, const struct attr *attr);
/* Takes the attribute of this name out; of parent pointers, the one of this value. False: there is
 * none. */
bool attr_list_remove(struct attr_list *list, const struct attr *attr);
/* They may not fit below one node, so attr_list_write() could refuse them. */
bool attr_list_large(const struct geometry *g, const struct attr_list *list);

/* Whether its value has blocks of its own, since it would take three quarters of a leaf; the bytes
 * of it in a leaf, beside its entry; those bytes, where value_block is set if it is remote. */
bool attr_item_remote(const struct geometry *g, const struct attr_item *item);
u32 attr_item_size(const struct geometry *g, const struct attr_item *item);
void attr_item_put(const struct geometry *g, const struct attr_item *item, u8 *to);

/* These are the attributes of the inode now, and no others; f->which is FORK_ATTR. The fork is made
 * when there is none yet, and given up with the last attribute where XFS does. */
int attr_list_write(struct fork_edit *f, const struct attr_list *list);

#endif
