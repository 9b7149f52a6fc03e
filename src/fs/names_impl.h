/* What the files of the namespace share; see names.h. */
#ifndef MENDFS_FS_NAMES_IMPL_H
#define MENDFS_FS_NAMES_IMPL_H

#include "fs/ialloc.h"
#include "fs/names.h"

/* An inode in the transaction, to be changed. */
struct node {
	struct inum ino;
	struct txn_buf *buf;
	struct dinode *d;
};

int node_open(struct vol *vol, struct txn *txn, struct inum ino, struct node *out);
static inline bool node_is(const struct node *n, u16 kind)
{
	return n->d && (be16_get(n->d->mode) & 0170000) == kind;
}
/* As its flags have it: the old way of telling time, or the new; what does not fit is clamped. */
struct be64 node_time(const struct node *n, const struct names_time *t);
/* Counts a change; the times that are named become `now`. */
#define NODE_MTIME 1u
#define NODE_CTIME 2u
#define NODE_ATIME 4u
void node_touch(struct txn *txn, struct node *n, u32 what, const struct names_time *now);
/* -EMLINK beyond what there may be. */
int node_links(struct txn *txn, struct node *n, s64 amount);
/* A name less; with the last one it goes to the list of unlinked inodes, and is *gone. */
int node_drop_link(struct vol *vol, struct txn *txn, struct node *n, struct inum *gone);
/* The target of a new symbolic link. */
int node_write_target(struct vol *vol, struct txn *txn, struct node *n, const char *target);

#endif
