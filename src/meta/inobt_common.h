/* What the inode trees share: the schema's functions and the rules of a record. */
#ifndef MENDFS_META_INOBT_COMMON_H
#define MENDFS_META_INOBT_COMMON_H

#include "meta/findings.h"
#include "meta/tree.h"

#define CHUNK_INODES 64
#define HOLEMASK_INODES 4 /* inodes that one bit of the hole mask stands for */

/* A record in host numbers. */
struct inode_record {
	u32 startino, count, freecount;
	u16 holemask;
	u64 free;  /* free inodes; holes count as free */
	u64 holes; /* one bit an inode */
};

extern const struct btree_schema inobt_schema, finobt_schema;

void inode_record_load(const struct geometry *g, const void *record, struct inode_record *out);
void inobt_rules(struct verdict *v, const struct geometry *g, const struct btree_schema *schema,
		 const void *block, u32 len);
/* Pushes the chunks that were found without the inobt (sweep->found). */
int inobt_push_found(struct sweep *sweep, u32 ag);
/* The facts of FREE_INODES for one record. */
struct fact free_inode_fact(u32 ag, const struct inode_record *r);

#endif
